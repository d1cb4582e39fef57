"""Windows: when a reservation holds, as (start, end) in seconds since the epoch. One that repeats has a window for each occurrence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from slurm.model.reservation import Reservation
from slurm.notation import recurrence

LOOKED_AHEAD = 5 * 7 * 86400.0
"""So far ahead are occurrences compared when a reservation is made."""
MOST = 1024
"""Occurrences looked at of one reservation."""


class Window(NamedTuple):
    """From `start` up to, not including, `end`."""

    start: float
    end: float

    def meets(self, start: float, end: float) -> bool:
        """Whether it has a moment in common with another span."""
        return self.start < end and start < self.end


def window(of: Reservation, now: float) -> Window:
    """The occurrence that runs or comes next."""
    return Window(now + of.start, now + of.end) if "TIME_FLOAT" in of.flags else Window(of.start, of.end)


def occurrences(of: Reservation, now: float, until: float) -> Iterator[Window]:
    """The occurrences that begin before `until`, in order, MOST at most."""
    return islice(_all(of, now, until), MOST)


def _all(of: Reservation, now: float, until: float) -> Iterator[Window]:
    one = window(of, now)
    while one.start < until:
        yield one
        if not of.repeats:
            return
        one = after(of, one)


def after(of: Reservation, one: Window) -> Window:
    """The occurrence that follows `one` of a reservation that repeats."""
    start = recurrence.following(one.start, of.repeats)
    return Window(start, start + one.end - one.start)


def active(of: Reservation, now: float) -> bool:
    """Whether it holds now."""
    one = window(of, now)
    return one.start <= now < one.end


def during(of: Reservation, now: float, start: float, end: float) -> bool:
    """Whether some occurrence from now on meets a span that begins now or later."""
    return any(one.meets(start, end) for one in occurrences(of, now, end))


def collide(one: Reservation, other: Reservation, now: float) -> bool:
    """Whether two reservations ever hold at once, as far as is looked ahead."""
    until = max(window(one, now).start, window(other, now).start) + LOOKED_AHEAD
    return _meet(occurrences(one, now, until), occurrences(other, now, until))


def _meet(ones: Iterable[Window], others: Iterable[Window]) -> bool:
    left, right = iter(ones), iter(others)
    one, other = next(left, None), next(right, None)
    while one is not None and other is not None:
        if one.meets(other.start, other.end):
            return True
        if one.end <= other.start:
            one = next(left, None)
        else:
            other = next(right, None)
    return False
