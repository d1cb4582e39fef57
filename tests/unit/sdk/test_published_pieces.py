"""The published SDK's runner piece by piece, as programs that drive it themselves, and their tests, call it."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import pickle
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import slurm
from slurm import BaseCallback, Cluster, Job, JobContext, NoCluster, WorkflowContext, task
from slurm.sdk.errors import SlurmfileNotFoundError
from slurm.sdk.inside.runtime import build_job_context

runner: Any = importlib.import_module("slurm.runner")
VARIABLES = ("SLURM_SDK_SLURMFILE", "SLURM_SDK_ENV", "SLURM_SDK_PACKAGING_CONFIG", "SLURM_SDK_PREBUILT_IMAGES", "CONTAINER_IMAGE", "SINGULARITY_NAME",
             "SLURM_CONTAINER_IMAGE", "VIRTUAL_ENV", "SLURMFILE", "SLURM_ENV", "SLURM_JOBS_DIR")
REQUIRED = ["--module", "m", "--function", "flow", "--output-file", "o", "--callbacks-file", "c"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's folder, outside of any Slurmfile and job."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    made = tmp_path / "jobs/flow/key"
    made.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return made


@task
def twice(number: int) -> int:
    return 2 * number


def flow(number: int, ctx: WorkflowContext) -> int:
    return twice(number).result()


def plain(number: int) -> int:
    return number


def placed(number: int, job: JobContext) -> int:
    return number


class Told(BaseCallback):
    """Remembers."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_workflow_begin_ctx(self, ctx: Any) -> None:
        self.heard.append(ctx)

    def on_end_run_job_ctx(self, ctx: Any) -> None:
        raise ValueError("no")


def encoded(table: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(table).encode()).decode()


def slurmfile(folder: Path) -> str:
    path = folder / "Slurmfile.toml"
    path.write_text(f'[default.cluster]\nbackend = "inline"\njob_base_dir = "{folder.parents[1]}"\n')
    return str(path)


def test_a_command_line_becomes_a_dataclass() -> None:
    args = runner.parse_args([*REQUIRED, "--array-index", "3"])
    assert args == runner.RunnerArgs("m", "flow", "o", "c", array_index=3) and args.is_array_job
    assert not runner.parse_args(REQUIRED).is_array_job
    assert runner.create_argument_parser().parse_args(REQUIRED).loglevel == "INFO"


def test_placeholders_become_results_at_any_depth(folder: Path) -> None:
    runner.save_result(str(folder / "slurm_job_key_result.pkl"), [1])
    runner.update_job_metadata(str(folder / "slurm_job_key_result.pkl"), "12", 1.5, max_retries=3, initial_retry_delay=0.1)
    placeholder: Any = importlib.import_module("slurm.task").JobResultPlaceholder("12")
    base = str(folder.parents[1])
    assert runner.resolve_placeholder({"a": (placeholder, 2)}, base) == {"a": ([1], 2)}
    assert runner.resolve_task_arguments((placeholder,), {"b": [placeholder]}, job_base_dir=base) == (([1],), {"b": [[1]]})


def test_a_function_is_loaded_as_its_module_has_it_and_executed_without_its_decorator() -> None:
    assert runner.load_function("os.path", "join") is os.path.join
    assert runner.load_function(__name__, "twice") is twice
    assert runner.execute_task(twice, (4,), {}) == 8
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        runner.load_function("os.path", "nothing")


def test_contexts_are_bound_where_the_function_takes_them() -> None:
    context = build_job_context({"SLURM_JOB_ID": "12"})
    assert runner.handle_job_context_injection(placed, (1,), {}, context, "m", "placed") == ((1, context), {})
    assert runner.handle_job_context_injection(plain, (1,), {}, context, "m", "plain") == ((1,), {})
    assert [runner.function_wants_workflow_context(one) for one in (flow, slurm.workflow(flow), plain)] == [True, True, False]
    assert runner.bind_workflow_context(flow, (1,), {}, "around") == ((1,), {"ctx": "around"}, True)
    assert runner.bind_workflow_context(flow, (1,), {"ctx": 3}, "around") == ((1,), {"ctx": 3}, False)
    assert runner.bind_workflow_context(flow, (1, 2), {}, "around") == ((1, 2), {}, False)
    assert runner.bind_workflow_context(plain, (1,), {}, "around") == ((1,), {}, False)


def test_callbacks_are_loaded_and_run_and_what_one_raises_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty").touch()
    (folder / "some").write_bytes(pickle.dumps([Told()]))
    assert runner.load_callbacks(str(folder / "empty")) == []
    assert runner.load_callbacks(str(folder / "nothing")) == []
    assert "cannot be loaded" in capsys.readouterr().err
    loaded = runner.load_callbacks(str(folder / "some"))
    runner.run_callbacks(loaded, "on_workflow_begin_ctx", 5)
    runner.run_callbacks(loaded, "on_end_run_job_ctx", 5)
    runner.run_callbacks(loaded, "on_nothing", 5)
    assert loaded[0].heard == [5]
    assert "the callback Told raised in on_end_run_job_ctx" in capsys.readouterr().err


