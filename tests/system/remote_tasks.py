"""Tasks that tests run on the other side of an ssh connection, where only Python itself is installed."""

from __future__ import annotations

import os
import time

from slurm.sdk.decorators import task, workflow
from slurm.sdk.inside.runtime import JobContext

SECONDS = 60.0


@task
def add(a: float, b: float) -> float:
    """The sum."""
    return a + b


@task
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@task
def total(numbers: list[int]) -> int:
    """The sum of a list."""
    return sum(numbers)


@task
def train_model(config: object = None, dataset: str = "") -> dict[str, object]:
    """What a trained model is, for the samples of the concept page."""
    return {"model": dataset or config}


@task
def writes(name: str) -> str:
    """The folder in which it has written a file of that name."""
    with open(name, "w") as file:
        file.write(name)
    return os.getcwd()


@task
def same(value: object) -> object:
    """The value."""
    return value


@task
def fails(why: str) -> None:
    """Raises."""
    raise ValueError(why)


@task
def sleeps(seconds: float) -> float:
    """Takes a while."""
    time.sleep(seconds)
    return seconds


@task
def rank(job: JobContext) -> tuple[int | None, int | None]:
    """Which task of how many this is."""
    return job.rank, job.world_size


@task
def speaks() -> str:
    """Prints; the job's id."""
    print("said on the node")
    return os.environ["SLURM_JOB_ID"]


@workflow
def sums() -> float:
    """Submits two jobs, the second on the result of the first."""
    return add(double(2), 1).result(SECONDS)


@task(retries=1, open_mode="append")
def dies_once(mark: str) -> str:
    """Dies without a word the first time."""
    print("at work", flush=True)
    if not os.path.exists(mark):
        os.mkdir(mark)
        os._exit(7)
    return "done"


@task(cache=True, cache_ignore="log")
def measures(number: int, log: str) -> int:
    """Counts how often it is run."""
    with open(log, "a", encoding="utf-8") as file:
        file.write("x")
    return number * number
