"""What a crontab says of time: fields, names, ranges, steps, words; and the moments that follow, also where the clocks change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.notation import cron
from slurm.notation.cron_times import following
from slurm.notation.errors import NotationError

NOW = datetime(2026, 11, 18, 12, 0, 20).timestamp()  # a Wednesday


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def after(spec: str, moment: float = NOW) -> str:
    return datetime.fromtimestamp(following(cron.parse(spec), moment)).strftime("%a %Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(("spec", "expected"), [
    ("* * * * *", "Wed 2026-11-18 12:01:00"),
    ("*/5 8-17/2 * * mon-fri", "Wed 2026-11-18 12:05:00"),
    ("1-5,30 8-17/2 * * wed", "Wed 2026-11-18 12:01:00"),
    ("0 12 * * *", "Thu 2026-11-19 12:00:00"),
    ("@daily", "Thu 2026-11-19 00:00:00"),
    ("@Hourly", "Wed 2026-11-18 13:00:00"),
    ("@weekly", "Sun 2026-11-22 00:00:00"),
    ("0 0 * * 7", "Sun 2026-11-22 00:00:00"),
    ("@monthly", "Tue 2026-12-01 00:00:00"),
    ("@yearly", "Fri 2027-01-01 00:00:00"),
    ("@teatime", "Wed 2026-11-18 16:00:00"),
    ("0 0 29 2 *", "Tue 2028-02-29 00:00:00"),
    ("0 0 13 * fri", "Fri 2026-11-20 00:00:00"),
    ("0 0 */10 * *", "Sat 2026-11-21 00:00:00"),
    ("0 0 1-7 * */2", "Tue 2026-12-01 00:00:00"),
    ("30 6 1 JAN,jul *", "Fri 2027-01-01 06:30:00"),
    ("0 0 */31 3 0", "Sun 2037-03-01 00:00:00"),
    ("* * */31 12 2", "Tue 2026-12-01 00:00:00"),
])
def test_the_next_moment(spec: str, expected: str) -> None:
    assert after(spec) == expected


@pytest.mark.parametrize(("spec", "words"), [
    ("0 0 30 2 *", "never comes"), ("60 * * * *", "60 is not within 0-59"), ("* * * *", "has 4 fields"), ("5/2 * * * *", "a step goes with"),
    ("9-3 * * * *", "must be greater"), ("@reboot", "is not known; there are @yearly"), ("* * * foo *", "one of jan, feb"), ("a * * * *", '"a" is not a number'),
    (", * * * *", "(empty)"), ("*/0 * * * *", "1 or more"), ("* * 0 * *", "0 is not within 1-31"), ("99999999999999999999 * * * *", "is not a number"), ("", "has 0 fields"),
])
def test_what_is_no_time_is_refused_with_the_part_that_is_wrong(spec: str, words: str) -> None:
    with pytest.raises(NotationError) as raised:
        cron.parse(spec)
    assert words in raised.value.message


@given(st.integers(1, 12), st.integers(0, 6), st.integers(1_000_000_000, 5_000_000_000))
def test_a_first_day_of_a_month_on_one_weekday_always_comes(month: int, weekday: int, moment: int) -> None:
    found = datetime.fromtimestamp(following(cron.parse(f"0 12 */31 {month} {weekday}"), float(moment)))
    assert (found.day, found.month, found.isoweekday() % 7) == (1, month, weekday)


@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize("year", [2073, 2096, 2104])
def test_a_29_February_on_one_weekday_comes_also_across_the_year_that_has_none(year: int, weekday: int) -> None:
    read = cron.parse("0 0 29 2 *")
    read.any_day, read.weekdays = True, frozenset({weekday})
    found = datetime.fromtimestamp(following(read, datetime(year, 3, 1).timestamp()))
    assert (found.day, found.month, found.isoweekday() % 7) == (29, 2, weekday)


@pytest.mark.parametrize(("line", "words"), [
    (f"{','.join(map(str, range(60)))} * * * * true", "at most 128"),
    (f"1{',' * 60} * * * * true", "minute has 61 parts"),
])
def test_a_time_that_is_longer_than_needed_is_refused(line: str, words: str) -> None:
    with pytest.raises(NotationError, match=words):
        cron.split(line)


def test_a_line_is_a_time_and_a_command() -> None:
    assert cron.split('  0 0 * * *   echo  "a  b"  ') == ("0 0 * * *", 'echo  "a  b"')
    assert cron.split("@DAILY\tsync now") == ("@daily", "sync now")
    with pytest.raises(NotationError, match="no command"):
        cron.split("0 0 * * *")


@pytest.mark.usefixtures("berlin")
def test_a_night_without_two_oclock_and_one_that_has_it_twice() -> None:
    spring, autumn = datetime(2026, 3, 28, 12).timestamp(), datetime(2026, 10, 24, 12).timestamp()
    assert after("30 2 * * *", spring) == "Sun 2026-03-29 03:30:00"
    first = following(cron.parse("30 2 * * *"), autumn)
    assert datetime.fromtimestamp(first).isoformat() == "2026-10-25T02:30:00"
    assert after("30 2 * * *", first) == "Mon 2026-10-26 02:30:00"
    hours = [autumn + 14.2 * 3600]
    for _ in range(4):
        hours.append(following(cron.parse("0 * * * *"), hours[-1]))
    assert [second - one for one, second in zip(hours[1:], hours[2:], strict=False)] == [3600.0] * 3


@given(st.sampled_from(["* * * * *", "*/7 * * * *", "15 3 * * *", "0 0 1 * mon", "0 22-23 * * 1-5", "@monthly"]), st.integers(1_000_000_000, 2_500_000_000))
def test_a_moment_is_later_and_none_lies_between(spec: str, moment: int) -> None:
    read = cron.parse(spec)
    found = following(read, float(moment))
    assert found > moment and found % 60 == 0
    assert following(read, found - 60.0) == found
