"""Arrays: one record for the tasks that have not started, and a ledger of what became of the others.

Id arithmetic for whole task sets lives in `notation.taskset`; here are the few in-place operations that every start needs, and
the ledger. Which task may start is decided by `sched`; %limit is checked in `starting`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from slurm.model.ids import JobId
from slurm.model.job import ArrayPart
from slurm.notation.taskset import TaskSet

Run = tuple[int, int, int]
_ABOVE = 1 << 40


class Ledger:
    """What is known of an array beside its waiting record.

    `records` maps started tasks to their records' ids; `done_well` and `done_badly` are the tasks that ended, those included that left
    memory or were cancelled before a start; `running` counts tasks that hold resources; `shape` is the array as submitted with its present
    limit (its `ranges` stay empty).
    """

    __slots__ = ("done_badly", "done_well", "records", "running", "shape", "started")

    def __init__(self, shape: ArrayPart) -> None:
        self.shape = shape
        self.records: dict[int, JobId] = {}
        self.started = 0  # tasks that started at least once or were cancelled before
        self.running = 0
        self.done_well = TaskSet()
        self.done_badly = TaskSet()

    def waits(self, part: ArrayPart, task: int) -> bool:
        """Whether `task` is among the tasks of the waiting record."""
        return contains(part.ranges, task)

    def ended(self, task: int, well: bool) -> None:
        """A task ended; a second end (after a requeue) replaces the first."""
        (self.done_badly if well else self.done_well).remove(task)
        (self.done_well if well else self.done_badly).add(task)

    def dropped(self, runs: Iterable[Run]) -> None:
        """Tasks ended without a start."""
        gone = list(runs)
        self.started += count(gone)
        self.done_badly = TaskSet((*self.done_badly.runs, *gone))

    def again(self, task: int) -> None:
        """A task that had ended waits or runs again."""
        self.done_well.remove(task)
        self.done_badly.remove(task)

    @property
    def finished(self) -> bool:
        """Whether every task ended."""
        return len(self.done_well) + len(self.done_badly) >= self.shape.count


def new_ledger(part: ArrayPart) -> Ledger:
    """The ledger of a freshly submitted array."""
    return Ledger(msgspec.structs.replace(part, ranges=[]))


def contains(runs: list[Run], task: int) -> bool:
    """Whether one of the runs holds `task`."""
    place = bisect_right(runs, (task, _ABOVE, 0)) - 1
    if place < 0:
        return False
    first, last, step = runs[place]
    return task <= last and (task - first) % step == 0


def count(runs: list[Run]) -> int:
    """How many tasks the runs hold."""
    return sum((last - first) // step + 1 for first, last, step in runs)


def tasks(runs: Iterable[Run]) -> Iterator[int]:
    """The task ids of the runs, rising."""
    for first, last, step in runs:
        yield from range(first, last + 1, step)


def first(part: ArrayPart) -> int:
    """The lowest waiting task."""
    return part.ranges[0][0]


def is_last(part: ArrayPart) -> bool:
    """Whether only one task is left, which then takes over the array's own record and id."""
    return len(part.ranges) == 1 and part.ranges[0][0] == part.ranges[0][1]


def take(runs: list[Run], task: int) -> None:
    """Take one task out, in place; ValueError when it is not there."""
    place = bisect_right(runs, (task, _ABOVE, 0)) - 1
    if place < 0:
        raise ValueError(f"task {task} does not wait")
    first, last, step = runs[place]
    if task > last or (task - first) % step:
        raise ValueError(f"task {task} does not wait")
    pieces: list[Run] = []
    if first < task:
        pieces.append((first, task - step, step if task - step > first else 1))
    if task < last:
        pieces.append((task + step, last, step if last > task + step else 1))
    runs[place : place + 1] = pieces


def without(runs: list[Run], gone: list[Run]) -> tuple[list[Run], list[Run]]:
    """(what is left of `runs`, what was taken) when the tasks of `gone` leave."""
    left = TaskSet(runs)
    taken = left.intersection(TaskSet(gone))
    left.remove(taken)
    return list(left.runs), list(taken.runs)
