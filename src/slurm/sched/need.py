"""Need: a job's request boiled down to the numbers that choosing nodes works with; computed once a request.

Not here: which nodes (`select`), whether now (`filters`).
"""

from __future__ import annotations

from typing import NamedTuple

from slurm.model.request import JobRequest
from slurm.model.settings import Settings
from slurm.notation import features, gres, hostlist
from slurm.notation.gres import GresRequest


class Need(NamedTuple):
    """Counts with defaults filled in. `tasks` 0: one a node (or as `nodes_min` says); `nodes_max` 0: as many as it takes.

    Memory MB, at most one of the three set; `gres_node`, `gres_task` per node and per task; `gpus_job` over all nodes.
    """

    nodes_min: int
    nodes_max: int
    tasks: int
    cpus_per_task: int
    tasks_per_node: int
    min_cpus: int
    mem_node: int | None
    mem_cpu: int | None
    mem_gpu: int | None
    gres_node: tuple[GresRequest, ...]
    gres_task: tuple[GresRequest, ...]
    gpus_job: tuple[GresRequest, ...]
    cpus_per_gpu: int
    exclusive: bool
    overcommit: bool
    wanted: frozenset[str]
    excluded: frozenset[str]
    constraint: features.Tree | None
    tmp_disk: int
    sockets: int
    cores: int
    threads: int

    @property
    def total_tasks(self) -> int:
        """Tasks of the whole job."""
        return self.tasks or max(1, self.nodes_min) * max(1, self.tasks_per_node)

    @property
    def total_cpus(self) -> int:
        """CPUs of the whole job as far as the request says."""
        return max(self.total_tasks * self.cpus_per_task, self.nodes_min * max(1, self.min_cpus))


def need_of(request: JobRequest, settings: Settings) -> Need:
    """The need of a request; NotationError when a text in it does not parse (admission has checked them)."""
    per_node = gres.parse(request.gres) if request.gres else []
    if request.gpus_per_node:
        per_node += gres.parse_gpus(request.gpus_per_node)
    if request.gpus_per_socket:
        sockets = max(1, request.sockets_per_node)
        per_node += [item._replace(count=item.count * sockets) for item in gres.parse_gpus(request.gpus_per_socket)]
    per_task = gres.parse_gpus(request.gpus_per_task) if request.gpus_per_task else []
    wanted = frozenset(hostlist.expand(request.nodelist)) if request.nodelist else frozenset()
    mem_node, mem_cpu, mem_gpu = request.mem_per_node, request.mem_per_cpu, request.mem_per_gpu
    if not settings.select_memory:
        mem_node = mem_cpu = mem_gpu = None
    job_gpus = tuple(gres.parse_gpus(request.gpus)) if request.gpus else ()
    tasks = request.ntasks
    if not tasks and request.ntasks_per_gpu and job_gpus:
        tasks = request.ntasks_per_gpu * sum(item.count for item in job_gpus)
    return Need(
        nodes_min=max(1, request.nodes_min, len(wanted)), nodes_max=request.nodes_max, tasks=tasks,
        cpus_per_task=max(1, request.cpus_per_task), tasks_per_node=request.ntasks_per_node, min_cpus=request.mincpus,
        mem_node=mem_node, mem_cpu=mem_cpu, mem_gpu=mem_gpu, gres_node=tuple(per_node), gres_task=tuple(per_task), gpus_job=job_gpus,
        cpus_per_gpu=request.cpus_per_gpu, exclusive=request.exclusive == "node", overcommit=request.overcommit, wanted=wanted,
        excluded=frozenset(hostlist.expand(request.exclude)) if request.exclude else frozenset(),
        constraint=features.parse(request.features) if request.features else None, tmp_disk=request.tmp_disk,
        sockets=request.sockets_per_node, cores=request.cores_per_socket, threads=request.threads_per_core)


class Needs:
    """Needs by request, remembered while the request lives: the tasks of an array and every pass share one."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[JobRequest, Need]] = {}

    def of(self, request: JobRequest, settings: Settings) -> Need:
        """The need of this very request object."""
        found = self._by_id.get(id(request))
        if found is not None and found[0] is request:
            return found[1]
        need = need_of(request, settings)
        if len(self._by_id) > 50_000:
            self._by_id.clear()
        self._by_id[id(request)] = (request, need)
        return need

    def forget(self) -> None:
        """Settings changed: compute anew."""
        self._by_id.clear()
