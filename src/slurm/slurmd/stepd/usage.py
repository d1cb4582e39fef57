"""What a step used: CPU seconds and the largest resident set, from what wait4(2) tells of each process."""

from __future__ import annotations

import os
import resource


class Usage:
    """Sums over all processes of a step that were waited for; `max_rss` in MB is the largest single process."""

    def __init__(self) -> None:
        self.user_seconds = 0.0
        self.system_seconds = 0.0
        self.max_rss = 0

    def add(self, used: resource.struct_rusage) -> None:
        """Count one process that ended, with the descendants that it waited for."""
        self.user_seconds += used.ru_utime
        self.system_seconds += used.ru_stime
        self.max_rss = max(self.max_rss, used.ru_maxrss // 1024)


def reap(usage: Usage) -> tuple[dict[int, int], bool]:
    """Wait for every child that has ended: (pid → wait status, whether children are left)."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status
        usage.add(used)
