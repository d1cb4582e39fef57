"""Feasibility: could a job ever start on this cluster, with every node empty and in service?

What real Slurm refuses at submission is raised; what it accepts although it can never start becomes a warning.
"""

from __future__ import annotations

from slurm.model.errors import InvalidRequest
from slurm.model.job import Job
from slurm.sched import select
from slurm.sched.filters import partition_limits, suits
from slurm.sched.filters.gate import Gate
from slurm.sched.need import Need
from slurm.sched.plan import needs
from slurm.sched.space import NodeSpace
from slurm.sched.view import View


def check_request(view: View, job: Job) -> list[str]:
    """Warnings for a job that was admitted and can never start; InvalidRequest for what Slurm refuses."""
    need = needs.of(job.request, view.settings)
    worst: InvalidRequest | None = None
    warnings: list[str] = []
    for name in job.partition.split(","):
        partition = view.partitions[name]
        refusal = partition_limits.refuse(Gate(view, job, partition, 0.0))
        if refusal is not None:
            warnings.append(f"this job can not start as things are: {refusal.sentence}")
            continue
        nodes = [view.nodes[node] for node in partition.nodes if node in view.nodes]
        suited = [node for node in nodes if not suits.unsuited(node, need)]
        rooms = [room for node in suited if (room := select.room(NodeSpace(node, vacant=True), need, view.settings)) is not None]
        if rooms and select.allocate(rooms, need, view.settings, name) is not None:
            return []
        error = _refused(view, job, need, name, [NodeSpace(node, vacant=True) for node in suited])
        if error is None:
            warnings.append(f"this job can not start as things are: partition {name} as a whole has not what it asks for")
        worst = worst or error
    if worst is not None and not warnings:
        raise worst
    return warnings[:1]


def _refused(view: View, job: Job, need: Need, partition: str, spaces: list[NodeSpace]) -> InvalidRequest | None:
    """What Slurm refuses: no single node that could take one task of it."""
    if any(select.room(space, need, view.settings) is not None for space in spaces):
        return None
    what: list[str] = []
    preface: tuple[str, ...] = ()
    memory = max((space.memory for space in spaces), default=0)
    wanted = need.mem_node or (need.mem_cpu or 0) * need.cpus_per_task
    if spaces and wanted > memory:
        what.append(f"{wanted} MB of memory on a node are asked for, the largest node of partition {partition} has {memory} MB")
        preface = ("Memory specification can not be satisfied",)
    for item in (*need.gres_node, *need.gres_task, *need.gpus_job):
        most = max((space.free_gres(item.name, item.type).bit_count() for space in spaces), default=0)
        if item.count > most:
            what.append(f"{item.show()} is asked for, a node of partition {partition} has at most {most}")
    if not spaces:
        what.append(f"no node of partition {partition} suits the request")
    cpus = max((space.node.cpus for space in spaces), default=0)
    if spaces and need.cpus_per_task > cpus:
        what.append(f"{need.cpus_per_task} CPUs a task are asked for, a node of partition {partition} has at most {cpus}")
    return InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=what, preface=preface)


