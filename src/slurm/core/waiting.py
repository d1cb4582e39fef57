"""What happens to a job while it waits: begin times, holds, changes, cancellation before a start."""

from __future__ import annotations

import msgspec

from slurm.core import arrays, changes, concluding, dependencies, notices, recording, standing
from slurm.core import events as e
from slurm.core.effects import Announce, Effect
from slurm.core.illegal import IllegalTransition, story
from slurm.core.policy import state as counting
from slurm.core.splitting import split
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.job import Job
from slurm.model.states import JobState, Reason


def on_submitted(state: ClusterState, event: e.Submitted) -> list[Effect]:
    """A job or array joins the queue, or the components of a heterogeneous job all at once; the records are complete."""
    known = [job.id for job in (event.job, *event.components) if job.id in state.jobs]
    if known:
        raise IllegalTransition(f"Submitted names an id in use: {story(state.jobs[known[0]])}")
    effects: list[Effect] = []
    for job in (event.job, *event.components):
        effects += _join(state, job, event.at)
    return effects


def _join(state: ClusterState, submitted: Job, at: float) -> list[Effect]:
    """One record joins the queue. The event keeps a record of its own: it may be written later."""
    job = msgspec.structs.replace(
        submitted, flags=list(submitted.flags), nodes_left=[], steps={},
        dependency=[msgspec.structs.replace(clause) for clause in submitted.dependency])
    state.allocate_id(job.id)
    state.add_job(job)
    state.keys.add(job.owner.uid, job.key, job.id)
    if job.array_part is not None:
        job.array_part = msgspec.structs.replace(job.array_part, ranges=list(job.array_part.ranges))
        state.arrays[job.id] = arrays.new_ledger(job.array_part)
    state.enter_queue(job)
    if job.not_before:
        state.timers.set(job.not_before, Timer.BEGIN, job.id)
    state.set_deadline_timer(job)
    effects: list[Effect] = [Announce(job=job.id)]
    dependencies.watch(state, job, at, effects)
    recording.submitted(state, job)
    return effects


def on_numbering_continued(state: ClusterState, event: e.NumberingContinued) -> list[Effect]:
    """Other jobs had these ids before this state began."""
    if event.above >= state.next_job_id:
        state.allocate_id(event.above)
    return []


def on_eligible(state: ClusterState, job: Job, event: e.Eligible) -> list[Effect]:
    """A begin time, a requeue delay or the delay of an after: has come."""
    effects: list[Effect] = []
    if job.not_before and event.at >= job.not_before:
        job.not_before = 0.0
    dependencies.delay_over(state, job, event.at, effects)
    if job.id not in state.pending:  # it waited for what will never be
        return effects
    standing.refresh(job, event.at, ages=state.policy.ages)
    recording.job(state, job)
    return effects


def on_cron_planned(state: ClusterState, job: Job, event: e.CronPlanned) -> list[Effect]:
    """The next run of a job that scrontab made has its time."""
    if job.cron is None:
        return []
    job.cron = msgspec.structs.replace(job.cron, planned=event.moment)
    job.not_before = event.moment
    state.timers.set(job.not_before, Timer.BEGIN, job.id)
    standing.refresh(job, event.at, ages=state.policy.ages)
    recording.job(state, job)
    return [Announce(job=job.id)]


def on_held(state: ClusterState, job: Job, event: e.Held) -> list[Effect]:
    """A hold; an administrator's is not weakened by the owner's."""
    job = own_record(state, job, event.task, event.at)
    job.held = "admin" if event.admin else job.held or "user"
    job.priority = 0
    standing.refresh(job, event.at, anew=True, ages=state.policy.ages)
    recording.job(state, job)
    return [Announce(job=job.id)]


def on_held_running(state: ClusterState, job: Job, event: e.Held) -> list[Effect]:
    """It goes on, and stays in the queue should it be put back there."""
    job.held = "admin" if event.admin else job.held or "user"
    job.reason = Reason.JOB_HELD_ADMIN if job.held == "admin" else Reason.JOB_HELD_USER
    recording.job(state, job)
    return [Announce(job=job.id)]


def on_released_running(state: ClusterState, job: Job, event: e.Released) -> list[Effect]:
    """Put back, it may start again."""
    job.held, job.reason = "", Reason.NONE
    recording.job(state, job)
    return [Announce(job=job.id)]


def on_released(state: ClusterState, job: Job, event: e.Released) -> list[Effect]:
    """The hold is lifted, and a requeue delay with it; a --begin asked for by the user still counts."""
    job = own_record(state, job, event.task, event.at)
    job.held = ""
    job.priority = 0  # The planner writes the new one down before anybody can look.
    if job.not_before and job.restarts and job.not_before != job.request.begin and job.cron is None:
        job.not_before = 0.0
    job.flags = [flag for flag in job.flags if flag not in ("special_exit", "resv_del_hold")]
    if job.request.priority == 0:
        changes.set_request(job, priority=None)
    standing.refresh(job, event.at, anew=True, ages=state.policy.ages)
    recording.job(state, job)
    return [Announce(job=job.id)]


def on_updated(state: ClusterState, job: Job, event: e.JobUpdated) -> list[Effect]:
    """`scontrol update`."""
    job = own_record(state, job, event.task, event.at)
    effects: list[Effect] = [Announce(job=job.id)]
    if job.id in state.pending:
        job.priority = 0  # The planner writes the new one down.
    changes.apply(state, job, event, effects)
    recording.job(state, job)
    return effects


def on_deadline_passed(state: ClusterState, job: Job, event: e.DeadlinePassed) -> list[Effect]:
    """It can no longer end in time."""
    effects: list[Effect] = [Announce(job=job.id)]
    drop(state, job, JobState.DEADLINE, Reason.DEADLINE, event.at, effects)
    return effects


def on_cancelled(state: ClusterState, job: Job, event: e.Cancelled) -> list[Effect]:
    """A waiting job, or some waiting tasks of an array, will not run."""
    effects: list[Effect] = [Announce(job=job.id)]
    part = job.array_part
    if part is not None and event.tasks is not None:
        part.ranges, gone = arrays.without(part.ranges, event.tasks)
        if part.ranges:
            state.arrays[job.id].dropped(gone)
            state.count_end(JobState.CANCELLED, arrays.count(gone))
            recording.job(state, job)
            notices.dropped(state, job, gone, event.at)
            counting.waits(state, job)
            dependencies.array_changed(state, job.id, event.at, effects)
            return effects
        part.ranges = gone
    job.reason_text = str(event.by)
    drop(state, job, JobState.CANCELLED, Reason.NONE, event.at, effects)
    return effects


def drop(state: ClusterState, job: Job, final: JobState, reason: str, at: float, effects: list[Effect]) -> None:
    """End a job that waits."""
    concluding.retire(state, job, final, reason, at)
    dependencies.ended(state, job, at, effects)


def own_record(state: ClusterState, job: Job, task: int | None, at: float) -> Job:
    """The record of one waiting task of an array, split off where it shared the array's; the job itself when no task is named."""
    if task is None or job.array_part is None:
        return job
    if not arrays.contains(job.array_part.ranges, task):
        own = state.task(job.id, task)
        if own is not None and own.id in state.pending:
            state.changed(own)
            return own
        raise IllegalTransition(f"task {task} does not wait: {story(job)}")
    own = split(state, job, task)
    state.enter_queue(own)
    state.remember_targets(own)
    state.set_waiting_timers(own)
    dependencies.look_for_namesakes(state, own, at, [])
    return own
