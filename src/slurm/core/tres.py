"""Trackable resources of jobs: what one asks for as far as its request says so itself, and what one holds. Counts by TRES name, memory MB."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from slurm.model.job import Allocation, Job
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.notation import gres, tres


class Scene(Protocol):
    """What of a cluster decides about defaults and weights."""

    @property
    def settings(self) -> Settings: ...
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
    """(MB, whether for each CPU) asked for or given by default; the MB are for each node otherwise."""
    request = job.request
    if request.mem_per_node is not None:
        return request.mem_per_node, False
    if request.mem_per_cpu is not None:
        return request.mem_per_cpu, True
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
    for item in (*gres.parse(job.request.gres), *gres.parse_gpus(job.request.gpus_per_node)):
        _add(amounts, item.name, item.count * nodes)
    for item in gres.parse_gpus(job.request.gpus):
        _add(amounts, item.name, item.count)
    for item in gres.parse_gpus(job.request.gpus_per_task):
        _add(amounts, item.name, item.count * tasks(job))
    return _billed(scene, job.partition.partition(",")[0], amounts)


def held(scene: Scene, allocation: Allocation | None) -> dict[str, int]:
    """Trackable resources of an allocation; empty without one."""
    if allocation is None:
        return {}
    cpus = allocation.cpu_count
    amounts = {"cpu": cpus, "mem": allocation.memory, "node": len(allocation.shares), "billing": cpus}
    for share in allocation.shares:
        for name, devices in share.gres.items():
            _add(amounts, name, len(devices))
    return _billed(scene, allocation.partition, amounts)


def _add(amounts: dict[str, int], name: str, count: int) -> None:
    amounts[f"gres/{name}"] = amounts.get(f"gres/{name}", 0) + count


def _billed(scene: Scene, partition: str, amounts: dict[str, int]) -> dict[str, int]:
    """With the billing that TRESBillingWeights of the partition makes of it; CPUs are billed where it says nothing."""
    known = scene.partitions.get(partition)
    if known is not None and known.tres_billing_weights:
        parts = [weight * amounts.get(name, 0) for name, weight in _weights(known.tres_billing_weights).items()]
        amounts["billing"] = int(max(parts) if scene.settings.priority_max_tres else sum(parts))
    return amounts


@lru_cache(maxsize=64)
def _weights(text: str) -> dict[str, float]:
    return tres.parse_weights(text)
