"""Nodes that are started anew: asked for by `scontrol reboot`, issued once nothing runs there, over when the node registers after a
boot."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.core import events as e
from slurm.core import machines, resolving
from slurm.core.effects import Effect
from slurm.core.nodes import power
from slurm.core.requeuing import Loss
from slurm.core.rights import require_administrator
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, Unsupported
from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.states import NodeState

NEXT = ("", "RESUME", "DOWN")
ASAP = "Reboot ASAP"
REQUESTED = "reboot requested"
ISSUED = "reboot issued"


def named(state: ClusterState, nodes: str) -> Sequence[NodeName]:
    """The nodes of a host list; "ALL" means every node."""
    return list(state.nodes) if nodes.strip().upper() == "ALL" else [NodeName(name) for name in resolving.known_nodes(state, nodes)]


def asked(state: ClusterState, nodes: str, asap: bool, following: str, reason: str, caller: e.Caller, now: float) -> list[e.Event]:
    """`scontrol reboot`: one RebootAsked a node that is not being started anew already."""
    require_administrator(state, caller)
    if not state.settings.reboots:
        raise Unsupported("ESLURM_NOT_SUPPORTED", "Requested operation is presently disabled", hints=[
            "RebootProgram in slurm.conf is what is run to start a node anew; it is not set"])
    if following.upper() not in NEXT:
        raise InvalidRequest("ESLURM_INVALID_NODE_STATE", f"Invalid state: {following}", hints=["nextstate is RESUME or DOWN"])
    return [
        e.RebootAsked(at=now, node=name, by=caller.uid, by_name=caller.user, asap=asap, next=following.upper(), reason=reason)
        for name in named(state, nodes) if not state.nodes[name].reboot]


def cancelled(state: ClusterState, nodes: str, caller: e.Caller, now: float) -> list[e.Event]:
    """`scontrol cancel_reboot`; refused for a node that is being started anew."""
    require_administrator(state, caller)
    names = named(state, nodes)
    for name in names:
        if state.nodes[name].reboot != "requested":
            raise InvalidRequest("ESLURM_INVALID_NODE_STATE", hints=[f"no reboot of {name} is pending" + (
                ": it is being started anew" if state.nodes[name].reboot else "")])
    return [e.RebootCancelled(at=now, node=name) for name in names]


def on_asked(state: ClusterState, event: e.RebootAsked) -> list[Effect]:
    """A reboot is pending."""
    node = machines.node_of(state, event.node)
    node.reboot, node.reboot_since, node.reboot_next = "requested", event.at, event.next
    if event.asap:
        node.drain = True
    reason = event.reason or (ASAP if event.asap else REQUESTED)
    if event.reason or not node.reason:
        machines.set_reason(node, reason, event.by, event.by_name, event.at)
    return []


def on_issued(state: ClusterState, event: e.RebootIssued) -> list[Effect]:
    """It goes down now, and is to register anew within ResumeTimeout."""
    node = machines.node_of(state, event.node)
    if node.reboot == "requested":
        node.reason = ISSUED if node.reason in ("", REQUESTED) else f"{node.reason} : {ISSUED}"
    node.reboot, node.reboot_since = "issued", event.at
    return []


def on_cancelled(state: ClusterState, event: e.RebootCancelled) -> list[Effect]:
    """It is not started anew; what ASAP drained is not drained for that any more."""
    node = machines.node_of(state, event.node)
    node.reboot = node.reboot_next = ""
    if node.reason == ASAP:
        node.drain = False
    if node.reason in (ASAP, REQUESTED):
        machines.set_reason(node, "", 0, "", event.at)
    return []


def is_over(state: ClusterState, node: Node, event: e.NodeRegistered) -> list[Effect]:
    """A node that was started anew is there again."""
    following, node.reboot, node.reboot_next = node.reboot_next, "", ""
    if following == "DOWN":
        node.state = NodeState.DOWN
        node.drain = False
        node.reason = f"{node.reason} : reboot complete" if node.reason else "reboot complete"
        return machines.lose_jobs(state, node, event, "rebooted to be DOWN", Loss.PROVEN)
    if following == "RESUME" or node.reason.startswith(ASAP):
        node.drain = False
    if following == "RESUME" or node.reason.endswith(ISSUED):
        machines.set_reason(node, "", 0, "", event.at)
    return power.go_on(state, node, event.at)
