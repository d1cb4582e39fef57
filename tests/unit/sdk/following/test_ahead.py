"""Results that are read one by one, by futures and by `await array`, are fetched together from a distant cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from slurm import Cluster, Executor, task
from slurm.sdk.backends.backend import SAY_SECONDS
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.executor import FETCHED_TOGETHER, Ahead
from slurm.sdk.following.status import Status


@task
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is too small")
    return 2 * number


class Far(InlineBackend):
    """Writes down what is fetched, and what is read that had not been fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[Sequence[str]] = []
        self.alone: list[str] = []
        self._there: set[str] = set()

    def prefetch(self, paths: Sequence[str]) -> None:
        self.fetched.append(paths)
        self._there = set(paths)

    def read(self, path: str) -> BinaryIO:
        if path in self._there:
            self._there.discard(path)
        else:
            self.alone.append(path)
        return super().read(path)

    def unpack(self, archive: bytes, folder: str) -> None:
        """Nothing is brought: it runs here."""

    def say(self, command: str, seconds: float = SAY_SECONDS) -> str:
        return ""


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def cluster(far: Far, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster("inline", backend=far, job_base_dir=tmp_path, default_packaging="none") as found:
        yield found


def test_an_awaited_array_fetches_its_results_together(cluster: Cluster, far: Far) -> None:
    async def all_of_them() -> list[int]:
        return await double.map(range(12))

    assert asyncio.run(all_of_them()) == [2 * number for number in range(12)]
    assert [len(paths) for paths in far.fetched] == [12] and not far.alone


def test_an_awaited_array_raises_what_an_element_raised(cluster: Cluster) -> None:
    async def all_of_them() -> list[int]:
        return await double.map([1, -1, 2])

    with pytest.raises(ValueError, match="-1 is too small"):
        asyncio.run(all_of_them())


def test_futures_of_jobs_that_ended_together_fetch_their_results_together(cluster: Cluster, far: Far) -> None:
    jobs = double.map(range(FETCHED_TOGETHER + 12))
    for job in jobs:
        cluster.tracker.settle(job.id, Status("COMPLETED", "0:0"))
    ahead, left = Ahead(cluster), list(jobs)
    while left:
        job = left.pop(0)
        ahead.reading(job, lambda: left)
        job.result(0)
    assert [len(paths) for paths in far.fetched] == [FETCHED_TOGETHER, 12] and not far.alone


def test_an_executor_gives_results_and_errors_as_before(cluster: Cluster, far: Far) -> None:
    with Executor(cluster) as executor:
        assert list(executor.map(double, range(5))) == [0, 2, 4, 6, 8]
        assert isinstance(executor.submit(double, -3).exception(), ValueError)
