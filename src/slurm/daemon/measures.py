"""What a daemon's process uses, for its metrics."""

from __future__ import annotations

import os
import resource

import psutil


def of_this_process() -> dict[str, float]:
    """Start, CPU time (children aside), memory and open files of this process; times are seconds, sizes bytes."""
    me = psutil.Process()
    with me.oneshot():
        times = me.cpu_times()
        return {
            "start_time_seconds": me.create_time(), "cpu_seconds": times.user + times.system,
            "resident_memory_bytes": float(me.memory_info().rss), "open_fds": float(len(os.listdir("/proc/self/fd"))),
            "max_fds": float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])}
