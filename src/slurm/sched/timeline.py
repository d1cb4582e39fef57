"""Timeline: what becomes free when, judging by time limits; and the reservations that keep backfill honest."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from slurm.model.ids import JobId
from slurm.model.job import Allocation, Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.sched import select
from slurm.sched.need import Need
from slurm.sched.space import NodeSpace, Space
from slurm.sched.view import View


class Reservation(NamedTuple):
    """From `start` on this allocation is promised; `after` is what is free then besides it."""

    start: float
    allocation: Allocation
    after: Space


def reserve(view: View, space: Space, job: Job, need: Need, nodes: list[Node], partition: Partition, now: float) -> Reservation | None:
    """The earliest time at which the job fits on these nodes; None when that cannot be told (jobs without limit, or it never fits)."""
    names = {node.name for node in nodes}
    ends: list[tuple[float, Job]] = []
    for other in view.active.values():
        if other.allocation is None or names.isdisjoint(other.allocation.nodes):
            continue
        end = now if other.completing else view.expected_end(other)
        if end is not None:
            ends.append((max(end, now), other))
    ends.sort(key=lambda pair: (pair[0], pair[1].id))
    future = space.copy()
    tenants: dict[str, set[JobId]] = {node.name: set(node.jobs) for node in nodes}
    for end, group in groupby(ends, key=lambda pair: pair[0]):
        for _, other in group:
            assert other.allocation is not None
            for share in other.allocation.shares:
                if share.node in names:
                    tenants[share.node].discard(other.id)
                    future.of(share.node).give(share, empty=not tenants[share.node])
        rooms = [found for node in nodes if (found := select.room(future.of(node.name), need, view.settings)) is not None]
        allocation = select.allocate(rooms, need, view.settings, partition.name) if rooms else None
        if allocation is not None:
            future.take(allocation.shares)
            return Reservation(end, allocation, future)
    return None


def allowed(space: NodeSpace, reservations: list[Reservation], ends: float | None) -> NodeSpace:
    """What a job that ends at `ends` (None: no limit) may use of a node now without delaying what is reserved."""
    for reservation in reservations:
        if ends is not None and ends <= reservation.start:
            continue
        if space.node.name not in reservation.allocation.nodes:
            continue
        after = reservation.after.of(space.node.name)
        narrowed = space.copy()
        narrowed.cpus &= after.cpus
        narrowed.memory = min(narrowed.memory, after.memory)
        narrowed.gres = {name: narrowed.gres.get(name, 0) | after.gres.get(name, 0) for name in {*narrowed.gres, *after.gres}}
        narrowed.empty = narrowed.empty and after.empty
        space = narrowed
    return space
