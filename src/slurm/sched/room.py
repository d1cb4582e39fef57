"""Room: how much of a job one node can take, in tasks; and how many CPUs that many tasks hold.

Exact, for one node at a time: `board` has the same arithmetic for thousands of nodes at once, which may say too much but never too little.
"""

from __future__ import annotations

from slurm.model.node import Node
from slurm.model.settings import Settings
from slurm.sched.need import MANY, Need
from slurm.sched.space import NodeSpace, units_of


class Room:
    """A node, how many tasks and how many GPUs of the job's own count it can take. Without `space`: a node at a later time."""

    __slots__ = ("gpus", "node", "space", "tasks")

    def __init__(self, node: Node, tasks: int, gpus: int = 0, space: NodeSpace | None = None) -> None:
        self.node = node
        self.tasks = tasks
        self.gpus = gpus
        self.space = space


def unit_size(node: Node, need: Need) -> int:
    """CPUs that are only given out together: 1 with CR_CPU, a core's with CR_Core, a socket's with CR_Socket."""
    if need.unit == "core":
        return node.threads
    return node.cores_per_socket * node.threads if need.unit == "socket" else 1


def beside_system(space: NodeSpace, spec: tuple[int, int]) -> NodeSpace:
    """The space for a job that says itself how many cores, or threads, of a node it leaves to the system."""
    node = space.node
    cores, threads = spec
    twin = space.copy()
    if threads:
        cores = max(node.spec_cores, -(-threads // node.threads))
    aside = node.aside(cores, lowest_first=bool(node.spec_cpus.bits & 1))
    twin.cpus = (space.cpus | node.spec_cpus.bits) & ~aside.bits
    return twin


def free_units(space: NodeSpace, need: Need) -> list[int]:
    """The units that are wholly free, as bits in order."""
    cpus, mine = space.cpus, space.node.job_cpus | space.cpus
    return [unit & mine for unit in units_of(space.node.cpus, unit_size(space.node, need)) if unit & mine and cpus & unit == unit & mine]


def free_cpus(space: NodeSpace, need: Need) -> int:
    """How many CPUs can be given out."""
    size = unit_size(space.node, need)
    if size <= 1:
        return min(space.cpus.bit_count(), space.most)
    return min(sum(unit.bit_count() for unit in free_units(space, need)), space.most // size * size)


def with_memory(cpus: int, memory: int, node: Node, need: Need) -> int:
    """How many of these CPUs, in whole units, there is memory for."""
    if not need.mem_cpu:
        return cpus
    size = unit_size(node, need)
    return min(cpus, memory // need.mem_cpu * node.threads // used_threads(node, need) // size * size)


def used_threads(node: Node, need: Need) -> int:
    """How many threads of a core the job uses; those that it leaves alone (--threads-per-core, --hint=nomultithread) bring no memory."""
    return min(node.threads, need.threads or node.threads)


def memory_of(cpus: int, node: Node, need: Need) -> int:
    """What so many CPUs bring with --mem-per-cpu, MB."""
    return (need.mem_cpu or 0) * (cpus * used_threads(node, need) // node.threads)


def tasks_in(cpus: int, node: Node, need: Need) -> int:
    """How many tasks so many free CPUs of a node can take."""
    threads = node.threads
    apart = need.apart
    if threads == 1 or not (apart or need.threads):
        return cpus // need.cpus_per_task
    cores = cpus // threads
    used = used_threads(node, need)
    if apart == 1:
        return cores // -(-need.cpus_per_task // used)
    return min(cores * apart or MANY, cores * used // need.cpus_per_task)


def tasks_in_unit(node: Node, need: Need) -> int:
    """How many tasks the smallest part of a node that is given out takes, 1 at least."""
    size = max(unit_size(node, need), node.threads)
    return max(1, tasks_in(size, node, need)) if size > 1 else 1


def held_cpus(tasks: int, gpus: int, node: Node, need: Need) -> int:
    """How many CPUs so many tasks and GPUs of a job hold on a node, in whole units; not for whole nodes."""
    cpus = 1 if need.overcommit else tasks * need.cpus_per_task
    threads = node.threads
    apart = need.apart
    if threads > 1 and (apart or need.threads) and not need.overcommit:
        used = used_threads(node, need)
        cores = tasks * -(-need.cpus_per_task // used) if apart == 1 else max(-(-tasks // (apart or MANY)), -(-cpus // used))
        cpus = cores * threads
    elif threads > 1 and need.tasks_per_socket:
        full, rest = divmod(tasks, need.tasks_per_socket)
        cpus = sum(times * -(-count * need.cpus_per_task // threads) * threads for times,
            count in ((full, need.tasks_per_socket), (1, rest)))
    cpus = max(cpus, need.min_cpus, need.cpus_per_gpu * gpus)
    size = unit_size(node, need)
    return -(-cpus // size) * size if size > 1 else cpus


def room(space: NodeSpace, need: Need, settings: Settings) -> Room | None:
    """What a node can take of a job; None when not even one task."""
    if need.whole and not space.empty:
        return None
    if need.spec is not None:
        space = beside_system(space, need.spec)
    cpus = with_memory(free_cpus(space, need), space.memory, space.node, need)
    if cpus < max(1, need.min_cpus) or not _memory_fits(space, need):
        return None
    tasks = settings.max_tasks_per_node if need.overcommit else tasks_in(cpus, space.node, need)
    if need.tasks_per_node:
        tasks = min(tasks, need.tasks_per_node)
    if need.tasks_per_socket:
        tasks = min(tasks, _tasks_on_sockets(space, need))
        while need.mem_cpu and tasks > 0 and memory_of(held_cpus(tasks, 0, space.node, need), space.node, need) > space.memory:
            tasks -= 1
    if need.gres_node or need.gres_task or need.gpus_job:
        return _room_with_gres(space, need, cpus, tasks)
    return Room(space.node, tasks, 0, space) if tasks > 0 else None


def _memory_fits(space: NodeSpace, need: Need) -> bool:
    if need.mem_node is None:
        return True
    return space.memory >= (need.mem_node or space.node.job_memory)


def _tasks_on_sockets(space: NodeSpace, need: Need) -> int:
    node = space.node
    if need.overcommit:
        return need.tasks_per_socket * node.sockets
    sockets = units_of(node.cpus, node.cores_per_socket * node.threads)
    return sum(min(need.tasks_per_socket, (space.cpus & socket).bit_count() // need.cpus_per_task) for socket in sockets)


def _room_with_gres(space: NodeSpace, need: Need, cpus: int, tasks: int) -> Room | None:
    gpus_by_cpus = cpus // need.cpus_per_gpu if need.cpus_per_gpu else MANY
    gpus_by_memory = space.memory // need.mem_gpu if need.mem_gpu else MANY
    bound = min(gpus_by_cpus, gpus_by_memory)
    for item in need.gres_node:
        if space.devices(item) < item.count or (item.name == "gpu" and item.count > bound):
            return None
        if item.name == "gpu" and need.tasks_per_gpu:
            tasks = min(tasks, item.count * need.tasks_per_gpu)
    for item in need.gres_task:
        tasks = min(tasks, min(space.devices(item), bound) // max(1, item.count))
    gpus = 0
    if need.gpus_job:
        gpus = sum(min(space.devices(item), item.count) for item in need.gpus_job)
        gpus = min(gpus, bound)
        if not gpus:
            return None
        if need.tasks_per_gpu:
            tasks = min(tasks, gpus * need.tasks_per_gpu)
    return Room(space.node, tasks, gpus, space) if tasks > 0 else None
