"""The error of every notation."""

import pickle

from slurm.model.errors import InvalidRequest
from slurm.notation.errors import NotationError


def test_an_error_tells_what_where_and_what_would_be_valid() -> None:
    error = NotationError('"x" is no number', text="1:x", position=2, valid="minutes:seconds")
    assert str(error) == '"x" is no number at position 2 of "1:x"; valid: minutes:seconds'
    assert isinstance(error, InvalidRequest)
    assert isinstance(error, ValueError)


def test_an_error_survives_a_copy_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(NotationError("wrong", text="t", valid="right")))
    assert (error.problem, error.text, error.position, error.valid) == ("wrong", "t", None, "right")


def test_a_message_repeats_only_what_stands_around_the_place() -> None:
    error = NotationError("bad", text="a" * 50_000 + "!" + "b" * 50_000, position=50_000)
    assert "a!b" in error.message and len(error.message) < 400 and "…" in error.message
    assert len(NotationError("x" * 50_000).message) < 400
