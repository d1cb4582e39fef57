"""What the subcommands of `slurm state` share: which state is this machine's, and what is said of a copy."""

from __future__ import annotations

import time
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.config.keys import find_conf, read_keys
from slurm.model.errors import ConfigError
from slurm.slurmctld.state_copy import copy


def configured(environ: Mapping[str, str]) -> str:
    """The StateSaveLocation of this machine's slurm.conf. ConfigError where there is none."""
    path = find_conf(environ)
    if path is None:
        raise ConfigError(message="there is no slurm.conf here, which would say where the state is", hints=[
            "set SLURM_CONF, or name both sides: slurm state copy FROM TO"])
    return read_keys(path).text("StateSaveLocation")


def copied(source: str, target: str, console: Console) -> int:
    """Copy and say what was; exit status."""
    began = time.monotonic()
    found = copy(source, target)
    if console.json:
        console.answer({"jobs": found.jobs, "records": found.records, "event": found.event, "digest": found.digest})
        return 0
    console.line(f"copied {found.jobs} jobs ({found.records} records) as they are after event {found.event}, in "
                 f"{time.monotonic() - began:.1f} s")
    console.line(f"read again, both sides are {found.digest[:16]}")
    return 0
