"""A folder like /proc that tests fill with processes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from slurm.slurmd.stepd.usage.processes import Processes, Reading

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


class Machine:
    """Processes below `root`; memory in MB, CPU in seconds."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def process(self, pid: int, parent: int, *, session: int = 0, started: int = 100, user: float = 0.0, system: float = 0.0, waited: float = 0.0, faults: int = 0,
                memory: int = 1, vmem: int = 10, shared: int = 0, pss: int = 0, read: int = 0, written: int = 0, environ: str = "", name: str = "sleep") -> None:
        """Make a process, or change it."""
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        after = ["S", parent, pid, session or pid, 0, -1, 4194304, 50, 60, faults, 0, int(user * TICKS), int(system * TICKS), int(waited * TICKS), 0,
                 20, 0, 1, 0, started, vmem << 20, (memory << 20) // PAGE, 2**64 - 1]
        (folder / "stat").write_text(f"{pid} ({name}) " + " ".join(map(str, after)) + "\n")
        (folder / "io").write_text(f"rchar: {read}\nwchar: {written}\nsyscr: 1\nsyscw: 1\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n")
        (folder / "statm").write_text(f"{(vmem << 20) // PAGE} {(memory << 20) // PAGE} {(shared << 20) // PAGE} 1 0 1 0\n")
        (folder / "smaps_rollup").write_text(f"00400000-7ff0 ---p 00000000 00:00 0 [rollup]\nRss: {memory * 1024} kB\nPss: {pss * 1024} kB\nPss_Anon: 1 kB\n")
        (folder / "environ").write_bytes(environ.encode())

    def end(self, pid: int) -> None:
        """The process has ended and was waited for."""
        shutil.rmtree(self.root / str(pid))


class Counting(Processes):
    """Notes how often each process was looked at."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.looks: list[int] = []

    def glance(self, pid: int) -> Reading | None:
        """One look."""
        self.looks.append(pid)
        return super().glance(pid)
