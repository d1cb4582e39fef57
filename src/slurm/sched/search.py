"""Search: room for one job, or for the tasks of one array, in one partition right now.

What is free only shrinks during a pass, so a search goes on where it stopped: the tasks of an array share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from slurm.model.cpu_set import NOTHING
from slurm.model.job import Allocation, Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.sched import select
from slurm.sched.board import Array, Free, Index, Usage, few
from slurm.sched.choose import plain, sufficient
from slurm.sched.lengths import length
from slurm.sched.need import Need
from slurm.sched.reserved import OUTSIDE, Entry
from slurm.sched.room import Room, room
from slurm.sched.sharing import Sharing, jobs_per_cpu
from slurm.sched.space import NodeSpace, Space, by_socket
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Timeline

MANY_NODES = 64
"""From so many nodes on, arrays are asked first which of them are worth a look."""


class Field(NamedTuple):
    """What the searches of one pass share.

    `closed`: partitions whose nodes are kept for others; `timeline` None: nothing is kept for later.
    """

    terrain: Terrain
    space: Space
    sharing: Sharing
    closed: frozenset[str]
    timeline: Timeline | None
    now: float
    entry: Entry = OUTSIDE
    beside: tuple[Usage, ...] = ()  # what other components of the same job are to get


class _Picked:
    """Nodes of a board at these positions, looked up when asked for: most searches end at the first."""

    def __init__(self, nodes: list[Node], at: Index) -> None:
        self._nodes = nodes
        self.at = at

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, place: int) -> Node:
        return self._nodes[int(self.at[place])]

    def __iter__(self) -> Iterator[Node]:
        nodes = self._nodes
        return (nodes[i] for i in self.at)


def _enough(tasks: Array, need: Need) -> bool:
    """Whether the largest rooms that a job may have together hold its tasks."""
    if len(tasks) < need.nodes_min:
        return False
    most = need.most_nodes
    if most < len(tasks):
        tasks = np.partition(tasks, len(tasks) - most)[len(tasks) - most:]
    return int(tasks.sum()) >= need.total_tasks


class Search:
    """Room for `job` in `partition`; `find` may be called for task after task, each found allocation having been taken.

    `ends`: when it will be over, in seconds since the epoch, if not at its time limit.
    """

    def __init__(self, field: Field, job: Job, need: Need, partition: Partition, *, ends: float | None = None) -> None:
        self.field = field
        self.job = job
        self.need = need
        self.partition = partition
        self.settings: Settings = field.terrain.view.settings
        self.per_cpu = jobs_per_cpu(job, partition) if partition.oversubscribe != "NO" else 1
        self.ends = min(field.now + length(job) if ends is None else ends, field.entry.until)
        self.lln = partition.lln or "CR_LLN" in self.settings.select
        self.limits = self._limits()
        self.alone_from = 0
        self.counted = False  # whether the board's counts tell which nodes to look at
        self.rest: _Picked | None = None
        self.nodes = self._candidates()

    def _limits(self) -> Free | None:
        """What is left beside what is kept for others, None where nothing is."""
        timeline, beside = self.field.timeline, self.field.beside
        free: Free | None = None
        if timeline is not None and timeline.narrow:
            free = timeline.available(self.field.now, self.ends, inside=timeline.owner(self.field.entry.reservation))
        if beside:
            free = (free or self.field.terrain.board.now).copy()
            for usage in beside:
                free.take(usage)
        return free

    def _candidates(self) -> Sequence[Node] | _Picked:
        """Nodes worth a look, in order; on large clusters only those that may have room."""
        field, need = self.field, self.need
        nodes = field.terrain.usable(self.partition, need.site)
        if len(nodes) <= MANY_NODES or self.per_cpu > 1:
            closed = field.terrain.nodes_of(field.closed)
            return [node for node in nodes if node.name not in closed] if closed else nodes
        board = field.terrain.board
        at = field.terrain.positions(self.partition, need.site)
        free = self.limits or board.now
        some = free.cpus[at] > 0
        if field.closed:
            some &= ~field.terrain.marked(field.closed)[at]
        at = at[some]
        tasks = board.tasks(free, need, at)
        able = np.flatnonzero(tasks)
        if not _enough(tasks[able], need):
            return []
        every = _Picked(board.nodes, at[able])
        self.counted = plain(need) and not need.gpus_job
        if self.counted and need.nodes_min == 1 and need.layout is None:
            alone = at[tasks >= need.total_tasks]
            if len(alone):
                self.rest = every
                return _Picked(board.nodes, alone)
            self.alone_from = len(every)  # the arrays have just said that no node suffices by itself
        return every

    def find(self) -> Allocation | None:
        """An allocation out of what is free now; None when there is none."""
        need = self.need
        self.limits = self._limits()
        if self.lln:
            space = self.field.space
            self.nodes = sorted(iter(self.nodes), key=lambda node: (-space.of(node.name).cpus.bit_count(), node.weight, node.position))
            self.alone_from = 0
        if not plain(need):
            return self._together(len(self.nodes))
        single = need.nodes_min == 1 and need.layout is None
        done = 0
        for end in self._levels():
            found = self._alone(done, end) if single else None
            if found is None and not (single and ((need.total_tasks == 1 and need.gpus <= 1) or need.most_nodes == 1)):
                found = self._together(end)
            if found is not None:
                return found
            done = end
        if self.rest is not None:
            self.nodes, self.rest = self.rest, None
            return self._together(len(self.nodes))
        return None

    def _levels(self) -> list[int]:
        """How many nodes to look at: those of the least weight first, heavier ones when those do not suffice together."""
        nodes, count = self.nodes, len(self.nodes)
        if not count or self.need.total_tasks == 1 or nodes[0].weight == nodes[count - 1].weight or self.lln:
            return [count]
        return [i for i in range(1, count) if nodes[i].weight != nodes[i - 1].weight] + [count]

    def _alone(self, begin: int, end: int) -> Allocation | None:
        """One node that suffices for the whole job."""
        need, nodes = self.need, self.nodes
        total, gpus = need.total_tasks, need.gpus
        for i in range(max(begin, self.alone_from), end):
            self.alone_from = i
            one = self._room(nodes[i])
            if one is not None and one.tasks >= total and one.gpus >= gpus:
                found = select.allocate_alone(one, need, self.partition.name)
                if found is not None:
                    return found
        self.alone_from = max(self.alone_from, end)
        return None

    def _together(self, end: int) -> Allocation | None:
        """Several of the first nodes."""
        if self.counted and isinstance(self.nodes, _Picked):
            at = self.nodes.at[:end]
            board = self.field.terrain.board
            leaves = board.leaves(self.need.layout)
            some = few(board.tasks(self.limits or board.now, self.need, at), self.need, None if leaves is None else leaves[at])
            if some is None:
                return None
            # The board may promise too much; then all of the nodes are looked at closer.
            if len(some) < len(at):
                rooms = [one for one in map(self._room, _Picked(board.nodes, at[some])) if one is not None]
                found = select.allocate(rooms, self.need, self.partition.name)
                if found is not None:
                    return found
        rooms = sufficient(map(self._room, islice(iter(self.nodes), end)), self.need)
        return select.allocate(rooms, self.need, self.partition.name) if rooms else None

    def _room(self, node: Node) -> Room | None:
        space = self.field.space.of(node.name)
        entry = self.field.entry
        if node.name in entry.barred or node.name in entry.own:
            if self.need.whole:
                return None
            space = space.copy()
            space.cpus = entry.cpus(node.name, space.cpus)
        if not space.cpus and self.per_cpu == 1:
            return None
        if (node.exclusive_user >= 0 or self.need.own_user or space.guests) and self._foreign(space):
            return None
        if self.limits is not None:
            space = narrowed(space, self.limits, self.field.terrain.board.position[node.name])
        if self.partition.max_cpus_per_node >= 0 or self.partition.max_cpus_per_socket >= 0 or self.per_cpu > 1:
            space = self._by_partition(space)
        return room(space, self.need, self.settings)

    def _foreign(self, space: NodeSpace) -> bool:
        """Whether other users keep the job from a node: one has it for himself, or the job wants it so and others are there."""
        uid, own, node = self.job.owner.uid, self.need.own_user, space.node
        if node.exclusive_user >= 0 and node.exclusive_user != uid:
            return True
        if any(guest != uid and (own or alone) for guest, alone in space.guests):
            return True
        jobs = self.field.terrain.view.jobs
        return own and any(jobs[other].owner.uid != uid for other in node.jobs)

    def _by_partition(self, space: NodeSpace) -> NodeSpace:
        """MaxCPUsPerNode, MaxCPUsPerSocket and OverSubscribe of the partition."""
        space = space.copy()
        most = self.partition.max_cpus_per_node
        if most >= 0:
            space.most = max(0, min(space.most, most - self._held_by_partition(space).bit_count()))
        if self.partition.max_cpus_per_socket >= 0:
            space.cpus = by_socket(space, self.partition.max_cpus_per_socket, self._held_by_partition(space))
        if self.per_cpu > 1:
            space.busy = self.field.sharing.usable(space.node.name, self.partition.name, self.per_cpu)
            space.cpus |= space.busy
        return space

    def _held_by_partition(self, space: NodeSpace) -> int:
        """CPUs of a node that jobs of this partition hold, what this pass proposed there included, as bits."""
        view, node = self.field.terrain.view, space.node
        taken = ~self.field.space.of(node.name).cpus & ~node.cpus_used.bits & node.job_cpus
        for job_id in node.jobs:
            allocation = view.jobs[job_id].allocation
            if allocation is not None and allocation.partition == self.partition.name and not view.jobs[job_id].without_cpus:
                taken |= next((share.cpus.bits for share in allocation.shares if share.node == node.name), 0)
        return taken


def narrowed(space: NodeSpace, limits: Free, at: int) -> NodeSpace:
    """A space cut down to what reservations leave of it."""
    cpus, memory = int(limits.cpus[at]), int(limits.memory[at])
    twin = space.copy()
    twin.most = min(twin.most, max(0, cpus))
    twin.memory = min(twin.memory, memory)
    twin.empty = twin.empty and not limits.tenants[at]
    totals: dict[str, int] = {}
    for pool in space.node.gres:
        held = twin.gres.get(pool.name, NOTHING)
        free = pool.devices - held
        total = totals.get(pool.name, int(limits.gres[pool.name, ""][at]))
        left = free.lowest(max(0, min(int(limits.gres[pool.name, pool.type][at]), total)))
        totals[pool.name] = total - len(left)
        if left != free:
            twin.gres = {**twin.gres, pool.name: held | (free - left)}
    return twin
