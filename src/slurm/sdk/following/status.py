"""Status and JobSnapshot: what is known of a job at one moment."""

from __future__ import annotations

from typing import NamedTuple

from slurm.model.states import JobState

_FINISHED = frozenset(state.name for state in JobState if state.finished)
UNKNOWN = "UNKNOWN"
"""State of a job that the cluster no longer remembers; its files may still tell."""


class Status(NamedTuple):
    """`state` in Slurm's long words, `exit_code` as "1:0" ("" before the end), `reason` Slurm's word for why it waits or ended."""

    state: str
    exit_code: str = ""
    reason: str = ""

    @property
    def finished(self) -> bool:
        """Whether the job has ended for good, or is no longer known."""
        return self.state in _FINISHED or self.state == UNKNOWN

    @property
    def successful(self) -> bool:
        """Whether it ended well."""
        return self.state == "COMPLETED"


class JobSnapshot(NamedTuple):
    """A job at one moment. `elapsed_seconds` is None before it has started; the tails are the last lines that it has written."""

    job_id: str
    state: str
    exit_code: str | None
    reason: str | None
    stdout_tail: str
    stderr_tail: str
    elapsed_seconds: float | None
    is_terminal: bool
    is_successful: bool


def normal(state: str) -> str:
    """A state as sacct and squeue may write it, "CANCELLED by 1000" or "CANCELLED+", as the plain word."""
    words = state.split()
    return words[0].rstrip("+") if words else UNKNOWN
