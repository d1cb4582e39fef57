"""Signals by name and number, and --signal."""

import pytest

from slurm.notation import signal
from slurm.notation.errors import NotationError
from slurm.notation.signal import SignalRequest


@pytest.mark.parametrize(("text", "number"), [("10", 10), ("USR1", 10), ("SIGUSR1", 10), ("sigterm", 15), ("KILL", 9), ("CHLD", 17), ("CLD", 17)])
def test_a_signal_is_read_by_name_or_number(text: str, number: int) -> None:
    assert signal.parse(text) == number


@pytest.mark.parametrize("text", ["BOGUS", "0", "65", "", "SIG", "-9"])
def test_an_unknown_signal_is_refused(text: str) -> None:
    with pytest.raises(NotationError, match="is no signal"):
        signal.parse(text)


def test_the_names_are_those_of_linux() -> None:
    assert [signal.name(number) for number in (1, 2, 9, 12, 15, 18, 31, 40)] == ["HUP", "INT", "KILL", "USR2", "TERM", "CONT", "SYS", "40"]


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("USR1", SignalRequest(10, 60)),
        ("B:USR1@300", SignalRequest(10, 300, batch=True)),
        ("B:TERM@60", SignalRequest(15, 60, batch=True)),
        ("R:10@0", SignalRequest(10, 0, reservation=True)),
        ("RB:USR2@5", SignalRequest(12, 5, batch=True, reservation=True)),
    ],
)
def test_a_signal_request_is_read_and_shown(text: str, request_: SignalRequest) -> None:
    assert signal.parse_request(text) == request_
    assert signal.parse_request(signal.show_request(request_)) == request_


@pytest.mark.parametrize("text", ["BOGUS", "X:USR1", ":USR1", "USR1@", "USR1@x", "USR1@65536", "B:", "B:USR1@-1"])
def test_a_malformed_signal_request_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        signal.parse_request(text)
