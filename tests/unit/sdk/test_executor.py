"""The executor keeps the contract of concurrent.futures, on jobs that run when the test says so."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from itertools import count
from pathlib import Path

import pytest

from slurm import Cluster, Executor, InvalidOption, JobContext, task
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.following.status import Status
from slurm.sdk.following.tracker import Tracker

SECONDS = 30.0


class Held(InlineBackend):
    """Jobs that wait in the queue until they are let go; those that are cancelled have ended, and that is known, before the order returns."""

    tracker: Tracker

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, tuple[JobFiles, int | None]] = {}
        self.orders: list[list[str]] = []
        self._ids = count(1)
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        name = str(next(self._ids))
        for index in array or (None,):
            job = name if index is None else f"{name}_{index}"
            self.held[job], self._status[job] = (JobFiles.of(path), index), Status("PENDING")
        return name

    def let_go(self, *jobs: str) -> None:
        for job in jobs:
            files, index = self.held.pop(job)
            self._status[job] = self._run(files, index, {"SLURM_JOB_ID": job}, "w")
        self._news.put(None)

    def start(self, job: str) -> None:
        self._status[job] = Status("RUNNING")

    def cancel(self, ids: Sequence[str]) -> None:
        self.orders.append(list(ids))
        self._status.update((job, Status("CANCELLED")) for job in ids)
        self._news.put(None)
        assert self.tracker.wait(ids, SECONDS)

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        self._news.get(timeout=SECONDS)
        return self.states(ids)

    def wake(self) -> None:
        self._news.put(None)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    backend = Held()
    yield backend
    backend.cancel([job for job in backend.held if not backend.tracker.status(job).finished])


@pytest.fixture
def executor(held: Held, tmp_path: Path) -> Executor:
    cluster = Cluster("inline", backend=held, job_base_dir=tmp_path)
    held.tracker = cluster.tracker
    return Executor(cluster)


def test_a_future_whose_job_waits_is_cancelled_with_it_and_one_that_runs_is_not(held: Held, executor: Executor) -> None:
    waits, runs = executor.submit(abs, -1), executor.submit(abs, -2)
    held.start(runs.job.id)
    assert (waits.cancel(), waits.cancel(), waits.cancelled(), waits.done()) == (True, True, True, True)
    with pytest.raises(futures.CancelledError):
        waits.result(SECONDS)
    assert (runs.cancel(), runs.cancelled(), runs.running()) == (False, False, True)
    held.let_go(runs.job.id)
    assert (runs.result(SECONDS), runs.cancel()) == (2, False)
    assert futures.wait([waits, runs], SECONDS).not_done == set()


def test_a_shutdown_cancels_all_that_wait_with_one_order(held: Held, executor: Executor) -> None:
    waiting = [executor.submit(abs, -1) for _ in range(3)]
    ended = executor.submit(abs, -4)
    held.let_go(ended.job.id)
    assert ended.result(SECONDS) == 4
    executor.shutdown(cancel_futures=True)
    assert [one.cancelled() for one in (*waiting, ended)] == [True, True, True, False]
    assert [sorted(order) for order in held.orders] == [sorted(one.job.id for one in waiting)]


def test_a_map_gives_each_result_as_soon_as_it_is_there(held: Held, executor: Executor) -> None:
    results = executor.map(abs, [-1, -2, -3])
    held.let_go("1_0")
    assert next(results) == 1
    held.let_go("1_2", "1_1")
    assert list(results) == [2, 3]


def test_the_first_error_of_a_map_ends_it_and_cancels_what_has_not_started(held: Held, executor: Executor) -> None:
    results = executor.map(lambda number: 1 / number, [0, 1, 2])
    held.start("1_1")
    held.let_go("1_0")
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert held.orders == [["1_2"]]


def test_a_map_that_nobody_reads_on_is_cancelled(held: Held, executor: Executor) -> None:
    with executor:
        results = executor.map(abs, [-1, -2])
        held.let_go("1_0")
        assert next(results) == 1
        results.close()  # type: ignore[attr-defined]
    assert held.orders == [["1_1"]]


def test_the_time_of_a_map_begins_with_the_call(held: Held, executor: Executor) -> None:
    results = executor.map(abs, [-1], timeout=0.01)
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
        threading.Event().wait(0.001)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        next(results)
    assert time.monotonic() - began < 5


def test_nothing_is_mapped_after_the_shutdown(executor: Executor) -> None:
    executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.map(abs, [-1])


@task
def _with_job(number: int, job: JobContext) -> tuple[int, str | None]:
    return number, job.job_id


async def _coroutine(number: int) -> int:
    return number


def test_a_chunk_of_calls_is_one_job(held: Held, executor: Executor) -> None:
    results = executor.map(lambda left, right: left * 10 + right, range(5), range(1, 6), chunksize=2)
    assert list(held.held) == ["1_0", "1_1", "1_2"]
    held.let_go(*held.held)
    assert list(results) == [1, 12, 23, 34, 45]
    for function in (_coroutine, task(lambda number: number), task(_coroutine, retries=1)):
        results = executor.map(function, [1, 2, 3], chunksize=3)
        held.let_go(*held.held)
        assert list(results) == [1, 2, 3]
    with pytest.raises(ValueError, match="chunksize=0"):
        executor.map(abs, [-1], chunksize=0)


def test_calls_that_are_cached_or_want_their_job_are_not_put_together(held: Held, executor: Executor) -> None:
    results = executor.map(_with_job, [1, 2], chunksize=2)
    held.let_go(*held.held)
    assert list(results) == [(1, "1_0"), (2, "1_1")]
    assert list(executor.map(task(cache=True)(abs), [], chunksize=2)) == []
    results = executor.map(task(lambda number: number, cache=True), [1, 2], chunksize=2)
    assert list(held.held) == ["2_0", "2_1"]
    held.let_go(*held.held)
    assert list(results) == [1, 2]


@pytest.mark.parametrize("word", ["max_workers", "initializer", "mp_context", "thread_name_prefix"])
def test_what_other_executors_take_is_refused_with_what_there_is_instead(word: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=f"Executor: {word} means nothing on a cluster: "):
        Executor(Cluster("inline", job_base_dir=tmp_path), **{word: 4})
    Executor(Cluster("inline", job_base_dir=tmp_path), **{word: None})
