"""Whose age counts: GrpJobsAccrue, MaxJobsAccrue and the like say for how many waiting jobs priority grows with time.

While no such limit is set, a job ages from when it is eligible on (`core.standing`). Where one is, jobs begin to age as the limits leave
room, the first in the queue first, by the event Accrued; who looks for them is the daemon, now and then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from slurm.core.policy import state as counting
from slurm.core.policy.tally import Key
from slurm.core.standing import READY, verdict
from slurm.model import limits as rows
from slurm.model.ids import JobId
from slurm.model.job import Job


class State(counting.State, Protocol):
    """What of a cluster's state is looked at and changed here."""

    def changed(self, job: Job) -> None: ...


def due(state: counting.Rules, jobs: Iterable[Job]) -> list[JobId]:
    """Those of these waiting jobs that may begin to age now; none of them, together, passes a limit."""
    policy = state.policy
    more: dict[Key, int] = {}
    found: list[JobId] = []
    for job in jobs:
        if not waits_to_age(job):
            continue
        limited = [bound for bound in counting.bounds_of(state, job) if bound.limit.quantity == rows.ACCRUING]
        if any(policy.tally.of(bound.key).accruing + more.get(bound.key, 0) >= bound.value for bound in limited):
            continue
        for key in counting.keys_of(state, job):
            more[key] = more.get(key, 0) + 1
        found.append(job.id)
    return found


def waits_to_age(job: Job) -> bool:
    """Whether nothing holds a waiting job back and it does not age all the same."""
    return not job.accrue_time and not job.held and not job.not_before and bool(job.eligible_time) and verdict(job) == READY


def begin(state: State, jobs: Iterable[JobId], at: float) -> None:
    """These jobs age from now on; those that wait no longer are passed over."""
    for job_id in jobs:
        job = state.pending.get(job_id)
        if job is not None and waits_to_age(job):
            job.accrue_time = at
            state.changed(job)
            counting.waits(state, job)
