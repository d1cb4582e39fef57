"""How much memory a step's processes hold, for steps that no cgroup limits (JobAcctGatherParams=OverMemoryKill).

What counts is what the kernel cannot take back by itself: anonymous and shared memory, not mapped files. What several processes share
counts once, as far as the kernel tells; Slurm adds up resident sets, and so kills a job that forks with a large table in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SHARED_JUSTLY = (b"Pss_Anon:", b"Pss_Shmem:")
_RESIDENT = (b"RssAnon:", b"RssShmem:")


def held(pids: Iterable[int], limit: int) -> int:
    """Bytes that these processes hold together. Below `limit` the number is a quick, larger one: who is within that is within the limit."""
    alive = list(pids)
    quick = sum(_resident(pid) for pid in alive)
    return quick if quick <= limit else sum(_precise(pid) for pid in alive)


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0  # it has ended


def _precise(pid: int) -> int:
    """By smaps_rollup, which is slow for large processes and not for everybody to read, else by status."""
    for name, wanted in (("smaps_rollup", _SHARED_JUSTLY), ("status", _RESIDENT)):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                found = [int(line.split()[1]) for line in file if line.startswith(wanted)]
        except OSError:
            continue
        if found:
            return sum(found) * 1024
    return 0
