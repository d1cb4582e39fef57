"""Nodes as they come, go, and are administered: the folds of node events. Shares of jobs live in `resources`."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.core import ending, proof, requeuing
from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition
from slurm.core.requeuing import Loss
from slurm.core.state import ClusterState
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.node import GresPool, Node
from slurm.model.settings import Settings
from slurm.model.states import NodeState

NOT_RESPONDING = "Not responding"
REBOOTED = "Node unexpectedly rebooted"


def on_registered(state: ClusterState, event: e.NodeRegistered) -> list[Effect]:
    """A slurmd is there: its facts are noted, the node becomes usable unless something speaks against it."""
    node = _node(state, event.node)
    effects: list[Effect] = []
    if event.rebooted:
        effects += _lose_jobs(state, node, event, REBOOTED, Loss.PROVEN)
        effects += proof.clear(state, node)
    for field in ("arch", "os", "version", "boot_time", "boot_id", "slurmd_start_time", "address", "hostname", "port"):
        value = getattr(event, field)
        if value:
            setattr(node, field, value)
    node.registered = node.responding = True
    node.last_heard = event.at
    shortage = "" if state.settings.config_overrides else _shortage(node, event)
    _note_devices(node, event, state.settings)
    if node.state is NodeState.UNKNOWN:
        node.state = NodeState.IDLE
    elif node.state is NodeState.DOWN and _returns(node, state.settings):
        node.state = NodeState.IDLE
        _set_reason(node, "", 0, "", event.at)
    if shortage and not node.drain:
        node.drain = True
        _set_reason(node, shortage, 0, state.settings.slurm_user, event.at)
    return effects


def on_silent(state: ClusterState, event: e.NodeSilent) -> list[Effect]:
    """The connection broke: nothing new starts there until the node is back."""
    _node(state, event.node).responding = False
    return []


def on_lost(state: ClusterState, event: e.NodeLost) -> list[Effect]:
    """The node is DOWN; what ran there is not known to be over."""
    node = _node(state, event.node)
    node.responding = False
    node.state = NodeState.DOWN
    if not node.reason:
        _set_reason(node, event.why, 0, state.settings.slurm_user, event.at)
    loss = Loss.SILENT if event.may_run else Loss.PROVEN
    return _lose_jobs(state, node, event, event.why, loss, together=event.together)


def on_fenced(state: ClusterState, event: e.NodeFenced) -> list[Effect]:
    """It is proven that nothing of these attempts is left on a node."""
    node = _node(state, event.node)
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
    effects = _lose_jobs(state, node, event, why, Loss.SILENT if event.may_run else Loss.PROVEN, intact=False)
    node.state = NodeState.FUTURE
    _set_reason(node, why, 0, state.settings.slurm_user, event.at)
    return effects


def on_updated(state: ClusterState, event: e.NodeUpdated) -> list[Effect]:
    """`scontrol update nodename=`, already checked."""
    node = _node(state, event.node)
    if event.weight is not None:
        node.weight = event.weight
    if event.features is not None:
        node.features = list(event.features)
    if event.comment is not None:
        node.comment = event.comment
    if event.extra is not None:
        node.extra = event.extra
    if event.reason is not None:
        _set_reason(node, event.reason, event.by, event.by_name, event.at)
    effects: list[Effect] = []
    word = event.state.upper()
    if word == "DRAIN":
        node.drain = True
    elif word == "DOWN":
        node.state = NodeState.DOWN
        fenced = event.may_run and (event.reason or "").lower().startswith("fenced")
        silent = Loss.SILENT if event.may_run else Loss.PROVEN
        loss = Loss.PROVEN if fenced else Loss.ORDERED if node.responding else silent
        effects += _lose_jobs(state, node, event, node.reason or "set DOWN", loss, intact=False)
        if fenced:
            effects += proof.clear(state, node)
    elif word in ("RESUME", "IDLE", "UNDRAIN"):
        node.drain = False
        if word != "UNDRAIN" and node.state is NodeState.DOWN:
            node.state = NodeState.IDLE if node.registered else NodeState.UNKNOWN
        if event.reason is None and node.state is not NodeState.DOWN:
            _set_reason(node, "", 0, "", event.at)
    elif word == "FUTURE":
        node.state = NodeState.FUTURE
    return effects


def _node(state: ClusterState, name: NodeName) -> Node:
    node = state.nodes.get(name)
    if node is None:
        raise IllegalTransition(f"node {name} is not known")
    state.unsaved.nodes.add(name)
    return node


def _set_reason(node: Node, reason: str, uid: int, user: str, at: float) -> None:
    node.reason = reason
    node.reason_uid = uid if reason else 0
    node.reason_user = user if reason else ""
    node.reason_time = at if reason else 0.0


def _lose_jobs(
    state: ClusterState, node: Node, event: e.Event, why: str, loss: Loss, *, together: Sequence[NodeName] = (), intact: bool = True,
) -> list[Effect]:
    """End what runs on a node, as far as that is known or can be ordered."""
    effects: list[Effect] = []
    for job_id in sorted(node.jobs):
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


def _returns(node: Node, settings: Settings) -> bool:
    """Whether a DOWN node that registers may be used again (ReturnToService)."""
    if settings.return_to_service == 2:
        return True
    return settings.return_to_service == 1 and node.reason in ("", NOT_RESPONDING)


def _shortage(node: Node, event: e.NodeRegistered) -> str:
    """What the machine has less of than the configuration says, in Slurm's words; "" when nothing."""
    if event.cpus < node.cpus:
        return f"Low CPUs (reported:{event.cpus} < configured:{node.cpus})"
    if event.memory < node.memory:
        return f"Low RealMemory (reported:{event.memory} < 100.00% of configured:{node.memory})"
    if event.tmp_disk < node.tmp_disk:
        return f"Low TmpDisk (reported:{event.tmp_disk} < configured:{node.tmp_disk})"
    if event.gres is not None:
        for pool in node.gres:
            found = sum(other.count for other in event.gres if other.name == pool.name and other.type in (pool.type, ""))
            if found < pool.count:
                return f"gres/{pool.name} count reported lower than configured ({found} < {pool.count})"
    return ""


def _note_devices(node: Node, event: e.NodeRegistered, settings: Settings) -> None:
    """Device files and near cores that the machine detected, for the devices that the configuration names without files."""
    if event.gres is None or settings.config_overrides:
        return
    for pool in node.gres:
        found: GresPool | None = next((g for g in event.gres if g.name == pool.name and g.type in (pool.type, "")), None)
        if found is not None and not pool.files:
            pool.files = list(found.files[: pool.count])
            pool.cores = pool.cores or found.cores
