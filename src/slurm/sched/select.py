"""Choosing nodes for a job, and CPUs, memory and devices on them.

Nodes in order of weight, then of configuration; as few as serve; tasks in blocks. Pure arithmetic over NodeSpace.
"""

from __future__ import annotations

from collections.abc import Sequence

from slurm.model.ids import NodeName
from slurm.model.job import Allocation, NodeShare
from slurm.model.settings import Settings
from slurm.notation.gres import GresRequest
from slurm.sched.need import Need
from slurm.sched.space import NodeSpace

UNBOUNDED = 1 << 30


def lowest_bits(mask: int, count: int) -> int:
    """A bitmap of the `count` lowest set bits of `mask` (fewer when it has fewer)."""
    if mask.bit_count() <= count:
        return mask
    taken = 0
    for _ in range(count):
        low = mask & -mask
        taken |= low
        mask ^= low
    return taken


def free_units(space: NodeSpace, settings: Settings, threads: int = 0) -> list[int]:
    """The allocatable units that are wholly free, as bitmaps in order: CPUs, cores (whole) or sockets."""
    node = space.node
    size = {"cpu": 1, "core": node.threads_per_core, "socket": node.cores_per_socket * node.threads_per_core}[settings.select_unit]
    if size <= 1:
        return [1 << i for i in range(node.cpus) if space.cpus >> i & 1]
    whole = (1 << size) - 1
    found = []
    for start in range(0, node.cpus, size):
        unit = whole << start & ((1 << node.cpus) - 1)
        if space.cpus & unit == unit:
            found.append(unit)
    return found


def free_cpus(space: NodeSpace, settings: Settings) -> int:
    """How many CPUs can be given out."""
    node = space.node
    if settings.select_unit == "cpu" or (settings.select_unit == "core" and node.threads_per_core == 1):
        return space.cpus.bit_count()
    return sum(unit.bit_count() for unit in free_units(space, settings))


def _take_cpus(space: NodeSpace, settings: Settings, count: int, near: int) -> int:
    node = space.node
    if settings.select_unit == "cpu" or (settings.select_unit == "core" and node.threads_per_core == 1):
        taken = lowest_bits(space.cpus & near, count) if near else 0
        return taken | lowest_bits(space.cpus & ~taken, count - taken.bit_count())
    units = free_units(space, settings)
    if near:
        units.sort(key=lambda unit: not unit & near)
    taken = 0
    for unit in units:
        if taken.bit_count() >= count:
            break
        taken |= unit
    return taken


def _gres_count(space: NodeSpace, item: GresRequest) -> int:
    return space.free_gres(item.name, item.type).bit_count()


class Room:
    """How many tasks of a job a node can take, and at least which CPUs that needs."""

    __slots__ = ("gpus", "space", "tasks")

    def __init__(self, space: NodeSpace, tasks: int, gpus: int) -> None:
        self.space = space
        self.tasks = tasks
        self.gpus = gpus


