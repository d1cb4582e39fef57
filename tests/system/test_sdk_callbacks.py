"""Callbacks and progress on an embedded cluster: told by its events here and by the jobs there."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slurm import BaseCallback, BenchmarkCallback, Cluster, JobCancelled, LoggerCallback, WorkflowContext, progress, task, workflow
from tests.system.harness import Cluster as Daemons

SECONDS = 60.0


class Recorder(BaseCallback):
    """Writes what it is told to a file, with the process that was told."""

    def __init__(self, log: Path) -> None:
        self.log = str(log)

    def told(self, text: str) -> None:
        with open(self.log, "a") as file:
            file.write(f"{'here' if os.environ.get('SLURM_JOB_ID') is None else 'there'} {text}\n")

    def lines(self) -> list[str]:
        return Path(self.log).read_text().splitlines()

    def on_end_submit_job_ctx(self, ctx: Any) -> None:
        self.told(f"submitted {ctx.job.name}")

    def on_job_status_update_ctx(self, ctx: Any) -> None:
        self.told(f"{ctx.job.name} {ctx.status['JobState']} after {ctx.previous_state}")

    def on_begin_run_job_ctx(self, ctx: Any) -> None:
        self.told(f"begins {ctx.function} rank {ctx.job_context.rank}")

    def on_end_run_job_ctx(self, ctx: Any) -> None:
        self.told(f"ends {ctx.status} {Path(ctx.stderr_path).exists()}")

    def on_completed_ctx(self, ctx: Any) -> None:
        self.told(f"completed {ctx.emitted_by.value} {ctx.job_state}")

    def on_workflow_task_submitted_ctx(self, ctx: Any) -> None:
        self.told(f"{ctx.parent_workflow_name} has submitted {ctx.child_task_name}")


@task
def double(number: int) -> int:
    return number * 2


@task
def asleep(seconds: float) -> None:
    time.sleep(seconds)


@workflow
def both(ctx: WorkflowContext, number: int) -> int:
    return double(number).result(SECONDS) + sum(double.map([1, 2]).results(SECONDS))


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Two nodes, as the cluster that this process finds."""
    found = Daemons(tmp_path_factory.mktemp("callbacks") / "c", "--nodes", "2", "--cpus", "16", "--memory", "16G")
    found.up()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SLURM", "SBATCH"))]:
            patch.delenv(name)
        for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PATH", "PYTHONPATH"):
            patch.setenv(name, found.environment[name])
        yield found
    found.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """One whose file lies where jobs and this process see it."""
    return Recorder(tmp_path / "log")


def cluster(tmp_path: Path, *callbacks: BaseCallback, kind: str = "local") -> Cluster:
    """The cluster with these callbacks."""
    return Cluster(kind, job_base_dir=tmp_path / "jobs", mem="100M", time="5", callbacks=callbacks)


@pytest.mark.parametrize("kind", ["local", "commands"])
def test_a_job_is_told_here_by_events_and_there_by_itself(daemons: Daemons, tmp_path: Path, recorder: Recorder, kind: str) -> None:
    with cluster(tmp_path, recorder, kind=kind) as found:
        assert double(4).result(SECONDS) == 8
        assert "here completed client COMPLETED" in recorder.lines()  # before the result was given out
        found.close()
    # A result is seen as soon as it lies there, which may be before its job has told of it.
    daemons.until(lambda: "there completed runner COMPLETED" in recorder.lines(), why="the job told nothing of its end")
    told = recorder.lines()
    assert [line for line in told if line.startswith("there")] == [
        "there begins double rank 0", "there ends success True", "there completed runner COMPLETED"]
    here = [line for line in told if line.startswith("here")]
    assert here[0] == "here submitted double"
    assert [line for line in here if "COMPLETED" in line] == [here[-2], here[-1]]
    assert here[-2].startswith("here double COMPLETED after ")


def test_of_several_tasks_each_begins_and_the_job_completes_once(daemons: Daemons, tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder) as found:
        assert double.with_options(ntasks=3)(1).result(SECONDS) == 2
        found.close()
    counted = Counter(recorder.lines())
    assert all(counted[f"there begins double rank {rank}"] == 1 for rank in range(3))
    assert counted["there ends success True"] == 3
    assert counted["there completed runner COMPLETED"] == counted["here completed client COMPLETED"] == 1


def test_a_job_that_was_cancelled_is_told_only_here(daemons: Daemons, tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder) as found:
        job = asleep(600)
        deadline = time.monotonic() + SECONDS
        while "there begins asleep rank 0" not in recorder.lines():
            assert time.monotonic() < deadline, recorder.lines()
            time.sleep(0.05)
        job.cancel()
        with pytest.raises(JobCancelled):
            job.result(SECONDS)
        found.close()
    told = recorder.lines()
    assert told[-1] == "here completed client CANCELLED"
    assert not [line for line in told if line.startswith("there completed")]


def test_a_workflow_reports_its_children_from_its_own_job(daemons: Daemons, tmp_path: Path, recorder: Recorder) -> None:
    measured = BenchmarkCallback()
    with cluster(tmp_path, recorder, measured, LoggerCallback()) as found:
        job = both(5)
        assert job.result(SECONDS) == 16
        found.close()
    counted = Counter(recorder.lines())
    assert counted["there both has submitted double"] == 2
    assert counted["there completed client COMPLETED"] == 3 and counted["here completed client COMPLETED"] == 1
    assert counted["there begins double rank 0"] == 3
    metrics = measured.get_workflow_metrics(job.id)
    assert metrics is not None and (metrics["name"], metrics["child_count"], metrics["completed_count"]) == ("both", 3, 3)
    assert f"workflow {job.id} (both) has submitted double as" in job.stderr()


def test_a_large_array_is_told_element_by_element_and_shown_as_one_bar(
        daemons: Daemons, tmp_path: Path, recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path, recorder) as found:
        array = double.map(range(30))
        assert {job.result() for job in progress(array, SECONDS)} == set(range(0, 60, 2))
        assert array.wait(SECONDS)
        found.close()
    assert Counter(recorder.lines())["here completed client COMPLETED"] == 30
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"double {array.id}: 30/30 ended (30 completed), ")
