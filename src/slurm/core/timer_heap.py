"""Timers: a heap of moments at which a job may need an event. What is due is decided in `timers`; clocks are elsewhere.

Entries are hints: an entry whose job has moved on is passed over, so nothing is ever taken out of the middle.
"""

from __future__ import annotations

import enum
import heapq

from slurm.model.ids import JobId


class Timer(enum.IntEnum):
    """What may be due."""

    BEGIN = 0  # begin time, requeue delay
    DELAY = 1  # +minutes of after:
    WARN = 2  # --signal
    LIMIT = 3  # time limit
    DEADLINE = 4
    PURGE = 5


class Timers:
    """Entries (moment, what, job), earliest first."""

    __slots__ = ("heap",)

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, JobId]] = []

    def set(self, when: float, what: Timer, job: JobId) -> None:
        """Look at `job` at `when`, seconds since the epoch."""
        heapq.heappush(self.heap, (when, what, job))

    def pop(self) -> tuple[float, int, JobId]:
        """The earliest entry, taken out."""
        return heapq.heappop(self.heap)

    def earliest(self) -> float | None:
        """The moment of the earliest entry, None when there is none."""
        return self.heap[0][0] if self.heap else None
