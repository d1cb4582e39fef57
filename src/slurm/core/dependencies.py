"""Dependencies between jobs: whether they are fulfilled, and who is told when a job starts or ends.

A clause keeps its own verdict on the record; it is looked at again only when its target changed, found through
`ClusterState.dependents`. The notation lives in `notation.dependency`, aftercorr between arrays in `correspond`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import NamedTuple

from slurm.core import components, correspond, notices, recording
from slurm.core.concluding import retire
from slurm.core.effects import Announce, Effect
from slurm.core.standing import FAILED, FULFILLED, NEVER, OPEN, refresh, verdict
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.ids import JobId
from slurm.model.job import DependencyClause, Job
from slurm.model.states import JobState, Reason

_ALL = 2**62


class Target(NamedTuple):
    """What a clause looks at: whether all of it started, all of it ended, any of it badly; when it started (0: unknown)."""

    started: bool
    ended: bool
    badly: bool
    since: float = 0.0


def watch(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """Look at every clause of a job that joined the queue or got other clauses, and remember which jobs it waits for."""
    state.remember_targets(job)
    dead: list[Job] = []
    for clause in list(job.dependency):
        dead += _consider(state, job, clause, at, effects)
    _tell(state, dead + _judge(state, [job], at, effects), at, effects)


def started(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """Tell those that wait for a start."""
    _tell(state, [job], at, effects)


def ended(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """Tell those that wait for an end; jobs that die of it (--kill-on-invalid-dep) are told on in turn."""
    _tell(state, [job], at, effects)


def array_changed(state: ClusterState, array: JobId, at: float, effects: list[Effect]) -> None:
    """Tell those that wait for an array some of whose tasks were dropped."""
    _tell(state, _revisit(state, {array}, at, effects)[0], at, effects)


def namesake_changed(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """A job of this user and name joined or left: the earliest that waits may have become the only one, or not be it any more."""
    group = state.names.group(job)
    if group is None:
        return
    for candidate in dict.fromkeys((group.turn, group.earliest())):
        waiting = state.pending.get(candidate) if candidate is not None else None
        if waiting is None:
            continue
        for clause in waiting.dependency:
            if clause.kind == "singleton":
                _consider(state, waiting, clause, at, effects)
                _judge(state, [waiting], at, effects)


def look_for_namesakes(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """A job came back to the queue or got another name: look again whether it is the only one, and whether others still are."""
    for clause in job.dependency:
        if clause.kind == "singleton":
            _consider(state, job, clause, at, effects)
            _judge(state, [job], at, effects)
    namesake_changed(state, job, at, effects)


def delay_over(state: ClusterState, job: Job, at: float, effects: list[Effect]) -> None:
    """Fulfil the clauses whose +minutes are over, and take in what became of others when too many waited for it to be told at once."""
    dead: list[Job] = []
    for clause in list(job.dependency):
        if _is_behind(state, job, clause):
            dead += _consider(state, job, clause, at, effects)
        elif clause.state == OPEN and clause.since and at >= clause.since + clause.delay:
            clause.state = FULFILLED
    _tell(state, dead + _judge(state, [job], at, effects), at, effects)
    following = next_delay(job)
    if following is not None and job.id in state.pending:
        state.timers.set(following, Timer.DELAY, job.id)


def next_delay(job: Job) -> float | None:
    """When the earliest +minutes that runs for a job is over, None when none runs."""
    ends = [clause.since + clause.delay for clause in job.dependency if clause.state == OPEN and clause.since]
    return min(ends) if ends else None


def is_behind(state: ClusterState, job: Job) -> bool:
    """Whether something became of a job that this one waits for which it has not been told yet."""
    return any(_is_behind(state, job, clause) for clause in job.dependency)


def _is_behind(state: ClusterState, job: Job, clause: DependencyClause) -> bool:
    if clause.state != OPEN or clause.since or not clause.job or _corresponds(state, job, clause):
        return False
    target = _target(state, job, clause)
    if clause.kind == "after":
        return target.started or target.ended
    return target.ended or (target.badly and clause.kind not in ("afterany", "afternotok"))


def _corresponds(state: ClusterState, job: Job, clause: DependencyClause) -> bool:
    """Whether tasks wait for tasks, of which each is told at once."""
    return clause.kind == "aftercorr" and (job.array_part is not None or correspond.applies(state, job, clause))


def _tell(state: ClusterState, changed: Collection[Job], at: float, effects: list[Effect]) -> None:
    """Tell on, in order, until nobody more dies of it, or as many were told as one event may: the others have a timer that is due now."""
    if not state.dependents:  # nobody waits for anybody: only namesakes may, who are in no index by job
        for job in changed:
            if not state.names.alone(job):
                namesake_changed(state, job, at, effects)
        return
    queue = deque(changed)
    left = state.settings.cascade_at_once or _ALL
    while queue:
        job = queue.popleft()
        keys = {job.id} | {of for of in (job.array_job, job.het_job) if of}
        dead, told = _revisit(state, keys, at, effects, source=job, most=left)
        queue.extend(dead)
        left -= told
        namesake_changed(state, job, at, effects)


def _revisit(
    state: ClusterState, keys: set[JobId], at: float, effects: list[Effect], source: Job | None = None, most: int = _ALL,
) -> tuple[list[Job], int]:
    """Look again at the clauses that name one of `keys`, of `most` jobs now; returns the jobs that ended by it, and how many were looked
    at."""
    if state.dependents.keys().isdisjoint(keys):
        return [], 0
    watchers = sorted(set().union(*(state.dependents.get(key, ()) for key in keys)))
    dead: list[Job] = []
    told = 0
    for watcher in watchers:
        job = state.pending.get(watcher)
        if job is None or job is source:
            continue
        concerned = [clause for clause in job.dependency if clause.job in keys and clause.state == OPEN]
        if told >= most and concerned and not any(_corresponds(state, job, clause) for clause in concerned):
            state.timers.set(at, Timer.DELAY, job.id)
            continue
        told += bool(concerned)
        for clause in concerned:
            dead += _consider(state, job, clause, at, effects, source)
        dead += _judge(state, [job], at, effects)
    return dead, told


def _consider(
    state: ClusterState, job: Job, clause: DependencyClause, at: float, effects: list[Effect], source: Job | None = None,
) -> list[Job]:
    """Look at one clause; returns jobs that ended by it (split tasks of an array)."""
    state.changed(job)
    if clause.kind == "singleton":
        _single(state, job, clause)
        return []
    dead: list[Job] = []
    if clause.kind == "aftercorr" and correspond.applies(state, job, clause):
        news = [source.array_task] if source is not None and source.array_task is not None else None
        parts = correspond.separate(state, job, clause, news)
        for part in parts:
            look_for_namesakes(state, part, at, effects)
        dead = _judge(state, parts, at, effects)
        if job.array_part is None:
            return dead
    target = _target(state, job, clause)
    if clause.kind == "after":
        _after(state, job, clause, target, at)
    elif clause.kind == "afterany":
        clause.state = FULFILLED if target.ended else OPEN
    elif clause.kind == "afternotok":
        clause.state = OPEN if not target.ended else FULFILLED if target.badly else FAILED
    elif clause.kind == "aftercorr" and job.array_part is not None and not target.ended:
        clause.state = OPEN
    else:
        clause.state = FAILED if target.badly else FULFILLED if target.ended else OPEN
    return dead


def _after(state: ClusterState, job: Job, clause: DependencyClause, target: Target, at: float) -> None:
    if not (target.started or target.ended):
        clause.state = OPEN
        return
    if not clause.since:
        clause.since = target.since or at
    due = clause.since + clause.delay
    clause.state = FULFILLED if at >= due else OPEN
    if clause.state == OPEN:
        state.timers.set(due, Timer.DELAY, job.id)


def _target(state: ClusterState, job: Job, clause: DependencyClause) -> Target:
    ledger = state.arrays.get(clause.job)
    if ledger is None:
        return _target_jobs(state, clause.job)
    task = clause.task
    if clause.kind == "aftercorr" and task is None and job.array_task is not None and correspond.has_task(state, clause.job,
            job.array_task):
        task = job.array_task
    if task is None:
        return Target(ledger.started >= ledger.shape.count, ledger.finished, bool(ledger.done_badly))
    own = state.jobs.get(ledger.records.get(task, JobId(0)))
    well, badly = task in ledger.done_well, task in ledger.done_badly
    began = own is not None and own.attempt > 0
    return Target(began or well or badly, well or badly, badly, own.start_time if own is not None else 0.0)


def _target_jobs(state: ClusterState, job_id: JobId) -> Target:
    """A job; of the leader of a heterogeneous job all of its components."""
    job = state.jobs.get(job_id)
    if job is None or job.het_job != job.id:
        return _target_job(job)
    parts = [_target_job(one) for one in components.members(state.jobs, job)]
    return Target(
        all(part.started for part in parts), all(part.ended for part in parts), any(part.badly for part in parts),
        max(part.since for part in parts))


def _target_job(job: Job | None) -> Target:
    if job is None:
        return Target(True, True, True)
    finished = job.state.finished and not job.completing
    return Target(job.attempt > 0 or finished, finished, finished and job.state is not JobState.COMPLETED, job.start_time)


def _single(state: ClusterState, job: Job, clause: DependencyClause) -> None:
    """Whether no namesake runs and none waits that came before; the group remembers whose turn it is."""
    group = state.names.group(job)
    single = group is None or (not group.active and group.earliest() in (job.id, None))
    clause.state = FULFILLED if single else OPEN
    if group is not None and (single or group.turn == job.id):
        group.turn = job.id if single else None


def _judge(state: ClusterState, jobs: Collection[Job], at: float, effects: list[Effect]) -> list[Job]:
    """Refresh waiting jobs whose clauses changed; those that can never run and ask for it end. Returns the jobs that ended."""
    dead: list[Job] = []
    for job in jobs:
        if job.id not in state.pending:
            continue
        state.changed(job)
        standing = verdict(job)
        wish = job.request.kill_on_invalid_dep
        if standing == NEVER and (state.settings.kill_on_invalid_dep if wish is None else wish):
            notices.never_satisfied(state, job)
            retire(state, job, JobState.CANCELLED, Reason.DEPENDENCY_NEVER_SATISFIED, at)
            dead.append(job)
            effects.append(Announce(job=job.id))
            continue
        before = job.reason, job.eligible_time
        refresh(job, at, ages=state.policy.ages)
        if (job.reason, job.eligible_time) != before:
            recording.job(state, job)
            if job.reason == Reason.DEPENDENCY_NEVER_SATISFIED != before[0]:
                notices.never_satisfied(state, job)
    return dead
