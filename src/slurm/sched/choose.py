"""Choosing: which of the nodes that have room a job gets, and how many tasks go on each.

As Slurm does: one node when one suffices; else in the order given, as few as serve, in blocks, each further node keeping at least one task.
A range of nodes (-N1-4) and --spread-job ask for as many as there are. Not here: how much room a node has (`room`), CPUs and devices on it
(`share`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from slurm.notation import features
from slurm.notation.gres import GresRequest
from slurm.sched.layout import Layout
from slurm.sched.need import Need
from slurm.sched.room import Room, tasks_in_unit


def choose(rooms: Sequence[Room], need: Need) -> list[tuple[Room, int]] | None:
    """Nodes in order of their position, each with its tasks; None when they do not suffice for the whole job."""
    constraint = need.site.constraint
    if constraint is None:
        return _chosen(list(rooms), [], need)
    for option in features.alternatives(constraint):
        able = [one for one in rooms if features.evaluate(option, frozenset(one.node.features))]
        counted = _counted(able, features.counts(option))
        if counted is None:
            continue
        found = _chosen(able, counted, need)
        if found is not None:
            return found
    return None


def plain(need: Need) -> bool:
    """Whether the first nodes that suffice are the ones: nothing asked for that needs a look at the others."""
    return not (need.contiguous or need.spread or need.site.wanted or need.site.constraint or need.stretches or need.segment)


def sufficient(rooms: Iterable[Room | None], need: Need) -> list[Room]:
    """The rooms to choose from, in order; where the first that suffice are the ones, no more than those."""
    found: list[Room] = []
    stop, most = plain(need) and need.layout is None, need.most_nodes
    tasks, gpus = need.total_tasks, need.gpus
    for one in rooms:
        if one is None:
            continue
        found.append(one)
        tasks -= one.tasks
        gpus -= one.gpus
        if stop and tasks <= 0 and gpus <= 0 and need.nodes_min <= len(found) <= most:
            break
    return found


def _counted(rooms: Sequence[Room], parts: Sequence[features.Counted]) -> list[Room] | None:
    """The first nodes that satisfy each counted part of a constraint; None when there are too few."""
    picked: list[Room] = []
    for part in parts:
        able = (one for one in rooms if one not in picked and features.evaluate(part.part, frozenset(one.node.features)))
        found = [one for one, _ in zip(able, range(part.number), strict=False)]
        if len(found) < part.number:
            return None
        picked += found
    return picked


def _chosen(rooms: list[Room], first: list[Room], need: Need) -> list[tuple[Room, int]] | None:
    wanted = need.site.wanted
    if not need.tasks and need.tasks_per_node:
        rooms = [one for one in rooms if one.tasks >= need.tasks_per_node]
    if wanted:
        named = [one for one in rooms if one.node.name in wanted]
        if len(named) < len(wanted):
            return None
        first = named + [one for one in first if one.node.name not in wanted]
    if need.contiguous:
        picked = _contiguous(rooms, first, need)
    else:
        if first:
            rooms = first + [one for one in rooms if one not in first]
        picked = _picked(rooms, len(first), need)
    if picked is None:
        return None
    picked.sort(key=lambda one: one.node.position)
    return list(zip(picked, tasks_on(picked, need), strict=True))


def _contiguous(rooms: list[Room], first: list[Room], need: Need) -> list[Room] | None:
    """The first run of neighbours that suffices and holds all of `first`."""
    rooms = sorted(rooms, key=lambda one: one.node.position)
    for start in range(len(rooms)):
        stop = start + 1
        while stop < len(rooms) and rooms[stop].node.position == rooms[stop - 1].node.position + 1:
            stop += 1
        for end in range(start + need.nodes_min, min(stop, start + need.most_nodes) + 1):
            run = rooms[start:end]
            if all(one in run for one in first) and _enough(run, len(run), len(run), need) is not None:
                return run
    return None


def _picked(rooms: list[Room], first: int, need: Need) -> list[Room] | None:
    least, most = max(need.nodes_min, first), need.most_nodes
    if len(rooms) < least or least > most:
        return None
    if need.layout is not None:
        return _near(rooms, first, need, need.layout)
    tasks, gpus = need.total_tasks, need.gpus
    stretch = need.stretches
    if least == 1 and not stretch:
        for one in rooms[:1] if first else rooms:
            if one.tasks >= tasks and one.gpus >= gpus:
                return [one]
    picked = _enough(rooms, least, most, need)
    if picked is None and most < len(rooms):
        largest: list[Callable[[Room], tuple[int, int]]] = [lambda one: (-one.gpus, -one.tasks), lambda one: (-one.tasks, -one.gpus)]
        for key in largest[0 if gpus else 1:]:
            picked = _enough(rooms[:first] + sorted(rooms[first:], key=key), least, most, need)
            if picked is not None:
                break
    if picked is not None and stretch and len(picked) < most:
        picked += [one for one in rooms if one not in picked][: max(0, most - len(picked))]
    return picked


def _near(rooms: list[Room], first: int, need: Need, layout: Layout) -> list[Room] | None:
    """Nodes near each other in the network."""
    tasks, gpus = (np.array(column, np.int32) for column in ([one.tasks for one in rooms], [one.gpus for one in rooms]))
    leaves = np.array([layout.leaf_of.get(str(one.node.name), -1) for one in rooms], np.int32)
    found = layout.pick(tasks, gpus, leaves, need.wish(first), first)
    return [rooms[i] for i in found] if found is not None else None


def _enough(rooms: Sequence[Room], least: int, most: int, need: Need) -> list[Room] | None:
    """The shortest beginning of `rooms` that suffices."""
    tasks, gpus = need.total_tasks if need.tasks else 0, need.gpus
    picked: list[Room] = []
    for one in rooms:
        if len(picked) >= most:
            return None
        picked.append(one)
        tasks -= one.tasks
        gpus -= one.gpus
        if len(picked) >= least and tasks <= 0 and gpus <= 0:
            return picked
    return None


def tasks_on(picked: Sequence[Room], need: Need) -> list[int]:
    """How many tasks go on each of the nodes that were picked."""
    if not need.tasks:
        return [_unsaid(one, need) for one in picked]
    counts = [1] * len(picked)
    left = need.tasks - len(picked)
    if left <= 0:
        return counts
    if need.spread or need.overcommit:
        while left > 0:
            before = left
            for i, one in enumerate(picked):
                if left and counts[i] < one.tasks:
                    counts[i] += 1
                    left -= 1
            if left == before:
                break
        return counts
    for i, one in enumerate(picked):  # what is given out together is filled first: a core of two threads holds two tasks
        more = max(0, min(left, one.tasks - 1, tasks_in_unit(one.node, need) - 1))
        counts[i] += more
        left -= more
    for i, one in enumerate(picked):
        more = max(0, min(left, one.tasks - counts[i]))
        counts[i] += more
        left -= more
    return counts


def _unsaid(one: Room, need: Need) -> int:
    """Tasks on a node when the job does not say how many: what its CPUs there are good for."""
    if need.tasks_per_node:
        return need.tasks_per_node
    if need.whole:
        return one.tasks
    if need.tasks_per_gpu:
        return min(one.tasks, need.tasks_per_gpu * max(1, sum(item.count for item in need.gres_node if item.name == "gpu")))
    return min(one.tasks, max(1, need.min_cpus // need.cpus_per_task))


def gpus_here(one: Room, left: dict[GresRequest, int], behind: int, free: Callable[[GresRequest], int]) -> list[tuple[GresRequest, int]]:
    """How many of the job's GPUs to take on a node: as many as there are, one kept for each of the `behind` nodes still to come.

    `left` counts down what is still to be taken; `free` says how many devices of a kind are free there.
    """
    found = []
    bound = one.gpus
    for item, count in left.items():
        keep = behind if len(left) == 1 else 0
        here = min(free(item), max(count - keep, min(count, 1)), bound)
        left[item] = count - here
        bound -= here
        found.append((item, here))
    return found
