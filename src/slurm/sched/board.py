"""Board: what is free on many nodes as arrays, for clusters too large to look at node by node, and for times to come.

Counts only, no CPU or device numbers: a first look that may promise too much (a core half free, devices of overlapping types), never too
little. The last word has `room`, on the few nodes that are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slurm.model.cpu_set import CpuSet
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.node import Node
from slurm.model.settings import Settings
from slurm.notation.gres import GresRequest
from slurm.sched.choose import gpus_here
from slurm.sched.layout import Layout
from slurm.sched.need import MANY, Need
from slurm.sched.room import Room, held_cpus, memory_of, tasks_in, with_memory

Array = NDArray[np.int32]
Index = NDArray[np.intp]
Device = tuple[str, str]
"""Name and type of a generic resource; type "" for all types together."""
MANY_HOLDINGS = 50_000
"""Of so many jobs it is remembered what they hold, those that have ended among them."""


class Usage:
    """What one job holds: positions on the board, and per position CPUs, memory and devices."""

    __slots__ = ("at", "cpus", "gres", "memory")

    def __init__(self, at: Index, cpus: Array, memory: Array, gres: dict[Device, Array]) -> None:
        self.at = at
        self.cpus = cpus
        self.memory = memory
        self.gres = gres


class Holding(NamedTuple):
    """What a job holds, as long as it is on the nodes and the allocation that it is on now, and has its CPUs or not as now."""

    allocation: Allocation
    nodes: int
    without_cpus: bool
    usage: Usage
    cpus: int


class Free:
    """What is free on each node of a board at a moment; `tenants` is how many jobs are there. Memory MB."""

    __slots__ = ("cpus", "gres", "memory", "tenants")

    def __init__(self, cpus: Array, memory: Array, tenants: Array, gres: dict[Device, Array]) -> None:
        self.cpus = cpus
        self.memory = memory
        self.tenants = tenants
        self.gres = gres

    def copy(self) -> Free:
        """The same to write on."""
        return Free(self.cpus.copy(), self.memory.copy(), self.tenants.copy(), {key: column.copy() for key, column in self.gres.items()})

    def take(self, usage: Usage, sign: int = 1) -> None:
        """Hold a usage; with `sign` -1 give it back. A usage names a node once."""
        at = usage.at
        self.cpus[at] -= sign * usage.cpus
        self.memory[at] -= sign * usage.memory
        self.tenants[at] += sign
        for key, count in usage.gres.items():
            self.gres[key][at] -= sign * count

    def within(self, kept: Sequence[tuple[Usage, int]]) -> None:
        """Cut down to the CPUs and devices of these usages together (each with its sign), which name all there is for somebody."""
        cpus = np.zeros_like(self.cpus)
        gres = {key: np.zeros_like(column) for key, column in self.gres.items()}
        for usage, sign in kept:
            cpus[usage.at] += sign * usage.cpus
            for key, count in usage.gres.items():
                gres[key][usage.at] += sign * count
        np.minimum(self.cpus, cpus, out=self.cpus)
        for key, column in gres.items():
            np.minimum(self.gres[key], column, out=self.gres[key])

    def least(self, other: Free, at: Index | None = None) -> None:
        """Keep on each node, or on those at these positions, what is free both here and there."""
        if at is not None:
            self.cpus[at] = np.minimum(self.cpus[at], other.cpus[at])
            self.memory[at] = np.minimum(self.memory[at], other.memory[at])
            self.tenants[at] = np.maximum(self.tenants[at], other.tenants[at])
            for key, column in self.gres.items():
                column[at] = np.minimum(column[at], other.gres[key][at])
            return
        np.minimum(self.cpus, other.cpus, out=self.cpus)
        np.minimum(self.memory, other.memory, out=self.memory)
        np.maximum(self.tenants, other.tenants, out=self.tenants)
        for key, column in self.gres.items():
            np.minimum(column, other.gres[key], out=column)


class Board:
    """Nodes in order of preference, and what is free on them now."""

    def __init__(self, nodes: Sequence[Node], settings: Settings) -> None:
        self.nodes = list(nodes)
        self.settings = settings
        self.position: dict[NodeName, int] = {node.name: i for i, node in enumerate(self.nodes)}
        self.devices: list[Device] = sorted({key for node in self.nodes for pool in node.gres
            for key in ((pool.name, pool.type), (pool.name, ""))})
        self._leaves: dict[Layout, Array] = {}
        self._holdings: dict[JobId, Holding] = {}
        self.single = all(node.threads == 1 for node in self.nodes)  # whether a core is a CPU everywhere
        self.total_cpus = _column(node.cpus for node in self.nodes)
        self.sockets = _column(node.sockets for node in self.nodes)
        self.socket_cpus = _column(node.cores_per_socket * node.threads for node in self.nodes)
        self.total_memory = _column(node.job_memory for node in self.nodes)
        self.now = Free(
            _column(node.job_cpu_count - len(node.cpus_used) for node in self.nodes),
            _column(node.job_memory - node.memory_used for node in self.nodes),
            _column(node.tenants for node in self.nodes),
            {key: _column(_free_devices(node, key) for node in self.nodes) for key in self.devices})

    def rewrite(self, nodes: Iterable[Node]) -> None:
        """What is free on these nodes now, again; those that are not on the board are left out."""
        now = self.now
        for node in nodes:
            at = self.position.get(node.name)
            if at is not None:
                now.cpus[at] = node.job_cpu_count - len(node.cpus_used)
                now.memory[at] = node.job_memory - node.memory_used
                now.tenants[at] = node.tenants
                for key, column in now.gres.items():
                    column[at] = _free_devices(node, key)

    def usage(self, shares: Sequence[NodeShare]) -> Usage:
        """What an allocation holds; nodes that are not on the board are left out."""
        known = [share for share in shares if share.node in self.position]
        at = np.fromiter((self.position[share.node] for share in known), np.intp, len(known))
        gres: dict[Device, Array] = {}
        if any(share.gres for share in known):
            gres = {key: _column(_held_devices(self.nodes[i], key, share.gres) for i, share in zip(at, known, strict=True))
                for key in self.devices}
        return Usage(at, _column(share.cpus.bits.bit_count() for share in known), _column(share.memory for share in known), gres)

    def holding(self, job: Job) -> Holding:
        """What a job holds on the nodes that it has not given back; remembered as long as it holds that."""
        allocation, left, without = job.allocation, job.nodes_left, job.without_cpus
        assert allocation is not None
        found = self._holdings.get(job.id)
        if found is None or found.allocation is not allocation or found.nodes != len(left) or found.without_cpus != without:
            if len(self._holdings) > MANY_HOLDINGS:
                self._holdings.clear()
            usage = self.usage([share for share in allocation.shares if share.node in left])
            if without:
                usage.cpus = np.zeros_like(usage.cpus)
            found = self._holdings[job.id] = Holding(allocation, len(left), without, usage, int(usage.cpus.sum()))
        return found

    def leaves(self, layout: Layout | None) -> Array | None:
        """The leaf of each node in a layout, -1 for none."""
        if layout is None:
            return None
        found = self._leaves.get(layout)
        if found is None:
            found = self._leaves[layout] = _column(layout.leaf_of.get(str(node.name), -1) for node in self.nodes)
        return found

    def marked(self, names: Iterable[NodeName]) -> NDArray[np.bool_]:
        """True at the positions of these nodes."""
        found = np.zeros(len(self.nodes), np.bool_)
        found[[self.position[name] for name in names if name in self.position]] = True
        return found

    @property
    def free_cpus(self) -> int:
        """CPUs that nobody has now, on all nodes together."""
        return int(np.maximum(self.now.cpus, 0).sum())

    def tasks(self, free: Free, need: Need, at: Index) -> Array:
        """How many tasks the nodes at these positions can take at most; 0 for none."""
        cpus = free.cpus[at]
        if need.spec is not None:
            cpus = np.where(free.tenants[at] > 0, cpus, self.total_cpus[at])
        if need.overcommit:
            tasks = np.where(cpus > 0, np.int32(self.settings.max_tasks_per_node), np.int32(0))
        else:
            tasks = cpus // _bounded(need.cpus_per_task) if need.cpus_per_task > 1 else np.maximum(cpus, 0)
        if need.tasks_per_node:
            np.minimum(tasks, _bounded(need.tasks_per_node), out=tasks)
        if need.tasks_per_socket:
            a_socket = MANY if need.overcommit else self.socket_cpus[at] // _bounded(need.cpus_per_task)
            a_socket = np.minimum(a_socket, _bounded(need.tasks_per_socket))
            np.minimum(tasks, self.sockets[at] * a_socket, out=tasks)
        if need.min_cpus > 1:
            tasks[cpus < need.min_cpus] = 0
        if need.whole:
            tasks[free.tenants[at] > 0] = 0
        if need.mem_node is not None:
            tasks[free.memory[at] < (need.mem_node or self.total_memory[at])] = 0
        elif need.mem_cpu:
            memory = free.memory[at]
            if need.overcommit:
                tasks[memory < need.mem_cpu] = 0
            else:
                np.minimum(tasks, memory // _bounded(need.mem_cpu * need.cpus_per_task), out=tasks)
        for item in need.gres_node:
            tasks[self._free(free, item, at, need) < item.count] = 0
        for item in need.gres_task:
            np.minimum(tasks, self._free(free, item, at, need) // max(1, _bounded(item.count)), out=tasks)
        if need.gpus_job:
            tasks[self._gpus(free, need, at) == 0] = 0
        return np.maximum(tasks, 0, out=tasks)

    def rooms(self, free: Free, need: Need, at: Index, tasks: Array) -> list[Room]:
        """Rooms of the nodes at these positions, without spaces: for times to come. Cores and their memory are looked at closer here."""
        if self.single and need.spec is None and not (need.mem_cpu or need.gpus_job):  # the counts are exact
            return [Room(self.nodes[place], count) for place, count in zip(at.tolist(), tasks.tolist(), strict=True) if count]
        gpus = self._gpus(free, need, at).tolist() if need.gpus_job else [0] * len(at)
        found = []
        for place, count, devices in zip(at.tolist(), tasks.tolist(), gpus, strict=True):
            node = self.nodes[place]
            cpus = with_memory(int(free.cpus[place]), int(free.memory[place]), node, need)
            if not need.overcommit:
                count = min(count, tasks_in(cpus, node, need))
            if count and cpus >= max(1, need.min_cpus):
                found.append(Room(node, count, devices))
        return found

    def future(self, chosen: Sequence[tuple[Room, int]], need: Need, free: Free) -> Usage | None:
        """What a job will hold that is to get these nodes with so many tasks each; None when that much is not free there after all."""
        at = np.fromiter((self.position[one.node.name] for one, _ in chosen), np.intp, len(chosen))
        if self.single and need.counted:
            held = _column(max(tasks * need.cpus_per_task, need.min_cpus) for _, tasks in chosen)
            none = np.zeros(len(chosen), np.int32)
            return None if (free.cpus[at] < held).any() or (free.memory[at] < none).any() else Usage(at, held, none, {})
        gres = {key: np.zeros(len(chosen), np.int32) for key in self.devices}
        left = {item: item.count for item in need.gpus_job}
        cpus, memory = [], []
        for i, (one, tasks) in enumerate(chosen):
            asked = [*((item, item.count) for item in need.gres_node), *((item, item.count * tasks) for item in need.gres_task)]
            asked += gpus_here(one, left, len(chosen) - 1 - i, partial(self._free_on, free, int(at[i])))
            for item, count in asked:
                for key in {(item.name, item.type), (item.name, "")} & gres.keys() if one.node.consumes(item.name) else ():
                    gres[key][i] += count
            count = sum(count for item, count in asked if item.name == "gpu")
            cpus.append(one.node.job_cpu_count if need.whole else held_cpus(tasks, count, one.node, need))
            memory.append(_memory(one.node, need, cpus[-1], count))
        if any(left.values()) or (free.cpus[at] < cpus).any() or (free.memory[at] < memory).any():
            return None
        return Usage(at, _column(cpus), _column(memory), gres if any(column.any() for column in gres.values()) else {})

    def _free_on(self, free: Free, place: int, item: GresRequest) -> int:
        column = free.gres.get((item.name, item.type))
        return int(column[place]) if column is not None else 0

    def _free(self, free: Free, item: GresRequest, at: Index, need: Need) -> Array:
        """Free devices, of GPUs no more than there are CPUs and memory for."""
        column = free.gres.get((item.name, item.type))
        if column is None:
            return np.zeros(len(at), np.int32)
        found = column[at]
        if item.name == "gpu" and need.cpus_per_gpu:
            found = np.minimum(found, free.cpus[at] // _bounded(need.cpus_per_gpu))
        if item.name == "gpu" and need.mem_gpu:
            found = np.minimum(found, free.memory[at] // _bounded(need.mem_gpu))
        return found

    def _gpus(self, free: Free, need: Need, at: Index) -> Array:
        found = np.zeros(len(at), np.int32)
        for item in need.gpus_job:
            found += np.clip(self._free(free, item, at, need), 0, _bounded(item.count))
        return found


def few(tasks: Array, need: Need, leaves: Array | None = None) -> Index | None:
    """Which nodes `choose` would take if these counts of tasks a node were exact, in the order in which it should see them; None when they
    do not suffice.

    For requests that ask nothing of their nodes together (`choose.plain`) but, with the `leaves` they lie under, to be near each other; and
    no GPUs of the job's own count.
    """
    if need.layout is not None and leaves is not None:
        able = np.flatnonzero(tasks >= (need.tasks_per_node if need.tasks_per_node and not need.tasks else 1))
        found = need.layout.pick(tasks[able], np.zeros(len(able), np.int32), leaves[able], need.wish())
        return able[found] if found is not None else None
    total, least, most = need.tasks, need.nodes_min, min(need.most_nodes, len(tasks))
    if need.tasks_per_node and not total:
        able = np.flatnonzero(tasks >= need.tasks_per_node)
        return able[:least] if least <= min(most, len(able)) else None
    if least > most:
        return None
    if least == 1:
        alone = np.flatnonzero(tasks >= need.total_tasks)
        if len(alone):
            return alone[:1]
    for order in (None, np.argsort(-tasks, kind="stable")):
        sums = np.cumsum(tasks[:most] if order is None else tasks[order[:most]], dtype=np.int64)
        if sums[-1] >= total:
            count = max(least, int(np.searchsorted(sums, total)) + 1 if total else 0)
            return np.arange(count) if order is None else order[:count]
    return None


def _memory(node: Node, need: Need, cpus: int, gpus: int) -> int:
    if need.mem_node is not None:
        return need.mem_node or node.job_memory
    if need.mem_gpu is not None:
        return need.mem_gpu * gpus
    return min(memory_of(cpus, node, need), node.job_memory)


def _column(values: Iterable[int]) -> Array:
    return np.array(list(values), np.int32)


def _bounded(value: int) -> int:
    """A number that int32 columns can be divided by and compared with."""
    return min(value, 2**31 - 1)


def _free_devices(node: Node, key: Device) -> int:
    return _total_devices(node, key) - _held_devices(node, key, node.gres_used)


def _total_devices(node: Node, key: Device) -> int:
    return sum(pool.count for pool in node.gres if pool.name == key[0] and key[1] in ("", pool.type))


def _held_devices(node: Node, key: Device, held: Mapping[str, CpuSet]) -> int:
    devices = held.get(key[0])
    return len(devices & node.devices(*key)) if devices else 0
