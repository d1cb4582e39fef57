"""Share: which CPUs, how much memory and which devices a job gets on one node."""

from __future__ import annotations

from slurm.model.cpu_set import NOTHING, CpuSet, lowest
from slurm.model.job import NodeShare
from slurm.notation.gres import GresRequest
from slurm.sched.need import Need
from slurm.sched.room import free_units, held_cpus, unit_size
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
    return need.mem_cpu * cpus if need.mem_cpu is not None else 0


def _cpus(space: NodeSpace, count: int, tasks: int, need: Need, near: int) -> int:
    """CPUs for a share, as bits: near the devices first, nobody else's before those that others share, then the lowest."""
    if need.tasks_per_socket and not need.overcommit:
        return _cpus_by_socket(space, count, tasks, need)
    if unit_size(space.node, need) <= 1:
        taken = 0
        for group in (space.cpus & near & ~space.busy, space.cpus & ~space.busy, space.cpus):
            taken |= lowest(group & ~taken, count - taken.bit_count())
        return taken
    units = free_units(space, need)
    if near or space.busy:
        units.sort(key=lambda unit: (bool(unit & space.busy), not unit & near))
    taken = 0
    for unit in units:
        if taken.bit_count() >= count:
            break
        taken |= unit
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
