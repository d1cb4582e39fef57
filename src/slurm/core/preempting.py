"""How jobs give way to one that waits: the folds of Preempted, GraceEnded and PromiseEnded. Who gives way to whom is decided in `sched`.

What was freed for a job stays promised to it: others are refused it (`promises`) until it has started, may not start, or cannot any more.
"""

from __future__ import annotations

from slurm.core import arrays, concluding, ending, promises, recording, resources, suspending, waiting
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, Signal
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.cpu_set import NOTHING
from slurm.model.ids import JobId
from slurm.model.job import Allocation, Job, NodeShare, Promise
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


def possible(state: ClusterState, event: e.Event) -> bool:
    """Whether what a pass proposed for running jobs, or for one that they gave way to, can be done as things are now."""
    if isinstance(event, e.Preempted):
        return _can_give_way(state, event)
    if isinstance(event, e.Resumed):
        job = state.suspended.get(event.job)
        return job is not None and job.attempt == event.attempt and job.suspended_by == event.why and _has_its_cpus(state, job)
    return isinstance(event, e.PromiseEnded) and event.job in state.promised


def _can_give_way(state: ClusterState, event: e.Preempted) -> bool:
    job = state.pending.get(event.job)
    if job is None or job.promise is not None or job.held or (event.task is None) != (job.array_part is None):
        return False
    if event.task is not None and job.array_part is not None and not arrays.contains(job.array_part.ranges, event.task):
        return False
    modes = {victim.job: victim.mode for victim in event.victims}
    for job_id, mode in modes.items():
        other = state.jobs.get(job_id)
        if other is None or other.id not in state.active or other.completing or other.lost is not None or other.preempt_mode:
            return False
        if mode == SUSPEND and other.state is not JobState.RUNNING:
            return False
    return promises.refusal(state, job.id, event.allocation) is None and all(_will_fit(state, share, modes)
        for share in event.allocation.shares)


def _will_fit(state: ClusterState, share: NodeShare, modes: dict[JobId, str]) -> bool:
    node = state.nodes.get(share.node)
    if node is None or not node.usable:
        return False
    memory = 0
    for job_id in node.jobs:
        other, mode = state.jobs[job_id], modes.get(job_id)
        theirs = resources.share_on(other, node)
        if theirs is None:
            continue
        if mode is None and not other.without_cpus and not theirs.cpus.isdisjoint(share.cpus):
            return False
        if mode in (None, SUSPEND):
            memory += theirs.memory
            if any(not devices.isdisjoint(theirs.gres.get(kind, NOTHING)) for kind, devices in share.gres.items()):
                return False
    return not share.memory or memory + share.memory <= node.job_memory


def _has_its_cpus(state: ClusterState, job: Job) -> bool:
    """Whether nobody has the CPUs of a suspended job, and nobody was promised them."""
    if not job.without_cpus:
        return True
    assert job.allocation is not None
    shares = [NodeShare(node=share.node, cpus=share.cpus) for share in job.allocation.shares if share.node in job.nodes_left]
    nodes = [state.nodes.get(share.node) for share in shares]
    return promises.refusal(state, job.id, Allocation(shares=shares, partition=job.allocation.partition)) is None and all(
        node is not None and node.cpus_used.isdisjoint(share.cpus) for node, share in zip(nodes, shares, strict=True))
