"""Exceptions on their way from a job: the type and the text arrive whatever the class looks like."""

from __future__ import annotations

import io
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from slurm import ResultUnreadable, TaskFailed
from slurm.sdk.calls.raised import read_error, write_error


class TwoArguments(Exception):
    """Its constructor does not take what stands in `args`."""

    def __init__(self, status: int, *, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class HoldsALock(Exception):
    """Has an attribute that cannot travel, and one that can."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()
        self.kept = [text]


class Refuses(Exception):
    """Cannot be pickled at all, and has no text either."""

    def __reduce__(self) -> Any:
        raise RuntimeError("no")

    def __new__(cls, *args: object) -> Refuses:
        if not args:
            raise RuntimeError("not without arguments")
        return super().__new__(cls, *args)

    def __str__(self) -> str:
        raise AttributeError("gone")


def arrived(error: BaseException, tmp_path: Path) -> BaseException:
    """What comes out on the other side."""
    path = tmp_path / "error"
    write_error(str(path), error, "the traceback")
    with path.open("rb") as file:
        found, traceback = read_error(file, "12", str(path))
    assert traceback.startswith("the traceback")
    return found


def test_a_plain_exception_arrives_as_it_was(tmp_path: Path) -> None:
    found = arrived(KeyError("x", 3), tmp_path)
    assert type(found) is KeyError
    assert found.args == ("x", 3)


def test_an_exception_arrives_whose_constructor_takes_other_arguments(tmp_path: Path) -> None:
    found = arrived(TwoArguments(404, body="no page"), tmp_path)
    assert isinstance(found, TwoArguments)
    assert (str(found), found.status) == ("404: no page", 404)


def test_what_cannot_travel_is_left_behind(tmp_path: Path) -> None:
    found = arrived(HoldsALock("held"), tmp_path)
    assert isinstance(found, HoldsALock)
    assert (str(found), vars(found)) == ("held", {"kept": ["held"]})
    found = arrived(ValueError("with a lock", threading.Lock()), tmp_path)
    assert isinstance(found, ValueError)
    assert str(found).startswith("('with a lock', <unlocked _thread.lock")


def test_an_exception_that_refuses_to_travel_is_named(tmp_path: Path) -> None:
    found = arrived(Refuses("x"), tmp_path)
    assert isinstance(found, TaskFailed)
    assert "Job 12 did not succeed. The task raised" in str(found)
    assert "test_raised.Refuses: (its text cannot be had: AttributeError: gone)" in str(found)
    assert "it could not be pickled there: RuntimeError: not without arguments" in found.stderr


def test_an_exception_whose_class_is_missing_here_is_named(tmp_path: Path) -> None:
    record = {"exception": b"cno_such_module\nX\n.", "type": "no_such_module.X", "message": "lost", "traceback": "there"}
    found, text = read_error(io.BytesIO(pickle.dumps(record)), "12", "path")
    assert isinstance(found, TaskFailed)
    assert str(found) == "Job 12 did not succeed. The task raised no_such_module.X: lost"
    assert "it could not be unpickled here: ModuleNotFoundError" in text


@pytest.mark.parametrize("content", [b"", b"\x80\x05\x95", b"garbage", pickle.dumps({"type": "x"})])
def test_half_an_error_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(ResultUnreadable, match=r"what job 12 raised cannot be read from somewhere: .*stderr\(\)"):
        read_error(io.BytesIO(content), "12", "somewhere")
