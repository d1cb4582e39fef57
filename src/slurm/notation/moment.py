"""Points in time, `now+2hours`, `16:00`, `12/26 10:00`: read to seconds since the epoch and shown. Lengths live in `duration`.

Local time is the process's time zone; the present is always passed in.
"""

import re
from datetime import date, datetime, timedelta

from slurm.notation.errors import NotationError

_UNITS = {"": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_CLOCK_WORDS = {"midnight": 0, "elevenses": 11, "noon": 12, "fika": 15, "teatime": 16}
_VALID = (
    'HH:MM[:SS] [AM|PM], MMDDYY, MM/DD[/YY], MM.DD[.YY], YYYY-MM-DD[THH:MM[:SS]], today, tomorrow, midnight, noon, elevenses, fika, '
    "teatime, now[{+|-}count[seconds|minutes|hours|days|weeks]]"
)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
_LAST_MOMENT = 253_370_764_800.0
_FLAGS = re.IGNORECASE | re.ASCII
_NOW = re.compile(r"now(?:\s*([+-])\s*(\d{1,10})\s*([a-z]*))?\s*$", _FLAGS)
_NOW_SIGN = re.compile(r"now\s*[+-]?\s*", _FLAGS)
_UTS = re.compile(r"uts(\d{1,12})\s*$", _FLAGS)
_WORD = re.compile(r"today|tomorrow|midnight|elevenses|noon|fika|teatime", _FLAGS)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?!\d)", _FLAGS)
_SEPARATED = re.compile(r"(\d{1,2})([/.])(\d{1,2})(?:\2(\d{4}|\d{2}))?(?![\d/.])", _FLAGS)
_COMPACT = re.compile(r"(\d{2})(\d{2})(\d{2})?(?![\d:/.])", _FLAGS)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?![\d:])(?:\s*([ap])m\b)?", _FLAGS)
_GAP = re.compile(r"\s+|[T-](?=\d)", _FLAGS)


def parse(text: str, now: float, *, past: bool = False) -> float:
    """The moment a text stands for, in seconds since the epoch.

    A time of day without a date is the next such time, a day without a year the next such day (with `past`, as sacct reads
    them: the last ones); a date without a time is midnight. The message of the NotationError begins as Slurm's does.
    Source: sbatch(1) --begin, sacct(1).
    """
    stripped = text.strip()
    if stripped[:3].lower() == "now":
        return _within_calendar(now + _offset(stripped), stripped)
    if match := _UTS.match(stripped):
        return _within_calendar(float(match[1]), stripped)
    day, yearless, clock = _read(stripped, datetime.fromtimestamp(now))
    moment = datetime.combine(day or datetime.fromtimestamp(now).date(), datetime.min.time()) + timedelta(seconds=clock or 0)
    if day is None:
        if not past and moment.timestamp() < now:
            moment += timedelta(days=1)
        elif past and moment.timestamp() > now:
            moment -= timedelta(days=1)
    elif yearless:
        moment = _nearest_year(moment, now, past)
    return moment.timestamp()


def show(epoch: float) -> str:
    """A moment as "2026-11-21T00:42:27", local time; one beyond the calendar as its end."""
    return _local(epoch).isoformat()


def show_as(style: str, epoch: float, now: float) -> str:
    """A moment in the style of SLURM_TIME_FORMAT: "" or "standard", "relative", or any strftime(3) format.

    Relative: "16:00:00" today, "Tomorr 16:00", "Ystday 16:00", "Tue 16:00" within a week, "25 Apr 16:00" this year, else
    "6 Jun 2012". Source: squeue(1).
    """
    if style in ("", "standard"):
        return show(epoch)
    moment = _local(epoch)
    if style != "relative":
        return moment.strftime(style) if "%" in style else show(epoch)
    today = datetime.fromtimestamp(now).date()
    days = (moment.date() - today).days
    if days == 0:
        return moment.strftime("%H:%M:%S")
    if moment.year != today.year and abs(days) > 7:
        return f"{moment.day} {moment:%b %Y}"
    names = {1: "Tomorr", -1: "Ystday"}
    name = names.get(days) or (moment.strftime("%a") if 0 < days < 7 else f"{moment.day} {moment:%b}")
    return f"{name} {moment:%H:%M}"


