"""Verdicts: why a job for which no room was found waits, in Slurm's reason codes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.model.states import Reason
from slurm.sched import select
from slurm.sched.choose import sufficient
from slurm.sched.ground import Ground
from slurm.sched.need import Need
from slurm.sched.refusal import Refusal
from slurm.sched.room import Room, room
from slurm.sched.space import NodeSpace

PRIORITY = Refusal(Reason.PRIORITY, "jobs of higher priority wait for this partition", cures=("Started", "Cancelled"))
REQUESTED_AWAY = Reason.REQ_NODE_NOT_AVAIL + ", May be reserved for other job"
NODE_CURES = ("NodeRegistered", "NodeUpdated")
SHOWN = 16
"""Nodes named as evidence."""


def unavailable(ground: Ground, need: Need, partition: Partition) -> Refusal | None:
    """What is wrong with the nodes themselves, whatever runs there; None when enough of them are in service. Cheap."""
    usable, suited = ground.usable(partition, need.site), ground.suited(partition, need.site)
    if need.site.wanted:
        missing = sorted(need.site.wanted - {node.name for node in usable})
        if missing:
            nodes = ground.view.nodes
            return Refusal(REQUESTED_AWAY, f"it names {', '.join(missing)}, which cannot be used now",
                           tuple((name, state_of(nodes.get(NodeName(name)))) for name in missing), NODE_CURES)
    if len(suited) < need.nodes_min:
        return Refusal(Reason.BAD_CONSTRAINTS, f"{len(suited)} nodes of partition {partition.name} suit it, {need.nodes_min} are needed",
                       (("suited", str(len(suited))), ("needed", str(need.nodes_min))), ("JobUpdated", "NodeUpdated"))
    if len(usable) < need.nodes_min:
        return _out_of_service(suited, f"of {len(suited)} nodes that suit it only {len(usable)} can be used now")
    return None


def too_large(ground: Ground, need: Need, partition: Partition) -> Refusal | None:
    """Why a job would not fit even if nothing ran; None when it would. It need not be waited for."""
    settings = ground.view.settings
    usable, suited = ground.usable(partition, need.site), ground.suited(partition, need.site)
    if fits_empty(usable, need, settings, partition):
        return None
    if len(usable) < len(suited) and fits_empty(suited, need, settings, partition):
        return _out_of_service(suited, "it does not fit on the nodes that are in service, even when they are empty")
    return Refusal(Reason.BAD_CONSTRAINTS, f"it does not fit on the nodes of partition {partition.name}, even when they are empty",
                   (("nodes", str(len(suited))),), ("JobUpdated", "NodeUpdated"))


def first_blocked(ground: Ground, need: Need, partition: Partition, closed: Collection[NodeName]) -> Refusal:
    """Why the first job of a partition waits: for room, or for jobs before it in other partitions, whose nodes are `closed`."""
    usable = ground.usable(partition, need.site)
    if closed:
        left = [node for node in usable if node.name not in closed]
        if not fits_empty(left, need, ground.view.settings, partition):
            kept = tuple((str(node.name), "kept for a job of higher priority in another partition") for node in usable if node.name in closed)
            return Refusal(Reason.UNAVAILABLE_NODES, "jobs of higher priority in other partitions wait for nodes that it needs", kept[:SHOWN],
                           ("Started", "NodeFreed"))
    free = tuple((str(node.name), free_of(node)) for node in usable[:SHOWN])
    return Refusal(Reason.RESOURCES, "not enough is free on the nodes that suit it", free, ("NodeFreed",))


def fits_empty(nodes: Sequence[Node], need: Need, settings: Settings, partition: Partition) -> bool:
    """Whether a job would fit on these nodes of a partition if they were empty."""
    def vacant(node: Node) -> Room | None:
        space = NodeSpace(node, vacant=True)
        if partition.max_cpus_per_node >= 0:
            space.most = min(space.most, partition.max_cpus_per_node)
        return room(space, need, settings)

    rooms = sufficient(map(vacant, nodes), need)
    return bool(rooms) and select.allocate(rooms, need, settings, partition.name) is not None


def state_of(node: Node | None) -> str:
    """Why a node takes no jobs, for people."""
    if node is None:
        return "does not exist"
    words = [node.state.value] + ["drained"] * node.drain + ["not responding"] * (not node.responding)
    return f"{', '.join(words)}{': ' + node.reason if node.reason else ''}"


def free_of(node: Node) -> str:
    """What is free on a node, for people."""
    devices = "".join(
        f", {pool.count - (node.gres_used.get(pool.name, 0) >> pool.first & ((1 << pool.count) - 1)).bit_count()} of {pool.count} {pool.name}"
        for pool in node.gres)
    return f"{node.cpus - node.cpus_used.bit_count()} of {node.cpus} CPUs, {node.memory - node.memory_used} of {node.memory} MB{devices} free"


def _out_of_service(suited: Sequence[Node], sentence: str) -> Refusal:
    down = tuple((str(node.name), state_of(node)) for node in suited if not node.usable)
    return Refusal(Reason.UNAVAILABLE_NODES, sentence, down[:SHOWN], NODE_CURES)
