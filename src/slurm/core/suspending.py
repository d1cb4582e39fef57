"""How a running job is made to hold still and goes on: the folds of Suspended and Resumed. Who may ask for it is in `suspend`.

A suspended job keeps its memory, devices and licences; its CPUs are free for others, unless a gang shares them in turns. Its clocks stand
still: time limit, usage, limits on minutes. What it does not do then is in its record.
"""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import recording, resources, starting
from slurm.core.effects import Announce, Effect, SetLimit, Suspend
from slurm.core.policy import state as counting
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import JobState

GANG = "gang"


def on_suspended(state: ClusterState, job: Job, event: e.Suspended) -> list[Effect]:
    """A running job is to hold still."""
    job.state = JobState.SUSPENDED
    job.suspended_by = event.why
    job.suspend_time = event.at
    state.suspended[job.id] = job
    if event.why != GANG:
        _leave_cpus(state, job)
    state.timers.drop(job.id, Timer.WARN, Timer.LIMIT)
    starting.set_limit_timer(state, job)
    counting.stops_using(state, job, event.at)
    recording.job(state, job)
    recording.suspension(state, job, job.suspend_time)
    return [Announce(job=job.id), *told(job)]


def on_suspended_anew(state: ClusterState, job: Job, event: e.Suspended) -> list[Effect]:
    """A job that holds still for others is to do so until somebody resumes it."""
    if event.why == GANG or job.suspended_by == event.why:
        return []
    job.suspended_by = event.why
    if not job.without_cpus:
        _leave_cpus(state, job)
    return [Announce(job=job.id)]


def on_resumed(state: ClusterState, job: Job, event: e.Resumed) -> list[Effect]:
    """A suspended job goes on, whoever has got its CPUs meanwhile."""
    job.state = JobState.RUNNING
    close(state, job, event.at)
    job.suspend_time = event.at
    if job.without_cpus:
        job.without_cpus = False
        for name in job.nodes_left:
            node = state.nodes.get(name)
            share = resources.share_on(job, node) if node is not None else None
            if node is not None and share is not None:
                _touch(state, node)
                node.suspended.discard(job.id)
                resources.take_cpus(state, node, share.cpus)
    counting.runs(state, job, event.at)
    starting.set_limit_timer(state, job)
    if not job.runs_script or job.launched:
        starting.set_warning_timer(state, job)
    recording.job(state, job)
    return [Announce(job=job.id), *told(job)]


def on_launched(state: ClusterState, job: Job, event: e.Launched) -> list[Effect]:
    """It was suspended before its script began: now there is something to suspend."""
    return starting.on_launched(state, job, event) + told(job)


def close(state: ClusterState, job: Job, at: float) -> None:
    """Its suspension, if it is in one, is over: how long it was is known from now on."""
    if not job.suspended_by:
        return
    seconds = max(0.0, at - job.suspend_time)
    job.suspended_seconds += seconds
    for step in job.steps.values():
        if not step.end_time:
            step.suspended_seconds += min(seconds, max(0.0, at - step.start_time))
            recording.step(state, job, step)
    job.suspended_by = ""
    state.suspended.pop(job.id, None)
    recording.suspension(state, job, job.suspend_time, at)


def _leave_cpus(state: ClusterState, job: Job) -> None:
    job.without_cpus = True
    for name in job.nodes_left:
        node = state.nodes.get(name)
        share = resources.share_on(job, node) if node is not None else None
        if node is not None and share is not None:
            _touch(state, node)
            node.suspended.add(job.id)
            resources.give_cpus(state, node, share.cpus)


def _touch(state: ClusterState, node: Node) -> None:
    state.touched.add(node.name)
    state.unsaved.nodes.add(node.name)


def told(job: Job) -> list[Effect]:
    """Its nodes hear that it is suspended, or no longer, and of the time that it has."""
    nodes = tuple(job.nodes_left)
    return [Suspend(job=job.id, attempt=job.attempt, nodes=nodes), SetLimit(job=job.id, attempt=job.attempt, nodes=nodes)] if nodes else []
