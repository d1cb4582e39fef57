"""How a job goes back to the queue: asked for by a person, after a failed launch, after the loss of a node."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from slurm.core import components, concluding, dependencies, ending, parking, preparing, proof, recording
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, Terminate
from slurm.core.state import ClusterState
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState, Reason


class Loss(enum.Enum):
    """How a node is taken from a job: with proof that nothing of it is left there, without being heard of, or with an order to end it
    there."""

    PROVEN = "proven"
    SILENT = "silent"
    ORDERED = "ordered"


def on_requeued(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """Somebody wants a running job to run again from the beginning."""
    job.requeue_after = True
    job.hold_after = event.hold
    proof.note_requeue(job, event)
    return ending.end(state, job, event.at, JobState.PENDING, Reason.NONE, why="requeue") + _with_others(state, job, event)


def on_requeued_suspended(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """Somebody wants a suspended job to run again: as in Slurm once it is released."""
    return on_requeued(state, job, msgspec.structs.replace(event, hold=True))


def on_requeued_late(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """An ending job is to run again once its nodes are clean."""
    job.requeue_after = True
    job.hold_after = event.hold or job.hold_after
    proof.note_requeue(job, event)
    job.state = JobState.PENDING
    recording.job(state, job)
    return [Announce(job=job.id), *_with_others(state, job, event)]


def on_requeued_ended(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """A job that ended for good is to run again."""
    return _back(state, job, event) + _with_others(state, job, event)


def _with_others(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """The components of a heterogeneous job that have ended already run again with it; those that run follow by themselves (`together`)."""
    effects: list[Effect] = []
    for other in components.members(state.jobs, job):
        if other.id != job.id and other.state.finished:
            state.changed(other)
            effects += on_requeued_late(state, other, event) if other.completing else _back(state, other, event)
    return effects


def _back(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    job.hold_after = event.hold
    proof.note_requeue(job, event)
    proof.look_for_remains(state, job)
    effects: list[Effect] = [Announce(job=job.id)]
    concluding.back_to_queue(state, job, event.at)
    dependencies.look_for_namesakes(state, job, event.at, effects)
    return effects


def on_launch_failed(state: ClusterState, job: Job, event: e.LaunchFailed) -> list[Effect]:
    """A node could not start the script, or lost all trace of it: run it again elsewhere, held after too many tries."""
    held = ending.holds_extern(job, event.node)
    if job.launched:
        return lose_node(state, job, event, event.node, event.why, Loss.ORDERED if held else Loss.PROVEN)
    if not concluding.may_run_again(state.settings, job):
        effects = ending.end(state, job, event.at, JobState.FAILED, Reason.JOB_LAUNCH_FAILURE)
    else:
        job.requeue_after = True
        if job.restarts >= state.settings.max_batch_requeue:
            job.hold_after = True
            job.held = "admin"
        effects = ending.end(state, job, event.at, JobState.PENDING, Reason.JOB_LAUNCH_FAILURE, why="requeue")
    job.reason_text = event.why
    if not held:
        effects += ending.free_node(state, job, event.node, event.at)
    if job.held and job.state is JobState.PENDING and not job.completing:
        job.reason = Reason.LAUNCH_FAILED_REQUEUED_HELD
    return effects


def on_preparation_failed(state: ClusterState, job: Job, event: e.PreparationFailed) -> list[Effect]:
    """A prolog failed: a batch job runs again, held when it was a node's; anybody else's allocation is cancelled."""
    settings = state.settings
    again = concluding.may_run_again(settings, job) or (job.request.kind == "batch" and "forcerequeueonfail" in settings.prolog_flags)
    if not again:
        effects = ending.end(state, job, event.at, JobState.CANCELLED, Reason.NONE, why="cancelled")
    else:
        job.requeue_after = True
        reason = Reason.NONE
        if event.node != preparing.CONTROLLER and settings.hold_on_prolog_fail:
            job.hold_after, job.held, reason = True, "admin", Reason.LAUNCH_FAILED_REQUEUED_HELD
        effects = ending.end(state, job, event.at, JobState.PENDING, reason, why="requeue")
    job.reason_text = event.why
    return effects


def go_on_without(state: ClusterState, job: Job, node: NodeName, at: float, loss: Loss) -> list[Effect]:
    """--no-kill: the job has its other nodes; what it runs on this one is ended as soon as somebody there hears of it."""
    effects: list[Effect] = [Announce(job=job.id)]
    if loss is not Loss.PROVEN:
        parking.leave(state, job, node)
    if loss is Loss.ORDERED:
        effects.append(Terminate(job=job.id, attempt=job.attempt, nodes=(node,), why="node_fail", at=at))
    ending.release(state, job, node, at)
    assert job.allocation is not None
    job.allocation = msgspec.structs.replace(job.allocation, shares=[share for share in job.allocation.shares if share.node != node])
    return effects


def lose_node(
    state: ClusterState, job: Job, event: e.Event, node: NodeName, why: str, loss: Loss, *, together: Sequence[NodeName] = (),
    intact: bool = True,
) -> list[Effect]:
    """A node of a running job is taken from it: go on without it, run again, or fail.

    `together`: nodes that are lost at the same moment; `intact`: an attempt that nobody hears of goes on when its nodes return.
    """
    job.last_node_failed = node
    recording.job(state, job)
    assert job.allocation is not None
    if job.request.no_kill and node != job.batch_host and len(job.nodes_left) > 1:
        return go_on_without(state, job, node, event.at, loss)
    job.reason_text = f"{node}: {why}"
    if concluding.may_run_again(state.settings, job):
        job.requeue_after = True
        if job.restarts >= state.settings.max_batch_requeue:
            job.hold_after = True
            job.held = "admin"
        if loss is Loss.SILENT:
            return proof.lose(state, job, event.at, together=together, intact=intact)
    effects = ending.end(state, job, event.at, JobState.NODE_FAIL, Reason.NODE_DOWN, why="node_fail")
    if loss is Loss.SILENT:
        effects += proof.lose_ending(state, job, node, event.at)
    elif loss is Loss.PROVEN:
        effects += ending.free_node(state, job, node, event.at)
    if job.held == "admin" and job.state is JobState.PENDING and not job.completing and job.lost is None:
        job.reason = Reason.JOB_HOLD_MAX_REQUEUE
    return effects
