"""One process as /proc shows it, read with few system calls: a node with hundreds of tasks is looked at every few seconds."""

from __future__ import annotations

import os
from typing import NamedTuple

from slurm.slurmd.stepd.usage import reaping

RSS, PSS, NO_SHARED = "rss", "pss", "noshared"
"""What counts as a process's memory: what is resident, its fair share of that (UsePss), or what it shares with nobody (NoShared)."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_LONGEST = 4096
_LONGEST_ENVIRONMENT = 1 << 21


class Reading(NamedTuple):
    """A process at one moment. Seconds of CPU, major page faults and bytes are its own and of its children that have ended.

    `memory` and `vmem` in bytes are its own, of now; `started` in clock ticks since boot tells it from a later one of the same number.
    `read` and `written` are what it asked for by read(2), write(2) and their like, as Slurm counts.
    """

    pid: int
    parent: int
    session: int
    started: int
    user: float = 0.0
    system: float = 0.0
    faults: int = 0
    vmem: int = 0
    memory: int = 0
    read: int = 0
    written: int = 0


class Processes:
    """The processes below a folder like /proc; `memory_by` is RSS, PSS or NO_SHARED."""

    def __init__(self, root: str = "/proc", memory_by: str = RSS) -> None:
        self._root = root
        self._memory_by = memory_by

    def pids(self) -> set[int]:
        """Every process number there is."""
        return {int(name) for name in os.listdir(self._root) if name.isdecimal()}

    def look(self, pid: int) -> Reading | None:
        """A process; None when there is none of that number. What may not be read counts as 0."""
        found = self.glance(pid)
        if found is None:
            return None
        read, written = self.traffic(pid)
        memory = found.memory
        if self._memory_by != RSS and memory:
            memory = self._special(pid, memory)
        return found._replace(memory=memory, read=read, written=written)

    def glance(self, pid: int) -> Reading | None:
        """The same from its first file alone: resident memory, nothing read or written."""
        text = self._read(f"{pid}/stat")
        if not text:
            return None
        # proc(5) counts from 1 and the name in parentheses may hold anything: what follows it begins with field 3.
        fields = text[text.rfind(b")") + 2:].split()
        return Reading(
            pid, int(fields[1]), int(fields[3]), int(fields[19]), (int(fields[11]) + int(fields[13])) * _TICK,
            (int(fields[12]) + int(fields[14])) * _TICK,
            int(fields[9]) + int(fields[10]), int(fields[20]), int(fields[21]) * _PAGE)

    def traffic(self, pid: int) -> tuple[int, int]:
        """(bytes read, bytes written) by a process."""
        return reaping.traffic(pid, self._root)

    def variable(self, pid: int, name: str) -> str:
        """A variable of the environment with which a process was started; "" where it has none or may not be read."""
        wanted = f"{name}=".encode()
        for entry in self._read(f"{pid}/environ", _LONGEST_ENVIRONMENT).split(b"\0"):
            if entry.startswith(wanted):
                return entry[len(wanted):].decode(errors="replace")
        return ""

    def _special(self, pid: int, resident: int) -> int:
        if self._memory_by == PSS:
            for line in self._read(f"{pid}/smaps_rollup").split(b"\n"):
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
            return resident  # it has ended, or is not for us to read
        fields = self._read(f"{pid}/statm").split()
        return (int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else resident

    def _read(self, name: str, most: int = _LONGEST) -> bytes:
        try:
            descriptor = os.open(f"{self._root}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""  # it has ended, or is not for us to read
        try:
            text = os.read(descriptor, most)
            while most > _LONGEST and len(text) < most and (more := os.read(descriptor, most - len(text))):
                text += more  # /proc gives a page at a time
            return text
        except OSError:
            return b""
        finally:
            os.close(descriptor)
