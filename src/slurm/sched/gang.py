"""Gang: jobs of a partition that share CPUs have them in turn, a time slice each (PreemptMode=GANG, SchedulerTimeSlice, OverSubscribe).

A pure look at what runs: whoever asks carries out the events, and asks again at the moment that is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from slurm.core import events as e
from slurm.core.suspending import GANG
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.sched.sharing import jobs_per_cpu
from slurm.sched.view import View


class Turn(NamedTuple):
    """Who stops and who goes on now, those that stop first; `again`: when to look next (seconds since the epoch), 0: when things change."""

    events: list[e.Suspended | e.Resumed]
    again: float


def turn(view: View, now: float) -> Turn:
    """Whose turn it is: who has waited longest for those whose slice is over, and no CPU with two that run."""
    if GANG not in view.settings.preempt_modes:
        return Turn([], 0.0)
    events: list[e.Suspended | e.Resumed] = []
    again = 0.0
    for jobs in _gangs(view):
        stops, goes, next_look = _of_partition(jobs, now, view.settings.time_slice)
        events += [e.Suspended(at=now, job=job.id, attempt=job.attempt, why=GANG) for job in stops]
        events += [e.Resumed(at=now, job=job.id, attempt=job.attempt, why=GANG) for job in goes]
        again = min(filter(None, (again, next_look)), default=0.0)
    events.sort(key=lambda event: isinstance(event, e.Resumed))
    return Turn(events, again)


def _gangs(view: View) -> Iterator[list[Job]]:
    """By partition the jobs that share CPUs with others of it and are in nobody else's hands."""
    found: dict[str, list[Job]] = {}
    for job in view.active.values():
        if job.completing or job.lost is not None or job.allocation is None or job.het or job.preempt_mode:
            continue
        partition = view.partitions.get(job.partition)
        if partition is None or "off" in partition.preempt_mode.lower().split(",") or jobs_per_cpu(job, partition) == 1:
            continue
        if job.allocation.exclusive:
            continue
        if job.state is JobState.RUNNING or job.suspended_by == GANG:
            found.setdefault(job.partition, []).append(job)
    yield from (jobs for jobs in found.values() if len(jobs) > 1 or jobs[0].state is not JobState.RUNNING)


def _of_partition(jobs: list[Job], now: float, time_slice: int) -> tuple[list[Job], list[Job], float]:
    """Those that stop, those that go on, and when the first slice ends for which somebody waits."""
    order = sorted(jobs, key=lambda job: _place(job, now, time_slice))
    taken: dict[NodeName, int] = {}
    stops, goes, kept = [], [], []
    waits = False
    for job in order:
        if _fits(job, taken):
            if job.state is JobState.SUSPENDED:
                goes.append(job)
            kept.append(job)
        else:
            waits = True
            if job.state is JobState.RUNNING:
                stops.append(job)
    return stops, goes, min((_slice_end(job, now, time_slice) for job in kept), default=0.0) if waits else 0.0


def _slice_end(job: Job, now: float, time_slice: int) -> float:
    end = _since(job) + time_slice
    return end if job.state is JobState.RUNNING and end > now else now + time_slice


def _place(job: Job, now: float, time_slice: int) -> tuple[int, float, int]:
    """Whose slice lasts comes first, then who waits, the longest first, then whose slice is over."""
    if job.state is JobState.SUSPENDED:
        return 1, job.suspend_time, job.id
    since = _since(job)
    return (0 if now - since < time_slice else 2), since, job.id


def _since(job: Job) -> float:
    return max(job.start_time, job.suspend_time)


def _fits(job: Job, taken: dict[NodeName, int]) -> bool:
    """Whether nobody who runs has its CPUs; then they are taken."""
    assert job.allocation is not None
    shares = [share for share in job.allocation.shares if share.node in job.nodes_left]
    if any(taken.get(share.node, 0) & share.cpus.bits for share in shares):
        return False
    for share in shares:
        taken[share.node] = taken.get(share.node, 0) | share.cpus.bits
    return True
