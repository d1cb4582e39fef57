"""Hours, days and months in a cluster's time zone as moments since the epoch, summer time and zones of half hours included."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR = 3600
_QUARTER = 900
HOURS, DAYS, MONTHS = "hour", "day", "month"


class Period(NamedTuple):
    """A stretch of time that is summed up in one row: kind HOURS, DAYS or MONTHS, from `start` up to and without `end`."""

    kind: str
    start: int
    end: int


@lru_cache(maxsize=64)
def zone_of(name: str) -> datetime.tzinfo:
    """The time zone of this IANA name; UTC where the system does not know it."""
    try:
        return ZoneInfo(name) if name else datetime.UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.UTC


def _local(zone: str, at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, zone_of(zone))


@lru_cache(maxsize=100_000)
def _hour_at(zone: str, quarter: int) -> int:
    """The start of the local hour that this quarter of an hour (its number since the epoch) lies in."""
    at = quarter * _QUARTER
    for _ in range(8):  # an hour in which the clock goes back by half an hour is the longest
        moment = _local(zone, at)
        if moment.minute == 0 and moment.second == 0:
            return at
        at -= _QUARTER
    return quarter * _QUARTER // HOUR * HOUR  # offsets of odd seconds, before there were time zones


def hour_of(zone: str, at: float) -> int:
    """When the local hour of this moment began."""
    return _hour_at(zone, int(at // _QUARTER))


def next_hour(zone: str, at: float) -> int:
    """When the next local hour begins."""
    start = hour_of(zone, at)
    following = start + _QUARTER
    while hour_of(zone, following) == start:
        following += _QUARTER
    return following


def day_of(zone: str, at: float) -> int:
    """When the local day of this moment began."""
    moment = _local(zone, at)
    return _start(zone, moment.year, moment.month, moment.day, at)


def next_day(zone: str, at: float) -> int:
    """When the next local day begins."""
    day = _local(zone, at).date() + datetime.timedelta(days=1)
    return int(datetime.datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)).timestamp())


def month_of(zone: str, at: float) -> int:
    """When the local month of this moment began."""
    moment = _local(zone, at)
    return _start(zone, moment.year, moment.month, 1, at)


def next_month(zone: str, at: float) -> int:
    """When the next local month begins."""
    moment = _local(zone, at)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return int(datetime.datetime(year, month, 1, tzinfo=zone_of(zone)).timestamp())


def _start(zone: str, year: int, month: int, day: int, at: float) -> int:
    return min(int(datetime.datetime(year, month, day, tzinfo=zone_of(zone)).timestamp()), int(at))


def between(zone: str, start: float, end: float, days_until: float, months_until: float) -> list[Period]:
    """The fewest periods that cover whole hours from `start` to `end`, of days and months only those that are summed up already."""
    found: list[Period] = []
    at, stop = hour_of(zone, start), hour_of(zone, end)
    while at < stop:
        if at == month_of(zone, at) and (after := next_month(zone, at)) <= min(stop, months_until):
            found.append(Period(MONTHS, at, after))
        elif at == day_of(zone, at) and (after := next_day(zone, at)) <= min(stop, days_until):
            found.append(Period(DAYS, at, after))
        else:
            after = next_hour(zone, at)
            found.append(Period(HOURS, at, after))
        at = after
    return found
