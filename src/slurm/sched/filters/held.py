"""A held job waits for its release."""

from __future__ import annotations

from slurm.model.states import Reason
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import Refusal

BY_USER = Refusal(Reason.JOB_HELD_USER, "it is held by its owner", cures=("Released",))
BY_ADMIN = Refusal(Reason.JOB_HELD_ADMIN, "it is held by an administrator", cures=("Released",))


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    if not gate.job.held:
        return None
    if gate.job.reason not in ("", Reason.NONE, Reason.JOB_HELD_USER, Reason.JOB_HELD_ADMIN):
        return Refusal(gate.job.reason, "it was put on hold after it failed", cures=("Released",))
    return BY_ADMIN if gate.job.held == "admin" else BY_USER
