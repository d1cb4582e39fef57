"""Admission: from what was asked to the event Submitted. First `completion`, then `checks`, each a list of small steps.

Nothing is changed here: the event is applied by whoever asked. Whether the job could ever start is judged in `sched.feasible`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slurm.core import checks, completion, entitlement
from slurm.core import events as e
from slurm.core.components import MOST
from slurm.core.draft import Draft
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.ids import JobId
from slurm.model.job import Job, Owner
from slurm.model.request import JobRequest, PayloadRef

STEPS = (*completion.STEPS, *checks.STEPS)
"""The steps of admission in their order."""


class Admitted(NamedTuple):
    """An admitted job: the event to apply, and lines for the submitter's standard error."""

    event: e.Submitted
    warnings: list[str]


def admit(
    state: ClusterState, request: JobRequest, payload: PayloadRef, caller: e.Caller, now: float, components: Sequence[JobRequest] = (),
) -> Admitted:
    """Complete and check a request; SlurmError with Slurm's words when it cannot be taken.

    `components`: the other components of a heterogeneous job. All are taken, or none.
    """
    drafts = [_checked(state, one, caller, now) for one in (request, *components)]
    ids = state.free_ids(len(drafts))
    _check_together(state, drafts, ids)
    jobs = [_record(draft, payload, job_id) for draft, job_id in zip(drafts, ids, strict=True)]
    for number, (draft, job) in enumerate(zip(drafts, jobs, strict=True)):
        entitlement.longest(draft, job)
        entitlement.check_limits(draft, job, before=jobs[:number])
        if len(jobs) > 1:
            job.het = tuple(ids)
            if number:
                job.request.mail_type = job.request.mail_user = ""  # its leader tells of it
    warnings = list(dict.fromkeys(warning for draft in drafts for warning in draft.warnings))
    return Admitted(e.Submitted(at=now, job=jobs[0], components=jobs[1:]), warnings)


def _checked(state: ClusterState, request: JobRequest, caller: e.Caller, now: float) -> Draft:
    draft = Draft(state, request, caller, now)
    for step in STEPS:
        step(draft)
    return draft


def _check_together(state: ClusterState, drafts: Sequence[Draft], ids: Sequence[JobId]) -> None:
    """What a heterogeneous job may not be, and whether all of it has room in the queue."""
    if len(drafts) == 1:
        return
    if len(drafts) > MOST:
        raise InvalidRequest("ESLURM_INVALID_OPTION", "Heterogeneous job has too many components",
            hints=[f"at most {MOST}; {len(drafts)} are asked for"])
    if any(draft.array is not None for draft in drafts):
        raise InvalidRequest("ESLURM_INVALID_ARRAY", hints=["a heterogeneous job cannot be an array: submit each as a job of its own"])
    checks.room_in_queue(drafts[0], count=len(drafts))
    if len(ids) < len(drafts) or len(set(ids)) < len(ids):
        raise NotNow("ESLURM_MAX_JOB_COUNT", hints=[f"too few job ids up to {state.settings.max_job_id} are free (MaxJobId)"])


def _record(draft: Draft, payload: PayloadRef, job_id: JobId) -> Job:
    request, caller = draft.request, draft.caller
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
