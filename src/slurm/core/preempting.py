"""How jobs give way to one that waits: the folds of Preempted, GraceEnded and PromiseEnded. Who gives way to whom is decided in `sched`.

What was freed for a job stays promised to it: others are refused it (`promises`) until it has started, may not start, or cannot any more.
"""

from __future__ import annotations

from slurm.core import concluding, ending, recording, suspending, waiting
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, Signal
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.ids import JobId
from slurm.model.job import Job, Promise
from slurm.model.states import JobState, Reason
from slurm.notation import signal as signals

CANCEL, REQUEUE, SUSPEND = "cancel", "requeue", "suspend"
SIGTERM, SIGCONT = 15, 18


def on_preempted(state: ClusterState, record: Job, event: e.Preempted) -> list[Effect]:
    """Others give way to a waiting job, or to a task of an array, which gets a record of its own."""
    job = waiting.own_record(state, record, event.task, event.at)
    job.promise = Promise(allocation=event.allocation, since=event.at, victims=[victim.job for victim in event.victims],
                          time_limit=event.time_limit)
    state.promised[job.id] = job
    state.changed(job)
    effects: list[Effect] = []
    for victim in event.victims:
        other = state.jobs.get(victim.job)
        if other is not None and other.id in state.active and not other.completing and other.lost is None and not other.preempt_mode:
            state.changed(other)
            effects += _give_way(state, other, victim, job.id, event.at)
    return effects


def on_grace_ended(state: ClusterState, job: Job, event: e.GraceEnded) -> list[Effect]:
    """It had its time to end by itself."""
    return _end(state, job, event.at) if job.preempt_mode else []


def on_promise_ended(state: ClusterState, job: Job, event: e.PromiseEnded) -> list[Effect]:
    """Nothing is kept for it any longer."""
    job.promise = None
    state.promised.pop(job.id, None)
    return []


def _give_way(state: ClusterState, job: Job, victim: e.Victim, winner: JobId, at: float) -> list[Effect]:
    job.preempt_time, job.preempted_for = at, winner
    if victim.mode == SUSPEND:
        suspended = e.Suspended(at=at, job=job.id, attempt=job.attempt, why="preemption")
        return (suspending.on_suspended_anew if job.suspended_by else suspending.on_suspended)(state, job, suspended)
    job.preempt_mode = victim.mode
    if not victim.grace or job.suspended_by:
        return _end(state, job, at)
    job.kill_at = at + victim.grace
    state.timers.set(job.kill_at, Timer.GRACE, job.id)
    recording.job(state, job)
    return [Announce(job=job.id), *_warnings(state, job)]


def _warnings(state: ClusterState, job: Job) -> list[Effect]:
    """SIGCONT and SIGTERM to its tasks, or the signal that it asked for (PreemptParameters=send_user_signal)."""
    nodes = tuple(job.nodes_left)
    if state.settings.preempt_user_signal and job.request.signal and not job.signalled:
        request = signals.parse_request(job.request.signal)
        job.signalled = True
        return [Signal(job=job.id, attempt=job.attempt, nodes=nodes, signal=request.number, batch=request.batch)]
    return [Signal(job=job.id, attempt=job.attempt, nodes=nodes, signal=number) for number in (SIGCONT, SIGTERM)]


def _end(state: ClusterState, job: Job, at: float) -> list[Effect]:
    job.requeue_after = job.preempt_mode == REQUEUE and concluding.may_run_again(state.settings, job)
    return ending.end(state, job, at, JobState.PREEMPTED, Reason.NONE, why="preempted")
