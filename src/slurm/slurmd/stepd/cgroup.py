"""A step's control group, of either version, where the machine lets slurmd make one: a sure way to find its processes, whatever they did to hide.

Version 2 also limits and judges memory, where the kernel grants it. Without a cgroup the step's processes are found by `tree` and `descent`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from slurm.slurmd.stepd import tree

_V1_CONTROLLERS = ("freezer", "pids", "name=systemd", "cpuacct")
"""Hierarchies of version 1 in which processes can be kept together, the best one first."""


class Cgroup:
    """The cgroup of one step, below `parent`. Nothing is made before `make`; all else tolerates that it is gone."""

    def __init__(self, parent: str, name: str) -> None:
        self.path = os.path.join(parent, name)
        self.limits_memory = False
        """Whether the kernel sees to the memory of what is in it."""

    def make(self, memory: int) -> None:
        """Make it, limited to so many MB (0: not) where the kernel limits memory here. OSError when the kernel refuses."""
        try:
            os.mkdir(self.path)
        except OSError:
            os.makedirs(self.path, exist_ok=True)
        if memory and not os.path.exists(os.path.join(self.path, "memory.max")):
            _grant_memory(os.path.dirname(self.path))  # it may have been removed with a former slurmd's zygote, and made anew just now
        self.limits_memory = bool(memory) and os.path.exists(os.path.join(self.path, "memory.max"))
        if self.limits_memory:
            self._write("memory.max", str(memory * 1024 * 1024))
            if os.path.exists(os.path.join(self.path, "memory.swap.max")):
                self._write("memory.swap.max", "0")

    def enter(self) -> None:
        """Move the calling process into it; what it starts is born there. OSError.

        In a process that was just forked: a file object would cost more than all the rest of its set-up.
        """
        descriptor = os.open(f"{self.path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, b"0")
        os.close(descriptor)

    def pids(self) -> list[int]:
        """The processes in it and in groups that its processes made below it."""
        found: list[int] = []
        for folder in self._folders():
            with contextlib.suppress(OSError), open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:  # gone meanwhile
                found += map(int, file.read().split())
        return found

    def kill(self) -> int:
        """SIGKILL to every process in it; how many there were. One that forks meanwhile may escape where the kernel has no cgroup.kill: repeat."""
        found = self.pids()
        if found and os.path.exists(os.path.join(self.path, "cgroup.kill")):
            with contextlib.suppress(OSError):  # gone, or an odd kernel: one by one then
                self._write("cgroup.kill", "1")
                return len(found)
        tree.send(found, signal.SIGKILL)
        return len(found)

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process in it for memory."""
        if not self.limits_memory:
            return False
        try:
            with open(os.path.join(self.path, "memory.events"), encoding="ascii") as file:
                counts = dict(line.split() for line in file)
        except FileNotFoundError:
            return False
        return int(counts.get("oom_kill", "0")) > 0

    def remove(self) -> None:
        """Remove it with every group below it, which its processes may have made. OSError (EBUSY) while a process is in one."""
        try:
            os.rmdir(self.path)
            return
        except OSError:
            pass  # the usual case is over; what follows says why not
        for folder in self._folders():
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(folder)

    def _folders(self) -> Iterator[str]:
        """It and all groups below it, the deepest first."""
        for folder, _, _ in os.walk(self.path, topdown=False):
            yield folder

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(text)


def parent_for(name: str) -> str:
    """A cgroup of slurmd's own under which steps can make theirs, with memory control where the kernel grants it; "" where none can be made."""
    for path in _candidates(name):
        try:
            os.makedirs(path, exist_ok=True)
        except OSError:
            continue
        if not os.access(os.path.join(path, "cgroup.procs"), os.W_OK):
            with contextlib.suppress(OSError):  # somebody else's
                os.rmdir(path)
            continue
        _grant_memory(path)
        return path
    return ""


def remove_empty(parent: str) -> None:
    """Remove what steps left below slurmd's own cgroup, and that itself, as far as no process is in it."""
    for folder, _, _ in os.walk(parent, topdown=False):
        with contextlib.suppress(OSError):  # EBUSY: a step runs there
            os.rmdir(folder)


def _candidates(name: str) -> Iterator[str]:
    own = _own_paths()
    mounts = _mounts()
    for mount, kind, _ in mounts:
        if kind == "cgroup2":
            yield os.path.join(mount, own.get("", "/").strip("/"), name)
    for controller in _V1_CONTROLLERS:
        for mount, kind, options in mounts:
            if kind == "cgroup" and controller in options:
                yield os.path.join(mount, own.get(controller, "/").strip("/"), name)


def _own_paths() -> dict[str, str]:
    """Controller ("" for version 2) → where this process is in its hierarchy."""
    found: dict[str, str] = {}
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _mounts() -> list[tuple[str, str, list[str]]]:
    """(mount point, type, options) of every mount."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        return [(fields[1], fields[2], fields[3].split(",")) for line in file if len(fields := line.split()) > 3]


def _grant_memory(path: str) -> None:
    try:
        with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as file:
            if "memory" in file.read().split():
                with open(os.path.join(path, "cgroup.subtree_control"), "w", encoding="ascii") as control:
                    control.write("+memory")
    except FileNotFoundError:
        return  # version 1
    except OSError as error:
        os.write(2, f"slurmd: warning: memory is not limited by cgroups: {error.strerror}\n".encode())
