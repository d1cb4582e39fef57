"""A workflow that runs again finds what it had submitted, also what it was killed over before it could write that down."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from slurm import Cluster, WorkflowContext, task
from slurm.sdk import context
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.following.inspection import CELL, QUEUE, ROW
from slurm.sdk.following.status import Status


def _line(id: str, base: str, script: str) -> str:
    """A line of squeue."""
    return ROW + CELL.join({"%i": id, "%F": base, "%o": script}.get(one, "") for one in QUEUE) + "\n"


class Killed(BaseException):
    """The end of the workflow's process."""


class Remembering(InlineBackend):
    """A cluster that lists its jobs by their scripts; `kill` ends the workflow after that many submissions have been taken, before anybody hears of it."""

    name = "remembering"

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[tuple[str, Sequence[int], str]] = []
        self.kill = -1
        self.most = 1001
        self.cancelled: list[str] = []

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        name = super().submit(script, path, options, array, limit)
        self.jobs.append((name, array, path))
        self.kill -= 1
        if self.kill == 0:
            raise Killed
        return name

    def ask(self, words: Sequence[str]) -> str:
        assert words[4:] == ["--me", "-r", "-t", "all"]
        return "".join(_line(name if number is None else f"{name}_{number}", name, path) for name, array, path in self.jobs for number in (array or [None]))

    def max_array(self) -> int:
        return self.most

    def cancel(self, ids: Sequence[str]) -> None:
        self.cancelled += ids


@task
def add(left: int, right: int = 1) -> int:
    with open(os.environ["RUNS"], "a") as file:
        file.write("x")
    return left + right


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembering:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return Remembering()


def _workflow(backend: Remembering, folder: Path) -> WorkflowContext:
    """The context of one run of the workflow."""
    return WorkflowContext(Cluster("local", backend=backend, job_base_dir=folder / "jobs"), "1", folder / "flow")


def _runs(folder: Path) -> int:
    return os.path.getsize(folder / "runs")


def test_a_call_that_was_taken_but_not_written_down_is_found_by_its_script(backend: Remembering, tmp_path: Path) -> None:
    backend.kill = 1
    with pytest.raises(Killed):
        _workflow(backend, tmp_path).submit_call(add, (1,), {})
    again = _workflow(backend, tmp_path)
    assert again.submit_call(add, (1,), {}).result() == 2
    assert again.submit_call(add, (5,), {}).result() == 6
    assert [job for job, _, _ in backend.jobs] and len(backend.jobs) == 2 and _runs(tmp_path) == 2


def test_a_call_that_was_not_taken_is_made(backend: Remembering, tmp_path: Path) -> None:
    backend.kill = 1
    with pytest.raises(Killed):
        _workflow(backend, tmp_path).submit_call(add, (1,), {})
    script = backend.jobs.pop()[2]
    os.unlink(script.replace("_script.sh", "_result.pkl"))
    assert _workflow(backend, tmp_path).submit_call(add, (1,), {}).result() == 2
    assert len(backend.jobs) == 1


def test_a_call_that_the_cluster_has_forgotten_is_known_by_its_result(backend: Remembering, tmp_path: Path) -> None:
    backend.kill = 1
    with pytest.raises(Killed):
        _workflow(backend, tmp_path).submit_call(add, (1,), {})
    backend.jobs.clear()
    assert _workflow(backend, tmp_path).submit_call(add, (1,), {}).result() == 2
    assert not backend.jobs and _runs(tmp_path) == 1


def test_an_array_is_found_whole_or_handed_in_anew(backend: Remembering, tmp_path: Path) -> None:
    backend.most = 101
    for kill, jobs in ((2, 2), (1, 3)):
        backend.kill = kill
        backend.jobs.clear()
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            _workflow(backend, folder).submit_map(add, list(range(150)), 0)
        taken = [job for job, _, _ in backend.jobs]
        array = _workflow(backend, folder).submit_map(add, list(range(150)), 0)
        assert array.results() == list(range(1, 151))
        assert len(backend.jobs) == jobs
        assert backend.cancelled == ([] if kill == 2 else taken)


def test_the_attempt_of_a_job_that_runs_now_is_found_and_not_a_third_one_made(backend: Remembering, tmp_path: Path) -> None:
    first = _workflow(backend, tmp_path).submit_call(add, (1,), {})
    os.unlink(first.result_path)
    backend._status[first.id] = Status("NODE_FAIL")
    backend._status["999999999999"] = Status("RUNNING")
    backend.jobs.append(("999999999999", (), first.files.script + ".again1"))
    job = _workflow(backend, tmp_path).submit_call(add, (1,), {})
    assert job.attempts == [first.id, "999999999999"] and job.status() == "RUNNING"
    backend._status["999999999999"] = Status("NODE_FAIL")
    assert _workflow(backend, tmp_path).submit_call(add, (1,), {}).result() == 2


def test_what_was_found_in_the_cache_is_found_again(backend: Remembering, tmp_path: Path) -> None:
    kept = add.with_options(cache=True)
    first = _workflow(backend, tmp_path)
    assert first.submit_map(kept, [1, 2], 0).results() == [2, 3]
    assert [job.cached for job in first.submit_map(kept, [2, 3, 1], 0)] == [True, False, True]
    again = _workflow(backend, tmp_path)
    again.submit_map(kept, [1, 2], 0)
    array = again.submit_map(kept, [2, 3, 1], 0)
    assert [job.cached for job in array] == [True, False, True] and array.results() == [3, 4, 2]
    token = context.enter(again)
    try:
        assert kept(array[1]).result() == 5  # type: ignore[arg-type]
    finally:
        context.leave(token)
    assert _runs(tmp_path) == 4
