"""A step's control group (version 2), where the machine lets slurmd make one: a sure way to find its processes, limit and judge their memory.

Without one the step's processes are found by their descent from slurmstepd, and memory is not limited.
"""

from __future__ import annotations

import os


class Cgroup:
    """The cgroup of one step. OSError from every call when the kernel refuses."""

    def __init__(self, parent: str, name: str, memory: int) -> None:
        self.path = os.path.join(parent, name)
        os.makedirs(self.path, exist_ok=True)
        if memory and os.path.exists(os.path.join(self.path, "memory.max")):
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
