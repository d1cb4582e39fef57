"""Recurrence: when something that repeats happens next, by the local calendar: at the same time of day also across a change of the
clocks."""

from __future__ import annotations

from datetime import datetime, timedelta

_SATURDAY = 5


def following(start: float, repeats: str) -> float:
    """The start that follows one, of what repeats HOURLY, DAILY, WEEKDAY, WEEKEND or WEEKLY. Seconds since the epoch."""
    if repeats == "HOURLY":
        return start + 3600.0
    moment = datetime.fromtimestamp(int(start))
    days = 7 if repeats == "WEEKLY" else 1
    moment += timedelta(days=days)
    while (repeats == "WEEKDAY" and moment.weekday() >= _SATURDAY) or (repeats == "WEEKEND" and moment.weekday() < _SATURDAY):
        moment += timedelta(days=1)
    return moment.timestamp() + start % 1


def first(start: float, repeats: str) -> float:
    """The first start that is one, `start` itself unless a WEEKDAY falls on a weekend or a WEEKEND on a working day."""
    weekend = datetime.fromtimestamp(int(start)).weekday() >= _SATURDAY
    return following(start, repeats) if (repeats == "WEEKDAY" and weekend) or (repeats == "WEEKEND" and not weekend) else start
