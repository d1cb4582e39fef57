"""What a step's cgroup tells of all its processes together, in either version; None where it does not tell.

Memory is anonymous and shared memory, not the page cache: a job that reads a large file does not hold it.
"""

from __future__ import annotations

import os

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def cpu(path: str) -> tuple[float, float] | None:
    """Seconds of CPU in user mode and in the kernel, of everything that ever ran in it."""
    table = _table(path, "cpu.stat")
    if "user_usec" in table and "system_usec" in table:
        return table["user_usec"] / 1e6, table["system_usec"] / 1e6
    table = _table(path, "cpuacct.stat")
    return (table["user"] * _TICK, table["system"] * _TICK) if "user" in table and "system" in table else None


def memory(path: str) -> int | None:
    """Bytes that its processes hold now."""
    table = _table(path, "memory.stat")
    if "anon" in table:
        return table["anon"] + table.get("shmem", 0)
    return table["total_rss"] + table.get("total_shmem", 0) if "total_rss" in table else None


def peak(path: str) -> int | None:
    """Bytes that it was charged with at most, page cache with it: more than its processes ever held."""
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        text = _text(path, name).strip()
        if text.isdigit():
            return int(text)
    return None


def _table(path: str, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in _text(path, name).splitlines():
        word, _, number = line.partition(b" ")
        if number.strip().isdigit():
            found[word.decode()] = int(number)
    return found


def _text(path: str, name: str) -> bytes:
    try:
        descriptor = os.open(os.path.join(path, name), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 16384)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
