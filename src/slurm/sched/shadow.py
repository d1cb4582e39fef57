"""Shadow: when the first of those that wait will start, and how many CPUs it leaves over then, where counts alone tell that.

For jobs that ask for nothing but CPUs, of nodes that are as good as one: then it does not matter which of them they get.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slurm.sched.board import Board
from slurm.sched.choose import plain
from slurm.sched.lengths import releases
from slurm.sched.need import Need
from slurm.sched.view import View


class Shadow(NamedTuple):
    """From `start` on (seconds since the epoch) others get no more than `left` CPUs, all of them together."""

    start: float
    left: int


def fungible(board: Board, need: Need) -> bool:
    """Whether a job fits as soon as enough CPUs are free on a board, wherever on it."""
    if not (plain(need) and need.counted and board.single) or need.layout is not None or need.pools or need.apart or need.threads:
        return False
    if need.min_cpus > 1 or need.tasks_per_node or need.nodes_min > 1 or need.nodes_max or need.most_nodes < need.tasks:
        return False
    return len(board.nodes) == 1 or need.cpus_per_task == 1


def shadow(view: View, board: Board, now: float, need: Need, begun: Iterable[tuple[float, int]]) -> Shadow | None:
    """The shadow of a job for which `fungible` holds, which cannot start now; `begun`: what was proposed, with its end and its CPUs. None
    when it would never start."""
    if int(board.now.cpus.min()) < 0:
        return None
    free = board.free_cpus
    coming = [(end, holding.cpus) for end, holding in releases(view, board, now)]
    coming += begun
    coming.sort()
    start = 0.0
    for end, cpus in coming:
        if start and end > start:
            break
        free += cpus
        if free >= need.total_cpus and not start:
            start = end
    return Shadow(start, free - need.total_cpus) if start else None
