"""The clock was set: what was measured by it is told by the new one, so that no job gains or loses time by it.

What people named by the calendar (begin times, deadlines, reservations, entries of scrontab) stays where it was and follows the new clock,
as does what is over. Since when a living job runs, waits or is delayed, and up to when usage was counted, moves with the clock.
"""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import recording, starting
from slurm.core.effects import Effect
from slurm.core.policy import state as counting
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.job import Job, LostAttempt, Step
from slurm.model.trigger import Pull


def on_clock_set(state: ClusterState, event: e.ClockSet) -> list[Effect]:
    """Move what lies behind by as much as the clock was moved; nobody has to be told: what is left of each time is what it was."""
    for job in state.jobs.values():
        if not (job.state.finished or job.completing):
            _move_job(state, job, event.by)
    for key, counters in state.policy.usage.counters.items():
        for counter in counters.values():
            counter.moment += event.by
        state.unsaved.usage.add(key)
    for reservation in state.reservations.values():
        if reservation.idle_since:
            reservation.idle_since += event.by
            state.timers.set(event.at, Timer.RESERVATION, reservation.id)
            state.unsaved.reservations.add(reservation.name)
    for node in state.nodes.values():
        for name in ("last_busy_time", "power_since", "reboot_since", "resume_after"):
            _move(node, name, event.by)
        state.unsaved.nodes.add(node.name)
    for trigger in state.triggers.values():
        if trigger.pulled:  # runs so long after what it waited for
            trigger.pulled = [Pull(pull.argument, pull.moment + event.by) for pull in trigger.pulled]
            state.unsaved.triggers.add(trigger.id)
    state.keys.move(event.by)
    return []


def _move_job(state: ClusterState, job: Job, by: float) -> None:
    if job.suspended_by:  # its record begins when it was suspended, by the clock that holds now
        recording.suspension(state, job, job.suspend_time, job.suspend_time)
        recording.suspension(state, job, job.suspend_time + by)
    for name in ("accrue_time", "start_time", "resize_time", "suspend_time", "kill_at", "preempt_time"):
        _move(job, name, by)
    if job.promise is not None:
        _move(job.promise, "since", by)
    if job.preempt_mode and job.kill_at:
        state.timers.set(job.kill_at, Timer.GRACE, job.id)
    if not job.not_before:
        _move(job, "eligible_time", by)
    _move_steps(job.steps, by)
    if job.lost is not None:
        _move_lost(job.lost, by)
    for clause in job.dependency:
        _move(clause, "since", by)
    if job.id in state.pending:
        if job.not_before and job.restarts and job.not_before != job.request.begin and job.cron is None:
            job.not_before += by  # the delay of a requeue: so long from then on
            job.eligible_time = job.not_before
        state.set_waiting_timers(job)
    elif job.id in state.active and not job.completing:
        starting.set_limit_timer(state, job)
        starting.set_warning_timer(state, job)
        counting.retimed(state, job)
    state.changed(job)
    recording.job(state, job)
    for step in job.steps.values():
        if not step.end_time:
            recording.step(state, job, step)


def _move_lost(lost: LostAttempt, by: float) -> None:
    for name in ("since", "start_time"):
        _move(lost, name, by)
    _move_steps(lost.steps, by)


def _move_steps(steps: dict[int, Step], by: float) -> None:
    for step in steps.values():
        _move(step, "start_time", by)
        _move(step, "end_time", by)


def _move(record: object, name: str, by: float) -> None:
    before = getattr(record, name)
    if before:
        setattr(record, name, before + by)
