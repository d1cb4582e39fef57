"""What a cluster's commands say when they refuse: their words without their own names before them, and names that the cluster has not, as
errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slurm.sdk.errors import BackendCommandError

NO_ACCOUNTING = ("accounting storage is disabled", "not found", "not on PATH")
"""In what sacct and sreport say where no accounts are kept."""
_NAMED = re.compile(r"(?:sbatch|srun|salloc|squeue|sinfo|scancel|scontrol|sacct): (?:(?:error|hint|fatal|warning): )?")
_USER = re.compile(r"Invalid user: (.+)")
_STATE = re.compile(r"Invalid job state specified: (.+)")
_STATES = re.compile(r"Valid job states include: (.+)")


class UnknownName(BackendCommandError):
    """The cluster has nothing of this name; `valid` is what it has, where it says so."""

    kind = "thing"

    def __init__(self, name: str, valid: Iterable[str] = ()) -> None:
        self.name, self.valid = name, list(valid)
        super().__init__(f"there is no {self.kind} {name}" + (f"\nvalid: {', '.join(self.valid)}" if self.valid else ""))


class UnknownUser(UnknownName):
    """Where the cluster is, nobody has this name."""

    kind = "user"


class UnknownState(UnknownName):
    """Jobs have no such state."""

    kind = "job state"


class UnknownPartition(UnknownName):
    """The cluster has no such partition, or does not show it to the user."""

    kind = "partition"


def lines(said: str) -> list[str]:
    """What a command wrote to standard error, without "squeue: error: " and the like."""
    return [_NAMED.sub("", line, count=1) if _NAMED.match(line) else line for line in said.splitlines()]


def told(error: BackendCommandError) -> BackendCommandError:
    """squeue's refusal of a user or state as such; any other error as it is."""
    text = str(error)
    if found := _USER.search(text):
        return UnknownUser(found[1].strip())
    if found := _STATE.search(text):
        valid = _STATES.search(text)
        return UnknownState(found[1].strip(), valid[1].strip().split(",") if valid else ())
    return error
