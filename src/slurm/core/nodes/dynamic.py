"""Nodes that come and go while the cluster runs: `scontrol create nodename=`, `delete nodename=`, a slurmd -Z. Their NodeName lines are
kept with them, and read again with slurm.conf at each start."""

from __future__ import annotations

import msgspec

from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition
from slurm.core.reserving import running
from slurm.core.rights import require_administrator
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest
from slurm.model.ids import NodeName
from slurm.model.node import Node


def room(state: ClusterState, count: int) -> None:
    """InvalidRequest where MaxNodeCount leaves no room for so many nodes more."""
    most = max(state.settings.max_node_count, 0)
    if len(state.nodes) + count > most:
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[
            f"MaxNodeCount={most} in slurm.conf leaves no room: there are {len(state.nodes)} nodes and {count} are to be added" if most else
            "MaxNodeCount in slurm.conf says how many nodes there may be; it is not set"])


def deleted(state: ClusterState, names: list[NodeName], caller: e.Caller, now: float) -> list[e.Event]:
    """The event that deletes nodes; refused for those of slurm.conf, and where jobs or reservations have them."""
    require_administrator(state, caller)
    for name in names:
        node = state.nodes[name]
        if not node.line:
            raise InvalidRequest("ESLURM_INVALID_NODE_STATE", hints=[
                f"{name} is a node of slurm.conf: take it out there, then scontrol reconfigure"])
        if node.jobs or node.remains:
            raise InvalidRequest("ESLURM_NODES_BUSY", hints=[
                f"jobs have {name}: {', '.join(map(str, sorted(node.jobs))) or 'what is left of earlier ones'}"])
        of = next((one.name for one in state.reservations.values() if name in one.nodes and "ALL_NODES" not in one.flags
            and "PART_NODES" not in one.flags), None)
        if of is not None:
            raise InvalidRequest("ESLURM_NODES_BUSY", hints=[f"{name} is in reservation {of}: delete that first"])
    return [e.NodesDeleted(at=now, nodes=names)]


def on_created(state: ClusterState, event: e.NodesCreated) -> list[Effect]:
    """They are there, behind all others, and in the partitions that have them."""
    last = max((node.position for node in state.nodes.values()), default=-1)
    for offset, made in enumerate(event.nodes, start=1):
        if made.name in state.nodes:
            raise IllegalTransition(f"node {made.name} is there already")
        fresh = msgspec.structs.replace(made, position=last + offset, gres=[msgspec.structs.replace(pool) for pool in made.gres])
        fresh.jobs, fresh.completing, fresh.gres_used, fresh.remains = set(), set(), {}, []
        fresh.last_busy_time = event.at
        state.nodes[fresh.name] = fresh
        state.unsaved.nodes.add(fresh.name)
    for name, members in event.members.items():
        partition = state.partitions.get(name)
        if partition is not None:
            gains = [member for member in members if member not in set(partition.nodes)]
            partition.nodes = [*partition.nodes, *gains]
            state.unsaved.partitions.add(name)
    running.follow_nodes(state, event.at)
    return []


def on_deleted(state: ClusterState, event: e.NodesDeleted) -> list[Effect]:
    """They are not there any more."""
    gone = set(event.nodes)
    held = [name for name in event.nodes if name in state.nodes and _is_held(state.nodes[name])]
    if held:
        raise IllegalTransition(f"nodes {','.join(held)} are deleted while jobs have them")
    for name in event.nodes:
        state.nodes.pop(name, None)
        state.unsaved.nodes.add(name)
    for partition in state.partitions.values():
        if not gone.isdisjoint(partition.nodes):
            partition.nodes = [name for name in partition.nodes if name not in gone]
            state.unsaved.partitions.add(partition.name)
    running.follow_nodes(state, event.at)
    return []


def _is_held(node: Node) -> bool:
    return bool(node.jobs or node.remains)
