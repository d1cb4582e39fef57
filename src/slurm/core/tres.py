"""Trackable resources of jobs: what one asks for as far as its request says so itself, and what one holds; of nodes and the cluster: what
they have.

Counts by TRES name, memory MB. Devices count by name, and by name and type ("gres/gpu:a100") where AccountingStorageTRES lists that;
licences ("license/matlab") where it lists them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Protocol

from slurm.model.cpu_set import CpuSet
from slurm.model.ids import NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.model.states import NodeState
from slurm.notation import gres, licenses, tres


class Scene(Protocol):
    """What of a cluster decides about defaults and weights."""

    @property
    def settings(self) -> Settings: ...
    @property
    def nodes(self) -> Mapping[NodeName, Node]: ...
    @property
    def partitions(self) -> Mapping[str, Partition]: ...


def tasks(job: Job) -> int:
    """Tasks asked for; one a node unless said otherwise."""
    request = job.request
    return request.ntasks or max(1, request.nodes_min) * max(1, request.ntasks_per_node)


def nodes_wanted(job: Job) -> int:
    """The fewest nodes the request needs as far as it says so itself."""
    request = job.request
    wanted = max(1, request.nodes_min)
    if request.ntasks_per_node and request.ntasks:
        wanted = max(wanted, -(-request.ntasks // request.ntasks_per_node))
    return wanted


def cpus_wanted(job: Job) -> int:
    """CPUs the request needs as far as it says so itself."""
    return max(tasks(job) * max(1, job.request.cpus_per_task), nodes_wanted(job) * min_cpus(job))


def min_cpus(job: Job) -> int:
    """Fewest CPUs on each node."""
    request = job.request
    return max(1, request.mincpus, max(1, request.cpus_per_task) * max(1, request.ntasks_per_node))


def memory_rule(scene: Scene, job: Job) -> tuple[int, bool]:
    """(MB, whether for each CPU) asked for or given by default; the MB are for each node otherwise, 0 where each GPU brings its own."""
    request = job.request
    if request.mem_per_node is not None:
        return request.mem_per_node, False
    if request.mem_per_cpu is not None:
        return request.mem_per_cpu, True
    if request.mem_per_gpu is not None:
        return 0, False
    for source in (scene.partitions.get(job.partition), scene.settings):
        if source is not None and source.def_mem_per_cpu is not None:
            return source.def_mem_per_cpu, True
        if source is not None and source.def_mem_per_node is not None:
            return source.def_mem_per_node, False
    return 0, False


def requested(scene: Scene, job: Job) -> dict[str, int]:
    """Trackable resources asked for."""
    nodes = nodes_wanted(job)
    cpus = cpus_wanted(job)
    memory, per_cpu = memory_rule(scene, job)
    amounts = {"cpu": cpus, "mem": memory * (cpus if per_cpu else nodes), "node": nodes, "billing": cpus}
    tracked = scene.settings.accounting_tres
    for item in (*gres.parse(job.request.gres), *gres.parse_gpus(job.request.gpus_per_node)):
        _add(amounts, item.name, item.type, item.count * nodes, tracked)
    for item in gres.parse_gpus(job.request.gpus):
        _add(amounts, item.name, item.type, item.count, tracked)
    for item in gres.parse_gpus(job.request.gpus_per_task):
        _add(amounts, item.name, item.type, item.count * tasks(job), tracked)
    if job.request.mem_per_gpu is not None:
        amounts["mem"] = job.request.mem_per_gpu * amounts.get("gres/gpu", 0)
    if job.request.licenses and tracked:
        _add_licenses(amounts, dict(licenses.parse(job.request.licenses)[0]), tracked)
    return _billed(scene, job.partition.partition(",")[0], amounts)


def held(scene: Scene, allocation: Allocation | None) -> dict[str, int]:
    """Trackable resources of an allocation; empty without one."""
    if allocation is None:
        return {}
    amounts = of_shares(scene, allocation.shares)
    amounts["billing"] = amounts["cpu"]
    _add_licenses(amounts, allocation.licenses, scene.settings.accounting_tres)
    return _billed(scene, allocation.partition, amounts)


def configured(nodes: Iterable[Node], *, with_nodes: bool = True) -> dict[str, int]:
    """Trackable resources that nodes have."""
    amounts: dict[str, int] = {}
    for node in nodes:
        amounts["cpu"] = amounts.get("cpu", 0) + node.job_cpu_count
        amounts["mem"] = amounts.get("mem", 0) + node.memory
        if with_nodes:
            amounts["node"] = amounts.get("node", 0) + 1
        amounts["billing"] = amounts.get("billing", 0) + node.job_cpu_count
        for pool in node.gres:
            amounts[f"gres/{pool.name}"] = amounts.get(f"gres/{pool.name}", 0) + pool.count
    return amounts


def of_shares(scene: Scene, shares: Iterable[NodeShare]) -> dict[str, int]:
    """Trackable resources of shares of nodes together, billing aside."""
    cpus = memory = nodes = 0
    amounts: dict[str, int] = {}
    for share in shares:
        nodes += 1
        cpus += share.cpu_count
        memory += share.memory
        for name, devices in share.gres.items():
            _add(amounts, name, "", len(devices), ())
            if scene.settings.accounting_tres:
                _add_types(amounts, scene, share, name)
    return {"cpu": cpus, "mem": memory, "node": nodes, **amounts}


def of_node(scene: Scene, node: Node) -> dict[str, int]:
    """What a node has by configuration."""
    amounts = {"cpu": node.job_cpu_count, "mem": node.memory, "billing": node.job_cpu_count}
    for pool in node.gres:
        _add(amounts, pool.name, pool.type, pool.count, scene.settings.accounting_tres)
    return amounts


def of_cluster(scene: Scene) -> dict[str, int]:
    """What all nodes have by configuration that are there at all."""
    amounts = {"cpu": 0, "mem": 0, "node": 0, "billing": 0}
    for node in scene.nodes.values():
        if node.state is not NodeState.FUTURE:
            amounts["node"] += 1
            for name, count in of_node(scene, node).items():
                amounts[name] = amounts.get(name, 0) + count
    _add_licenses(amounts, scene.settings.licenses, scene.settings.accounting_tres)
    return amounts


def _add(amounts: dict[str, int], name: str, kind: str, count: int, tracked: Collection[str]) -> None:
    key = f"gres/{name}"
    amounts[key] = amounts.get(key, 0) + count
    if kind and tracked and (key := f"{key}:{kind}") in tracked:
        amounts[key] = amounts.get(key, 0) + count


def _add_licenses(amounts: dict[str, int], counts: Mapping[str, int], tracked: Collection[str]) -> None:
    """Licences count where AccountingStorageTRES lists them (license/matlab)."""
    amounts.update((key, count) for name, count in counts.items() if (key := f"license/{name}") in tracked)


def _add_types(amounts: dict[str, int], scene: Scene, share: NodeShare, name: str) -> None:
    """Count the devices of one name by type, as far as that is tracked."""
    node = scene.nodes.get(share.node)
    for pool in node.gres if node is not None else ():
        key = f"gres/{name}:{pool.type}"
        if pool.name == name and key in scene.settings.accounting_tres:
            count = len(share.gres[name] & CpuSet.run(pool.count, pool.first))
            if count:
                amounts[key] = amounts.get(key, 0) + count


def _billed(scene: Scene, partition: str, amounts: dict[str, int]) -> dict[str, int]:
    """With the billing that TRESBillingWeights of the partition makes of it; CPUs are billed where it says nothing."""
    known = scene.partitions.get(partition)
    if known is not None and known.tres_billing_weights:
        parts = [weight * amounts.get(name, 0) for name, weight in _weights(known.tres_billing_weights).items()]
        amounts["billing"] = int(max(parts) if "MAX_TRES" in scene.settings.priority_flags else sum(parts))
    return amounts


@lru_cache(maxsize=64)
def _weights(text: str) -> dict[str, float]:
    return tres.parse_weights(text)
