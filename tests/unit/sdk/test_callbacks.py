"""Callbacks on the inline backend: who is told what, when and where, and what a callback that misbehaves may not do."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from slurm import BaseCallback, Cluster, JobCancelled, LoggerCallback, SubmissionError, WorkflowContext, task, workflow
from slurm.callbacks import BenchmarkCallback, CompletedContext, DebugCallback, ExecutionLocus, JobStatusUpdatedContext
from slurm.examples.workflow_graph_visualization import WorkflowGraphCallback
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import HOOKS
from slurm.sdk.callbacks.client import Client
from slurm.sdk.callbacks.inside import Inside
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.tasks import SlurmTask

SECONDS = 20.0


class Recorder(BaseCallback):
    """Writes a line for each hook; the file is the same in the job and here."""

    def __init__(self, log: Path) -> None:
        self.log = str(log)

    def told(self, hook: str, text: object = "") -> None:
        with open(self.log, "a") as file:
            file.write(f"{hook} {text}\n")

    def lines(self) -> list[str]:
        return Path(self.log).read_text().splitlines() if Path(self.log).exists() else []

    def on_begin_package_ctx(self, ctx: Any) -> None:
        self.told("begin_package", ctx.packaging_config["type"])

    def on_end_package_ctx(self, ctx: Any) -> None:
        self.told("end_package", ctx.duration >= 0)

    def on_begin_submit_job_ctx(self, ctx: Any) -> None:
        self.told("begin_submit", f"{ctx.task} {ctx.backend_type} {ctx.sbatch_options['mem']} {Path(ctx.target_job_dir).exists()}")

    def on_end_submit_job_ctx(self, ctx: Any) -> None:
        self.told("end_submit", f"{type(ctx.job).__name__} {ctx.job.id == ctx.job_id} {Path(ctx.target_job_dir).exists()}")

    def on_job_status_update_ctx(self, ctx: Any) -> None:
        self.told("status", f"{ctx.previous_state} {ctx.status['JobState']} {ctx.is_terminal}")

    def on_begin_run_job_ctx(self, ctx: Any) -> None:
        self.told("begin_run", f"{ctx.function} {Path(ctx.args_file).exists()} {ctx.job_context.job_id == ctx.job_id}")

    def on_end_run_job_ctx(self, ctx: Any) -> None:
        self.told("end_run", f"{ctx.status} {ctx.error_type} {Path(ctx.output_file).exists()} {ctx.stderr_path.endswith('.err')}")

    def on_completed_ctx(self, ctx: Any) -> None:
        self.told("completed", f"{ctx.emitted_by.value} {ctx.job_state} {ctx.exit_code} {ctx.error_type}: {ctx.error_message}")

    def on_workflow_begin_ctx(self, ctx: Any) -> None:
        self.told("workflow_begin", f"{ctx.workflow_name} {ctx.workflow_context is not None}")

    def on_workflow_end_ctx(self, ctx: Any) -> None:
        self.told("workflow_end", f"{ctx.result} {ctx.exception!r}")

    def on_workflow_task_submitted_ctx(self, ctx: Any) -> None:
        self.told("child", f"{ctx.parent_workflow_name} {ctx.child_task_name} {ctx.child_is_workflow}")


@task
def double(number: int) -> int:
    return number * 2


@task
def fail(text: str) -> None:
    raise KeyError(text)


@workflow
def both(ctx: WorkflowContext, number: int) -> int:
    return double(number).result() + sum(double.map([1, 2]).results())


def cluster(tmp_path: Path, *callbacks: BaseCallback) -> Cluster:
    return Cluster("inline", job_base_dir=tmp_path / "jobs", mem="100M", callbacks=callbacks)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    yield Recorder(tmp_path / "log")


def test_a_job_is_told_from_packaging_to_its_end(tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder):
        assert double(4).result(SECONDS) == 8
    lines = recorder.lines()
    assert lines[:4] == ["begin_package auto", "end_package True", "begin_submit double inline 100M False", "begin_run double True True"]
    assert sorted(lines[4:]) == [
        "completed client COMPLETED 0:0 None: None", "completed runner COMPLETED 0:0 None: None", "end_run success None True True",
        "end_submit Job True True", "status None COMPLETED True"]


def test_a_failure_is_told_with_what_was_raised_on_both_sides(tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder), pytest.raises(KeyError):
        fail("this").result(SECONDS)
    lines = recorder.lines()
    assert "end_run failure KeyError False True" in lines
    assert "completed runner FAILED 1:0 KeyError: 'this'" in lines
    assert "completed client FAILED 1:0 KeyError: 'this'" in lines


def test_an_array_is_submitted_once_and_each_element_told(tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder):
        assert double.map([1, 2, 3]).results(SECONDS) == [2, 4, 6]
    lines = recorder.lines()
    assert lines.count("end_submit ArrayJob True True") == lines.count("begin_package auto") == 1
    assert lines.count("begin_run double True False") == 3  # job_id is 12_3, SLURM_JOB_ID that of the element
    assert lines.count("completed client COMPLETED 0:0 None: None") == lines.count("status None COMPLETED True") == 3


def test_the_children_of_a_workflow_report_to_the_callbacks_of_its_cluster(tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder):
        assert both(5).result(SECONDS) == 16
    lines = recorder.lines()
    assert lines.index("workflow_begin both True") < lines.index("begin_run both True True") < lines.index("child both double False")
    assert lines.count("child both double False") == 2
    assert lines.count("begin_run double True True") == 1 and lines.count("begin_run double True False") == 2
    assert lines.index("workflow_end 16 None") < lines.index("end_run success None True True", lines.index("workflow_end 16 None"))
    assert lines.count("completed client COMPLETED 0:0 None: None") == 4


def test_what_a_callback_raises_is_reported_and_harms_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(BaseCallback):
        """Raises wherever it can."""

        def on_begin_submit_job_ctx(self, ctx: Any) -> None:
            raise RuntimeError("of submission")

        def on_begin_run_job_ctx(self, ctx: Any) -> None:
            raise SystemExit("of the job")

        def on_completed_ctx(self, ctx: Any) -> None:
            raise ValueError(f"of the {ctx.emitted_by.value}")

    with cluster(tmp_path, Broken()):
        job = double(1)
        assert job.result(SECONDS) == 2
    here = capsys.readouterr().err
    assert "the callback test_what_a_callback_raises_is_reported_and_harms_nothing.<locals>.Broken raised in on_begin_submit_job_ctx" in here
    assert "RuntimeError: of submission" in here and "ValueError: of the client" in here
    assert "SystemExit: of the job" in job.stderr() and "ValueError: of the runner" in job.stderr()


def test_a_callback_that_cannot_be_pickled_is_said_and_stays_on_the_client(tmp_path: Path, recorder: Recorder) -> None:
    class Locked(Recorder):
        """Cannot travel."""

        def __init__(self, log: Path) -> None:
            super().__init__(log)
            self.lock = threading.Lock()

    with cluster(tmp_path, Locked(Path(recorder.log))), pytest.warns(RuntimeWarning, match=r"Locked stays on the client: .*requires_pickling = False"):
        assert double(1).result(SECONDS) == 2
    assert not [line for line in recorder.lines() if "run" in line]
    assert "completed client COMPLETED 0:0 None: None" in recorder.lines()


def test_a_callback_that_cannot_be_loaded_in_the_job_is_said_there_and_the_others_are_called(tmp_path: Path, recorder: Recorder) -> None:
    class Unloadable(BaseCallback):
        """Its class is made of what the job lacks."""

        def on_begin_run_job_ctx(self, ctx: Any) -> None:
            """Something to travel for."""

        def __reduce__(self) -> Any:
            return int, ("no number",)

    with cluster(tmp_path, Unloadable(), recorder):
        job = double(1)
        assert job.result(SECONDS) == 2
    assert "Unloadable cannot be loaded in this job, which goes on without it: ValueError" in job.stderr()
    assert "begin_run double True True" in recorder.lines()


def test_a_spoilt_file_of_callbacks_does_not_stop_the_job(tmp_path: Path, recorder: Recorder) -> None:
    class Spoiler(Recorder):
        """Breaks the file once it is written: the last moment on the client before the job begins."""

    with cluster(tmp_path, Spoiler(Path(recorder.log))) as found:
        write = found.backend.write

        def spoilt(path: str, data: bytes, mode: int = 0o600) -> None:
            write(path, data[:20] if path.endswith("_callbacks.pkl") else data, mode)

        found.backend.write = spoilt  # type: ignore[method-assign]
        job = double(1)
        assert job.result(SECONDS) == 2
    assert "_callbacks.pkl cannot be loaded, the job goes on without them" in job.stderr()


def test_jobs_without_callbacks_of_their_own_get_no_file(tmp_path: Path) -> None:
    class Client(BaseCallback):
        """Overrides nothing that is called in jobs."""

        def on_end_submit_job_ctx(self, ctx: Any) -> None:
            """Nothing to do."""

    with cluster(tmp_path, Client()):
        job = double(1)
        assert job.result(SECONDS) == 2
    assert not list(Path(job.target_job_dir).glob("*callbacks*"))


def test_a_callback_that_keeps_jobs_still_travels(tmp_path: Path, recorder: Recorder) -> None:
    class Keeping(Recorder):
        """Keeps what it was told of."""

        def __init__(self, log: Path) -> None:
            super().__init__(log)
            self.jobs: list[Any] = []

        def on_end_submit_job_ctx(self, ctx: Any) -> None:
            self.jobs.append(ctx.job)

        def on_begin_run_job_ctx(self, ctx: Any) -> None:
            self.told("kept", [job.id for job in self.jobs])

    keeping = Keeping(Path(recorder.log))
    with cluster(tmp_path, keeping):
        first, second = double(1), double(2)
        assert second.result(SECONDS) == 4
    assert keeping.jobs == [first, second]
    assert f"kept ['{first.id}']" in recorder.lines()


def test_a_hook_runs_where_its_class_says(tmp_path: Path, recorder: Recorder) -> None:
    class Elsewhere(Recorder):
        """The end only on the client, the workflow's beginning too."""

        execution_loci: ClassVar = {"on_completed_ctx": "client", "on_workflow_begin_ctx": ExecutionLocus.CLIENT}

    with cluster(tmp_path, Elsewhere(Path(recorder.log))):
        assert both(1).result(SECONDS) == 8
    lines = recorder.lines()
    assert not [line for line in lines if line.startswith("completed runner")]
    assert lines.count("workflow_begin both False") == 1


