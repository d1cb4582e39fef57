"""A step's control groups, of either version, where the machine lets slurmd make some: a sure way to find its processes, whatever they did
to hide, and what the kernel holds them to (`confinement`).

Without a cgroup the step's processes are found by `tree` and `descent`. Where the machine's cgroups are is found by `slurmd.cgroup_places`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence

from slurm.slurmd.stepd import tree

_TRIES = 10


class Cgroup:
    """The groups of one step: one below `parent`, in which its processes are found, and below `others`, in hierarchies of version 1, one
    each of the same name. Nothing is made before `make`; all else tolerates that they are gone.
    """

    def __init__(self, parent: str, name: str, others: Sequence[str] = ()) -> None:
        self.path = os.path.join(parent, name)
        self.folders = (self.path, *(os.path.join(other, name) for other in others))
        self.memory = ""
        """The group by which the kernel sees to the memory of what is in it; "": it does not."""

    def make(self) -> None:
        """Make them. OSError when the kernel refuses."""
        for path in self.folders:
            _make(path)

    def enter(self) -> None:
        """Move the calling process into them; what it starts is born there. OSError.

        In a process that was just forked: a file object would cost more than all the rest of its set-up.
        """
        for descriptor in self.doors():
            os.write(descriptor, b"0")
            os.close(descriptor)

    def doors(self) -> list[int]:
        """Where a process that is to be in it writes "0": a descriptor for each of its groups. OSError."""
        found: list[int] = []
        try:
            for path in self.folders:
                found.append(os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            for descriptor in found:
                os.close(descriptor)
            raise
        return found

    def adopt(self, pid: int) -> None:
        """Move a process into them; what it starts from now on is born there. OSError."""
        descriptors = self.doors()
        try:
            for descriptor in descriptors:
                os.write(descriptor, b"%d" % pid)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def pids(self) -> list[int]:
        """The processes in it and in groups that its processes made below it."""
        found: list[int] = []
        for folder in _folders(self.path):
            with contextlib.suppress(OSError), open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:  # gone meanwhile
                found += map(int, file.read().split())
        return found

    def freeze(self, frozen: bool) -> bool:
        """Have the kernel run nothing that is in it, or all of it again; whether it can."""
        for name, words in (("cgroup.freeze", ("0", "1")), ("freezer.state", ("THAWED", "FROZEN"))):
            path = os.path.join(self.path, name)
            if os.path.exists(path):
                with contextlib.suppress(OSError):  # gone, or an odd kernel: one by one then
                    write(path, words[frozen])
                    return True
        return False

    def kill(self) -> int:
        """SIGKILL to every process in it; how many there were.

        One that forks meanwhile may escape where the kernel has no cgroup.kill: repeat.
        """
        found = self.pids()
        if found:
            self.freeze(False)  # in version 1, who is frozen is not killed either
        if found and os.path.exists(os.path.join(self.path, "cgroup.kill")):
            with contextlib.suppress(OSError):  # gone, or an odd kernel: one by one then
                write(os.path.join(self.path, "cgroup.kill"), "1")
                return len(found)
        tree.send(found, signal.SIGKILL)
        return len(found)

    def killed_for_memory(self) -> int:
        """How many processes in it the kernel killed for memory."""
        for name in ("memory.events", "memory.oom_control") if self.memory else ():
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self.memory, name), encoding="ascii") as file:
                return int(dict(line.split() for line in file).get("oom_kill", "0"))
        return 0

    def remove(self) -> None:
        """Remove them with every group below, which their processes may have made. OSError (EBUSY) while a process is in one."""
        for path in reversed(self.folders):
            _remove(path)
            parent, name = os.path.split(path)
            if os.path.basename(parent) == name.rpartition(".")[0]:  # its job's
                with contextlib.suppress(OSError):  # another step of it is there, or took it away
                    os.rmdir(parent)


def write(path: str, text: str) -> None:
    """Tell the kernel, by one of a group's files. OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _make(path: str) -> None:
    for _ in range(_TRIES):
        try:
            os.mkdir(path)
        except FileExistsError:
            return
        except FileNotFoundError:  # the first step of its job, or the last one has just taken the job's group away
            os.makedirs(os.path.dirname(path), exist_ok=True)
        else:
            return
    os.mkdir(path)


def _remove(path: str) -> None:
    try:
        os.rmdir(path)
        return
    except OSError:
        pass  # the usual case is over; what follows says why not
    for folder in _folders(path):
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(folder)


def _folders(path: str) -> Iterator[str]:
    """A group and all below it, the deepest first."""
    for folder, _, _ in os.walk(path, topdown=False):
        yield folder


def remove_empty(parent: str) -> None:
    """Remove what steps left below slurmd's own cgroup, and that itself, as far as no process is in it."""
    for folder, _, _ in os.walk(parent, topdown=False):
        with contextlib.suppress(OSError):  # EBUSY: a step runs there
            os.rmdir(folder)
