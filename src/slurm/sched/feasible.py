"""Feasibility: could a job ever start on this cluster, with every node empty and in service?

What real Slurm refuses at submission is raised; what it accepts although it can never start becomes a warning.
"""

from __future__ import annotations

from slurm.core.events import Submitted
from slurm.core.reserving import claims
from slurm.model.errors import InvalidRequest
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.sched.filters import partition_limits, stack
from slurm.sched.need import Need
from slurm.sched.plan import needs
from slurm.sched.space import NodeSpace
from slurm.sched.terrain import Terrain
from slurm.sched.verdicts import would_fit

_NO_MEMORY = "Memory specification can not be satisfied"


def check_request(terrain: Terrain, job: Job) -> list[str]:
    """Warnings for a job that was admitted and can never start; InvalidRequest for what Slurm refuses.

    More CPUs, nodes or time than the partition has are accepted, as in Slurm: the partition may change.
    """
    view = terrain.view
    error: InvalidRequest | None = None
    warnings: list[str] = []
    for name in job.partition.split(","):
        partition = view.partitions[name]
        need = _reserved(terrain, job, needs.of(job.request, view.settings, partition))
        refusal = partition_limits.refuse(job, need, partition, terrain.cpus)
        if refusal is not None:
            warnings.append(f"this job can not start as things are: {refusal.sentence}")
        elif would_fit(terrain, terrain.suited(partition, need.site), need, partition, "suited"):
            return []
        else:
            error = error or _refused(terrain, need, partition)
    if error is not None and not warnings:
        raise error
    return warnings[:1]


def check_submitted(terrain: Terrain, event: Submitted) -> list[str]:
    """The same of all components of a heterogeneous job, each named."""
    if not event.components:
        return check_request(terrain, event.job)
    warnings: list[str] = []
    for number, job in enumerate((event.job, *event.components)):
        try:
            warnings += [f"component {number}: {warning}" for warning in check_request(terrain, job)]
        except InvalidRequest as error:
            error.hints = (f"component {number} of the heterogeneous job:", *error.hints)
            raise
    return warnings


def _reserved(terrain: Terrain, job: Job, need: Need) -> Need:
    """Where it names reservations, the nodes of these; with FLEX others too."""
    known = [of for name in claims.named(job) if (of := terrain.view.reservations.get(name)) is not None]
    if not known or any("FLEX" in of.flags or not of.nodes for of in known):
        return need
    return need._replace(site=need.site._replace(within=frozenset(name for of in known for name in of.nodes)))


def _refused(terrain: Terrain, need: Need, partition: Partition) -> InvalidRequest:
    """Slurm's error, with what is missing."""
    suited = terrain.suited(partition, need.site)
    if not suited:
        everywhere = terrain.suited(partition, stack.ANYWHERE)
        why = {stack.unsuited(node, need.site) for node in everywhere}
        preface: tuple[str, ...] = (_NO_MEMORY,) if all(node.job_memory < need.site.memory for node in everywhere) else ()
        return _error([f"no node of partition {partition.name} suits the request: {'; '.join(sorted(why))}"], preface)
    absent = need.site.wanted - {node.name for node in suited}
    if absent:
        return _error([f"{', '.join(sorted(absent))}: not among the nodes of partition {partition.name} that suit the request"])
    if len(suited) < need.nodes_min:
        return _error([f"{need.nodes_min} nodes are asked for, {len(suited)} of partition {partition.name} suit the request"])
    what, preface = _too_much(suited, need, partition)
    if not what:
        what = [f"{need.total_tasks} tasks with {need.total_cpus} CPUs do not fit on the nodes that the request allows"]
    return _error(what, preface)


def _too_much(nodes: list[Node], need: Need, partition: Partition) -> tuple[list[str], tuple[str, ...]]:
    """What is asked of a node beyond what the largest has; and the line that Slurm prints before its error."""
    what: list[str] = []
    preface: tuple[str, ...] = ()
    memory = max(node.job_memory for node in nodes)
    wanted = need.mem_node or (need.mem_cpu or 0) * need.cpus_per_task
    if wanted > memory:
        what.append(f"{wanted} MB of memory on a node are asked for, the largest node of partition {partition.name} has {memory} MB")
        preface = (_NO_MEMORY,)
    spaces = [NodeSpace(node, vacant=True) for node in nodes]
    for item in (*need.gres_node, *need.gres_task):
        most = max(space.devices(item) for space in spaces)
        if item.count > most:
            what.append(f"{item.show()} is asked for, a node of partition {partition.name} has at most {most}")
    for item in need.gpus_job:
        total = sum(space.devices(item) for space in spaces)
        if item.count > total:
            what.append(f"{item.show()} is asked for, partition {partition.name} has {total}")
    cpus = max(node.job_cpu_count for node in nodes)
    if partition.max_cpus_per_node >= 0:
        cpus = min(cpus, partition.max_cpus_per_node)
    for count, of in ((need.cpus_per_task, "a task"), (need.min_cpus, "a node")):
        if count > cpus:
            what.append(f"{count} CPUs {of} are asked for, a node of partition {partition.name} has at most {cpus}")
    return what, preface


def _error(hints: list[str], preface: tuple[str, ...] = ()) -> InvalidRequest:
    return InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=hints, preface=preface)
