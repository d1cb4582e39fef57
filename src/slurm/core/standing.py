"""What holds a waiting job back, as its own record says: hold, begin time, dependencies; and the reason that follows."""

from __future__ import annotations

from slurm.model.job import Job
from slurm.model.states import Reason

READY, WAITING, NEVER = "ready", "waiting", "never"
OPEN, FULFILLED, FAILED = "unfulfilled", "fulfilled", "failed"
_SPECIAL_HOLDS = (Reason.LAUNCH_FAILED_REQUEUED_HELD, Reason.JOB_HOLD_MAX_REQUEUE, Reason.REQUEUED_HELD)


def verdict(job: Job) -> str:
    """READY, WAITING or NEVER, from the verdicts of a job's clauses."""
    clauses = job.dependency
    if not clauses:
        return READY
    states = [clause.state for clause in clauses]
    if job.dependency_any:
        if FULFILLED in states:
            return READY
        return WAITING if OPEN in states else NEVER
    if FAILED in states:
        return NEVER
    return WAITING if OPEN in states else READY


def refresh(job: Job, at: float, *, anew: bool = False, ages: bool = True) -> None:
    """Set reason and eligible time of a waiting job from what holds it back; `anew` drops the special reasons of holds too.

    `ages`: its age counts from then on; False where limits on accruing jobs decide (core.policy.accrual).
    """
    if job.held:
        if anew or not (job.reason in _SPECIAL_HOLDS or "resv_del_hold" in job.flags):
            job.reason = Reason.JOB_HELD_ADMIN if job.held == "admin" else Reason.JOB_HELD_USER
        job.eligible_time = 0.0
        return
    if job.not_before:
        job.reason = Reason.BEGIN_TIME
        job.eligible_time = job.not_before
        return
    standing = verdict(job)
    if standing == READY:
        job.reason = Reason.NONE
        if not 0.0 < job.eligible_time <= at:
            job.eligible_time = at
        if ages:
            job.accrue_time = job.accrue_time or job.eligible_time
    else:
        job.reason = Reason.DEPENDENCY if standing == WAITING else Reason.DEPENDENCY_NEVER_SATISFIED
        job.eligible_time = 0.0
