"""Nodes as they go and are administered: the folds of node events.

Their coming is in `nodes.registering`, shares of jobs in `resources`.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from slurm.core import ending, proof, requeuing
from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition
from slurm.core.requeuing import Loss
from slurm.core.state import ClusterState
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import NodeState, Power

NOT_RESPONDING = "Not responding"


def on_silent(state: ClusterState, event: e.NodeSilent) -> list[Effect]:
    """The connection broke: nothing new starts there until the node is back."""
    node_of(state, event.node).responding = False
    return []


def on_lost(state: ClusterState, event: e.NodeLost) -> list[Effect]:
    """The node is DOWN; what ran there is not known to be over."""
    node = node_of(state, event.node)
    node.responding = False
    node.state = NodeState.DOWN
    if not node.reason:
        set_reason(node, event.why, 0, state.settings.slurm_user, event.at)
    loss = Loss.SILENT if event.may_run else Loss.PROVEN
    return lose_jobs(state, node, event, event.why, loss, together=event.together)


def on_fenced(state: ClusterState, event: e.NodeFenced) -> list[Effect]:
    """It is proven that nothing of these attempts is left on a node."""
    node = node_of(state, event.node)
    effects: list[Effect] = []
    for job_id, attempt in event.attempts:
        effects += proof.note_clean(state, node.name, job_id, attempt)
        job = state.jobs.get(job_id)
        if job is not None and job.attempt == attempt and job_id in node.jobs:
            effects += _lose_job(state, node, job, event, event.why or "fenced", Loss.PROVEN)
    return effects


def on_removed(state: ClusterState, node: Node, event: e.Configured) -> list[Effect]:
    """The configuration has no such node any more: what it runs is to end. Its record stays, out of sight, while that is not proven."""
    state.unsaved.nodes.add(node.name)
    node.responding = False
    why = "removed from the configuration"
    effects = lose_jobs(state, node, event, why, Loss.SILENT if event.may_run else Loss.PROVEN, intact=False)
    node.state = NodeState.FUTURE
    set_reason(node, why, 0, state.settings.slurm_user, event.at)
    return effects


def on_updated(state: ClusterState, event: e.NodeUpdated) -> list[Effect]:
    """`scontrol update nodename=`, already checked."""
    node = node_of(state, event.node)
    if event.weight is not None:
        node.weight = event.weight
    if event.features is not None:
        node.features = list(event.features)
    if event.comment is not None:
        node.comment = event.comment
    if event.extra is not None:
        node.extra = event.extra
    if event.address is not None:
        node.address = event.address
    if event.hostname is not None:
        node.hostname = event.hostname
    if event.resume_after is not None:
        node.resume_after = event.resume_after
    if event.reason is not None:
        set_reason(node, event.reason, event.by, event.by_name, event.at)
    effects: list[Effect] = []
    word = event.state.upper()
    if word == "DRAIN":
        node.drain = True
    elif word == "DOWN":
        node.state = NodeState.DOWN
        fenced = event.may_run and (event.reason or "").lower().startswith("fenced")
        silent = Loss.SILENT if event.may_run else Loss.PROVEN
        loss = Loss.PROVEN if fenced else Loss.ORDERED if node.responding else silent
        effects += lose_jobs(state, node, event, node.reason or "set DOWN", loss, intact=False)
        if fenced:
            effects += proof.clear(state, node)
    elif word in ("RESUME", "IDLE", "UNDRAIN"):
        node.drain = False
        node.resume_after = 0.0
        if word != "UNDRAIN" and node.state in (NodeState.DOWN, NodeState.FUTURE):
            node.state = NodeState.IDLE if node.registered or node.power is not Power.ON else NodeState.UNKNOWN
        if word == "RESUME" and node.power is Power.GOING_DOWN:
            node.power, node.power_since = Power.OFF, event.at
        if event.reason is None and node.state is not NodeState.DOWN:
            set_reason(node, "", 0, "", event.at)
    elif word == "FUTURE":
        node.state = NodeState.FUTURE
    elif word.startswith("POWER_"):
        effects += _ask_power(state, node, word, event)
    return effects


def _ask_power(state: ClusterState, node: Node, word: str, event: e.NodeUpdated) -> list[Effect]:
    """`scontrol update state=power_up` and its kin: the node is switched as soon as may be."""
    node.power_asked = word.removeprefix("POWER_").lower()
    if node.power is Power.OFF and word != "POWER_UP":
        node.power_asked = ""
        if word == "POWER_DOWN_FORCE":
            node.drain, node.state = False, NodeState.IDLE
            set_reason(node, "", 0, "", event.at)
        return []
    if word == "POWER_UP" and node.power is Power.ON:
        node.power_asked = ""
    elif word == "POWER_DOWN_ASAP" and not node.drain:
        node.drain = True
        if not node.reason:
            set_reason(node, "powering down", event.by, event.by_name, event.at)
    elif word == "POWER_DOWN_FORCE":
        return lose_jobs(state, node, event, "powered down", Loss.ORDERED, intact=False)
    return []


def node_of(state: ClusterState, name: NodeName) -> Node:
    """The node of an event that changes it."""
    node = state.nodes.get(name)
    if node is None:
        raise IllegalTransition(f"node {name} is not known")
    state.unsaved.nodes.add(name)
    return node


def set_reason(node: Node, reason: str, uid: int, user: str, at: float) -> None:
    """Why a node is as it is, and who says so; "" for nothing."""
    node.reason = reason
    node.reason_uid = uid if reason else 0
    node.reason_user = user if reason else ""
    node.reason_time = at if reason else 0.0


def lose_jobs(
    state: ClusterState, node: Node, event: e.Event, why: str, loss: Loss, *, together: Sequence[NodeName] = (), intact: bool = True,
    but: Container[JobId] = (),
) -> list[Effect]:
    """End what runs on a node, as far as that is known or can be ordered; `but`: jobs that go on."""
    effects: list[Effect] = []
    for job_id in sorted(node.jobs):
        if job_id in but:
            continue
        effects += _lose_job(state, node, state.jobs[job_id], event, why, loss, together=together, intact=intact)
    return effects


def _lose_job(
    state: ClusterState, node: Node, job: Job, event: e.Event, why: str, loss: Loss, *, together: Sequence[NodeName] = (),
    intact: bool = True,
) -> list[Effect]:
    state.changed(job)
    if job.lost is not None:
        return proof.lose_again(state, job, node.name, event.at, proven=loss is Loss.PROVEN, intact=intact)
    if job.completing:
        if loss is Loss.SILENT:
            return proof.lose_ending(state, job, node.name, event.at)
        return ending.free_node(state, job, node.name, event.at) if loss is Loss.PROVEN else []
    return requeuing.lose_node(state, job, event, node.name, why, loss, together=together, intact=intact)
