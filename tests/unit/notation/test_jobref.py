"""Jobs, tasks and steps as scancel and scontrol take them."""

import pytest

from slurm.notation import jobref
from slurm.notation.errors import NotationError


@pytest.mark.parametrize("text", ["123", "123_4", "123_[1-3,7]", "123.0", "123.batch", "123_4.extern", "123+1", "123+1.0", "151_[50-99]"])
def test_a_reference_shows_as_it_was_typed(text: str) -> None:
    assert jobref.parse(text).show() == text


def test_a_star_means_the_whole_array() -> None:
    assert jobref.parse("123_*") == jobref.parse("123")


def test_a_limit_that_squeue_printed_may_be_pasted_along() -> None:
    assert jobref.parse("88_[3-200%2]").show() == "88_[3-200]"


def test_commas_inside_brackets_do_not_separate_references() -> None:
    assert [reference.show() for reference in jobref.parse_list("1,2_[3,5],4.0")] == ["1", "2_[3,5]", "4.0"]


@pytest.mark.parametrize("text", ["abc", "", "0", "-1", "1_", "1_[", "1_x", "1.x", "1+", "1_2+3", "1_[5-1]", "99999999999"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        jobref.parse(text)
