"""Schedule: a cluster's jobs and the planner's forecasts as bars in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.model.schedule import Bar, Schedule, Waiting
from slurm.notation import hostlist
from slurm.notation.taskset import TaskSet
from slurm.sched.lengths import YEAR, length
from slurm.sched.proposal import Forecast
from slurm.sched.view import View

NAMED = 1000
"""So many jobs without a start in sight are named."""


def schedule(view: View, now: float, forecasts: Mapping[JobId, Forecast], verdicts: Mapping[JobId, Refusal], planned_at: float,
             sees: Callable[[Job], bool] = lambda job: True) -> Schedule:
    """What runs and what is planned as of `now` (seconds since the epoch).

    `forecasts` and `verdicts` are what a pass of the planner at `planned_at` said; jobs that who asks does not see have no names.
    """
    names = [str(name) for name in view.nodes]
    found = Schedule(cluster=view.settings.cluster_name, at=now, planned_at=planned_at, nodes=hostlist.compress(names))
    found.bars = sorted((_running(view, job, now, sees(job)) for job in view.active.values() if job.allocation is not None),
                        key=lambda bar: (bar.start, bar.job))
    planned = [_planned(job, forecast, sees(job)) for job_id, forecast in forecasts.items()
               if (job := view.pending.get(job_id)) is not None]
    found.bars += sorted(planned, key=lambda bar: (bar.start, bar.job))
    for job in view.pending.values():
        if job.id in forecasts:
            continue
        if len(found.waiting) == NAMED:
            found.left_out += 1
            continue
        refusal = verdicts.get(job.id)
        reason = job.reason if refusal is None else refusal.reason
        shown, name, user = _named(job, sees(job))
        found.waiting.append(
            Waiting(job=shown, name=name, user=user, partition=job.partition, reason="" if reason == "None" else reason))
    return found


def _named(job: Job, seen: bool) -> tuple[str, str, str]:
    if not seen:
        return "another", "", ""
    shown = job.shown_id if job.array_part is None else f"{job.id}_[{TaskSet(job.array_part.ranges).show()}]"
    return shown, job.request.name, job.owner.user


def _running(view: View, job: Job, now: float, seen: bool) -> Bar:
    given = job.holding
    assert given is not None
    end = view.expected_end(job)
    shown, name, user = _named(job, seen)
    return Bar(job=shown, name=name, user=user, partition=job.partition, start=job.start_time, end=end if end is not None else now + YEAR,
               nodes=hostlist.compress(given.nodes), cpus=given.cpu_count, endless=end is None)


def _planned(job: Job, forecast: Forecast, seen: bool) -> Bar:
    cpus = forecast.allocation.cpu_count if forecast.allocation is not None else 0
    shown, name, user = _named(job, seen)
    return Bar(job=shown, name=name, user=user, partition=forecast.allocation.partition if forecast.allocation is not None
        else job.partition,
               start=forecast.start, end=forecast.start + length(job), nodes=hostlist.compress(forecast.nodes), cpus=cpus, planned=True,
               endless=job.time_limit < 0)
