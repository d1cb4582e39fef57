"""What a slurmctld that stands by and the one that leads say to each other on the former's connection (MessagePack).

    standby → leader    RegisterStandby, AskLead, SackdAlive now and then, and the channels of commands that it relays (wire.relay_messages)
    leader → standby    StandbyAccepted, Alive, TakeLead, StopStandby

Who leads is not decided here but by the lease beside the journal (store.lease): a message that is lost costs time only.
"""

from __future__ import annotations

from typing import Annotated

from slurm.model.bounds import Name, Real, Whole, Word
from slurm.wire.message import Message


class RegisterStandby(Message):
    """First message of a standby → StandbyAccepted or Failure. `rank`: of its line SlurmctldHost, from 0; `conf`: SHA-256 of slurm.conf and
    the files beside it."""

    host: Name
    rank: Annotated[int, Whole(0, 1_000)]
    version: Word = ""
    conf: Word = ""


class StandbyAccepted(Message):
    """The leader knows it: `host` leads, and is told every `heartbeat` seconds that the standby lives. `conf`: as in RegisterStandby."""

    heartbeat: Annotated[float, Real(0.01, 86_400)]
    host: Name = ""
    cluster_name: Name = ""
    conf: Word = ""


class AskLead(Message):
    """Hand over to me. `wished`: an administrator wishes it; else it is a slurmctld that goes before the leader and has just started."""

    wished: bool = False


class TakeLead(Message):
    """The leader hands over: claim the lead as soon as it is released."""


class StopStandby(Message):
    """All slurmctlds are to end."""


FromStandby = RegisterStandby | AskLead
ToStandby = StandbyAccepted | TakeLead | StopStandby
