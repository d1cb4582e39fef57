"""The last entries about a job: the array's ledger, the end of its stay in memory, the way back to the queue. Nobody is told here."""

from __future__ import annotations

import msgspec

from slurm.core import arrays, crontab_lines, notices, recording, standing
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.settings import Settings
from slurm.model.states import JobState, Reason

_UNPLANNED_SECONDS = 366 * 86400.0


def may_run_again(settings: Settings, job: Job) -> bool:
    """Whether a job may be run again after a failure or on request: batch, and --requeue or JobRequeue=1."""
    if job.request.kind != "batch":
        return False
    return settings.job_requeue if job.request.requeue is None else job.request.requeue


def gave_way(settings: Settings, job: Job, status: int) -> bool:
    """A job that was given time to end has ended by itself; whether it counts as preempted: one that ended well is done."""
    if not job.preempt_mode:
        return False
    if not status:
        job.preempt_mode = ""
    job.requeue_after = job.preempt_mode == "requeue" and may_run_again(settings, job)
    return bool(status)


def record_end(state: ClusterState, job: Job, at: float) -> None:
    """Write an end into the array's ledger and set the time at which the record leaves memory."""
    state.count_end(job.state, arrays.count(job.array_part.ranges) if job.array_part is not None else 1)
    if job.array_job:
        ledger = state.arrays[job.array_job]
        if job.array_part is not None:
            ledger.dropped(job.array_part.ranges)
        elif job.array_task is not None:
            ledger.ended(job.array_task, job.state is JobState.COMPLETED)
            ledger.started += job.attempt == 0 and job.restarts == 0
    crontab_lines.give_up(state, job)
    notices.ended(state, job)
    state.timers.set(at + state.settings.min_job_age, Timer.PURGE, job.id)


def retire(state: ClusterState, job: Job, final: JobState, reason: str, at: float) -> None:
    """End a job that waits."""
    state.leave_queue(job)
    state.forget_targets(job)
    job.state = final
    job.reason = reason
    job.flags = []
    job.not_before = 0.0
    job.end_time = job.start_time = at
    recording.job(state, job)
    record_end(state, job, at)


def back_to_queue(state: ClusterState, job: Job, at: float) -> None:
    """Make a job whose attempt is over wait again, RequeueDelay from now or held."""
    notices.requeued(state, job)
    if not job.state.finished:
        recording.life_over(state, job)
    job.restarts += 1
    if state.settings.requeue_delay > 0:
        job.not_before = at + state.settings.requeue_delay
    _wait_again(state, job, at)


def to_next_run(state: ClusterState, job: Job, at: float) -> None:
    """A run of a job that scrontab made is over, as its record says: it waits for the next one, whose time is planned as soon as somebody
    looks at the clock."""
    assert job.cron is not None
    state.count_end(job.state, 1)
    notices.ended(state, job)
    recording.life_over(state, job)
    job.cron = msgspec.structs.replace(job.cron, planned=0.0)
    job.not_before = at + _UNPLANNED_SECONDS
    state.timers.set(at, Timer.CRON, job.id)
    job.restarts = 0
    job.reason_text = job.last_node_failed = ""
    _wait_again(state, job, at)


def _wait_again(state: ClusterState, job: Job, at: float) -> None:
    job.state = JobState.PENDING
    job.allocation = None
    job.batch_host = NodeName("")
    job.partition = job.request.partition
    job.submit_time = at
    job.start_time = job.end_time = job.accrue_time = 0.0
    job.exit_status = job.derived_status = job.memory_peak = 0
    job.launched = job.signalled = job.requeue_after = job.without_cpus = False
    job.suspend_time = job.suspended_seconds = job.kill_at = 0.0
    job.preempt_mode = ""
    job.next_step = job.priority = 0
    if job.request.time_min is not None and job.request.time_limit:
        job.time_limit = job.request.time_limit  # it may have started with less
    job.steps.clear()
    if job.hold_after:
        if not job.held:
            job.held, job.reason = "user", Reason.REQUEUED_HELD
        job.hold_after = False
    if job.not_before:
        state.timers.set(job.not_before, Timer.BEGIN, job.id)
    if job.array_task is not None:
        state.arrays[job.array_job].again(job.array_task)
    state.enter_queue(job)
    state.remember_targets(job)
    standing.refresh(job, at, ages=state.policy.ages)
    recording.job(state, job)
