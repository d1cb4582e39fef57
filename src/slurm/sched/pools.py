"""Pools: counts of the whole cluster in time, such as licences: how many are free from now on, in steps up and down."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence

Counts = Mapping[str, int]
Choices = Sequence[Sequence[tuple[str, int]]]
"""What a job asks of pools, in any one of these ways: all of (name, count) together. Nothing: ()."""


class Pool:
    """One count: `free` now, and the steps by which that changes later; times are seconds since the epoch."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._steps: list[tuple[float, int]] = []

    def step(self, moment: float, count: int) -> None:
        """From this moment on so many more (or, below 0, fewer) are free."""
        insort(self._steps, (moment, count))

    def available(self, start: float, end: float) -> int:
        """How many are free all the time from `start` to `end`."""
        low = bisect_right(self._steps, start, key=lambda step: step[0])
        free = least = self.free + sum(count for _, count in self._steps[:low])
        high = bisect_left(self._steps, end, key=lambda step: step[0])
        moment = start
        for when, count in self._steps[low:high]:
            if when > moment:
                least, moment = min(least, free), when
            free += count
        return min(least, free)

    def moments(self) -> Iterator[float]:
        """When more become free."""
        return (moment for moment, count in self._steps if count > 0)


class Pools:
    """Pools by name, as of `now` what `free` says."""

    def __init__(self, free: Counts) -> None:
        self._pools = {name: Pool(count) for name, count in free.items()}

    def take(self, counts: Counts, end: float) -> None:
        """A job starts now with so many of each, and is expected to end at `end`."""
        for name, count in counts.items():
            self._pools[name].free -= count
            self._pools[name].step(end, count)

    def released(self, counts: Counts, end: float) -> None:
        """A job that holds so many of each, which are not free, is expected to end at `end`."""
        for name, count in counts.items():
            if name in self._pools:
                self._pools[name].step(end, count)

    def hold(self, counts: Counts, start: float, end: float) -> None:
        """So many of each are kept from `start` to `end`."""
        for name, count in counts.items():
            self._pools[name].step(start, -count)
            self._pools[name].step(end, count)

    def available(self, name: str, start: float, end: float) -> int:
        """How many of a pool are free all the time from `start` to `end`; none of one that does not exist."""
        pool = self._pools.get(name)
        return pool.available(start, end) if pool is not None else 0

    def choose(self, choices: Choices, start: float, end: float) -> dict[str, int] | None:
        """The first of these ways that is free from `start` to `end`; {} when nothing is asked for, None when none is."""
        if not choices:
            return {}
        for choice in choices:
            if all(self.available(name, start, end) >= count for name, count in choice):
                return dict(choice)
        return None

    def moments(self) -> Iterable[float]:
        """When more of any become free."""
        return {moment for pool in self._pools.values() for moment in pool.moments()}
