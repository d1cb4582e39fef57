"""Share: which CPUs, how much memory and which devices a job gets on one node."""

from __future__ import annotations

from slurm.model.cpu_set import NOTHING, CpuSet, lowest
from slurm.model.job import NodeShare
from slurm.model.node import Node
from slurm.notation.gres import GresRequest
from slurm.sched.need import Need
from slurm.sched.room import free_units, held_cpus, memory_of, unit_size, used_threads
from slurm.sched.space import NodeSpace, units_of


def share(space: NodeSpace, tasks: int, need: Need, gpus: list[tuple[GresRequest, int]]) -> NodeShare | None:
    """What `tasks` tasks get on a node; `gpus` says how many of the job's own GPUs are for here. None when it is not there after all."""
    wanted = [(item, item.count) for item in need.gres_node] + [(item, item.count * tasks) for item in need.gres_task] + gpus
    gres: dict[str, CpuSet] = {}
    for item, count in sorted(wanted, key=lambda pair: not pair[0].type):
        taken = (space.free_gres(item.name, item.type) - gres.get(item.name, NOTHING)).lowest(count)
        if len(taken) < count:
            return None
        if taken and space.node.consumes(item.name):
            gres[item.name] = gres.get(item.name, NOTHING) | taken
    gpu_count = len(gres.get("gpu", NOTHING))
    count = held_cpus(tasks, gpu_count, space.node, need)
    cpus = space.cpus if need.whole else _cpus(space, count, tasks, need, space.near(gres))
    if not cpus or (cpus.bit_count() < count and not need.overcommit):
        return None
    memory = _memory(space, need, cpus.bit_count(), gpu_count)
    if memory > space.memory:
        if not need.whole or need.mem_cpu is None:
            return None
        memory = space.memory
    if need.all_gres:
        gres = {pool.name: free for pool in space.node.gres if pool.consumed and (free := space.free_gres(pool.name))}
    return NodeShare(node=space.node.name, cpus=CpuSet(cpus), memory=memory, gres=gres, tasks=tasks)


def _memory(space: NodeSpace, need: Need, cpus: int, gpus: int) -> int:
    if need.mem_node is not None:
        return need.mem_node or space.node.job_memory
    if need.mem_gpu is not None:
        return need.mem_gpu * gpus
    return memory_of(cpus, space.node, need)


def _cpus(space: NodeSpace, count: int, tasks: int, need: Need, near: int) -> int:
    """CPUs for a share, as bits: near the devices first, nobody else's before those that others share; over the sockets as `_over_sockets`
    says."""
    if need.tasks_per_socket and not need.overcommit:
        return _cpus_by_socket(space, count, tasks, need)
    free, size = space.cpus, unit_size(space.node, need)
    if size > 1:
        free = 0
        for unit in free_units(space, need):
            free |= unit
    taken = 0
    for group in (free & near & ~space.busy, free & ~space.busy, free) if near or space.busy else (free,):
        left = count - taken.bit_count()
        if left > 0:
            taken |= _over_sockets(space.node, group & ~taken, left, tasks, need)
    return taken


def _over_sockets(node: Node, free: int, count: int, tasks: int, need: Need) -> int:
    """So many of the free CPUs, as Slurm deals them out: core by core over the sockets in turn, tasks of several CPUs each within a socket
    if that is large enough.

    With a second distribution of block (-m block:block), and where sockets are given out whole, the lowest.
    """
    size, socket_size = unit_size(node, need), node.cores_per_socket * node.threads
    if node.sockets == 1 or need.block_cores or need.unit == "socket" or count <= size or count >= free.bit_count():
        return lowest(free, -(-count // size) * size)
    sockets = [free & socket for socket in units_of(node.cpus, socket_size)]
    core = node.threads if need.unit == "core" else 1
    each = need.cpus_per_task * node.threads // used_threads(node, need)
    if need.cpus_per_task > 1 and each <= socket_size and not need.overcommit:
        wanted = _whole_tasks(sockets, count, tasks, each, core)
    else:
        wanted = _in_turn([socket.bit_count() // core for socket in sockets], -(-count // core))
        wanted = [cores * core for cores in wanted]
    taken = 0
    for socket, number in zip(sockets, wanted, strict=True):
        taken |= lowest(socket, min(number, -(-(count - taken.bit_count()) // core) * core))
    return taken | lowest(free & ~taken, -(-max(0, count - taken.bit_count()) // core) * core)


def _whole_tasks(sockets: list[int], count: int, tasks: int, each: int, core: int) -> list[int]:
    """CPUs to take of each socket so that as many tasks as can lie within one, the first sockets first."""
    wanted = []
    for socket in sockets:
        here = min(tasks, socket.bit_count() // each)
        tasks -= here
        wanted.append(-(-here * each // core) * core)
    return wanted


def _in_turn(room: list[int], count: int) -> list[int]:
    """How many to take of each, one after the other in turn as long as there are any."""
    taken = [0] * len(room)
    while count > 0 and (open_ := [i for i, left in enumerate(room) if left > taken[i]]):
        step = max(1, min(count // len(open_), min(room[i] - taken[i] for i in open_)))
        for i in open_[:count]:
            taken[i] += step
            count -= step
    return taken


def _cpus_by_socket(space: NodeSpace, count: int, tasks: int, need: Need) -> int:
    """CPUs so that no socket gets more tasks than --ntasks-per-socket; what --mincpus asks beyond is taken anywhere."""
    node = space.node
    threads = node.threads
    taken, left = 0, tasks
    for socket in units_of(node.cpus, node.cores_per_socket * threads):
        free = space.cpus & socket
        here = min(left, need.tasks_per_socket, free.bit_count() // need.cpus_per_task)
        taken |= lowest(free, -(-here * need.cpus_per_task // threads) * threads)
        left -= here
    return taken | lowest(space.cpus & ~taken, count - taken.bit_count()) if taken.bit_count() < count else taken
