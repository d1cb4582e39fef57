"""The judge: a history that could be true is passed, and each broken promise is found."""

import pytest

from tests.campaign import history
from tests.campaign.history import Ended, Fault, Wanted, judge, read

GOOD = """10.0 begin 7 0 - - nd1 0
10.2 alive 7 0 - - nd1 0
10.4 end 7 0 - - nd1 3
"""
KEY = Wanted("a1", 7, {0: 3})
FAILED = Ended("FAILED", "3:0", ["nd1"])


def found(text: str, wanted: Wanted = KEY, ended: Ended | None = FAILED, faults: tuple[Fault, ...] = ()) -> dict[str, list[str]]:
    told = {} if ended is None else {(7, 0): ended}
    return {name: sentences for name, sentences in judge([wanted], {"a1": read(text)}, told, faults).items() if sentences}


def test_what_was_promised_and_happened_is_passed() -> None:
    assert found(GOOD) == {}
    assert found(GOOD.replace("end 7 0 - - nd1 3", "end 7 0 - - nd1 0"), Wanted("a1", 7, {0: 0}), Ended("COMPLETED", "0:0")) == {}


def test_a_job_that_is_not_known_any_more_or_waits_for_ever_is_lost() -> None:
    assert found(GOOD, ended=None).keys() == {history.LOST}
    assert found("", ended=Ended("PENDING", "0:0")).keys() == {history.LOST}


def test_a_script_that_began_twice_within_an_attempt_is_found_and_a_submission_that_became_two_jobs() -> None:
    assert found(GOOD + "11.0 begin 7 0 - - nd2 0\n").keys() == {history.TWICE}
    assert found(GOOD + "11.0 begin 8 0 - - nd2 0\n").keys() >= {history.TWICE}
    assert found(GOOD + "10.1 begin 7 0 0 1 nd1 0\n10.2 begin 7 0 0 1 nd2 0\n").keys() == {history.TWICE}


def test_two_attempts_at_the_same_time_are_found_also_when_nobody_knows_of_the_earlier_one() -> None:
    later = "12.0 begin 7 1 - - nd2 0\n12.4 end 7 1 - - nd2 3\n"
    assert found(GOOD + later) == {}
    assert found(GOOD.replace("10.4 end", "12.1 alive") + later).keys() == {history.TOGETHER}


@pytest.mark.parametrize(("text", "ended"), [
    (GOOD, Ended("COMPLETED", "0:0")), (GOOD, Ended("FAILED", "2:0")), (GOOD, Ended("CANCELLED", "0:0")), (GOOD, Ended("NODE_FAIL", "0:0")),
    ("10.0 begin 7 0 - - nd1 0\n", Ended("COMPLETED", "0:0"))])
def test_an_end_that_does_not_fit_what_the_job_wrote_is_found(text: str, ended: Ended) -> None:
    assert found(text, ended=ended).keys() == {history.WRONG}


def test_an_end_by_a_fault_is_passed_only_where_that_fault_was() -> None:
    cut_short, killed = "10.0 begin 7 0 - - nd1 0\n10.2 alive 7 0 - - nd1 0\n", Ended("FAILED", "0:9", ["nd1"])
    assert found(cut_short, ended=killed, faults=(Fault("kill -9 slurmstepd", "nd1", 10.3, 10.3, True),)) == {}
    for other in (Fault("kill -9 slurmstepd", "nd2", 10.3, 10.3, True), Fault("kill -9 slurmctld", "nd1", 10.3, 10.3, False), Fault("kill", "nd1", 99.0, 99.0, True)):
        assert found(cut_short, ended=killed, faults=(other,)).keys() == {history.WRONG}


def test_a_job_that_waited_for_a_failure_is_cancelled_and_one_that_waited_for_a_success_is_not() -> None:
    after = Wanted("a2", 8, {0: 0}, after="a1")
    for state, fits in (("FAILED", True), ("COMPLETED", False)):
        told = {(7, 0): Ended(state, "3:0" if fits else "0:0", ["nd1"]), (8, 0): Ended("CANCELLED", "0:0")}
        first = Wanted("a1", 7, {0: 3 if fits else 0})
        seen = judge([first, after], {"a1": read(GOOD if fits else GOOD.replace(" 3\n", " 0\n"))}, told, ())
        assert bool(seen[history.WRONG]) is not fits


def test_a_line_that_a_kill_cut_short_is_left_out() -> None:
    assert len(read("10.0 begin 7 0 - - nd1 0\n10.2 ali")) == 1
