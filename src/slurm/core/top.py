"""scontrol top: some of a user's waiting jobs go before his others, by nice values; what all of them together weigh stays the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slurm.core import changes, selection
from slurm.core.events import Caller, JobUpdated
from slurm.core.rights import is_operator, require_owner
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted
from slurm.model.ids import JobId
from slurm.model.job import Job

_LOWEST = 2
"""Priorities end at 1, where jobs cannot be told apart any more: there the jobs are raised instead."""
_Group = tuple[int, str, str, str]


def move(state: ClusterState, ids: Iterable[str], caller: Caller, now: float, *, priority: Callable[[Job], int],
         by_users: bool) -> list[JobUpdated]:
    """Put these jobs before the other waiting ones of the same user, partition, account and QOS, in the order in which they are named.

    `priority` is a job's priority now; `by_users`: not by operators only. NotPermitted; NotNow for jobs that do not wait or are held;
    InvalidRequest for those in several partitions or with a priority that somebody set.
    """
    if not by_users and not is_operator(state, caller):
        raise NotPermitted("ESLURM_DISABLED", hints=["SchedulerParameters=enable_user_top lets users order their own jobs"])
    chosen: dict[_Group, dict[JobId, Job]] = {}
    for one in selection.by_ids(state, ids):
        job = one.job
        require_owner(state, caller, job)
        _require_movable(state, job, one.shown)
        chosen.setdefault(_group(job), {})[job.id] = job
    if not chosen:
        return []
    groups: dict[_Group, list[tuple[int, Job]]] = {group: [] for group in chosen}
    for job in state.pending.values():
        found = groups.get(_group(job))
        if found is not None and _is_movable(job):
            found.append((priority(job), job))
    events: list[JobUpdated] = []
    for which, jobs in groups.items():
        events += _reordered(jobs, list(chosen[which].values()), now)
    return events


def _reordered(jobs: list[tuple[int, Job]], first: list[Job], now: float) -> list[JobUpdated]:
    """Hand the priorities that there are out anew: `first` in its order, then the others in theirs."""
    ordered = sorted(jobs, key=lambda pair: (-pair[0], pair[1].id))
    had = {job.id: value for value, job in ordered}
    others = [job for _, job in ordered if job not in first]
    after = [*first, *others]
    if after == [job for _, job in ordered]:
        return []
    values: list[int] = []
    for value, _ in ordered:
        values.append(min(value, values[-1] - 1) if values else value)  # equal ones would stand in the order of their submission
    lift = max(0, _LOWEST - values[-1])
    events: list[JobUpdated] = []
    for value, job in zip(values, after, strict=True):
        raised = value + lift - had[job.id]
        if raised:
            events.append(JobUpdated(at=now, job=job.id, changes=changes.encode({"nice": job.request.nice - raised})))
    return events


def _group(job: Job) -> _Group:
    return job.owner.uid, job.partition, job.request.account, job.request.qos


def _is_movable(job: Job) -> bool:
    return not job.held and "," not in job.partition and job.request.priority is None and not job.het


def _require_movable(state: ClusterState, job: Job, shown: str) -> None:
    if job.id not in state.pending:
        raise NotNow("ESLURM_JOB_NOT_PENDING", hints=[f"job {shown} is {job.state.name}"])
    if job.held:
        raise NotNow("ESLURM_JOB_HELD", hints=[f"scontrol release {shown}"])
    if "," in job.partition:
        raise InvalidRequest("ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE", hints=[
            f"job {shown} was submitted to several partitions: only those with a single one have an order among themselves"])
    if job.request.priority is not None or job.het:
        why = "is a component of a heterogeneous job" if job.het else f"has the priority {job.request.priority} that an operator gave it"
        raise InvalidRequest("ESLURM_NOT_SUPPORTED", hints=[f"job {shown} {why}"])
