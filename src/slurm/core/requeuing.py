"""How a job goes back to the queue: asked for by a person, after a failed launch, after the loss of a node."""

from __future__ import annotations

from slurm.core import concluding, dependencies, ending
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, Plan
from slurm.core.state import ClusterState
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState, Reason


def allowed(state: ClusterState, job: Job) -> bool:
    """Whether a job may be run again: batch, and --requeue or JobRequeue=1."""
    if job.request.kind != "batch":
        return False
    return state.settings.job_requeue if job.request.requeue is None else job.request.requeue


def on_requeued(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """Somebody wants a running job to run again from the beginning."""
    job.requeue_after = True
    job.hold_after = event.hold
    job.reason_text = event.why
    return ending.end(state, job, event.at, JobState.PENDING, Reason.NONE, why="requeue")


def on_requeued_late(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """An ending job is to run again once its nodes are clean."""
    job.requeue_after = True
    job.hold_after = event.hold or job.hold_after
    job.reason_text = event.why
    job.state = JobState.PENDING
    return [Announce(job=job.id)]


def on_requeued_ended(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """A job that ended for good is to run again."""
    job.hold_after = event.hold
    job.reason_text = event.why
    effects: list[Effect] = [Announce(job=job.id), Plan()]
    concluding.back_to_queue(state, job, event.at)
    dependencies.look_for_namesakes(state, job, event.at, effects)
    return effects


def on_launch_failed(state: ClusterState, job: Job, event: e.LaunchFailed) -> list[Effect]:
    """A node could not start the script, or lost all trace of it: run it again elsewhere, held after too many tries."""
    if job.launched:
        return lose_node(state, job, event.node, event.at, event.why)
    if not allowed(state, job):
        effects = ending.end(state, job, event.at, JobState.FAILED, Reason.JOB_LAUNCH_FAILURE)
    else:
        job.requeue_after = True
        if job.restarts >= state.settings.max_batch_requeue:
            job.hold_after = True
            job.held = "admin"
        effects = ending.end(state, job, event.at, JobState.PENDING, Reason.JOB_LAUNCH_FAILURE, why="requeue")
    job.reason_text = event.why
    effects += ending.free_node(state, job, event.node, event.at)
    if job.held and job.state is JobState.PENDING and not job.completing:
        job.reason = Reason.LAUNCH_FAILED_REQUEUED_HELD
    return effects


def lose_node(state: ClusterState, job: Job, node: NodeName, at: float, why: str, *, gone: bool = True) -> list[Effect]:
    """A node of a running job is taken from it: go on without it, run again, or fail.

    `gone`: with everything on it; otherwise the job stays there until slurmd has ended its processes.
    """
    job.last_node_failed = node
    assert job.allocation is not None
    if gone and job.request.no_kill and node != job.batch_host and len(job.nodes_left) > 1:
        ending.release(state, job, node, at)
        return [Announce(job=job.id), Plan()]
    job.reason_text = f"{node}: {why}"
    if allowed(state, job):
        job.requeue_after = True
        if job.restarts >= state.settings.max_batch_requeue:
            job.hold_after = True
            job.held = "admin"
    effects = ending.end(state, job, at, JobState.NODE_FAIL, Reason.NODE_DOWN, why="node_fail")
    if gone:
        effects += ending.free_node(state, job, node, at)
    if job.held == "admin" and job.state is JobState.PENDING and not job.completing:
        job.reason = Reason.JOB_HOLD_MAX_REQUEUE
    return effects