def room(space: NodeSpace, need: Need, settings: Settings) -> Room | None:
    """What a node can take of a job; None when not even one task."""
    if need.exclusive and not space.empty:
        return None
    if settings.select == "linear" and not space.empty:
        return None
    for item in need.gres_node:
        if _gres_count(space, item) < item.count:
            return None
    gpus = 0
    for item in need.gpus_job:
        gpus += min(_gres_count(space, item), item.count)
    if need.gpus_job and not gpus:
        return None
    cpus = free_cpus(space, settings)
    if cpus < max(1, need.min_cpus):
        return None
    tasks = UNBOUNDED if need.overcommit else cpus // need.cpus_per_task
    if settings.select_one_task_per_core:
        tasks = min(tasks, cpus // max(1, space.node.threads_per_core))
    if need.tasks_per_node:
        tasks = min(tasks, need.tasks_per_node)
    for item in need.gres_task:
        tasks = min(tasks, _gres_count(space, item) // max(1, item.count))
    if need.mem_node is not None:
        if space.memory < (need.mem_node or space.node.memory):
            return None
    elif need.mem_cpu:
        step = need.cpus_per_task * need.mem_cpu
        unit = space.node.threads_per_core if settings.select_unit == "core" else 1
        if unit > 1:
            step = -(-need.cpus_per_task // unit) * unit * need.mem_cpu
        tasks = min(tasks, space.memory // step)
    return Room(space, tasks, gpus) if tasks > 0 else None


def choose(rooms: Sequence[Room], need: Need, settings: Settings) -> list[tuple[Room, int]] | None:
    """Nodes and the tasks on each that satisfy the whole job, in the order of `rooms`; None when they do not suffice."""
    must = need.nodes_min
    most = need.nodes_max or max(must, UNBOUNDED)
    tasks = need.total_tasks
    if len(rooms) < must:
        return None
    gpus = sum(item.count for item in need.gpus_job)
    if need.wanted:
        # Named nodes are in the allocation whatever else is; ranks still follow the order of the cluster.
        rank = {one.space.node.name: place for place, one in enumerate(rooms)}
        rooms = sorted(rooms, key=lambda one: one.space.node.name not in need.wanted)
    picked = _enough(rooms, must, most, tasks, gpus)
    if picked is None and most < len(rooms):
        picked = _enough(sorted(rooms, key=lambda r: (-r.gpus, -r.tasks)), must, most, tasks, gpus)
    if picked is None:
        return None
    if need.wanted:
        if not need.wanted.issubset(one.space.node.name for one in picked):
            return None
        picked.sort(key=lambda one: rank[one.space.node.name])
    return _spread(picked, tasks, even=need.nodes_max != 0 or must > 1 or bool(need.tasks_per_node))


def _enough(rooms: Sequence[Room], must: int, most: int, tasks: int, gpus: int) -> list[Room] | None:
    picked: list[Room] = []
    for one in rooms:
        if len(picked) >= most:
            return None
        picked.append(one)
        tasks -= min(one.tasks, UNBOUNDED)
        gpus -= one.gpus
        if len(picked) >= must and tasks <= 0 and gpus <= 0:
            return picked
    return None


def _spread(picked: list[Room], tasks: int, *, even: bool) -> list[tuple[Room, int]]:
    """Tasks on each node: round by round where the node count was asked for, else node after node; at least one each."""
    counts = [1] * len(picked)
    left = tasks - len(picked)
    if even:
        while left > 0:
            before = left
            for i, one in enumerate(picked):
                if left and counts[i] < one.tasks:
                    counts[i] += 1
                    left -= 1
            if left == before:
                break
    else:
        for i, one in enumerate(picked):
            more = min(left, one.tasks - 1)
            counts[i] += more
            left -= more
    return list(zip(picked, counts, strict=True))


def share(one: Room, tasks: int, need: Need, settings: Settings, gpus_left: dict[str, int]) -> NodeShare:
    """CPUs, memory and devices on one node for `tasks` tasks; `gpus_left` counts down what the job still wants in all."""
    space = one.space
    node = space.node
    gres: dict[str, int] = {}

    def take(item: GresRequest, count: int) -> None:
        free = space.free_gres(item.name, item.type) & ~gres.get(item.name, 0)
        gres[item.name] = gres.get(item.name, 0) | lowest_bits(free, count)

    for item in need.gres_node:
        take(item, item.count)
    for item in need.gres_task:
        take(item, item.count * tasks)
    for item in need.gpus_job:
        left = gpus_left.get(item.show(), item.count)
        count = min(left, _gres_count(space, item))
        take(item, count)
        gpus_left[item.show()] = left - count
    gpu_count = gres.get("gpu", 0).bit_count()
    wanted = max(need.min_cpus, need.cpus_per_gpu * gpu_count, 1 if need.overcommit else tasks * need.cpus_per_task)
    if need.exclusive or settings.select == "linear":
        cpus = space.cpus
    else:
        near = 0
        for pool in node.gres:
            if pool.cores and gres.get(pool.name, 0) & ((1 << pool.count) - 1) << pool.first:
                near |= pool.cores
        cpus = _take_cpus(space, settings, min(wanted, free_cpus(space, settings)), near)
    memory = 0
    if need.mem_node is not None:
        memory = need.mem_node or node.memory
    elif need.mem_gpu is not None:
        memory = need.mem_gpu * gpu_count
    elif need.mem_cpu is not None:
        memory = need.mem_cpu * cpus.bit_count()
    return NodeShare(node=NodeName(node.name), cpus=cpus, memory=min(memory, space.memory), gres={k: v for k, v in gres.items() if v}, tasks=tasks)


def allocate(rooms: Sequence[Room], need: Need, settings: Settings, partition: str) -> Allocation | None:
    """The allocation of a whole job out of these nodes; None when they do not suffice."""
    chosen = choose(rooms, need, settings)
    if chosen is None:
        return None
    left: dict[str, int] = {}
    shares = [share(one, tasks, need, settings, left) for one, tasks in chosen]
    if any(count > 0 for count in left.values()):
        return None
    return Allocation(shares=shares, partition=partition, exclusive=need.exclusive or settings.select == "linear")