def _local(epoch: float) -> datetime:
    return datetime.fromtimestamp(int(min(max(epoch, 0.0), _LAST_MOMENT)))


def _within_calendar(moment: float, text: str) -> float:
    """The moment itself; NotationError before 1970 and where the calendar ends, for such a moment could not be shown."""
    if not 0 <= moment < _LAST_MOMENT:
        raise _error(text, 0)
    return moment


def _offset(text: str) -> int:
    match = _NOW.match(text)
    unit = (match[3] or "").lower() if match else "?"
    seconds = _UNITS.get(unit.removesuffix("s"))
    if match is None or seconds is None or unit == "s":
        lead = _NOW_SIGN.match(text)
        raise _error(text, lead.end() if lead else 0)
    return int(match[1] + "1") * int(match[2]) * seconds if match[1] else 0


def _read(text: str, now: datetime) -> tuple[date | None, bool, int | None]:
    """Day (with whether its year was left out) and seconds of the day, each None when not given."""
    day: date | None = None
    clock: int | None = None
    yearless = False
    place = 0
    while place < len(text):
        if place and (gap := _GAP.match(text, place)):
            place = gap.end()
            continue
        if match := _WORD.match(text, place):
            word = match[0].lower()
            new_day = now.date() + timedelta(days=word == "tomorrow") if word in ("today", "tomorrow") else None
            new_clock = _CLOCK_WORDS[word] * 3600 if new_day is None else None
        elif match := _CLOCK.match(text, place):
            new_day, new_clock = None, _seconds(text, place, match)
        else:
            match, new_day, short = _read_date(text, place, now)
            new_clock, yearless = None, yearless or short
        if (new_day and day) or (new_clock is not None and clock is not None):
            raise _error(text, place)
        day = new_day or day
        clock = clock if new_clock is None else new_clock
        place = match.end()
    if day is None and clock is None:
        raise _error(text, 0)
    return day, yearless, clock


def _read_date(text: str, place: int, now: datetime) -> tuple[re.Match[str], date, bool]:
    if match := _ISO.match(text, place):
        year, month, day = match[1], match[2], match[3]
    elif match := _SEPARATED.match(text, place):
        year, month, day = match[4], match[1], match[3]
    elif match := _COMPACT.match(text, place):
        year, month, day = match[3], match[1], match[2]
    else:
        raise _error(text, place)
    number = now.year if year is None else int(year) + (2000 if len(year) == 2 else 0)
    if year is None and int(month) == 2 and int(day) == 29:
        while number % 4 or (number % 100 == 0 and number % 400):
            number += 1
    if not _FIRST_YEAR <= number <= _LAST_YEAR:
        raise _error(text, place)
    try:
        return match, date(number, int(month), int(day)), year is None
    except ValueError:
        raise _error(text, place) from None


def _seconds(text: str, place: int, match: re.Match[str]) -> int:
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > (12 if match[4] else 23) or minute > 59 or second > 59 or (match[4] and hour == 0):
        raise _error(text, place)
    if match[4]:
        hour = hour % 12 + (12 if match[4].lower() == "p" else 0)
    return (hour * 60 + minute) * 60 + second


def _nearest_year(moment: datetime, now: float, past: bool) -> datetime:
    """The same day of the year after (with `past`, before) when it lies on the wrong side of now."""
    step = -1 if past else 1
    wrong = moment.timestamp() > now if past else moment.timestamp() < now
    year = moment.year + step
    while wrong:
        try:
            return moment.replace(year=year)
        except ValueError:
            year += step
    return moment


def _error(text: str, place: int) -> NotationError:
    error = NotationError(f"Invalid time specification (pos={place}): {text}", valid=_VALID)
    error.text, error.position = text, place
    return error
