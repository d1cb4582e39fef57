"""Why a job that waited for others never ran: which of them failed, and with what error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slurm.sdk.calls.dependencies import jobs_in
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.following.status import UNKNOWN


def found(awaited: Sequence[Promise]) -> tuple[Any, BaseException] | None:
    """The first of these jobs that ended badly, or of those that it waited for itself, and its error; None where that is not known."""
    jobs = {job.id: job for job in jobs_in(awaited) if not job.cached}
    if not jobs:
        return None
    states = next(iter(jobs.values())).cluster.tracker.statuses(list(jobs))
    for key, job in jobs.items():
        state = states[key]
        if not state.finished or state.successful or state.state == UNKNOWN:
            continue
        earlier = found(job.awaits) if state.state == "CANCELLED" else None
        error = earlier[1] if earlier is not None else job.exception(0)
        if error is not None:
            return earlier or (job, error)
    return None


def told(job: Any, error: BaseException) -> str:
    """One line about it."""
    return f"it waited for job {job.id} ({job.name}), which failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
