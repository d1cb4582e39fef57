"""Waiting for what has ended, with a last look at what it has read and written: after wait4(2) nobody knows it any more.

All that a short step pays for its usage is here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

_BLOCK = 512
"""Bytes of what ru_inblock and ru_oublock count."""
_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT


class Ranked(Protocol):
    """A task: its rank in the step, and the process that it began with (0: not started yet)."""

    rank: int
    pid: int


class Reaped(NamedTuple):
    """A process that was waited for: what it and the processes that it had waited for took.

    Memory is the largest resident set among them, in kB.
    """

    pid: int
    user: float
    system: float
    memory: int
    faults: int
    read: int
    written: int


def reap(count: Callable[[Reaped], None], *, closely: bool) -> tuple[dict[int, int], bool]:
    """Wait for every child that has ended, and `count` each: (pid → wait status, whether children are left).

    `closely`: what they read and wrote is looked up; that takes 80 µs a process. Else what they read and wrote of disks counts, which
    wait4(2) tells.
    """
    ended: dict[int, int] = {}
    while True:
        try:
            waiting = os.waitid(os.P_ALL, 0, _ENDED) if closely else None
            found = traffic(waiting.si_pid) if waiting is not None else None
            pid, status, used = os.wait4(waiting.si_pid if waiting is not None else -1, os.WNOHANG)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status
        count(Reaped(pid, used[0], used[1], used[2], used[7], *(found or (used[9] * _BLOCK, used[10] * _BLOCK))))


def traffic(pid: int, root: str = "/proc") -> tuple[int, int]:
    """(bytes read, bytes written) by a process, also by one that has ended and was not waited for; 0 where that may not be read."""
    try:
        descriptor = os.open(f"{root}/{pid}/io", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0, 0
    try:
        lines = os.read(descriptor, 256).split(b"\n", 2)
    except OSError:
        return 0, 0
    finally:
        os.close(descriptor)
    return (int(lines[0][7:]), int(lines[1][7:])) if len(lines) > 2 else (0, 0)  # "rchar: 6976", "wchar: 0"


def row_of(reaped: Reaped, tasks: Iterable[Ranked]) -> list[float]:
    """It as one row: the rank of its task (the first one's for what is no task), then its figures."""
    first = -1
    for task in tasks:
        if task.pid == reaped.pid:
            return [task.rank, *reaped[1:]]
        first = task.rank if first < 0 else first
    return [first, *reaped[1:]]