def test_every_hook_has_a_place_and_bad_intervals_are_none() -> None:
    callback = BaseCallback()
    assert {hook: callback.get_execution_locus(hook) for hook in HOOKS} == HOOKS
    assert callback.should_run_on_client("on_completed_ctx") and callback.should_run_on_runner("on_completed_ctx")
    assert callback.requires_runner_transport() and not base.travels(callback, False)
    assert (callback.get_poll_interval(), LoggerCallback().get_poll_interval(), LoggerCallback(poll_interval=-1).get_poll_interval()) == (None, 2.0, None)


@pytest.mark.parametrize(("given", "said"), [
    ([LoggerCallback], r"the class LoggerCallback: give an instance, LoggerCallback\(\)"), (LoggerCallback(), "give a list"), ([print], "no BaseCallback")])
def test_what_is_no_callback_is_refused_when_the_cluster_is_made(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Cluster("inline", callbacks=given)


def test_callbacks_may_be_added_later_and_to_a_backend_of_ones_own(tmp_path: Path, recorder: Recorder) -> None:
    with Cluster.from_backend(InlineBackend(), job_base_dir=tmp_path / "jobs", mem="100M") as found:
        assert double(1).result(SECONDS) == 2
        found.callbacks.append(recorder)
        assert double(1).result(SECONDS) == 2
    assert recorder.lines().count("completed client COMPLETED 0:0 None: None") == 1


def test_a_refused_submission_ends_what_was_begun(tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder) as found:
        def refused(*words: object, **more: object) -> str:
            raise SubmissionError("full")

        found.backend.submit = refused  # type: ignore[method-assign,assignment]
        with pytest.raises(SubmissionError, match="full"):
            double(1)
    assert [line.split()[0] for line in recorder.lines()] == ["begin_package", "end_package", "begin_submit"]


def test_callbacks_may_wait_for_other_jobs_and_who_waits_sees_what_they_did(tmp_path: Path) -> None:
    class Following(BaseCallback):
        """Starts another job at the end of the first, and waits for it."""

        def __init__(self) -> None:
            self.found: list[int] = []
            self.other: Any = None

        def on_completed_ctx(self, ctx: Any) -> None:
            if ctx.job is not None and ctx.job is not self.other:
                self.found.append(self.other.result(SECONDS))

    following = Following()
    with cluster(tmp_path, following):
        following.other = double(21)
        assert double(1).result(SECONDS) == 2
    assert following.found == [42]


def test_the_logger_tells_of_jobs_by_themselves_and_of_arrays_by_tenths(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "slurm")
    with cluster(tmp_path, LoggerCallback()):
        job, bad = double(1), fail("x")
        assert job.result(SECONDS) == 2
        with pytest.raises(KeyError):
            bad.result(SECONDS)
        array = SlurmTask(lambda number: 1 // number).map([0, *range(1, 40)])
        assert len(array.exceptions(SECONDS)) == 1
    said = caplog.text
    assert f"job {job.id} (double): COMPLETED" in said
    assert f"job {bad.id} (fail): FAILED, exit code 1:0, KeyError: 'x'" in said
    assert f"job {array.id}_0" in said and "ZeroDivisionError" in said
    ends = [record.getMessage() for record in caplog.records if "have ended" in record.getMessage()]
    assert len(ends) == 10 and ends[-1].endswith("40 of 40 have ended, 1 of them badly")


def test_workflows_are_measured_and_drawn_and_the_client_knows(tmp_path: Path) -> None:
    measured, drawn = BenchmarkCallback(), WorkflowGraphCallback()
    with cluster(tmp_path, measured, drawn):
        job = both(1)
        assert job.result(SECONDS) == 8
    metrics = measured.get_workflow_metrics(job.id)
    assert metrics is not None and measured.get_all_workflow_metrics() == {job.id: metrics}
    assert (metrics["name"], metrics["child_count"], metrics["completed_count"]) == ("both", 3, 3)
    assert metrics["min_submission_interval_ms"] == metrics["orchestration_overhead_ms"] > 0
    assert 0 <= metrics["child_min_duration"] <= metrics["child_avg_duration"] <= metrics["child_max_duration"] <= metrics["duration_seconds"]
    single, array = drawn.submission_order[1:]
    assert drawn.get_workflow_roots() == [job.id]
    assert drawn.graph[job.id]["children"] == [{"job_id": one, "name": "double", "is_workflow": False} for one in (single, array)]
    assert drawn.graph[array] == {"name": "double", "type": "task", "children": [], "parent": job.id}
    assert f'"{job.id}" -> "{array}";' in drawn.export_dot()
    assert f'"{single}"' in drawn.export_json()


def test_a_workflow_that_fails_still_says_what_it_did(tmp_path: Path) -> None:
    @workflow
    def broken() -> None:
        double(1).result()
        raise ValueError("half way")

    measured = BenchmarkCallback()
    with cluster(tmp_path, measured):
        job = broken()
        with pytest.raises(ValueError, match="half way"):
            job.result(SECONDS)
    metrics = measured.get_workflow_metrics(job.id)
    assert metrics is not None and metrics["completed_count"] == 1


def test_each_task_on_a_node_listens_for_a_debugger_at_a_port_of_its_own(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Any] = []
    debugger: Any = ModuleType("debugpy")
    debugger.listen, debugger.wait_for_client = told.append, lambda: told.append("waits")
    monkeypatch.setitem(sys.modules, "debugpy", debugger)
    files = JobFiles(str(tmp_path), "k")
    Path(files.callbacks).write_bytes(base.pack([DebugCallback(port=7000, host="127.0.0.1")], False))
    for rank in ("0", "1"):
        Inside(files, {"SLURM_JOB_ID": "5", "SLURM_LOCALID": rank, "SLURM_PROCID": rank}).begin(len)
    monkeypatch.setenv("DEBUGPY_PORT", "7100")
    monkeypatch.setenv("DEBUGPY_WAIT", "1")
    Inside(files, {"SLURM_JOB_ID": "5"}).begin(len)
    assert told == [("127.0.0.1", 7000), ("127.0.0.1", 7001), ("127.0.0.1", 7100), "waits"]
    assert re.search(r"job 5 listens for a debugger at \S+:7100, and waits for one", capsys.readouterr().err)


def test_without_a_debugger_the_job_says_so(tmp_path: Path) -> None:
    with cluster(tmp_path, DebugCallback(log_connection_info=False)):
        job = double(1)
        assert job.result(SECONDS) == 2
    assert "has no debugpy, the job goes on without" in job.stderr()
    with pytest.raises(ValueError, match="ports are 1 to 65535"):
        DebugCallback(port=0)


def test_a_repeated_call_comes_no_sooner_than_the_interval(tmp_path: Path) -> None:
    times: list[float] = []
    enough = threading.Event()

    class Beat(BaseCallback):
        """Counts the calls while a job runs."""

        poll_interval_secs = 0.2

        def on_job_status_update_ctx(self, ctx: JobStatusUpdatedContext) -> None:
            if ctx.status["JobState"] == ctx.previous_state == "RUNNING":
                times.append(ctx.timestamp)
                if len(times) == 3:
                    enough.set()

    with Cluster("subprocess", job_base_dir=tmp_path / "jobs", callbacks=[Beat()]) as found:
        job = task(lambda: __import__("time").sleep(600))()
        assert enough.wait(SECONDS)
        job.cancel()
        with pytest.raises(JobCancelled):
            job.result(SECONDS)
        found.close()
    assert all(later - earlier >= 0.19 for earlier, later in zip(times, times[1:], strict=False))


def test_a_job_without_callbacks_loads_nothing_of_them(tmp_path: Path) -> None:
    def loaded() -> list[str]:
        return [name for name in __import__("sys").modules if name.startswith("slurm.sdk.callbacks")]

    with Cluster("subprocess", job_base_dir=tmp_path / "jobs") as found:
        assert task(loaded)().result(SECONDS) == []
        found.close()


def test_a_job_that_is_tried_again_is_one_job_until_its_last_attempt(tmp_path: Path) -> None:
    states: list[str] = []
    ends: list[str] = []

    class Watching(BaseCallback):
        """Notes changes and ends."""

        requires_pickling = False

        def on_job_status_update_ctx(self, ctx: JobStatusUpdatedContext) -> None:
            states.append(ctx.status["JobState"])

        def on_completed_ctx(self, ctx: CompletedContext) -> None:
            ends.append(f"{ctx.job_state} {ctx.job_id == ctx.job.attempts[-1]}")

    def dies_once() -> str:
        import os

        if "SLURM_SDK_ATTEMPT" not in os.environ:
            os.kill(os.getpid(), 9)
        return "lives"

    with Cluster("subprocess", job_base_dir=tmp_path / "jobs", callbacks=[Watching()]) as found:
        job = task(dies_once, retries=1, retry_on="FAILED")()
        assert job.result(SECONDS) == "lives" and len(job.attempts) == 2
        found.close()
    assert states[-1] == "COMPLETED" and "FAILED" not in states and "PENDING" in states
    assert ends == ["COMPLETED True"]


def test_who_waits_does_not_wait_for_a_callback_that_hangs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go = threading.Event()

    class Hanging(BaseCallback):
        """Does not return from hearing of an end."""

        requires_pickling = False

        def on_completed_ctx(self, ctx: Any) -> None:
            go.wait(SECONDS)

    with cluster(tmp_path, Hanging()) as found:
        found._audience = Client(found, patience=0.3)
        array = double.map(range(20))
        began = time.monotonic()
        assert array.results(SECONDS) == list(range(0, 40, 2))
        assert time.monotonic() - began < SECONDS / 2
        go.set()
    assert set(capsys.readouterr().err.splitlines()) == {"slurm: a callback has been at work for 0.3 s; not waiting for it"}


def test_what_is_found_in_the_cache_was_not_submitted_and_counts_as_ended(
        tmp_path: Path, recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    @workflow
    def kept() -> int:
        once = task(lambda: 3, cache="kept", job_name="once")
        return once().result() + once().result()

    with cluster(tmp_path, recorder):
        assert kept().result(SECONDS, progress=True) == 6
    assert recorder.lines().count("child kept <lambda> False") == 1
    assert "  once: 2/2 ended (2 completed)" in capsys.readouterr().err


def test_a_forked_child_tells_of_its_own_jobs_only_and_waits_for_no_lock_of_the_parent(tmp_path: Path, recorder: Recorder) -> None:
    with cluster(tmp_path, recorder) as found:
        client = found.audience()
        double(1).result()
        held, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with client._changed:
                held.set()
                let_go.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(5)
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(0 if double(2).result() == 4 else 1)
        let_go.set()
        holder.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
