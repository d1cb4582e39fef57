"""Waiting for what has ended, with a last look at what it has read and written: after wait4(2) nobody knows it any more."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable


def reap(traffic: Callable[[int], tuple[int, int]],
         count: Callable[[int, resource.struct_rusage, tuple[int, int]], None]) -> tuple[dict[int, int], bool]:
    """Wait for every child that has ended: (pid → wait status, whether children are left). `count(pid, usage, traffic(pid))` for each."""
    ended: dict[int, int] = {}
    while True:
        try:
            waiting = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return ended, False
        if waiting is None:
            return ended, True
        bytes_ = traffic(waiting.si_pid)
        pid, status, used = os.wait4(waiting.si_pid, 0)
        ended[pid] = status
        count(pid, used, bytes_)
