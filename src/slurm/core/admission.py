"""Admission: from what was asked to the event Submitted. First `completion`, then `checks`, each a list of small steps.

Nothing is changed here: the event is applied by whoever asked. Whether the job could ever start is judged in `sched.feasible`.
"""

from __future__ import annotations

from typing import NamedTuple

from slurm.core import checks, completion, entitlement
from slurm.core import events as e
from slurm.core.draft import Draft
from slurm.core.state import ClusterState
from slurm.model.ids import JobId
from slurm.model.job import Job, Owner
from slurm.model.request import JobRequest, PayloadRef

STEPS = (*completion.STEPS, *checks.STEPS)
"""The steps of admission in their order."""


class Admitted(NamedTuple):
    """An admitted job: the event to apply, and lines for the submitter's standard error."""

    event: e.Submitted
    warnings: list[str]


def admit(state: ClusterState, request: JobRequest, payload: PayloadRef, caller: e.Caller, now: float) -> Admitted:
    """Complete and check a request; SlurmError with Slurm's words when it cannot be taken."""
    draft = Draft(state, request, caller, now)
    for step in STEPS:
        step(draft)
    job = _record(draft, payload)
    entitlement.longest(draft, job)
    entitlement.check_limits(draft, job)
    return Admitted(e.Submitted(at=now, job=job), draft.warnings)


def _record(draft: Draft, payload: PayloadRef) -> Job:
    request, caller = draft.request, draft.caller
    job_id = draft.state.next_job_id
    return Job(
        id=job_id,
        owner=Owner(uid=caller.uid, gid=caller.gid, user=caller.user, group=caller.group),
        association=draft.association,
        request=request,
        payload=payload,
        partition=request.partition,
        array_job=job_id if draft.array is not None else JobId(0),
        array_part=draft.array,
        priority=request.priority or 0,
        held="user" if request.hold or request.priority == 0 else "",
        dependency=draft.clauses,
        dependency_any=draft.dependency_any,
        submit_time=draft.now,
        not_before=draft.not_before,
        time_limit=draft.time_limit,
    )
