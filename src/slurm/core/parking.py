"""Attempts on nodes that nobody hears of: taken from the job's record while it shows as requeued, and put back. What decides it is in
`proof`.

Such an attempt is open: it keeps its share of its nodes, no end was recorded and nobody was told of one.
"""

from __future__ import annotations

from collections.abc import Collection

from slurm.core import recording
from slurm.core.effects import Announce, Effect
from slurm.core.state import BOOTING, ClusterState
from slurm.model.ids import NodeName
from slurm.model.job import Job, LostAttempt
from slurm.model.node import Remains
from slurm.model.states import JobState, NodeState, Reason


def heard(state: ClusterState, job: Job, together: Collection[NodeName] = ()) -> list[NodeName]:
    """The nodes of an attempt that can be told to end it; `together` are about to be lost."""
    return [name for name in job.nodes_left if name in state.nodes and state.nodes[name].responding and name not in together]


def is_lost(state: ClusterState, name: NodeName) -> bool:
    """Whether a node was given up and has not come back."""
    node = state.nodes.get(name)
    return node is None or (not node.responding and node.state in (NodeState.DOWN, NodeState.FUTURE))


def all_lost(state: ClusterState, job: Job) -> bool:
    """Whether every node that may still have processes of an attempt was given up."""
    return bool(job.nodes_left) and all(is_lost(state, name) for name in job.nodes_left)


def park(state: ClusterState, job: Job, at: float, *, intact: bool) -> list[Effect]:
    """Show a job as requeued while its attempt waits for its nodes, or for a proof that it is over."""
    assert job.allocation is not None
    lost = LostAttempt(
        allocation=job.allocation, partition=job.partition, batch_host=job.batch_host, since=at, start_time=job.start_time,
        launched=job.launched, signalled=job.signalled, steps=job.steps, intact=intact,
        suspended_by=job.suspended_by)
    state.suspended.pop(job.id, None)
    for name in job.nodes_left:
        if name in state.nodes:
            state.nodes[name].completing.discard(job.id)
            state.unsaved.nodes.add(name)
    job.flags = [flag for flag in job.flags if flag not in ("completing", "configuring", BOOTING)]
    job.requeue_after = True
    job.reason = Reason.NODE_DOWN
    _hide(job, lost)
    recording.job(state, job)
    return [Announce(job=job.id)]


def repark(job: Job, lost: LostAttempt) -> None:
    """Put aside again what `unpark` gave back, with what has changed in it meanwhile."""
    lost.launched, lost.signalled, lost.steps, lost.suspended_by = job.launched, job.signalled, job.steps, job.suspended_by
    _hide(job, lost)


def unpark(job: Job) -> LostAttempt:
    """Give the attempt back to the record, as running."""
    lost = job.lost
    assert lost is not None
    job.lost = None
    job.state = JobState.SUSPENDED if lost.suspended_by else JobState.RUNNING
    job.suspended_by = lost.suspended_by
    job.allocation, job.partition, job.batch_host = lost.allocation, lost.partition, lost.batch_host
    job.start_time, job.launched, job.signalled, job.steps = lost.start_time, lost.launched, lost.signalled, lost.steps
    return lost


def leave(state: ClusterState, job: Job, name: NodeName, *, waived: bool = False) -> None:
    """Remember that processes of the present attempt may still be on a node that is taken from it."""
    node = state.nodes.get(name)
    if node is not None and not any((r.job, r.attempt) == (job.id, job.attempt) for r in node.remains):
        node.remains.append(Remains(job.id, job.attempt, waived))
        state.unsaved.nodes.add(name)
        state.generation += 1


def _hide(job: Job, lost: LostAttempt) -> None:
    job.lost = lost
    job.state = JobState.PENDING
    job.suspended_by = ""
    job.allocation = None
    job.partition = job.request.partition
    job.batch_host = NodeName("")
    job.start_time = job.end_time = 0.0
    job.launched = job.signalled = False
    job.steps = {}
