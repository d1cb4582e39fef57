"""What is due: the events that time alone brings about, from the timers of the state. Nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Callable

from slurm.core import components
from slurm.core import events as e
from slurm.core.dependencies import is_behind, next_delay
from slurm.core.reserving import due as reservations
from slurm.core.reserving import running
from slurm.core.starting import warning_time
from slurm.core.state import ClusterState, latest_start
from slurm.core.timer_heap import Timer
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation.cron import parse
from slurm.notation.cron_times import following

PURGE_AT_ONCE = 1000
PURGED_FOR_ONE = 20
"""As many jobs are forgotten in the time that another event takes."""
AGAIN_SECONDS = 60.0
"""What could not be decided by a fault of the program is decided anew after so long."""
_KEPT = (JobState.RUNNING, JobState.SUSPENDED)
"""Jobs that hold nodes, and can be ended for a moment that has come."""
Failed = Callable[[Timer, int, Exception], None]
"""Told of what could not be decided: of which kind, for which job or reservation (its number), and the error."""


def due(state: ClusterState, now: float, most: int | None = None, failed: Failed | None = None) -> list[e.Event]:
    """The events whose time has come, in order, about `most` of them, the rest when asked again.

    Apply all of them: each is given out once. One that cannot be told is tried again a minute later and costs nobody else's:
    `failed` is told; without it the error is raised.
    """
    events: list[e.Event] = []
    purge: list[JobId] = []
    seen: set[tuple[int, JobId]] = set()
    timers = state.timers
    delays, at_once = 0, state.settings.cascade_at_once
    while (earliest := timers.earliest()) is not None and earliest <= now:
        if (at_once and delays >= at_once) or (most is not None and len(events) + len(purge) // PURGED_FOR_ONE >= most):
            break  # the rest is due in the next turn
        moment, what, number = timers.pop()
        if what == Timer.RESERVATION:
            try:
                events += _of_reservation(state, number, now)
            except Exception as error:
                _again(state, now, Timer.RESERVATION, number, error, failed)
            continue
        job_id = JobId(number)
        delays += what == Timer.DELAY
        job = state.jobs.get(job_id)
        if job is None or (what, job_id) in seen:
            continue
        if what == Timer.PURGE:
            if job.state.finished and not job.completing:
                if job.het and components.living(state.jobs, job):
                    timers.set(now + state.settings.min_job_age, Timer.PURGE, job_id)
                elif now >= job.end_time + state.settings.min_job_age:
                    purge.append(job_id)
                    seen.add((what, job_id))
                else:
                    timers.set(job.end_time + state.settings.min_job_age, Timer.PURGE, job_id)
            continue
        try:
            event = _event(state, job, what, moment, now)
            later = _moment(state, job, what) if event is None else None
        except Exception as error:
            _again(state, now, Timer(what), number, error, failed)
            continue
        if event is not None:
            events.append(event)
            seen.add((what, job_id))
        elif later is not None and later > now:
            timers.set(later, Timer(what), job_id)
    events += [e.Purged(at=now, jobs=purge[at: at + PURGE_AT_ONCE]) for at in range(0, len(purge), PURGE_AT_ONCE)]
    return events


def _again(state: ClusterState, now: float, what: Timer, number: int, error: Exception, failed: Failed | None) -> None:
    if failed is None:
        raise error
    state.timers.set(now + AGAIN_SECONDS, what, number)
    failed(what, number, error)


def _of_reservation(state: ClusterState, number: int, now: float) -> list[e.Event]:
    """What is due of a reservation; when nothing is, it is looked at again later."""
    of = reservations.of_number(state, number)
    if of is None:
        return []
    event = reservations.event(state, of, now)
    if event is not None:
        return [event]
    state.timers.set(max(running.next_look(of, now), now + 1.0), Timer.RESERVATION, number)
    return []


def _moment(state: ClusterState, job: Job, what: int) -> float | None:
    """When a job needs to be looked at for this, as things are now; None when it need not."""
    if job.id in state.pending:
        if what == Timer.BEGIN:
            return job.not_before or None
        return next_delay(job) if what == Timer.DELAY else latest_start(job) if what == Timer.DEADLINE else None
    if job.state not in _KEPT or job.completing:
        return None
    if what == Timer.GRACE:
        return job.kill_at if job.preempt_mode else None
    return state.kill_time(job) if what == Timer.LIMIT else warning_time(state, job) if what == Timer.WARN and not job.signalled else None


def next_due(state: ClusterState) -> float | None:
    """When `due` should be asked next, in seconds since the epoch; None when nothing is in sight. It may be too early, never too late."""
    return state.timers.earliest()


def _planned(job: Job, now: float) -> e.Event | None:
    if job.cron is None or job.cron.planned:
        return None
    return e.CronPlanned(at=now, job=job.id, moment=following(parse(job.cron.spec), now))


def _event(state: ClusterState, job: Job, what: int, moment: float, now: float) -> e.Event | None:
    waits = job.id in state.pending
    if what == Timer.BEGIN:
        return e.Eligible(at=max(moment, now), job=job.id) if waits and job.not_before and job.not_before <= now else None
    if what == Timer.CRON:
        return _planned(job, now) if waits else None
    if what == Timer.DELAY:
        delay = next_delay(job) if waits else None
        is_due = (delay is not None and delay <= now) or (waits and is_behind(state, job))
        return e.Eligible(at=max(moment, now), job=job.id) if is_due else None
    if what == Timer.DEADLINE:
        latest = latest_start(job) if waits else None
        return e.DeadlinePassed(at=now, job=job.id) if latest is not None and latest <= now else None
    if job.state not in _KEPT or job.completing:
        return None
    if what == Timer.GRACE:
        return e.GraceEnded(at=now, job=job.id, attempt=job.attempt) if job.preempt_mode and job.kill_at <= now else None
    if what == Timer.WARN:
        warn = warning_time(state, job)
        if warn is None or warn > now or job.signalled or (job.runs_script and not job.launched):
            return None
        return e.Warned(at=now, job=job.id, attempt=job.attempt)
    end = state.kill_time(job)
    return e.TimedOut(at=now, job=job.id, attempt=job.attempt) if end is not None and end <= now else None
