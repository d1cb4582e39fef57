"""The tasks of an array wait when as many run as its % limit allows."""

from __future__ import annotations

from slurm.model.states import Reason
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import ENDINGS, Refusal

CURES = (*ENDINGS, "JobUpdated")
"""A task of it ends, by whatever, or its limit is changed."""


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    array = gate.job.array_job
    limit = gate.view.array_limit(array) if array else 0
    if not limit:
        return None
    running = gate.view.running_tasks(array)
    if running < limit:
        return None
    return Refusal(Reason.JOB_ARRAY_TASK_LIMIT, f"{running} tasks of the array run and its limit is {limit}",
                   (("running", str(running)), ("limit", str(limit))), CURES)
