"""Points in time, against what sbatch --begin made of them at one instant."""

from datetime import datetime

import pytest

from slurm.notation import moment
from slurm.notation.errors import NotationError


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> float:
    """Local time as seconds since the epoch."""
    return datetime(year, month, day, hour, minute, second).timestamp()


NOW = at(2026, 11, 21, 2, 49, 29)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", 0),
        ("now+60", 60),
        ("now+1hour", 3600),
        ("now+2hours", 7200),
        ("now + 2 hours", 7200),
        ("NOW+30minutes", 1800),
        ("now+3days", 259200),
        ("now+1week", 604800),
        ("now-1hour", -3600),
    ],
)
def test_now_moves_by_units(text: str, seconds: int) -> None:
    assert moment.parse(text, NOW) == NOW + seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16:00", at(2026, 11, 21, 16)),
        ("16:00:30", at(2026, 11, 21, 16, 0, 30)),
        ("01:00", at(2026, 11, 22, 1)),
        ("4:30PM", at(2026, 11, 21, 16, 30)),
        ("4:30 pm", at(2026, 11, 21, 16, 30)),
        ("12:00PM", at(2026, 11, 21, 12)),
        ("12:30AM", at(2026, 11, 22, 0, 30)),
        ("teatime", at(2026, 11, 21, 16)),
        ("noon", at(2026, 11, 21, 12)),
        ("midnight", at(2026, 11, 22)),
        ("fika", at(2026, 11, 21, 15)),
        ("elevenses", at(2026, 11, 21, 11)),
        ("today", at(2026, 11, 21)),
        ("tomorrow", at(2026, 11, 22)),
        ("010227", at(2027, 1, 2)),
        ("0102", at(2027, 1, 2)),
        ("01/02/27", at(2027, 1, 2)),
        ("1/2/27", at(2027, 1, 2)),
        ("01.02.27", at(2027, 1, 2)),
        ("01/02", at(2027, 1, 2)),
        ("12/26", at(2026, 12, 26)),
        ("12/26 10:00", at(2026, 12, 26, 10)),
        ("12/26T10:00", at(2026, 12, 26, 10)),
        ("12/26-10:00", at(2026, 12, 26, 10)),
        ("16:00 12/26", at(2026, 12, 26, 16)),
        ("2027-01-20", at(2027, 1, 20)),
        ("2027-01-20T12:34", at(2027, 1, 20, 12, 34)),
        ("2010-01-20T12:34:00", at(2010, 1, 20, 12, 34)),
        ("2027-01-20 12:34", at(2027, 1, 20, 12, 34)),
        ("tomorrow 10:00", at(2026, 11, 22, 10)),
        ("10:00 tomorrow", at(2026, 11, 22, 10)),
        ("tomorrowT10:00", at(2026, 11, 22, 10)),
        ("noon tomorrow", at(2026, 11, 22, 12)),
        ("02/29", at(2028, 2, 29)),
        ("uts1800000000", 1800000000.0),
    ],
)
def test_a_moment_is_read_as_sbatch_reads_begin(text: str, expected: float) -> None:
    assert moment.parse(text, NOW) == expected


def test_looking_back_a_time_or_a_day_without_a_year_is_the_last_one() -> None:
    assert moment.parse("16:00", NOW, past=True) == at(2026, 11, 20, 16)
    assert moment.parse("01:00", NOW, past=True) == at(2026, 11, 21, 1)
    assert moment.parse("12/26", NOW, past=True) == at(2025, 12, 26)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("bogus", 0),
        ("now+5min", 4),
        ("now+1w", 4),
        ("now+2x", 4),
        ("25:00", 0),
        ("13/45", 0),
        ("next", 0),
        ("2027-1-2", 0),
        ("2027-02-30", 0),
        ("12:00 13:00", 6),
        ("0:30AM", 0),
        ("", 0),
        ("0001-01-01", 0),
        ("now+9999999999weeks", 0),
    ],
)
def test_what_is_no_moment_is_refused_with_slurms_sentence_and_the_valid_forms(text: str, position: int) -> None:
    with pytest.raises(NotationError) as caught:
        moment.parse(text, NOW)
    assert str(caught.value).startswith(f"Invalid time specification (pos={position}): {text}")
    assert "HH:MM" in caught.value.valid


def test_moments_show_in_the_styles_of_slurm_time_format() -> None:
    assert moment.show(at(2026, 11, 21, 0, 42, 27)) == "2026-11-21T00:42:27"
    assert moment.show_as("standard", NOW, NOW) == "2026-11-21T02:49:29"
    assert moment.show_as("%H:%M", NOW, NOW) == "02:49"
    assert moment.show_as("relative", NOW, NOW) == "02:49:29"
    assert moment.show_as("relative", at(2026, 11, 22, 16), NOW) == "Tomorr 16:00"
    assert moment.show_as("relative", at(2026, 11, 20, 16), NOW) == "Ystday 16:00"
    assert moment.show_as("relative", at(2026, 11, 24, 16), NOW) == "Tue 16:00"
    assert moment.show_as("relative", at(2026, 4, 25, 16), NOW) == "25 Apr 16:00"
    assert moment.show_as("relative", at(2012, 6, 6), NOW) == "6 Jun 2012"
