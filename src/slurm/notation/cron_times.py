"""The moments at which something by the clock (`cron`) happens, in local time: at the same time of day also across a change of the
clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from slurm.notation.cron import Cron
from slurm.notation.errors import NotationError

_MINUTE = 60.0
_YEARS_AHEAD = 41
"""A 29 February on one certain weekday may be forty years away: across 2100, which has none."""
_ALL_HOURS = 24


def following(cron: Cron, after: float) -> float:
    """The first moment of it in a later minute than `after`, in seconds since the epoch.

    NotationError where none is within 41 years.
    """
    begin = (after // _MINUTE + 1) * _MINUTE
    if len(cron.hours) == _ALL_HOURS:
        # What comes every hour comes in every hour there is, also in the one that the clock shows twice.
        for minute in range(60):
            moment = datetime.fromtimestamp(begin + minute * _MINUTE)
            if moment.minute in cron.minutes and _is_day(cron, moment.date()):
                return begin + minute * _MINUTE
    start = datetime.fromtimestamp(begin)
    times = sorted((hour, minute) for hour in cron.hours for minute in cron.minutes)
    for day in _days(cron, start.date()):
        for hour, minute in times:
            moment = datetime.combine(day, time(hour, minute))
            if (day > start.date() or moment >= start.replace(fold=0)) and moment.timestamp() >= begin:
                return moment.timestamp()
    raise NotationError(f"no such moment is within {_YEARS_AHEAD} years")


def _days(cron: Cron, day: date) -> Iterator[date]:
    """The days from this one on, months of other days passed over."""
    last = day.year + _YEARS_AHEAD
    while day.year <= last:
        if day.month in cron.months:
            if _is_day(cron, day):
                yield day
            day += timedelta(days=1)
        else:
            day = date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _is_day(cron: Cron, day: date) -> bool:
    if day.month not in cron.months:
        return False
    by_month, by_week = day.day in cron.days, day.isoweekday() % 7 in cron.weekdays
    if cron.any_day or cron.any_weekday:
        return by_month and by_week
    return by_month or by_week
