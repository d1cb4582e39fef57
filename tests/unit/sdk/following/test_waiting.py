"""Whatever way a program waits for jobs: it hears when the cluster stays away, and who has stopped waiting is forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from slurm import Cluster, Executor, Job, as_completed, progress, task
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.errors import BackendError
from slurm.sdk.following.status import Status

SECONDS = 30.0


class Leaving(InlineBackend):
    """Jobs that run for ever, on a cluster that is gone once it was told to go."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = threading.Event()
        self._ids = count(1)

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        name = str(next(self._ids))
        self._status[name] = Status("RUNNING")
        return name

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        assert self.gone.wait(SECONDS)
        raise BackendError("it is gone")


@pytest.fixture
def backend() -> Iterator[Leaving]:
    found = Leaving()
    yield found
    found.gone.set()


@pytest.fixture
def cluster(backend: Leaving, tmp_path: Path) -> Cluster:
    return Cluster("inline", backend=backend, job_base_dir=tmp_path, patience=0.01)


def _started(cluster: Cluster) -> Job[int]:
    with cluster:
        return task(abs)(-1)


async def _awaited(job: Job[int]) -> int:
    return await job


def _future(job: Job[int], leave: Callable[[], None]) -> None:
    future = Executor(job.cluster).submit(abs, -1)  # type: ignore[arg-type]
    leave()
    future.result(SECONDS)


@pytest.mark.parametrize("wait", [
    lambda job, leave: (leave(), asyncio.run(_awaited(job))), lambda job, leave: (leave(), next(as_completed([job], SECONDS))),
    lambda job, leave: (leave(), next(progress([job], SECONDS))), lambda job, leave: (leave(), job.result(SECONDS)), _future,
], ids=["await", "as_completed", "progress", "result", "executor"])
def test_who_waits_is_told_that_the_cluster_stays_away_however_he_waits(wait: Callable[..., Any], cluster: Cluster, backend: Leaving) -> None:
    with pytest.raises(BackendError, match="the cluster has not answered for 0 s: it is gone. Jobs go on without it"):
        wait(_started(cluster), backend.gone.set)


def test_nothing_is_kept_of_those_who_have_stopped_waiting(cluster: Cluster) -> None:
    job = _started(cluster)

    async def impatient() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(job, 0.001)

    asyncio.run(impatient())
    for waiting in (as_completed, progress):
        with pytest.raises(TimeoutError):
            next(waiting([job], 0.001))
    assert cluster.tracker._waiting == {}
