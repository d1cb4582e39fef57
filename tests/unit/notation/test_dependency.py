"""Dependencies, against what squeue's %E showed for them."""

import pytest

from slurm.notation import dependency
from slurm.notation.dependency import Clause
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("afterok:86", "afterok:86(unfulfilled)"),
        ("123", "afterany:123(unfulfilled)"),
        ("AFTEROK:3", "afterok:3(unfulfilled)"),
        ("afterok:123:124+5,afterany:7", "afterok:123(unfulfilled),afterok:124+5(unfulfilled),afterany:7(unfulfilled)"),
        ("after:1+5", "after:1+5(unfulfilled)"),
        ("singleton", "singleton(unfulfilled)"),
        ("afterok:6_4", "afterok:6_4(unfulfilled)"),
        ("afterok:6_*", "afterok:6_*(unfulfilled)"),
        ("after:8_*+2", "after:8_*+2(unfulfilled)"),
        ("afterok:20:21?afterany:23", "afterok:20(unfulfilled)?afterok:21(unfulfilled)?afterany:23(unfulfilled)"),
        ("afterok:1,afterok:1", "afterok:1(unfulfilled)"),
    ],
)
def test_a_dependency_shows_one_clause_a_job(text: str, shown: str) -> None:
    assert dependency.parse(text).show(with_state=True) == shown


def test_a_question_mark_means_any_and_a_comma_all() -> None:
    assert dependency.parse("afterok:1?afterany:2").any
    assert not dependency.parse("afterok:1,afterany:2").any


def test_minutes_become_seconds() -> None:
    assert dependency.parse("after:9+10").clauses == (Clause("after", 9, delay=600),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bogus", '"bogus" is no dependency'),
        ("aftrok:1", 'did you mean "afterok"'),
        ("afterok", "names no job"),
        ("afterok:", "is no job id"),
        ("afterok:x", '"x" is no job id at position 8'),
        ("afterok:0", "is no job id"),
        ("afterok:1+x", "is no job id"),
        ("singleton:3", "singleton takes no job id"),
        ("afterok:3,afterany:3?singleton", "cannot be mixed"),
        ("afterburstbuffer:3", "is not supported yet"),
        ("", "is no dependency"),
        ("afterok:1,", "is no dependency"),
    ],
)
def test_what_is_wrong_with_a_dependency_is_said(text: str, sentence: str) -> None:
    with pytest.raises(NotationError) as caught:
        dependency.parse(text)
    assert sentence in str(caught.value)


def test_fulfilled_clauses_are_not_shown_and_failed_ones_say_so() -> None:
    clauses = [Clause("afterok", 1, state="fulfilled"), Clause("afterok", 2, state="failed"), Clause("afterany", 3)]
    assert dependency.show(clauses) == "afterok:2(failed),afterany:3(unfulfilled)"
