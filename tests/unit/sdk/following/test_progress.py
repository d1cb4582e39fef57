"""Progress: what is shown while somebody waits, and that nothing is unless he asks."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from slurm import Cluster, NotFinished, WorkflowContext, progress, task, workflow
from slurm.sdk.following.display import Bars, Count

SECONDS = 20.0


@task
def double(number: int) -> int:
    return number * 2


@task
def asleep(seconds: float) -> None:
    __import__("time").sleep(seconds)


@workflow
def both(ctx: WorkflowContext, number: int) -> int:
    return double(number).result() + sum(double.map([1, 2]).results())


def cluster(tmp_path: Path, kind: str = "inline") -> Cluster:
    return Cluster(kind, job_base_dir=tmp_path / "jobs")


def test_an_array_says_at_its_end_how_many_ended_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path):
        array = task(lambda number: 1 // number, job_name="parts").map([1, 0, 1])
        assert not array.wait(SECONDS, progress=True)
    assert capsys.readouterr().err == f"parts {array.id}: 3/3 ended (2 completed, 1 failed)\n"


def test_without_being_asked_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path):
        assert double.map([1, 2]).results(SECONDS) == [2, 4]
        assert both(1).result(SECONDS) == 8
    assert capsys.readouterr() == ("", "")


def test_jobs_come_as_they_end_a_line_for_each_name_and_array(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path):
        jobs = [double(1), asleep(0), double.map([2, 3]), double(4)]
        assert sorted(job.result() or 0 for job in progress(jobs, SECONDS)) == [0, 2, 4, 6, 8]
    assert capsys.readouterr().err.splitlines() == [f"double {jobs[2].id}: 2/2 ended (2 completed)", "double: 2/2 ended (2 completed)",
                                                    f"asleep {jobs[1].id}: 1/1 ended (1 completed)"]


def test_a_workflow_shows_the_tasks_it_has_submitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path, "subprocess") as found:
        job = both(1)
        assert job.result(SECONDS, progress=True) == 8
        found.close()
    shown = capsys.readouterr().err.splitlines()  # a line is said again when it has changed, so that either may be the last one
    assert [one for one in shown if one.startswith("both")][-1].startswith(f"both {job.id}: 1/1 ended (1 completed)")
    assert [one for one in shown if one.startswith("  ")][-1].startswith("  double: 3/3 ended (3 completed)")


def test_the_time_that_waiting_may_take_counts_for_showing_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path, "subprocess") as found:
        job = asleep(600)
        with pytest.raises(NotFinished, match=r"within timeout=0.5 s: it is RUNNING"):
            job.result(0.5, progress=True)
        with pytest.raises(NotFinished, match="1 of 1 jobs did not end within timeout=0.5 s"):
            list(progress([job], 0.5))
        found.close()
    assert capsys.readouterr().err == f"asleep {job.id}: 0/1 ended (1 running)\n" * 2


def test_what_is_no_job_is_refused() -> None:
    with pytest.raises(TypeError, match="takes jobs and arrays of jobs, not int"):
        next(progress([1]))  # type: ignore[list-item]


def test_a_narrow_terminal_gets_the_short_words_of_squeue_on_one_line() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=80))
    bars.start()
    bars.show([Count("train-resnet 12345", Counter({"COMPLETED": 2500, "FAILED": 84, "RUNNING": 16, "PENDING": 7400}), 10_000)])
    bars.stop()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert re.search(r"train-resnet 12345 ━.* 2584/10000 16 R 7400 PD 2500 CD 84 F [-:0-9]+ *$", text, re.MULTILINE)


def test_a_terminal_gets_bars_with_counts_by_state() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=120))
    bars.start()
    bars.show([Count("parts 12", Counter({"COMPLETED": 3, "FAILED": 1, "RUNNING": 2, "PENDING": 4}), 10)])
    bars.stop()
    said = out.getvalue()
    assert "parts 12" in said and "4/10" in said and "━" in said
    assert [said.index(word) for word in ("2 running", "4 pending", "3 completed", "1 failed")] == sorted(
        said.index(word) for word in ("2 running", "4 pending", "3 completed", "1 failed"))
