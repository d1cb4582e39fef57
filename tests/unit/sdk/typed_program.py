"""A user's program for type checkers, which `make check` runs over it: `assert_type` says what is to be known, and an ignore that is not needed is an error.

The types of the published SDK's import paths come with an installed slurm-py (`hatch_build.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, assert_type

from slurm import ArrayJob, Cluster, InvalidOption, Job, JobContext, task
from slurm.decorators import workflow
from slurm.workflow import WorkflowContext


@task
def length(text: str) -> int:
    return len(text)


@task(time=timedelta(minutes=5), mem="1G", cpus_per_task=2, exclusive=True, packaging="none")
def train(lr: float, seed: int = 0) -> tuple[float, int]:
    return lr, seed


@task(ntasks=1)
def where(job: JobContext) -> str | None:
    return job.job_id


@task(ntasks=1)
def rank(job: JobContext, offset: int) -> int:
    return offset + (job.rank or 0)


@task(ntasks=1)
async def later(number: int) -> int:
    return number


@workflow(time="01:00:00")
def flow(ctx: WorkflowContext, count: int) -> list[int]:
    return length.map(["x" * number for number in range(count)]).results()


@workflow(time="01:00:00")
def summed(numbers: list[int], scale: int, ctx: WorkflowContext) -> int:
    assert ctx.workflow_job_id is not None
    return scale * sum(later.map(numbers).results())


@workflow
async def longest(words: list[str], ctx: WorkflowContext) -> str:
    return max(words, key=len)


@task
def placed(name: str, job: JobContext) -> str:
    return f"{name} of {job.job_id}"


@task(ntasks=1)
def anything(number: int, value: object) -> int:
    return number


def contexts_at_the_end() -> None:
    """A context may be the last parameter too, and is left out of the call."""
    assert_type(summed([1, 2], 10).result(), int)
    assert_type(summed(numbers=[1, 2], scale=10).result(), int)
    assert_type(longest(["a", "bb"]).result(), str)
    assert_type(placed("one").result(), str)
    assert_type(placed.map(["one"]).results(), list[str])
    assert_type(anything(1, "x").result(), int)
    assert_type(length.__name__, str)


def known(cluster: Cluster) -> None:
    """What is known of results, however they were asked for."""
    job = length("abc")
    assert_type(job, Job[int])
    assert_type(job.result(), int)
    assert_type(job.get_result(timeout=5), int)
    assert_type(length.after(job).with_options(mem="2G", time="00:01:00")("b").result(), int)
    sweep = train.map([0.1, {"lr": 0.2, "seed": 1}], max_concurrent=2)
    assert_type(sweep, ArrayJob[tuple[float, int]])
    assert_type(sweep.results(), list[tuple[float, int]])
    assert_type(sweep[0].result(), tuple[float, int])
    assert_type([one.result() for one in sweep.as_completed()], list[tuple[float, int]])
    assert_type(cluster.submit(length, time="00:01:00")("x").result(), int)
    assert_type(flow(2).result(), list[int])
    assert_type(later(2).result(), int)
    assert_type(where().result(), str | None)
    assert_type(rank(3).result(), int)
    assert_type(rank.map([1, 2]).results(), list[int])
    assert_type(length.unwrapped("x"), int)
    assert_type(cluster.get_job("1"), Job[Any])


def promised() -> None:
    """Jobs stand where values will."""
    first = length("abc")
    assert_type(train(first).result(), tuple[float, int])
    assert_type(train(0.1, first).result(), tuple[float, int])
    assert_type(train(lr=first, seed=first).result(), tuple[float, int])


def refused() -> None:
    """What is wrong, and is seen before it runs."""
    wrongs: tuple[Callable[[], object], ...] = (
        lambda: length(1, 2),  # type: ignore[call-overload]
        lambda: rank(3, 4, 5),  # type: ignore[call-overload]
        lambda: train(0.1, sed=1),  # type: ignore[call-overload]
        lambda: length.with_options(memm="1G"),  # type: ignore[call-arg]
        lambda: task(timee="1")(length.unwrapped),  # type: ignore[call-overload]
        lambda: length.map(["a"], max_concurrent="2"),  # type: ignore[arg-type]
    )
    for wrong in wrongs:
        try:
            wrong()
        except (TypeError, InvalidOption):
            continue
        raise AssertionError("this is not refused")