def test_the_log_has_the_level_that_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    runner.configure_logging("debug")
    runner.log_startup_info(runner.parse_args([*REQUIRED, "--job-dir", "/jobs"]))
    assert "m.flow of job 12 in /jobs" in capsys.readouterr().err


def test_the_variables_of_a_job_describe_its_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runner.extract_cluster_config_from_env() == runner.ClusterConfig()
    monkeypatch.setenv("CONTAINER_IMAGE", "img")
    assert runner.extract_cluster_config_from_env().parent_packaging_config == {"type": "container", "image": "img", "push": False}
    told = {"type": "container", "image": "other", "srun_args": ["-v"]}
    for name, text in (("SLURMFILE", slurmfile(folder)), ("PACKAGING_CONFIG", encoded(told)), ("PREBUILT_IMAGES", encoded({"m.f": "i"}))):
        monkeypatch.setenv(f"SLURM_SDK_{name}", text)
    config = runner.extract_cluster_config_from_env(str(folder))
    assert config == runner.ClusterConfig(slurmfile(folder), None, told, "img", {"m.f": "i"}, str(folder))
    cluster, kind = runner.create_cluster_from_config(config, timeout=5)
    assert (kind, cluster.backend_type, cluster.packaging_defaults) == ("container", "inline", {"type": "container", "image": "other", "push": False})
    with pytest.raises(SlurmfileNotFoundError):
        runner.create_cluster_from_config(runner.ClusterConfig(slurmfile_path="/nowhere/Slurmfile"))


@pytest.mark.parametrize(("told", "variables", "found"), [
    (None, {}, "none"), ("wheel", {}, "wheel"), ("inherit", {}, "none"), (None, {"VIRTUAL_ENV": "/v"}, "wheel"), ("none", {"SINGULARITY_NAME": "i"}, "container")])
def test_how_the_code_of_a_workflow_got_there_is_known(told: str | None, variables: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert runner.determine_parent_packaging_type(told) == found


def test_a_workflow_is_set_up_carried_out_and_taken_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_SDK_SLURMFILE", slurmfile(folder))
    setup = runner.setup_workflow_execution("12", str(folder))
    assert runner.execute_task(flow, (3,), {"ctx": setup.workflow_context}) == 6
    assert (setup.parent_packaging_type, setup.workflow_context.workflow_job_id, setup.cluster.backend_type) == ("none", "12", "inline")
    assert [path.name for path in (folder / "tasks").iterdir()] == ["twice"]
    runner.teardown_workflow_execution(setup)
    with pytest.raises(NoCluster):
        twice(3)
    runner.cleanup_cluster_connections(None)
    runner.deactivate_workflow_context(None)


def test_a_workflow_gets_its_context_and_its_callbacks_hear_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_SDK_SLURMFILE", slurmfile(folder))
    args, told = runner.parse_args([*REQUIRED, "--pre-submission-id", "key"]), Told()
    assert runner.handle_workflow_context_injection(plain, (1,), {}, args, "12", str(folder), [told]) == ((1,), {}, None)
    bound, kwargs, setup = runner.handle_workflow_context_injection(flow, (3,), {}, args, "12", str(folder), [told])
    assert runner.execute_task(flow, bound, kwargs) == 6
    runner.teardown_workflow_execution(setup)
    assert [(heard.workflow_name, heard.workflow_context) for heard in told.heard] == [("flow", kwargs["ctx"])]
    record = json.loads((folder / ".slurm_environment.json").read_text())
    assert (record["version"], record["packaging_type"], record["environment"]["python_executable"]) == ("1.0", "none", sys.executable)
    assert record["parent_job"] == {"slurm_job_id": "12", "pre_submission_id": "key", "workflow_name": "flow"}
    assert record["shared_paths"]["tasks_dir"] == str(folder / "tasks")


def test_a_job_made_by_hand_tells_who_asked_that_it_has_ended(folder: Path) -> None:
    with Cluster("inline", job_base_dir=folder) as cluster:
        done, heard = twice(3), SimpleQueue[Any]()
        job: Job[int] = Job(done.id, cluster, target_job_dir=done.target_job_dir, pre_submission_id=done.pre_submission_id,
                            on_completed=lambda *told: heard.put(told))
        assert job.result() == 6
    who, status, moment = heard.get(timeout=10)
    assert (who, status["JobState"], type(moment)) == (job, "COMPLETED", float)
