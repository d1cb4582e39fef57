"""Need: a job's request boiled down to the numbers that choosing nodes works with; computed once a request.

Not here: which nodes (`choose`), whether now (`filters`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from slurm.model.ids import NodeName
from slurm.model.partition import Partition
from slurm.model.request import JobRequest
from slurm.model.settings import Settings
from slurm.notation import features, gres, hostlist, licenses
from slurm.notation.gres import GresRequest
from slurm.sched.layout import Layout, Wish, layouts_of

Items = tuple[GresRequest, ...]
MANY = 1 << 30
"""More tasks, nodes or CPUs than there ever are."""


class Site(NamedTuple):
    """What a request says about the nodes themselves, whatever runs there; equal sites share one look at the nodes."""

    wanted: frozenset[str] = frozenset()
    only_wanted: bool = False  # as many nodes as are named
    excluded: frozenset[str] = frozenset()
    constraint: features.Tree | None = None
    tmp_disk: int = 0
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    memory: int = 0  # MB that a node must have, where memory is not given out
    within: frozenset[NodeName] | None = None  # the nodes of its reservation
    closed: frozenset[NodeName] = frozenset()  # nodes that are kept for other reservations while it would run


_ANY = Site()


class Need(NamedTuple):
    """Counts with defaults filled in. `tasks` 0: not said, one a node or `tasks_per_node`; `nodes_max` 0: as many as it takes.

    Memory MB, at most one of the three set, `mem_node` 0 for all of it; `gres_node`, `gres_task` per node and per task, `gpus_job` over all
    nodes.
    """

    nodes_min: int
    nodes_max: int
    tasks: int
    cpus_per_task: int
    tasks_per_node: int
    tasks_per_socket: int
    tasks_per_core: int
    tasks_per_gpu: int
    min_cpus: int
    threads: int
    mem_node: int | None
    mem_cpu: int | None
    mem_gpu: int | None
    gres_node: Items
    gres_task: Items
    gpus_job: Items
    cpus_per_gpu: int
    whole: bool  # whole nodes, nobody else on them
    all_gres: bool  # and with them all their generic resources
    own_user: bool  # --exclusive=user
    shares: bool  # --oversubscribe
    overcommit: bool
    contiguous: bool
    spread: bool
    fewest: bool  # --use-min-nodes
    site: Site
    spec: tuple[int, int] | None = None  # cores, threads of each node that are left to the system, None: as the node has it
    unit: str = "core"  # cpu | core | socket: what is only given out together
    block_cores: bool = False  # cores in their order, not over the sockets in turn
    apart: int = 0  # tasks that may share a core, 0 for no such rule
    layout: Layout | None = None  # where nodes lie, as far as that matters to it
    switches: int = 0  # leaves at most, 0: any number
    segment: int = 0  # nodes of a segment
    spread_segments: bool = False
    nodes_cap: int = MANY  # MaxNodes of the partition it is tried in
    pools: tuple[tuple[tuple[str, int], ...], ...] = ()  # what it asks of cluster-wide pools, any one of these ways (`pools.Choices`)

    @property
    def total_tasks(self) -> int:
        """Tasks of the whole job on the fewest nodes it may have."""
        return self.tasks or self.nodes_min * max(1, self.tasks_per_node)

    @property
    def total_cpus(self) -> int:
        """CPUs of the whole job as far as the request says."""
        tasks = self.nodes_min if self.overcommit else self.total_tasks * self.cpus_per_task
        return max(tasks, self.nodes_min * max(1, self.min_cpus))

    @property
    def counted(self) -> bool:
        """Whether of each node it takes CPUs by its tasks and nothing else."""
        return not (
            self.gres_node or self.gres_task or self.gpus_job or self.whole or self.overcommit or self.tasks_per_socket or self.mem_cpu
            or self.mem_node is not None or self.mem_gpu is not None or self.unit == "socket" or self.spec is not None)

    @property
    def most_nodes(self) -> int:
        """The most nodes it may get: what it says, no more than it has tasks or GPUs, of which each node gets one at least."""
        most = min(self.nodes_max or MANY, self.nodes_cap, self.gpus or MANY)
        return min(most, max(self.nodes_min, self.tasks)) if self.tasks else most

    @property
    def anywhere(self) -> Need:
        """The need of a job that may lie anywhere: for asking whether it ever fits, where it matters that one group of nodes holds all
        others."""
        return self._replace(layout=None, switches=0) if self.layout is not None and self.layout.connected and not self.segment else self

    def wish(self, first: int = 0) -> Wish:
        """What it asks of nodes together; `first` ones are given already."""
        least = max(self.nodes_min, first)
        alone = self.total_tasks if least == 1 and not self.stretches else 0
        tasks = self.total_tasks if self.tasks else 0
        return Wish(least, self.most_nodes, tasks, self.gpus, alone=alone, leaves=self.switches, segment=self.segment,
            spread=self.spread_segments,
                    wide=self.stretches)

    @property
    def stretches(self) -> bool:
        """Whether it takes as many nodes as there are: --spread-job, and a range of nodes without --use-min-nodes."""
        return self.spread or (self.nodes_max > self.nodes_min and not self.fewest)

    @property
    def gpus(self) -> int:
        """GPUs asked for over all nodes together."""
        return sum(item.count for item in self.gpus_job)


class Numbers(NamedTuple):
    """What tells of a waiting job that it has to wait (see `sight`); `need` None: it takes a closer look.

    `request`, `partition` and `limit` are what it follows from; `cpus`: so many at least, on all nodes together.
    """

    request: JobRequest
    partition: str
    limit: int
    need: Need | None = None
    cpus: int = 0
    seconds: float = 0.0
    fits: bool | None = None  # on its nodes if they were empty; None: nobody asked yet


def need_of(request: JobRequest, settings: Settings, partition: Partition | None = None, layout: Layout | None = None) -> Need:
    """The need of a request where a partition gives out resources its own way; NotationError when a text in it does not parse (admission
    has checked them)."""
    if request.contiguous or (layout is not None and layout.optional and not request.switches):
        layout = None
    unit, gives_memory = partition.selects(settings) if partition is not None else (settings.select_unit, settings.select_memory)
    wanted = frozenset(hostlist.expand(request.nodelist)) if request.nodelist else frozenset[str]()
    nodes_min = max(1, request.nodes_min, len(wanted))
    nodes_max = max(request.nodes_max, nodes_min) if request.nodes_max else 0
    mem_node, mem_cpu, mem_gpu = request.mem_per_node, request.mem_per_cpu, request.mem_per_gpu
    memory = 0 if gives_memory else mem_node or (mem_cpu or 0) * max(1, request.cpus_per_task)
    if not gives_memory:
        mem_node = mem_cpu = mem_gpu = None
    per_task = gres.positive(gres.parse_gpus(request.gpus_per_task)) if request.gpus_per_task else ()
    per_job = gres.positive(gres.parse_gpus(request.gpus)) if request.gpus else ()
    tasks, per_gpu = request.ntasks, request.ntasks_per_gpu
    per_node, tasks_per_node = _per_node(request), request.ntasks_per_node
    gpus_on_node = sum(item.count for item in per_node if item.name == "gpu")
    if per_gpu and tasks and not (per_job or per_task or gpus_on_node):
        per_job = (GresRequest("gpu", "", -(-tasks // per_gpu)),)
    job_gpus = sum(item.count for item in per_job)
    if job_gpus and not tasks:
        if per_gpu:
            tasks = job_gpus * per_gpu
        elif per_task:
            tasks = max(1, job_gpus // max(1, sum(item.count for item in per_task)))
    if per_gpu and gpus_on_node and not (tasks or per_job or tasks_per_node):
        tasks_per_node = per_gpu * gpus_on_node
    on_node = _same_devices(per_node, per_job)
    if on_node and per_job:
        nodes_min, per_job = max(nodes_min, -(-job_gpus // on_node)), ()
        tasks = tasks and max(tasks, nodes_min)
    on_node = _same_devices(per_node, per_task)
    if on_node and per_task and per_task[0].count <= on_node:
        fit = on_node // max(1, per_task[0].count)
        tasks_per_node, per_task = min(tasks_per_node or fit, fit), ()
    return Need(
        nodes_min=nodes_min, nodes_max=nodes_max, tasks=tasks, cpus_per_task=max(1, request.cpus_per_task),
        tasks_per_node=tasks_per_node, tasks_per_socket=request.ntasks_per_socket, tasks_per_core=request.ntasks_per_core,
        tasks_per_gpu=per_gpu, min_cpus=request.mincpus, threads=request.threads_per_core,
        mem_node=mem_node, mem_cpu=mem_cpu, mem_gpu=mem_gpu, gres_node=per_node, gres_task=per_task,
        gpus_job=() if per_task else per_job, cpus_per_gpu=request.cpus_per_gpu,
        whole=request.exclusive == "node" or settings.select.startswith("linear") or _spec(request) is not None,
        all_gres=request.exclusive == "node", own_user=request.exclusive == "user",
        shares=request.oversubscribe, overcommit=request.overcommit, contiguous=request.contiguous, spread=request.spread_job,
        fewest=request.use_min_nodes, spec=_spec(request), layout=layout, switches=request.switches if layout is not None else 0,
        segment=request.segment if layout is not None else 0, spread_segments=request.spread_segments, unit=unit,
        block_cores=unit == "cpu" or _in_blocks(request.distribution, settings),
        apart=request.ntasks_per_core or int(settings.select_one_task_per_core),
        pools=licenses.parse(request.licenses) if request.licenses else (),
        site=_site(request, wanted, nodes_max, memory))


def _in_blocks(distribution: str, settings: Settings) -> bool:
    """Whether cores are taken in their order: the second word of --distribution, or plane; where it says nothing,
    CR_CORE_DEFAULT_DIST_BLOCK."""
    first, _, others = distribution.lower().partition(",")[0].partition(":")
    second = others.partition(":")[0]
    if first.startswith("plane") or second == "block":
        return True
    return second not in ("cyclic", "fcyclic") and "CR_CORE_DEFAULT_DIST_BLOCK" in settings.select


def _spec(request: JobRequest) -> tuple[int, int] | None:
    if request.core_spec is None and request.thread_spec is None:
        return None
    return request.core_spec or 0, request.thread_spec or 0


def within(need: Need, partition: Partition) -> Need:
    """The need as MinNodes and MaxNodes of a partition bound it."""
    if partition.max_nodes < 0 and partition.min_nodes <= need.nodes_min:
        return need
    cap = partition.max_nodes if partition.max_nodes >= 0 else MANY
    return need._replace(nodes_min=max(need.nodes_min, partition.min_nodes), nodes_cap=cap)


def _per_node(request: JobRequest) -> Items:
    """Generic resources on each node; those per socket count for the sockets asked for, one when none are."""
    if not (request.gres or request.gpus_per_node or request.gpus_per_socket):
        return ()
    found = gres.parse(request.gres) if request.gres else []
    if request.gpus_per_node:
        found += gres.parse_gpus(request.gpus_per_node)
    if request.gpus_per_socket:
        sockets = max(1, request.sockets_per_node)
        found += [item._replace(count=item.count * sockets) for item in gres.parse_gpus(request.gpus_per_socket)]
    return gres.positive(found)


def _same_devices(per_node: Items, others: Items) -> int:
    """GPUs on each node that are also those of a count per job or task: both hold then, they do not add up. 0 when they are others."""
    if len(others) != 1:
        return 0
    return next((item.count for item in per_node if item.name == "gpu" and (item.type == others[0].type or not others[0].type)), 0)


def _site(request: JobRequest, wanted: frozenset[str], nodes_max: int, memory: int) -> Site:
    if not (wanted or memory or request.exclude or request.features or request.tmp_disk or request.sockets_per_node
            or request.cores_per_socket or request.threads_per_core):
        return _ANY
    return Site(
        wanted=wanted, only_wanted=bool(wanted) and 0 < nodes_max <= len(wanted),
        excluded=frozenset(hostlist.expand(request.exclude)) if request.exclude else frozenset(),
        constraint=features.parse(request.features) if request.features else None, tmp_disk=request.tmp_disk,
        sockets=request.sockets_per_node, cores=request.cores_per_socket, threads=request.threads_per_core, memory=memory)


class Needs:
    """Needs by request, remembered while the request lives: the tasks of an array and every pass share one."""

    KEPT = 50_000

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._layouts: Mapping[str, Layout] = {}
        self._by_id: dict[tuple[int, str, str], tuple[JobRequest, Need]] = {}

    def of(self, request: JobRequest, settings: Settings, partition: Partition) -> Need:
        """The need of this very request object under these settings in a partition, as that bounds it."""
        return within(self._plain(request, settings, partition), partition)

    def _plain(self, request: JobRequest, settings: Settings, partition: Partition) -> Need:
        if settings is not self._settings or len(self._by_id) > self.KEPT:
            self._by_id.clear()
            if settings is not self._settings:
                self._layouts = layouts_of(settings)
            self._settings = settings
        key = id(request), partition.select_type, partition.topology
        found = self._by_id.get(key)
        if found is not None and found[0] is request:
            return found[1]
        need = need_of(request, settings, partition, self._layouts.get(partition.topology))
        self._by_id[key] = (request, need)
        return need
