"""Verdicts: why a job for which no room was found waits, in Slurm's reason codes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from slurm.model.cpu_set import NOTHING
from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.settings import Settings
from slurm.model.states import NodeState, Reason
from slurm.sched import select
from slurm.sched.choose import sufficient
from slurm.sched.need import Need
from slurm.sched.room import Room, room
from slurm.sched.space import NodeSpace, by_socket
from slurm.sched.terrain import Terrain

NODE_CURES = ("NodeRegistered", "NodeUpdated", "ReservationEnded", "ReservationUpdated")
ROOM_CURES = ("NodeFreed",)
QUEUE_CURES = ("Started", "Cancelled", "Held", "DeadlinePassed", *ROOM_CURES)
"""Who is before a job leaves the queue, or what that one waits for comes."""
PRIORITY = Refusal(Reason.PRIORITY, "jobs of higher priority wait for this partition", cures=QUEUE_CURES)
REQUESTED_AWAY = Reason.REQ_NODE_NOT_AVAIL + ", May be reserved for other job"
KEPT = "is kept for a reservation while the job would run"
SHOWN = 16
"""Nodes named as evidence."""


def unavailable(terrain: Terrain, need: Need, partition: Partition) -> Refusal | None:
    """What is wrong with the nodes themselves, whatever runs there; None when enough of them are in service. Cheap."""
    usable, suited = terrain.usable(partition, need.site), terrain.suited(partition, need.site)
    if need.site.wanted:
        missing = sorted(need.site.wanted - {node.name for node in usable})
        if missing:
            nodes = terrain.view.nodes
            return Refusal(REQUESTED_AWAY, f"it names {', '.join(missing)}, which cannot be used now",
                           tuple((name, KEPT if name in need.site.closed else state_of(nodes.get(NodeName(name)))) for name in missing),
                           NODE_CURES)
    if len(suited) < need.nodes_min:
        return Refusal(Reason.BAD_CONSTRAINTS, f"{len(suited)} nodes of partition {partition.name} suit it, {need.nodes_min} are needed",
                       (("suited", str(len(suited))), ("needed", str(need.nodes_min))), ("JobUpdated", "NodeUpdated"))
    if len(usable) < need.nodes_min:
        return _out_of_service(terrain, need, partition, f"of {len(suited)} nodes that suit it only {len(usable)} can be used now")
    return None


def too_large(terrain: Terrain, need: Need, partition: Partition) -> Refusal | None:
    """Why a job would not fit even if nothing ran; None when it would. It need not be waited for."""
    usable, suited = terrain.usable(partition, need.site), terrain.suited(partition, need.site)
    if would_fit(terrain, usable, need, partition, "usable"):
        return None
    if len(usable) < len(suited) and would_fit(terrain, suited, need, partition, "suited"):
        return _out_of_service(terrain, need, partition, "it does not fit on the nodes that are in service, even when they are empty")
    return Refusal(Reason.BAD_CONSTRAINTS, f"it does not fit on the nodes of partition {partition.name}, even when they are empty",
                   (("nodes", str(len(suited))),), ("JobUpdated", "NodeUpdated"))


def first_blocked(terrain: Terrain, need: Need, partition: Partition, blocked: frozenset[str]) -> Refusal:
    """Why the first job of a partition waits: for room, or for jobs before it in other partitions, those that are `blocked`."""
    usable = terrain.usable(partition, need.site)
    closed = terrain.nodes_of(blocked)
    if closed:
        left = terrain.kept(("left", partition.name, need.site, blocked), lambda: [node for node in usable if node.name not in closed])
        if not would_fit(terrain, left, need, partition, blocked):
            kept = ((str(node.name), "kept for a job of higher priority in another partition") for node in usable if node.name in closed)
            return Refusal(Reason.UNAVAILABLE_NODES, "jobs of higher priority in other partitions wait for nodes that it needs",
                           tuple(islice(kept, SHOWN)), QUEUE_CURES)
    texts = terrain.texts
    free = tuple(texts.get(node.name) or texts.setdefault(node.name, (str(node.name), free_of(node))) for node in usable[:SHOWN])
    return Refusal(Reason.RESOURCES, "not enough is free on the nodes that suit it", free, ROOM_CURES)


def would_fit(terrain: Terrain, nodes: Sequence[Node], need: Need, partition: Partition, which: str | frozenset[str]) -> bool:
    """`fits_empty`, remembered; `which` tells the nodes from others that suit the same job."""
    return terrain.kept(("fits", need, partition.name, which), lambda: fits_empty(nodes, need, terrain.view.settings, partition))


def fits_empty(nodes: Sequence[Node], need: Need, settings: Settings, partition: Partition) -> bool:
    """Whether a job would fit on these nodes of a partition if they were empty."""
    need = need.anywhere
    def vacant(node: Node) -> Room | None:
        space = NodeSpace(node, vacant=True)
        if partition.max_cpus_per_node >= 0:
            space.most = min(space.most, partition.max_cpus_per_node)
        if partition.max_cpus_per_socket >= 0:
            space.cpus = by_socket(space, partition.max_cpus_per_socket, 0)
        return room(space, need, settings)

    rooms = sufficient(map(vacant, nodes), need)
    return bool(rooms) and select.allocate(rooms, need, partition.name) is not None


def state_of(node: Node | None) -> str:
    """Why a node takes no jobs, for people."""
    if node is None:
        return "does not exist"
    busy = len(node.cpus_used)
    base = node.state.value if not busy or node.state is not NodeState.IDLE else "allocated" if busy >= node.job_cpu_count else "mixed"
    words = [base] + ["draining" if node.jobs else "drained"] * node.drain + ["not responding"] * (not node.responding)
    return f"{', '.join(words)}{': ' + node.reason if node.reason else ''}"


def free_of(node: Node) -> str:
    """What is free on a node, for people."""
    devices = "".join(
        f", {len(pool.devices - node.gres_used.get(pool.name, NOTHING))} of {pool.count} {pool.name}"
        for pool in node.gres)
    return (f"{node.job_cpu_count - len(node.cpus_used)} of {node.job_cpu_count} CPUs, {node.job_memory - node.memory_used} of "
            f"{node.job_memory} MB{devices} free")


def _out_of_service(terrain: Terrain, need: Need, partition: Partition, sentence: str) -> Refusal:
    suited = terrain.suited(partition, need.site)
    down = terrain.kept(("down", partition.name, need.site), lambda: list(islice(
        (node for node in suited if not node.usable or node.name in need.site.closed), SHOWN)))
    told = terrain.lately(("down", partition.name, need.site), lambda: tuple(
        (str(node.name), KEPT if node.usable else state_of(node)) for node in down))
    return Refusal(Reason.UNAVAILABLE_NODES, sentence, told, NODE_CURES)
