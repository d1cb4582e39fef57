"""Logs follow what jobs write: from the start or the last lines, over truncation and half lines, to the end of the job."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any, cast

import pytest

from slurm import Cluster, task
from slurm.sdk.backends.backend import Backend, File
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.following import logs
from slurm.sdk.following.status import Status
from slurm.sdk.following.tracker import Tracker


class Scripted(SharedDisk):
    """A job that writes when it is looked at: each look plays the next step."""

    pace = (0.001, 0.004)

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.status = Status("PENDING")
        self.asked: list[dict[str, int]] = []

    def states(self, ids: list[str]) -> dict[str, Status]:
        if self.steps:
            self.steps.pop(0)(self)
        return {one: self.status for one in ids}

    def changes(self, ids: list[str], timeout: float) -> dict[str, Status]:
        time.sleep(0.001)
        return {}

    def wake(self) -> None:
        """Nothing waits long."""

    def rest(self) -> None:
        """Nothing listens."""

    def grown(self, files: Any) -> dict[str, tuple[int, bytes]]:
        self.asked.append(dict(files))
        self.states([])
        return super().grown(files)


class Place:
    """A cluster of a backend only."""

    def __init__(self, backend: Scripted) -> None:
        self.backend = cast(Backend, cast(Any, backend))
        self.tracker = Tracker(self.backend)


def _writes(path: Path, text: str, mode: str = "a", state: str = "RUNNING") -> Any:
    def step(backend: Scripted) -> None:
        with open(path, mode) as file:
            file.write(text)
        backend.status = Status(state)

    return step


def _becomes(state: str) -> Any:
    return lambda backend: setattr(backend, "status", Status(state))


def _followed(backend: Scripted, path: Path, **keywords: Any) -> list[str]:
    place = Place(backend)

    def told() -> list[str]:
        found = []
        for line in logs.lines(place, [File("1", str(path))], **keywords):
            found.append(line)
            place.tracker.settle("1", backend.status)
        return found

    return told()


def test_lines_come_whole_and_the_last_one_as_it_is_when_the_job_has_ended(tmp_path: Path) -> None:
    with Cluster("subprocess", job_base_dir=tmp_path) as cluster:
        job = task(_talks)()
        found = list(job.logs())
        assert found == ["one", "two é", "half"]
        assert list(job.logs(follow=False, lines=2)) == ["two é", "half"]
        assert list(job.logs(lines=0)) == []
        assert list(job.logs(stderr=True)) == ["trouble"]
        shown = io.StringIO()
        job.stream(shown)
        assert shown.getvalue() == "one\ntwo é\nhalf"
        cluster.close()


def _talks() -> None:
    import sys

    print("one")
    time.sleep(0.1)
    print("two é", flush=True)
    print("trouble", file=sys.stderr)
    print("half", end="")


def test_the_first_line_comes_while_the_job_still_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with Cluster("subprocess", job_base_dir=tmp_path) as cluster:
        job = task(_waits)(str(gate))
        lines = job.logs()
        assert next(lines) == "waiting"
        assert not job.done()
        gate.touch()
        assert list(lines) == ["gone on"]
        cluster.close()


def _waits(gate: str) -> None:
    import os

    print("waiting", flush=True)
    deadline = time.monotonic() + 60
    while not os.path.exists(gate) and time.monotonic() < deadline:
        time.sleep(0.01)
    print("gone on")


def test_elements_of_an_array_stand_before_their_lines(tmp_path: Path) -> None:
    with Cluster("subprocess", job_base_dir=tmp_path) as cluster:
        array = task(print).map(["a", "b", "c"])
        assert sorted(array.logs()) == [f"{array.id}_{number}: {text}" for number, text in enumerate("abc")]
        cluster.close()


def test_nothing_is_read_twice_and_a_file_begun_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "out"
    backend = Scripted(_writes(path, "first\n"), _becomes("RUNNING"), _writes(path, "2\n", "w"), _becomes("RUNNING"), _becomes("COMPLETED"))
    assert _followed(backend, path) == ["first", "2"]
    assert [asked[str(path)] for asked in backend.asked][:2] == [0, 6]


def test_only_what_is_there_is_given_without_following(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("".join(f"{number}\n" for number in range(100_000)))
    place = Place(Scripted())
    assert list(logs.lines(place, [File("1", str(path))], follow=False, last=3)) == ["99997", "99998", "99999"]
    assert len(list(logs.lines(place, [File("1", str(path))], follow=False))) == 100_000
    assert list(logs.lines(place, [File("1", str(tmp_path / "none"))], follow=False)) == []
    with pytest.raises(ValueError, match="lines=-1"):
        list(logs.lines(place, [File("1", str(path))], last=-1))
