"""aftercorr between two arrays: each waiting task looks at the task of its own number, so it is split off when that one has ended."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.core import arrays
from slurm.core.splitting import split
from slurm.core.standing import FAILED, FULFILLED
from slurm.core.state import ClusterState
from slurm.model.ids import JobId
from slurm.model.job import DependencyClause, Job
from slurm.notation.taskset import TaskSet


def applies(state: ClusterState, job: Job, clause: DependencyClause) -> bool:
    """Whether a clause pairs the tasks of two arrays: the job still holds waiting tasks and its target is an array."""
    return job.array_part is not None and clause.task is None and clause.job in state.arrays


def has_task(state: ClusterState, array: JobId, task: int) -> bool:
    """Whether an array had this task at all."""
    ledger = state.arrays[array]
    if task in ledger.records or task in ledger.done_well or task in ledger.done_badly:
        return True
    master = state.jobs.get(array)
    return master is not None and master.array_part is not None and arrays.contains(master.array_part.ranges, task)


def separate(state: ClusterState, job: Job, clause: DependencyClause, news: Iterable[int] | None = None) -> list[Job]:
    """Split off the waiting tasks whose counterparts have ended, among `news` or all; returns their records."""
    ledger = state.arrays[clause.job]
    part = job.array_part
    assert part is not None
    if news is None:
        own = TaskSet(part.ranges)
        news = sorted({*own.intersection(ledger.done_well), *own.intersection(ledger.done_badly)})
    place = job.dependency.index(clause)
    parts: list[Job] = []
    for task in news:
        well = task in ledger.done_well
        if not (well or task in ledger.done_badly) or job.array_part is None or not arrays.contains(job.array_part.ranges, task):
            continue
        own_record = split(state, job, task)
        own_record.dependency[place].state = FULFILLED if well else FAILED
        if own_record is not job:
            state.enter_queue(own_record)
            state.remember_targets(own_record)
            state.set_waiting_timers(own_record)
        parts.append(own_record)
    return parts
