"""The processes of this machine as /proc shows them: who descends from whom, and sending signals to a whole tree.

Nothing here knows what a step is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import NamedTuple


class Process(NamedTuple):
    """One line of the process table; `state` is the letter of /proc/PID/stat, "Z" for one that ended and was not waited for.

    `started` (clock ticks since boot) tells a process from a later one of the same number.
    """

    pid: int
    parent: int
    session: int
    state: str
    started: int = 0


def processes() -> list[Process]:
    """All processes that can be seen now."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = look(int(name))
            if process is not None:
                found.append(process)
    return found


def look(pid: int) -> Process | None:
    """One process; None when there is none of that number."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rfind(b")") + 2:].split(b" ", 20)
    return Process(pid, int(fields[1]), int(fields[3]), fields[0].decode(), int(fields[19]))


def descendants(root: int, table: Iterable[Process] | None = None, *, skip: Iterable[int] = ()) -> list[int]:
    """Pids of all living descendants of `root`, parents first; `skip` leaves out children with what descends from them."""
    left_out = set(skip)
    children: dict[int, list[Process]] = {}
    for process in processes() if table is None else table:
        children.setdefault(process.parent, []).append(process)
    found: list[int] = []
    todo = [root]
    while todo:
        for child in children.get(todo.pop(), ()):
            if child.pid in left_out:
                continue
            todo.append(child.pid)
            if child.state != "Z":
                found.append(child.pid)
    return found


def send(pids: Iterable[int], number: int) -> int:
    """Send a signal to each process that still exists; how many got it."""
    reached = 0
    for pid in pids:
        try:
            os.kill(pid, number)
            reached += 1
        except ProcessLookupError:
            continue
    return reached


def kill_descendants(root: int, *, skip: Iterable[int] = ()) -> int:
    """SIGKILL to every descendant of `root`; how many there were. Repeat until 0: one may have forked meanwhile."""
    return send(descendants(root, skip=skip), signal.SIGKILL)


def belonging(variable: str, value: str, table: Iterable[Process] | None = None) -> list[int]:
    """Pids of processes in whose environment this variable has this value, and of what descends from them.

    This finds the processes of a step whose slurmstepd was killed and is no ancestor any more.
    """
    wanted = f"{variable}={value}".encode()
    known = processes() if table is None else list(table)
    found: set[int] = set()
    for process in known:
        if process.state != "Z" and process.pid not in found and process.pid != os.getpid() and _has(process.pid, wanted):
            found.update((process.pid, *descendants(process.pid, known)))
    return sorted(found)


def children(pid: int) -> list[int]:
    """Pids of the direct children of a process, cheaply where the kernel lists them."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return [process.pid for process in processes() if process.parent == pid]


def _has(pid: int, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return wanted in file.read().split(b"\0")
    except OSError:
        return False
