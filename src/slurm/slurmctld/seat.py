"""Which of the slurmctlds of slurm.conf this process is: by the name of its machine.

Where slurm.conf names one, whoever runs slurmctld is that one: its name may be any that leads here. Of several each must know its place.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from slurm.config.config import Config
from slurm.model.errors import ConfigError


class Seat(NamedTuple):
    """`rank` from 0, the order of the lines SlurmctldHost; `host` and `address` as that line says; `controllers`: how many there are."""

    rank: int
    host: str
    address: str
    controllers: int

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.controllers == 1


def seat_of(conf: Config, machine: str = "") -> Seat:
    """This machine's; ConfigError where none of several is it."""
    machine = machine or os.uname().nodename
    controllers = conf.controllers
    if len(controllers) == 1:
        return Seat(0, controllers[0].host, controllers[0].addr, 1)
    named = [each.host for each in controllers]
    short = [host.partition(".")[0] for host in named]
    for names, name in ((named, machine), (short, machine.partition(".")[0])):
        if name in names:
            rank = names.index(name)
            return Seat(rank, named[rank], controllers[rank].addr, len(controllers))
    raise ConfigError(message=f"This host ({machine}) not a valid controller", hints=[
        f"{conf.path} has SlurmctldHost={', '.join(named)}: one of them must be what `hostname -s` prints here"])
