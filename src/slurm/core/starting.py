"""How a job starts: resources held, a task split from its array, components together, the script confirmed.

What to start is decided in `sched`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slurm.core import arrays, components, dependencies, notices, preparing, promises, recording, resources
from slurm.core import events as e
from slurm.core.effects import Announce, Effect
from slurm.core.gates import licenses, policy_limits
from slurm.core.gates import stack as gates
from slurm.core.illegal import IllegalTransition, story
from slurm.core.reserving import claims, running
from slurm.core.splitting import split
from slurm.core.state import BOOTING, ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.ids import BATCH_STEP, JobId, NodeName
from slurm.model.job import Allocation, ArrayPart, Job, Step
from slurm.model.states import JobState, Reason
from slurm.notation import signal as signals


def refusal(state: ClusterState, job_id: JobId, task: int | None, allocation: Allocation, at: float) -> str | None:
    """Why a proposal cannot be carried out now, in a sentence; None when it can.

    Whether the other components start too is not asked here.
    """
    job = state.pending.get(job_id)
    if job is None:
        lost = state.jobs.get(job_id)
        if lost is not None and lost.lost is not None:
            return f"attempt {lost.attempt} of job {job_id} may still run on {','.join(lost.nodes_left)}"
        return f"job {job_id} does not wait any more"
    part = job.array_part
    if (task is None) != (part is None):
        return f"job {job_id} is {'an array: name a task' if part is not None else 'no array'}"
    if part is not None and task is not None and not arrays.contains(part.ranges, task):
        return f"task {task} of array {job_id} does not wait any more"
    partition = state.partitions.get(allocation.partition)
    if partition is None:
        return f"partition {allocation.partition} does not exist any more"
    shut = (gates.refuse(state, job, partition, at) or policy_limits.exceeded(state, job, partition, at, allocation)
            or licenses.exceeded(state, job, allocation))
    if shut is not None:
        return shut.sentence
    return (claims.refusal(state.reservations, job, allocation, state.policy, at) or promises.refusal(state, job.id, allocation)
            or resources.fits(state, job, allocation))


def starting(
    state: ClusterState, job_id: JobId, task: int | None, allocation: Allocation, at: float, time_limit: int | None = None,
    others: Sequence[e.Start] = (),
) -> e.Started | None:
    """The event that carries out a proposal, with the job id a split task gets; None when the proposal is out of date.

    `time_limit`: seconds, fewer than the job has, where its --time-min allows that. `others`: what the other components of a heterogeneous
    job get.
    """
    parts = [e.Start(job=job_id, allocation=allocation), *others]
    if refusal_together(state, parts, at) is not None if others else refusal(state, job_id, task, allocation, at) is not None:
        return None
    record = state.jobs[job_id]
    if _missing(state, record, others):
        return None
    if time_limit is not None and (record.request.time_min is None or time_limit < record.request.time_min):
        return None
    part = record.array_part
    own = part is None or arrays.is_last(part)
    if not own and state.in_use(state.next_job_id):
        return None
    return e.Started(
        at=at, job=job_id, allocation=allocation, task=task, started=JobId(0) if own else state.next_job_id, time_limit=time_limit,
        components=list(others))


def refusal_together(state: ClusterState, parts: Sequence[e.Start], at: float) -> str | None:
    """Why the components of a heterogeneous job cannot start now with these allocations, in a sentence; None when they can."""
    tally = state.policy.tally
    licenses_taken: Counter[str] = Counter()
    try:
        for part in parts:
            why = refusal(state, part.job, None, part.allocation, at)
            if why is not None:
                return why
            policy_limits.propose(state, state.jobs[part.job], part.allocation)
            licenses_taken.update(part.allocation.licenses)
    finally:
        tally.withdraw()
    if any(count > state.licenses.free(state.settings, state.policy.book).get(name, 0) for name, count in licenses_taken.items()):
        return "not enough licences are free for all of its components"
    return _collision(state, parts)


def _collision(state: ClusterState, parts: Sequence[e.Start]) -> str | None:
    """What two components would be given twice, in a sentence."""
    cpus: dict[NodeName, CpuSet] = {}
    memory: Counter[NodeName] = Counter()
    devices: dict[tuple[NodeName, str], CpuSet] = {}
    for part in parts:
        sharing = resources.may_share(state, state.jobs[part.job], part.allocation.partition)
        for share in part.allocation.shares:
            node = state.nodes[share.node]
            held = cpus.get(share.node, NOTHING)
            if (held and part.allocation.exclusive) or (not sharing and not share.cpus.isdisjoint(held)):
                return f"two components want the same CPUs of {share.node}"
            cpus[share.node] = held | share.cpus
            memory[share.node] += share.memory
            if share.memory and memory[share.node] + node.memory_used > node.job_memory:
                return f"node {share.node} has not enough memory for all components"
            for name, mine in share.gres.items():
                there = devices.get((share.node, name), NOTHING)
                if not mine.isdisjoint(there):
                    return f"two components want the same {name} of {share.node}"
                devices[share.node, name] = there | mine
    return None


def _missing(state: ClusterState, record: Job, others: Sequence[e.Start]) -> bool:
    """Whether a component would start without one that it belongs to, or with a stranger."""
    return {part.job for part in others} != {one.id for one in components.beside(state.jobs, record)}


def on_started(state: ClusterState, record: Job, event: e.Started) -> list[Effect]:
    """Resources are given; a task of an array gets a record of its own, the last one takes the array's.

    Components start at once, or none does.
    """
    parts = [e.Start(job=record.id, allocation=event.allocation), *event.components]
    if _missing(state, record, event.components):
        raise IllegalTransition(f"Started names components {[part.job for part in event.components]}: {story(record)}")
    for part in parts:
        waiting = state.pending.get(part.job)
        if waiting is None:
            raise IllegalTransition(f"Started names job {part.job}, which does not wait: {story(record)}")
        _check(state, waiting, part.allocation, event)
    if event.components and (why := _collision(state, parts)) is not None:
        raise IllegalTransition(f"Started: {why}: {story(record)}")
    effects = _begin(state, _own_record(state, record, event.task, event.started), event.allocation, event)
    for part in event.components:
        state.changed(state.pending[part.job])
        effects += _begin(state, state.pending[part.job], part.allocation, event)
    return effects


def _begin(state: ClusterState, job: Job, allocation: Allocation, event: e.Started) -> list[Effect]:
    """A job that waited holds this from now on."""
    state.leave_queue(job)
    state.forget_targets(job)
    job.state = JobState.RUNNING
    job.flags = []
    job.reason = Reason.NONE
    job.reason_text = ""
    job.attempt += 1
    job.allocation = allocation
    job.partition = allocation.partition
    job.start_time = event.at
    job.end_time = 0.0
    if event.time_limit is not None:
        job.time_limit = event.time_limit
    job.nodes_left = allocation.nodes
    job.batch_host = job.nodes_left[0]
    job.launched = job.signalled = False
    job.resize_time = 0.0
    job.lease = 0
    job.suspend_time = job.suspended_seconds = job.preempt_time = job.kill_at = 0.0
    job.preempt_mode, job.preempted_for = "", JobId(0)
    exclusive_user = job.request.exclusive == "user"
    for share in allocation.shares:
        resources.hold(state, state.nodes[share.node], job, share, exclusive_user=exclusive_user)
    state.enter_service(job, event.at)
    running.entered(state, job, event.at)
    if job.array_task is not None:
        ledger = state.arrays[job.array_job]
        ledger.running += 1
        ledger.started += job.attempt == 1 and job.restarts == 0
    set_limit_timer(state, job)
    recording.job(state, job)
    notices.began(state, job)
    effects: list[Effect] = [Announce(job=job.id)]
    effects += preparing.begin(state, job)
    if not job.runs_script and BOOTING not in job.flags:
        set_warning_timer(state, job)
    dependencies.started(state, job, event.at, effects)
    return effects


def on_launched(state: ClusterState, job: Job, event: e.Launched) -> list[Effect]:
    """The script runs: its step exists from now on."""
    job.lease = event.lease or job.lease
    if job.launched or job.allocation is None:
        return []
    job.launched = True
    begin_batch_step(state, job, event.at)
    set_warning_timer(state, job)
    return []


def begin_batch_step(state: ClusterState, job: Job, at: float) -> Step:
    """The step of a batch script, which is there from when it begins."""
    assert job.allocation is not None
    share = job.allocation.shares[0]
    step = job.steps[BATCH_STEP] = Step(id=BATCH_STEP, name="batch", start_time=at, shares=[share], nodes_left=[share.node])
    recording.step(state, job, step)
    return step


def set_limit_timer(state: ClusterState, job: Job) -> None:
    """Look at a running job when its time is over."""
    moment = state.kill_time(job)
    if moment is not None:
        state.timers.set(moment, Timer.LIMIT, job.id)


def set_warning_timer(state: ClusterState, job: Job) -> None:
    """Look at a running job when its --signal is due; at once when it asked for more time than it has."""
    moment = warning_time(state, job)
    if moment is not None and not job.signalled:
        state.timers.set(moment, Timer.WARN, job.id)


def warning_time(state: ClusterState, job: Job) -> float | None:
    """When the --signal of a running job is due, None when it asked for none or has no limit."""
    if not job.request.signal:
        return None
    end = state.expected_end(job)
    return None if end is None else max(job.start_time, end - signals.parse_request(job.request.signal).seconds)


def _own_record(state: ClusterState, record: Job, task: int | None, wanted: JobId) -> Job:
    return record if task is None else split(state, record, task, wanted)


def _check(state: ClusterState, record: Job, allocation: Allocation, event: e.Started) -> None:
    part: ArrayPart | None = record.array_part
    if (event.task is None) != (part is None):
        raise IllegalTransition(f"Started names task {event.task}: {story(record)}")
    if part is not None and event.task is not None and not arrays.contains(part.ranges, event.task):
        raise IllegalTransition(f"Started names task {event.task}, which does not wait: {story(record)}")
    if event.started and event.started in state.jobs:
        raise IllegalTransition(f"Started takes id {event.started}, which is in use: {story(record)}")
    for share in allocation.shares:
        node = state.nodes.get(share.node)
        if node is None:
            raise IllegalTransition(f"Started names node {share.node}, which is not known: {story(record)}")
        if not share.cpus.isdisjoint(node.cpus_used) and not resources.may_share(state, record, allocation.partition):
            raise IllegalTransition(f"Started gives CPUs of {share.node} that are held: {story(record)}")
        for name, devices in share.gres.items():
            if not devices.isdisjoint(node.gres_used.get(name, NOTHING)):
                raise IllegalTransition(f"Started gives {name} of {share.node} that is held: {story(record)}")
    if not allocation.shares:
        raise IllegalTransition(f"Started gives nothing: {story(record)}")
