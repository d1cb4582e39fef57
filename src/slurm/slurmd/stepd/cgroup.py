"""A step's control group (version 2), where the machine lets slurmd make one: a sure way to find its processes, limit and judge their memory.

Without one the step's processes are found by their descent from slurmstepd, and `memory` sees to their limit.
"""

from __future__ import annotations

import os


class Cgroup:
    """The cgroup of one step. OSError from every call when the kernel refuses."""

    def __init__(self, parent: str, name: str, memory: int) -> None:
        self.path = os.path.join(parent, name)
        os.makedirs(self.path, exist_ok=True)
        self.limits_memory = os.path.exists(os.path.join(self.path, "memory.max"))
        if memory and self.limits_memory:
            self._write("memory.max", str(memory * 1024 * 1024))
            if os.path.exists(os.path.join(self.path, "memory.swap.max")):
                self._write("memory.swap.max", "0")

    def enter(self) -> None:
        """Move the calling process into it; what it starts is born there."""
        self._write("cgroup.procs", "0")

    def kill(self) -> None:
        """SIGKILL to every process in it."""
        if os.path.exists(os.path.join(self.path, "cgroup.kill")):
            self._write("cgroup.kill", "1")

    def cleared(self) -> bool:
        """Kill what is in it; whether it is empty, and then removed."""
        self.kill()
        try:
            self.remove()
        except OSError:
            return False
        return True

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process in it for memory."""
        path = os.path.join(self.path, "memory.events")
        if not os.path.exists(path):
            return False
        with open(path, encoding="ascii") as file:
            counts = dict(line.split() for line in file)
        return int(counts.get("oom_kill", "0")) > 0

    def remove(self) -> None:
        """Remove it; its processes must have ended."""
        if os.path.isdir(self.path):
            os.rmdir(self.path)

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(text)


def parent_for(name: str) -> str:
    """A cgroup of slurmd's own under which steps can make theirs, with memory control where the kernel grants it; "" where none can be made."""
    mount = _mount_point()
    if not mount:
        return ""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        own = next((line.strip()[3:] for line in file if line.startswith("0::")), "/")
    path = os.path.join(mount, own.strip("/"), name)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError:
        return ""
    try:
        with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as file:
            if "memory" in file.read().split():
                with open(os.path.join(path, "cgroup.subtree_control"), "w", encoding="ascii") as control:
                    control.write("+memory")
    except OSError as error:
        os.write(2, f"slurmd: warning: memory is not limited by cgroups: {error.strerror}\n".encode())
    return path


def _mount_point() -> str:
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    return ""
