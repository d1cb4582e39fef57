"""Selection: out of nodes with room, the allocation of a whole job. Nodes by `choose`, what is taken on each by `share`."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.model.job import Allocation
from slurm.sched.choose import choose, gpus_here, tasks_on
from slurm.sched.need import Need
from slurm.sched.room import Room
from slurm.sched.share import share


def allocate(rooms: Sequence[Room], need: Need, partition: str) -> Allocation | None:
    """The allocation of a whole job out of these nodes; None when they do not suffice. The rooms must have their spaces."""
    chosen = choose(rooms, need)
    if chosen is None:
        return None
    left = {item: item.count for item in need.gpus_job}
    shares = []
    for behind, (one, tasks) in zip(range(len(chosen) - 1, -1, -1), chosen, strict=True):
        assert one.space is not None
        found = share(one.space, tasks, need, gpus_here(one, left, behind, one.space.devices))
        if found is None:
            return None
        shares.append(found)
    if any(left.values()):
        return None
    return Allocation(shares=shares, partition=partition, exclusive=need.whole)


def allocate_alone(one: Room, need: Need, partition: str) -> Allocation | None:
    """The allocation of a whole job on one node that has room for all of it; for jobs that ask nothing of their nodes together."""
    assert one.space is not None
    found = share(one.space, tasks_on([one], need)[0], need, [(item, item.count) for item in need.gpus_job])
    return Allocation(shares=[found], partition=partition, exclusive=need.whole) if found is not None else None
