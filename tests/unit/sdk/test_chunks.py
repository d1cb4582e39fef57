"""`task.map(items, chunksize=N)`: several calls in each element; and clusters that stay active, and tasks that end their interpreter."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from slurm import Cluster, JobContext, NoCluster, TaskFailed, task
from slurm.sdk import context


@task
def power(base: int, exponent: int = 2) -> int:
    return base ** exponent


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def placed(number: int, job: JobContext) -> int:
    return number


@task
def crashes() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def test_results_of_chunks_are_those_of_the_items_in_their_order(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        array = power.map([1, (2, 3), {"base": 3}, 4, 5], chunksize=2)
        assert (len(array), array.results(), array[0].result(), array[2].result()) == (3, [1, 8, 9, 16, 25], [1, 8], [25])
        assert total(array).result() == 59  # handed on, it is the list of all


def test_calls_that_cannot_share_a_job_get_one_each(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        array = placed.map([1, 2, 3], chunksize=3)
        assert (len(array), array.results()) == (3, [1, 2, 3])
        assert power.with_options(cache=True).map([1, 2], chunksize=2).results() == [1, 4]


def test_what_does_not_fit_is_said_before_anything_is_submitted(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        with pytest.raises(TypeError, match=r"item 1 of power.map\(\): too many positional"):
            power.map([1, (1, 2, 3)], chunksize=2)
        with pytest.raises(ValueError, match="chunksize=0: at least one call"):
            power.map([1], chunksize=0)
    assert not list(tmp_path.iterdir())


def test_a_cluster_that_was_activated_is_the_active_one_where_no_block_has_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_staying", None)
    with pytest.raises(NoCluster):
        power(2)
    first = Cluster("inline", job_base_dir=tmp_path / "first").activate()
    assert power(2).cluster is first
    with Cluster("inline", job_base_dir=tmp_path / "other") as other:
        assert power(2).cluster is other
    assert power(2).cluster is first
    second = Cluster("inline", job_base_dir=tmp_path / "second").activate()
    assert power(2).cluster is second


def test_a_task_that_ends_its_interpreter_names_the_line(tmp_path: Path) -> None:
    with Cluster("subprocess", job_base_dir=tmp_path) as cluster:
        with pytest.raises(TaskFailed, match=r"Segmentation fault[\s\S]*test_chunks.py\", line \d+ in crashes"):
            crashes().result(60)
        cluster.close()
