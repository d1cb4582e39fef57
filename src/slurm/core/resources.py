"""What jobs hold on nodes: given, given back, and whether a proposal still fits. Which nodes to take is decided in `sched`."""

from __future__ import annotations

from slurm.core.state import ClusterState
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.ids import NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.node import Node


def hold(state: ClusterState, node: Node, job: Job, share: NodeShare, *, exclusive_user: bool = False) -> None:
    """Give a share of a node to a job."""
    state.touched.add(node.name)
    state.unsaved.nodes.add(node.name)
    node.jobs.add(job.id)
    take_cpus(state, node, share.cpus)
    node.memory_used += share.memory
    for name, devices in share.gres.items():
        node.gres_used[name] = node.gres_used.get(name, NOTHING) | devices
    if exclusive_user:
        node.exclusive_user = job.owner.uid


def free(state: ClusterState, node: Node, job: Job, share: NodeShare, at: float) -> None:
    """Take a job's share of a node back; CPUs that another job has too (OverSubscribe, suspension) stay held."""
    state.touched.add(node.name)
    state.unsaved.nodes.add(node.name)
    node.jobs.discard(job.id)
    node.completing.discard(job.id)
    node.suspended.discard(job.id)
    if not job.without_cpus:
        give_cpus(state, node, share.cpus)
    node.memory_used -= share.memory
    for name, devices in share.gres.items():
        left = node.gres_used.get(name, NOTHING) - devices
        if left:
            node.gres_used[name] = left
        else:
            node.gres_used.pop(name, None)
    if not node.jobs:
        node.exclusive_user = -1
        node.last_busy_time = at


def take_cpus(state: ClusterState, node: Node, cpus: CpuSet) -> None:
    """One more job has these CPUs: how many have each is counted by layers, the first of which is what the node shows as used."""
    again = cpus & node.cpus_used
    node.cpus_used |= cpus
    if not again:
        return
    layers = state.overlaps.setdefault(node.name, [])
    for i, layer in enumerate(layers):
        layers[i], again = layer | again, layer & again
    if again:
        layers.append(again)


def give_cpus(state: ClusterState, node: Node, cpus: CpuSet) -> None:
    """One job less has these CPUs."""
    layers = state.overlaps.get(node.name)
    if layers is not None:
        for i in range(len(layers) - 1, -1, -1):
            layers[i], cpus = layers[i] - cpus, cpus - layers[i]
        while layers and not layers[-1]:
            layers.pop()
        if not layers:
            del state.overlaps[node.name]
    node.cpus_used -= cpus


def count_overlaps(state: ClusterState) -> None:
    """Which CPUs more than one job has, found from what the jobs hold: after a restart."""
    state.overlaps.clear()
    seen: dict[NodeName, CpuSet] = {}
    for job in state.active.values():
        if job.holding is None or job.without_cpus:
            continue
        for share in job.holding.shares:
            if share.node not in job.nodes_left:
                continue
            before = seen.get(share.node, NOTHING)
            seen[share.node] = before | share.cpus
            again = before & share.cpus
            if again and share.node in state.nodes:
                layers = state.overlaps.setdefault(share.node, [])
                for i, layer in enumerate(layers):
                    layers[i], again = layer | again, layer & again
                if again:
                    layers.append(again)


def share_on(job: Job, node: Node) -> NodeShare | None:
    """What a job holds on a node, None when nothing."""
    if job.holding is None:
        return None
    for share in job.holding.shares:
        if share.node == node.name:
            return share
    return None


def fits(state: ClusterState, job: Job, allocation: Allocation) -> str | None:
    """Why a proposed allocation cannot be given now, in a sentence; None when it can."""
    partition = state.partitions.get(allocation.partition)
    if partition is None:
        return f"partition {allocation.partition} does not exist any more"
    if not allocation.shares:
        return "the allocation names no node"
    sharing = may_share(state, job, allocation.partition)
    for share in allocation.shares:
        node = state.nodes.get(share.node)
        if node is None:
            return f"node {share.node} does not exist any more"
        refusal = _refused(node, job, share, allocation.exclusive, sharing)
        if refusal is not None:
            return refusal
    return None


def may_share(state: ClusterState, job: Job, partition_name: str) -> bool:
    """Whether a job may get CPUs that others use: OverSubscribe=FORCE, or YES and the job says --oversubscribe."""
    partition = state.partitions.get(partition_name)
    if partition is None:
        return False
    rule = partition.oversubscribe.upper()
    return rule.startswith("FORCE") or (rule.startswith("YES") and job.request.oversubscribe)


def _refused(node: Node, job: Job, share: NodeShare, exclusive: bool, sharing: bool) -> str | None:
    if not node.usable:
        return f"node {node.name} is not usable: {node.reason or ('it does not respond' if not node.responding else node.state.value)}"
    if exclusive and node.tenants:
        return f"node {node.name} is not empty"
    if node.exclusive_user >= 0 and node.exclusive_user != job.owner.uid:
        return f"node {node.name} belongs to another user's exclusive job"
    if share.cpus.end > node.cpus or not share.cpus:
        return f"node {node.name} has {node.cpus} CPUs, not those that were proposed"
    if job.request.core_spec is None and job.request.thread_spec is None and not share.cpus.isdisjoint(node.spec_cpus):
        return f"CPUs of node {node.name} are set aside for the system now"
    if not sharing and not share.cpus.isdisjoint(node.cpus_used):
        return f"CPUs of node {node.name} were taken meanwhile"
    if share.memory + node.memory_used > node.job_memory:
        return f"memory of node {node.name} was taken meanwhile"
    for name, devices in share.gres.items():
        if not devices <= node.devices(name) - node.gres_used.get(name, NOTHING):
            return f"{name} of node {node.name} was taken meanwhile"
    return None
