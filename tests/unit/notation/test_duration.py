"""Time limits and elapsed times, with the seeds' own values."""

import pytest

from slurm.notation import duration
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("01:30", 90),
        ("0:05", 5),
        ("90:90", 5490),
        ("24:00:00", 86400),
        ("1-", 86400),
        ("1-2", 93600),
        ("7-0", 604800),
        ("1-02:30", 95400),
        ("3-00:00:00", 259200),
        ("0", 0),
        ("UNLIMITED", duration.INFINITE),
        ("infinite", duration.INFINITE),
        ("-1", duration.INFINITE),
        (" 10 ", 600),
    ],
)
def test_a_time_limit_is_read_to_the_second(text: str, seconds: int) -> None:
    assert duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["bogus", "", "1:2:3:4", ":5", "5:", "1-2:3:4:5", "unlim", "1.5", "1d", "1h", "-5", "1:-2", "९"])
def test_what_slurm_refuses_as_a_time_limit_is_refused_with_the_valid_forms(text: str) -> None:
    with pytest.raises(NotationError, match="days-hours"):
        duration.parse(text)


@pytest.mark.parametrize(
    ("seconds", "short", "clock"),
    [
        (0, "0:00", "00:00:00"),
        (7, "0:07", "00:00:07"),
        (600, "10:00", "00:10:00"),
        (1800, "30:00", "00:30:00"),
        (3600, "1:00:00", "01:00:00"),
        (259200, "3-00:00:00", "3-00:00:00"),
        (93784, "1-02:03:04", "1-02:03:04"),
        (duration.INFINITE, "UNLIMITED", "UNLIMITED"),
        (-7, "INVALID", "INVALID"),
        (7.9, "0:07", "00:00:07"),
    ],
)
def test_a_length_shows_as_squeue_and_as_scontrol_print_it(seconds: float, short: str, clock: str) -> None:
    assert duration.show(seconds) == short
    assert duration.show_clock(seconds) == clock
