"""A job with --begin, or a requeued one, waits for its time."""

from __future__ import annotations

from slurm.model.states import Reason
from slurm.notation import moment
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import Refusal


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    begin = gate.job.not_before
    if not begin or begin <= gate.now:
        return None
    return Refusal(Reason.BEGIN_TIME, f"it may not start before {moment.show(begin)}", (("begin", moment.show(begin)),), ("Eligible",))
