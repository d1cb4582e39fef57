"""When an earlier attempt is over: what happens to a job whose nodes fell silent, until they return or a proof comes.

Not heard of is not over: a cut cable looks like a dead machine. The next attempt starts when every node either ended the earlier one and
said so, was started anew, was fenced, or when the site chose not to wait for a proof (ProofWaived). docs/decisions/0019 has the argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slurm.core import components, ending, parking, recording, starting, stepping
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, Terminate
from slurm.core.state import ClusterState
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job, LostAttempt
from slurm.model.node import Node, Remains
from slurm.model.states import JobState, Reason


def lose(state: ClusterState, job: Job, at: float, *, together: Sequence[NodeName], intact: bool) -> list[Effect]:
    """A running job that is to run again lost a node: what can be told to end does, else the attempt waits as it is."""
    if parking.heard(state, job, together):
        return ending.end(state, job, at, JobState.NODE_FAIL, Reason.NODE_DOWN, why="node_fail")
    # What is heard of the other components of a heterogeneous job is ended, so this one does not go on either.
    alone = not any(one.lost is None and parking.heard(state, one, together) for one in components.beside(state.jobs, job))
    return parking.park(state, job, at, intact=intact and alone)


def lose_ending(state: ClusterState, job: Job, name: NodeName, at: float) -> list[Effect]:
    """A job that ends lost a node on which its processes may go on: one that ends for good does so now, its remains are ended later."""
    if not job.requeue_after:
        parking.leave(state, job, name)
        return ending.free_node(state, job, name, at)
    return parking.park(state, job, at, intact=False) if parking.all_lost(state, job) else []


def lose_again(state: ClusterState, job: Job, name: NodeName, at: float, *, proven: bool, intact: bool) -> list[Effect]:
    """A node of an attempt that is waited for already: proven empty, silent again, or set DOWN, after which the attempt does not go on."""
    if proven:
        return over_on(state, job, name, at)
    assert job.lost is not None
    if not intact and job.lost.intact:
        return _end_rest(state, job, parking.unpark(job), at)
    if name in job.lost.returned:
        job.lost.returned.remove(name)
    return []


# --- transitions of a lost job ---------------------------------------------------------------------------------------------


def on_returned(state: ClusterState, job: Job, event: e.NodeReturned) -> list[Effect]:
    """A node came back with the attempt; once all have, it is as if nothing had been."""
    lost = job.lost
    assert lost is not None
    if not lost.intact or event.node not in job.nodes_left or event.node in lost.returned:
        return []
    lost.returned.append(event.node)
    if len(lost.returned) < len(job.nodes_left):
        return []
    parking.unpark(job)
    if job.suspended_by:
        state.suspended[job.id] = job
    recording.job(state, job)
    job.reason, job.reason_text, job.held = Reason.NONE, "", ""
    job.requeue_after = job.hold_after = False
    starting.set_limit_timer(state, job)
    if not job.suspended_by:
        starting.set_warning_timer(state, job)
    return [Announce(job=job.id)]


def on_node_over(state: ClusterState, job: Job, event: e.NodeFreed | e.LaunchFailed) -> list[Effect]:
    """A node says that nothing of the attempt is left there."""
    return over_on(state, job, event.node, event.at)


def over_on(state: ClusterState, job: Job, name: NodeName, at: float) -> list[Effect]:
    """It is proven that nothing of a lost attempt is left on a node: what is left elsewhere is to end too."""
    if name not in job.nodes_left:
        return []
    lost = parking.unpark(job)
    ending.release(state, job, name, at)
    return _end_rest(state, job, lost, at)


def on_waived(state: ClusterState, job: Job, event: e.ProofWaived) -> list[Effect]:
    """Nobody waits for a proof any longer; what may be left there is ended when the node returns."""
    lost = parking.unpark(job)
    job.reason_text = f"started again without proof that attempt {job.attempt} is over on {','.join(job.nodes_left)}: {event.why}"
    for name in [name for name in job.nodes_left if name not in parking.heard(state, job)]:
        parking.leave(state, job, name, waived=True)
        ending.release(state, job, name, event.at)
    return _end_rest(state, job, lost, event.at)


def on_waived_waiting(state: ClusterState, job: Job, event: e.ProofWaived) -> list[Effect]:
    """The same of a job that was requeued by hand."""
    for name in job.unproven:
        node = state.nodes[name]
        node.remains = [Remains(r.job, r.attempt, True) if r.job == job.id else r for r in node.remains]
        state.unsaved.nodes.add(name)
    job.unproven = []
    return []


def on_cancelled(state: ClusterState, job: Job, event: e.Cancelled) -> list[Effect]:
    """It will not run again: it ends for good, and what may be left of it when its nodes return."""
    parking.unpark(job)
    job.requeue_after = job.hold_after = False
    job.held, job.reason_text = "", str(event.by)
    effects = ending.end(state, job, event.at, JobState.CANCELLED, Reason.NONE, why="cancelled")
    return effects + ending.write_off(state, job, event.at)


def note_requeue(job: Job, event: e.Requeued) -> None:
    """Why a job is to run again: a sentence, or that its exit was special."""
    if event.why != e.SPECIAL_EXIT:
        job.reason_text = event.why
    elif e.SPECIAL_EXIT not in job.flags:
        job.flags = [*job.flags, e.SPECIAL_EXIT]


def on_requeued(state: ClusterState, job: Job, event: e.Requeued) -> list[Effect]:
    """Somebody wants it to run from the beginning: its attempt is not to go on."""
    lost = parking.unpark(job)
    job.hold_after = event.hold or job.hold_after
    note_requeue(job, event)
    return _end_rest(state, job, lost, event.at)


def on_held(state: ClusterState, job: Job, event: e.Held) -> list[Effect]:
    """A hold for the next attempt."""
    job.held = "admin" if event.admin else job.held or "user"
    job.reason = Reason.JOB_HELD_ADMIN if job.held == "admin" else Reason.JOB_HELD_USER
    return [Announce(job=job.id)]


def on_released(state: ClusterState, job: Job, event: e.Released) -> list[Effect]:
    """The hold is lifted."""
    job.held, job.hold_after, job.reason = "", False, Reason.NODE_DOWN
    return [Announce(job=job.id)]


def on_batch_exited(state: ClusterState, job: Job, event: e.BatchExited) -> list[Effect]:
    """Its batch host is back and the script has ended, while other nodes are still silent."""
    parking.unpark(job)
    job.requeue_after = job.hold_after = False
    job.held = ""
    effects = ending.on_batch_exited(state, job, event)
    if not job.completing:
        return effects
    if not job.requeue_after:
        return effects + ending.write_off(state, job, event.at)
    return effects + (parking.park(state, job, event.at, intact=False) if parking.all_lost(state, job) else [])


def _within(handler: Callable[[ClusterState, Job, Any], list[Effect]]) -> Callable[[ClusterState, Job, Any], list[Effect]]:
    """News that change something in an attempt without ending it."""

    def carried_out(state: ClusterState, job: Job, event: e.Event) -> list[Effect]:
        lost = parking.unpark(job)
        effects = handler(state, job, event)
        parking.repark(job, lost)
        return effects

    return carried_out


on_step_exited = _within(stepping.on_exited)
on_launched = _within(starting.on_launched)


def _end_rest(state: ClusterState, job: Job, lost: LostAttempt, at: float) -> list[Effect]:
    """An attempt that was given back is not to go on: the nodes that are heard of end it, the others are waited for."""
    job.state = JobState.PENDING
    job.requeue_after = True
    job.reason = Reason.NODE_DOWN
    recording.job(state, job)
    if job.held == "admin" and job.hold_after:
        job.reason = Reason.JOB_HOLD_MAX_REQUEUE
    live = parking.heard(state, job)
    if job.nodes_left and not live:
        effects = parking.park(state, job, lost.since, intact=False)
    else:
        job.flags.append("completing")
        job.end_time = at
        if not live:
            return ending.settle(state, job, at)
        for name in job.nodes_left:
            if name in state.nodes:
                state.nodes[name].completing.add(job.id)
                state.unsaved.nodes.add(name)
        effects = [Announce(job=job.id), Terminate(job=job.id, attempt=job.attempt, nodes=tuple(live), why="node_fail", at=at)]
    return effects


# --- remains ---------------------------------------------------------------------------------------------------------------


def look_for_remains(state: ClusterState, job: Job) -> None:
    """Before a job that ended runs again: where something of it may be left."""
    job.unproven = [node.name for node in state.nodes.values() if any(r.job == job.id and not r.waived for r in node.remains)]


def note_clean(state: ClusterState, name: NodeName, job_id: JobId, attempt: int) -> list[Effect]:
    """Nothing is left of an attempt on a node: forget its remains there."""
    node = state.nodes.get(name)
    if node is None or not any((r.job, r.attempt) == (job_id, attempt) for r in node.remains):
        return []
    return _forget(state, node, [r for r in node.remains if (r.job, r.attempt) == (job_id, attempt)])


def clear(state: ClusterState, node: Node) -> list[Effect]:
    """Nothing at all of earlier attempts is left on a node."""
    return _forget(state, node, list(node.remains))


def _forget(state: ClusterState, node: Node, gone: list[Remains]) -> list[Effect]:
    node.remains = [r for r in node.remains if r not in gone]
    state.unsaved.nodes.add(node.name)
    state.generation += 1
    for job_id in {r.job for r in gone}:
        job = state.pending.get(job_id)
        if job is not None and node.name in job.unproven and not any(r.job == job_id and not r.waived for r in node.remains):
            job.unproven.remove(node.name)
            state.changed(job)
    return []
