"""Retries: what the task raises inside its job, other ends by further jobs, with what they lacked; dependents and arrays with them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from slurm import Cluster, DependencyFailed, InvalidOption, Job, JobNodeFailed, JobOutOfMemory, TaskFailed, as_completed, task
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import SubmissionError
from slurm.sdk.following.inspection import CELL, QUEUE, ROW
from slurm.sdk.following.retry import Retry
from slurm.sdk.following.status import Status


class Ending(InlineBackend):
    """Runs jobs inline, but ends those as it is told: `ends` by name of the task and, in order, each time that it is submitted; None: runs it.

    In an array the state is that of the elements `hit`.
    """

    def __init__(self, **ends: list[str | None]) -> None:
        super().__init__()
        self.ends = ends
        self.hit: tuple[int, ...] = (1,)
        self.asked: list[dict[str, str | None]] = []
        self.arrays: list[list[int]] = []
        self.cancelled: list[str] = []

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        self.asked.append(dict(options))
        self.arrays.append(list(array))
        planned = self.ends.get(options["job_name"] or "", [])
        end = planned.pop(0) if planned else None
        if end == "refused":
            raise SubmissionError("no node has so much memory")
        name = super().submit(script, path, options, array, limit)
        for job in [name] if not array else [f"{name}_{number}" for number in array if number in self.hit]:
            if end is not None and self._status[job].state != "CANCELLED":
                self._status[job] = Status(end, "0:0")
                files = JobFiles.of(path) if not array else JobFiles.of(path).element(int(job.partition("_")[2]))
                Path(files.result).unlink()
        return name

    def max_array(self) -> int:
        return 101

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        time.sleep(0.005)
        return self.states(ids)

    def end(self, job: str, state: str) -> None:
        """End a job that runs."""
        self._status[job] = Status(state)

    def ask(self, words: Sequence[str]) -> str:
        return ROW + CELL.join({"%m": "500M", "%l": "10:00"}.get(one, "") for one in QUEUE) + "\n"

    def cancel(self, ids: Sequence[str]) -> None:
        self.cancelled += ids


def _cluster(folder: Path, **ends: list[str | None]) -> tuple[Cluster, Ending]:
    backend = Ending(**ends)
    return Cluster("inline", backend=backend, job_base_dir=folder), backend


@task
def plain(value: int = 1) -> int:
    return value


@task(retries=2, retry_delay=3, retry_memory=2.0, retry_time=1.5, mem="1G", time="10")
def dear(value: int = 1) -> int:
    return value


def test_a_job_that_lost_its_node_is_one_job_until_its_last_attempt(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["NODE_FAIL", "NODE_FAIL", None])
    with cluster:
        job = dear(5)
        first = job.id
        told: list[str] = []
        job.add_done_callback(lambda ended: told.append(ended.status()))
        assert job.wait(20) and job.result() == 5
        assert told == ["COMPLETED"]
        assert job.attempts[0] == first and len(job.attempts) == 3 and job.id == job.attempts[-1]
        assert [one.get("begin") for one in backend.asked] == [None, "now+3", "now+6"]
        assert [one["mem"] for one in backend.asked] == ["1G", "1G", "1G"]
        assert [one.get("open_mode") for one in backend.asked] == [None, "append", "append"]
        assert next(as_completed([job])).result() == 5


def test_nobody_has_to_wait_for_a_job_to_be_tried_again(tmp_path: Path) -> None:
    cluster, _ = _cluster(tmp_path, dear=["NODE_FAIL", None])
    with cluster:
        job = dear()
        deadline = time.monotonic() + 20
        while len(job.attempts) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(job.attempts) == 2


def test_after_the_last_attempt_the_error_names_all_of_them(tmp_path: Path) -> None:
    cluster, _ = _cluster(tmp_path, dear=["NODE_FAIL"] * 3)
    with cluster:
        job = dear()
        with pytest.raises(JobNodeFailed, match=r"attempts: \d+, \d+, \d+"):
            job.result(20)
        assert len(job.attempts) == 3


def test_memory_and_time_grow_only_after_what_they_cure(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["OUT_OF_MEMORY", "TIMEOUT", None])
    with cluster:
        assert dear().result(20) == 1
    assert [(one["mem"], one["time"]) for one in backend.asked] == [("1G", "10"), ("2048M", "10"), ("2048M", "00:15:00")]


def test_what_the_task_did_not_ask_for_grows_from_what_the_job_had(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, plain=["OUT_OF_MEMORY", "TIMEOUT", None])
    with cluster:
        assert plain.with_options(retries=2, retry_memory=3, retry_time=2)().result(20) == 1
    assert [(one.get("mem"), one.get("time")) for one in backend.asked] == [(None, None), ("1500M", None), ("1500M", "00:20:00")]


def test_only_the_ends_that_were_named_are_tried_again(tmp_path: Path) -> None:
    cluster, _ = _cluster(tmp_path, plain=["OUT_OF_MEMORY", None, "CANCELLED", None])
    with cluster:
        with pytest.raises(JobOutOfMemory):
            plain.with_options(retries=5, retry_on="NODE_FAIL")().result(20)
        assert plain.with_options(retries=5)().result(20) == 1
        cancelled = plain.with_options(retries=5)()
        assert not cancelled.wait(20) and cancelled.attempts == [cancelled.id]


def test_a_cancelled_job_is_not_tried_again(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["RUNNING"])
    with cluster:
        job = dear()
        assert job.status() == "RUNNING" and job.cancel()
        backend.end(job.id, "NODE_FAIL")
        assert not job.wait(20) and job.attempts == [job.id] and backend.cancelled == [job.id]


def test_a_refused_attempt_ends_the_job_and_is_told_of(tmp_path: Path) -> None:
    cluster, _ = _cluster(tmp_path, dear=["OUT_OF_MEMORY", "refused"])
    with cluster, pytest.raises(JobOutOfMemory, match="it was to be submitted again, but: no node has so much memory"):
        dear().result(20)


def test_dependents_that_the_cluster_cancelled_wait_for_the_new_attempt(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["RUNNING", None])
    with cluster:
        job = dear(4)
        dependent: Job[int] = plain(job)  # type: ignore[arg-type]
        last: Job[int] = plain([dependent])  # type: ignore[arg-type]
        backend.end(job.id, "NODE_FAIL")
        assert last.result(20) == [4]
        assert dependent.result(20) == 4
        assert (len(job.attempts), len(dependent.attempts), len(last.attempts)) == (2, 2, 2)
    assert backend.asked[-1].get("dependency") in (f"afterok:{dependent.id}", None)  # what is known to have ended well is left out


def test_dependents_of_a_job_that_failed_for_good_are_told_so(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["RUNNING", "NODE_FAIL", "NODE_FAIL"])
    with cluster:
        job = dear(4)
        dependent = plain(job)  # type: ignore[arg-type]
        backend.end(job.id, "NODE_FAIL")
        with pytest.raises(DependencyFailed):
            dependent.result(20)
        assert len(job.attempts) == 3 and len(dependent.attempts) > 1  # one for each attempt that it may have waited for


def test_of_an_array_only_the_elements_that_failed_are_submitted_again(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["NODE_FAIL", "OUT_OF_MEMORY", None])
    backend.hit = (1, 3)
    with cluster:
        array = dear.map(range(5))
        after = plain(array)  # type: ignore[arg-type]
        assert after.result(20) == [0, 1, 2, 3, 4]
        assert array.results(20) == [0, 1, 2, 3, 4]
        assert [len(job.attempts) for job in array] == [1, 3, 1, 3, 1]
        assert [array[3].id.partition("_")[2], array.status()] == ["3", {"COMPLETED": 5}]
    assert [one for one in backend.arrays if one] == [[0, 1, 2, 3, 4], [1, 3], [1, 3]]


def test_elements_that_are_tried_again_count_for_the_limit_too(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path, dear=["NODE_FAIL", None])
    with cluster:
        array = dear.map(range(3), max_concurrent=1)
        assert array.results(20) == [0, 1, 2]
    assert backend.asked[-1]["dependency"] == f"afterany:{array.ids[0]}"


def test_the_parts_of_a_long_array_run_one_after_the_other_where_only_so_many_may(tmp_path: Path) -> None:
    cluster, backend = _cluster(tmp_path)
    with cluster:
        many = plain.map(range(150), max_concurrent=7)
        free = plain.map(range(150))
        assert many.results(60) == free.results(60) == list(range(150))
    assert [one.get("dependency") for one in backend.asked] == [None, f"afterany:{many.ids[0]}", None, None]


def test_what_the_task_raises_is_tried_again_in_its_job_with_fresh_arguments(tmp_path: Path) -> None:
    with Cluster("subprocess", job_base_dir=tmp_path) as cluster:
        job = task(_third_time, retries=5, retry_on=OSError)(str(tmp_path / "tries"), [])
        assert job.result(60) == (3, ["seen"])
        assert len(job.attempts) == 1
        assert "trying again (1 of 5)" in job.stderr() and "OSError: not yet" in job.stderr()
        other = task(_third_time, retries=5, retry_on=KeyError)(str(tmp_path / "other"), [])
        with pytest.raises(OSError, match="not yet"):
            other.result(60)
        cluster.close()


def _third_time(counter: str, seen: list[str]) -> tuple[int, list[str]]:
    with open(counter, "a") as file:
        file.write("x")
    seen.append("seen")
    if (tries := os.path.getsize(counter)) < 3:
        raise OSError("not yet")
    return tries, seen


def test_a_task_that_dies_is_tried_by_another_job_after_its_pause(tmp_path: Path) -> None:
    with Cluster("subprocess", job_base_dir=tmp_path) as cluster:
        began = time.monotonic()
        job = task(_dies, retries=2, retry_delay=timedelta(seconds=1))(str(tmp_path / "tries"), 1)
        assert job.result(60) == 2 and time.monotonic() - began >= 1
        assert len(job.attempts) == 2
        assert job.stdout() == "try 1\ntry 2\n"
        assert list(job.logs()) == ["try 1", "try 2"]
        hopeless = task(_dies, retries=1)(str(tmp_path / "again"), 9)
        with pytest.raises(TaskFailed):
            hopeless.result(60)
        assert os.path.getsize(tmp_path / "again") == 2
        cluster.close()


def _dies(counter: str, deaths: int) -> int:
    with open(counter, "a") as file:
        file.write("x")
    tries = os.path.getsize(counter)
    print("try", tries, flush=True)
    if tries <= deaths:
        os._exit(3)
    return tries


@pytest.mark.parametrize(("words", "said"), [
    ({"retries": -1}, "retries=-1: give the number"),
    ({"retries": True}, "retries=True"),
    ({"retries": 1, "retry_on": "NODE_FAILED"}, "retry_on='NODE_FAILED': give classes of exceptions, or states: NODE_FAIL"),
    ({"retries": 1, "retry_on": ()}, "retry_on is empty"),
    ({"retries": 1, "retry_on": "NODE_FAIL", "retry_memory": 2}, 'add "OUT_OF_MEMORY" to it'),
    ({"retries": 1, "retry_backoff": 0.5}, "retry_backoff=0.5: give a factor"),
    ({"retries": 1, "retry_delay": -1}, "retry_delay=-1: give seconds"),
    ({"retry_delay": 1}, "retry_delay means something only with retries=N"),
])
def test_what_is_wrong_about_retries_is_said_where_it_is_written(words: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        task(_dies, **words)
    assert said in str(caught.value) and "@task of _dies" in str(caught.value)


def test_retries_are_changed_and_taken_away_by_with_options() -> None:
    assert dear.with_options(retries=7).retry.times == 7  # type: ignore[union-attr]
    assert dear.with_options(retries=7).retry.memory == 2.0  # type: ignore[union-attr]
    assert dear.with_options(retries=0).retry is None
    assert dear.with_options(retries=None, retry_memory=None, retry_time=None, retry_delay=None).retry is None
    assert Retry({"retries": 9, "retry_delay": 60}, "f").pause(9) == 3600
