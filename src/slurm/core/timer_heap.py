"""Timers: a heap of moments at which a job may need an event, one of each kind a job. What is due is decided in `timers`; clocks are
elsewhere.

Nothing is taken out of the middle of a heap: what does not count any more is passed over, and the heap is made anew when that outnumbers
the rest.
"""

from __future__ import annotations

import enum
import heapq

SLACK = 1024
"""So many entries that do not count are never worth a new heap."""


class Timer(enum.IntEnum):
    """What may be due."""

    BEGIN = 0  # begin time, requeue delay
    DELAY = 1  # +minutes of after:
    WARN = 2  # --signal
    LIMIT = 3  # time limit
    DEADLINE = 4
    PURGE = 5
    CRON = 7  # the next run of a job that scrontab made is to be planned
    GRACE = 8  # GraceTime of a job that gives way
    RESERVATION = 6  # by the number of the reservation in the place of a job's


class Timers:
    """Entries (moment, what, number of the job or reservation), earliest first."""

    __slots__ = ("_heap", "_moments")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int]] = []
        self._moments: dict[tuple[int, int], float] = {}  # the entries that count

    def __len__(self) -> int:
        return len(self._moments)

    @property
    def size(self) -> int:
        """Entries in the heap, those that do not count any more included."""
        return len(self._heap)

    def set(self, when: float, what: Timer, job: int) -> None:
        """Look at `job` at `when`, seconds since the epoch, and not when it was set before; of several delays the earliest counts."""
        key = what, job
        before = self._moments.get(key)
        if before == when or (what is Timer.DELAY and before is not None and before < when):
            return
        self._moments[key] = when
        heapq.heappush(self._heap, (when, what, job))
        if len(self._heap) > 2 * len(self._moments) + SLACK:
            self._heap = [(moment, *one) for one, moment in self._moments.items()]
            heapq.heapify(self._heap)

    def drop(self, job: int, *whats: Timer) -> None:
        """There is no need to look at `job` for these."""
        for what in whats:
            self._moments.pop((what, job), None)

    def pop(self) -> tuple[float, int, int]:
        """The earliest entry, taken out; IndexError when there is none."""
        while True:
            moment, what, job = heapq.heappop(self._heap)
            if self._moments.get((what, job)) == moment:
                del self._moments[what, job]
                return moment, what, job

    def earliest(self) -> float | None:
        """The moment of the earliest entry, None when there is none."""
        while self._heap:
            moment, what, job = self._heap[0]
            if self._moments.get((what, job)) == moment:
                return moment
            heapq.heappop(self._heap)
        return None
