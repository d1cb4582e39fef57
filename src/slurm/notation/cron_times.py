"""The moments at which something by the clock (`cron`) happens, in local time: at the same time of day also across a change of the
clocks."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from slurm.notation.cron import Cron

_MINUTE = 60.0
_DAYS_AHEAD = 366 * 9
"""A 29 February may be eight years away."""
_ALL_HOURS = 24


def following(cron: Cron, after: float) -> float:
    """The first moment of it in a later minute than `after`, in seconds since the epoch. ValueError where none is within nine years."""
    begin = (after // _MINUTE + 1) * _MINUTE
    if len(cron.hours) == _ALL_HOURS:
        # What comes every hour comes in every hour there is, also in the one that the clock shows twice.
        for minute in range(60):
            moment = datetime.fromtimestamp(begin + minute * _MINUTE)
            if moment.minute in cron.minutes and _is_day(cron, moment.date()):
                return begin + minute * _MINUTE
    start = datetime.fromtimestamp(begin)
    times = sorted((hour, minute) for hour in cron.hours for minute in cron.minutes)
    for days in range(_DAYS_AHEAD):
        day = start.date() + timedelta(days=days)
        if not _is_day(cron, day):
            continue
        for hour, minute in times:
            moment = datetime.combine(day, time(hour, minute))
            if (days or moment >= start.replace(fold=0)) and moment.timestamp() >= begin:
                return moment.timestamp()
    raise ValueError("no such moment is within nine years")


def _is_day(cron: Cron, day: date) -> bool:
    if day.month not in cron.months:
        return False
    by_month, by_week = day.day in cron.days, day.isoweekday() % 7 in cron.weekdays
    if cron.any_day or cron.any_weekday:
        return by_month and by_week
    return by_month or by_week
