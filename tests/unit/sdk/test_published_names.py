"""Every name that programs and tests of the published SDK import, where they import it from."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import slurm
from slurm import doors

NAMES = {
    "slurm":
        "task workflow Job ArrayJob Cluster SlurmTask JobContext WorkflowContext BaseCallback LoggerCallback BenchmarkCallback "
        "RichLoggerCallback SubmissionError DownloadError BackendError BackendTimeout BackendCommandError PackagingError "
        "SlurmfileError parse_packaging_config JobSnapshot WorkflowTask PackagingConfig __version__ __all__",
    "slurm.decorators": "task workflow parse_packaging_config",
    "slurm.task": "SlurmTask SlurmTaskWithDependencies normalize_sbatch_key normalize_sbatch_options WorkflowTask",
    "slurm.cluster": "Cluster SubmittableWorkflow create_backend",
    "slurm.job": "Job JobSnapshot",
    "slurm.array_job": "ArrayJob",
    "slurm.workflow": "WorkflowContext",
    "slurm.runtime": "JobContext build_job_context current_job_context",
    "slurm.errors":
        "PackagingError SubmissionError DownloadError BackendError BackendTimeout BackendCommandError SlurmfileError "
        "SlurmfileNotFoundError SlurmfileInvalidError SlurmfileEnvironmentNotFoundError",
    "slurm.callbacks":
        "BaseCallback ExecutionLocus PackagingBeginContext PackagingEndContext SubmitBeginContext SubmitEndContext "
        "JobStatusUpdatedContext RunBeginContext RunEndContext CompletedContext WorkflowCallbackContext WorkflowTaskSubmitContext "
        "LoggerCallback RichLoggerCallback BenchmarkCallback DebugCallback",
    "slurm.callbacks.callbacks": "BaseCallback",
    "slurm.callbacks.debug": "DebugCallback",
    "slurm.packaging":
        "PackagingStrategy get_packaging_strategy WheelPackagingStrategy ContainerPackagingStrategy InheritPackagingStrategy "
        "NonePackagingStrategy",
    "slurm.packaging.base": "PackagingStrategy",
    "slurm.packaging.none": "NonePackagingStrategy",
    "slurm.packaging.wheel": "WheelPackagingStrategy",
    "slurm.packaging.container": "ContainerPackagingStrategy",
    "slurm.packaging.inherit": "InheritPackagingStrategy",
    "slurm.api": "create_backend get_backend_from_config BackendBase LocalBackend SSHCommandBackend",
    "slurm.api.base": "BackendBase",
    "slurm.api.ssh": "SSHCommandBackend",
    "slurm.api.local": "LocalBackend",
    "slurm.runner": "main",
    "slurm.logging": "configure_logging",
    "slurm.validation":
        "validate_slurm_identifier validate_account validate_partition validate_job_name validate_job_id validate_environment_variable_name",
    "slurm.ui": "status progress_task",
    "slurm.mcp_server": "create_mcp_server run_server",
    "slurm.cli": "main",
    "slurm.cli.app": "app main",
    "slurm.cli.jobs": "print_jobs_table print_job_details",
    "slurm.cli.cluster": "print_environments_table print_cluster_info",
    "slurm.cli.dash": "run",
    "slurm.cli.mcp": "run",
    "slurm.cli.formatters": "print_jobs_table print_job_details print_environments_table print_cluster_info",
    "slurm.cli.utils": "get_cluster get_slurmfile_path list_slurmfile_environments",
    "slurm.cli.live": "watch",
    "slurm.tui": "check_textual_available",
    "slurm.tui.dashboard.app": "DashboardApp",
    "slurm.examples.workflow_graph_visualization": "WorkflowGraphCallback main",
    **{f"slurm.examples.{name}": "main" for name in (
        "hello_world", "hello_container", "hello_torch", "map_reduce", "parallelization_patterns", "parallel_train_eval.workflow")},
    "slurm.examples.parallel_train_eval.train_task": "train",
    "slurm.examples.parallel_train_eval.eval_task": "evaluate",
    "slurm.examples.parallel_train_eval.state": "State load save",
}

_BACKEND = ("submit_job get_job_status get_job_accounting get_account_jobs cancel_job get_queue get_cluster_info is_remote read_file write_file "
            "upload_file download_file execute_command tail_file close reconnect hostname")
MEMBERS = {
    "slurm.task:SlurmTask": "__call__ unwrapped map after with_options with_dependencies pending_dependencies",
    "slurm.workflow:WorkflowContext":
        "result_path metadata_path tasks_dir get_task_output_dir list_task_runs get_latest_task_result load_workflow_result",
    "slurm.cluster:SubmittableWorkflow": "with_dependencies __call__",
    "slurm:JobContext": "torch_distributed_env",
    "slurm:Job":
        "TERMINAL_STATES result_path get_status is_running is_completed is_successful wait get_result cancel get_stdout get_stderr get_script tail snapshot",
    "slurm:ArrayJob": "__len__ __getitem__ __iter__ get_results wait get_results_dir",
    "slurm:Cluster":
        "from_env from_file add_argparse_args from_args from_backend submit get_job get_jobs get_queue get_cluster_info diagnose reconnect __enter__ __exit__",
    "slurm.api:BackendBase": _BACKEND,
    "slurm.api:LocalBackend": _BACKEND,
    "slurm.api:SSHCommandBackend": f"{_BACKEND} get_remote_upload_base_path",
    "slurm:BaseCallback":
        "execution_loci poll_interval_secs requires_pickling get_execution_locus should_run_on_client should_run_on_runner get_poll_interval "
        "requires_runner_transport on_begin_package_ctx on_end_package_ctx on_begin_submit_job_ctx on_end_submit_job_ctx on_job_status_update_ctx "
        "on_begin_run_job_ctx on_end_run_job_ctx on_completed_ctx on_workflow_begin_ctx on_workflow_end_ctx on_workflow_task_submitted_ctx",
    "slurm.callbacks:ExecutionLocus": "CLIENT RUNNER BOTH",
    "slurm:RichLoggerCallback": "update_packaging_output",
    "slurm:BenchmarkCallback": "get_workflow_metrics get_all_workflow_metrics",
    "slurm.packaging:PackagingStrategy": "prepare",
}
"""Class → what it has."""

PARAMETERS = {
    "slurm.decorators:parse_packaging_config": "packaging kwargs",
    "slurm.task:SlurmTask": "func sbatch_options packaging",
    "slurm.task:SlurmTask.map": "items max_concurrent",
    "slurm.workflow:WorkflowContext": "cluster workflow_job_id workflow_job_dir shared_dir local_mode",
    "slurm:JobContext":
        "job_id step_id node_rank rank local_rank world_size num_nodes local_world_size gpus_per_node hostnames master_addr master_port environment "
        "created_at output_dir",
    "slurm.runtime:build_job_context": "env",
    "slurm:JobContext.torch_distributed_env": "master_port",
    "slurm:Job": "id cluster stdout_path stderr_path",
    "slurm:Job.wait": "timeout poll_interval",
    "slurm:Job.get_result": "timeout",
    "slurm:Job.tail": "follow stderr lines output poll_interval",
    "slurm:Job.snapshot": "tail_lines",
    "slurm:JobSnapshot": "job_id state exit_code reason stdout_tail stderr_tail elapsed_seconds is_terminal is_successful",
    "slurm:ArrayJob": "task items cluster max_concurrent dependencies",
    "slurm:ArrayJob.get_results": "timeout",
    "slurm:ArrayJob.wait": "timeout",
    "slurm:Cluster": "backend_type callbacks job_base_dir default_packaging default_account default_partition",
    "slurm:Cluster.from_env": "slurmfile_path_or_env env overrides callbacks",
    "slurm:Cluster.submit": "task_func packaging_config after",
    "slurm.api:BackendBase.submit_job": "script target_job_dir pre_submission_id account partition array_spec",
    "slurm.api:BackendBase.tail_file": "path follow lines on_line stop_event poll_interval",
    "slurm.api:LocalBackend": "job_base_dir env timeout script_permissions",
    "slurm:LoggerCallback": "logger poll_interval log_level configure_logging",
    "slurm:RichLoggerCallback": "console poll_interval verbose log_level configure_logging",
    "slurm.callbacks:DebugCallback": "port wait_for_client host log_connection_info",
    "slurm.packaging:PackagingStrategy": "config",
    "slurm.callbacks:PackagingBeginContext": "task packaging_config cluster timestamp",
    "slurm.callbacks:PackagingEndContext": "task packaging_result cluster timestamp duration",
    "slurm.callbacks:SubmitBeginContext":
        "task sbatch_options pre_submission_id target_job_dir cluster packaging_strategy backend_type timestamp",
    "slurm.callbacks:SubmitEndContext": "job job_id pre_submission_id target_job_dir sbatch_options cluster timestamp backend_type",
    "slurm.callbacks:JobStatusUpdatedContext": "job job_id status timestamp previous_state is_terminal",
    "slurm.callbacks:RunBeginContext":
        "module function args_file kwargs_file output_file job_id job_dir hostname python_executable python_version working_directory "
        "environment_snapshot start_time job_context",
    "slurm.callbacks:RunEndContext":
        "status output_file error_type error_message traceback job_id job_dir hostname stdout_path stderr_path start_time end_time duration job_context",
    "slurm.callbacks:CompletedContext":
        "job job_id job_dir job_state exit_code reason stdout_path stderr_path start_time end_time duration status error_type error_message traceback "
        "result_path emitted_by job_context",
    "slurm.callbacks:WorkflowCallbackContext":
        "workflow_job_id workflow_job_dir workflow_name workflow_context timestamp result exception cluster",
    "slurm.callbacks:WorkflowTaskSubmitContext":
        "parent_workflow_id parent_workflow_dir parent_workflow_name child_job_id child_job_dir child_task_name child_is_workflow timestamp cluster",
    "slurm.logging:configure_logging": "level use_rich",
    "slurm.ui:status": "console msg",
    "slurm.ui:progress_task": "console description total transient",
    "slurm:SubmissionError": "message script metadata",
    "slurm.mcp_server:create_mcp_server": "name slurmfile env",
    "slurm.mcp_server:run_server": "transport host port slurmfile env",
    "slurm.cli.utils:list_slurmfile_environments": "slurmfile",
    "slurm.tui.dashboard.app:DashboardApp": "cluster refresh_interval",
}
"""What is called → the parameters that it has by name. Those that are collected by ** are tried where they mean something."""


def _found(reference: str) -> Any:
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("reference", MEMBERS)
def test_every_published_class_has_its_members(reference: str) -> None:
    assert [name for name in MEMBERS[reference].split() if not hasattr(_found(reference), name)] == []


@pytest.mark.parametrize("reference", PARAMETERS)
def test_what_is_published_takes_its_arguments_by_name(reference: str) -> None:
    assert [name for name in PARAMETERS[reference].split() if name not in inspect.signature(_found(reference)).parameters] == []


def test_what_calls_and_clusters_of_ours_have_has_the_published_names(tmp_path: Path) -> None:
    with slurm.Cluster("inline", job_base_dir=tmp_path) as cluster:
        job, array = slurm.task(len)("abc"), slurm.task(len).map(["a"])
    for thing, names in (
            (cluster, "backend_type backend callbacks default_packaging default_account default_partition default_packaging_kwargs env_name slurmfile_path "
                      "environment_config packaging_defaults submit_defaults"),
            (job, "id cluster task_func args kwargs target_job_dir pre_submission_id sbatch_options stdout_path stderr_path created_at started_at finished_at "
                  "backend"),
            (array, "task items cluster max_concurrent dependencies array_dir _array_job_id"),
            (slurm.task(len), "func sbatch_options packaging __name__ __doc__ __wrapped__")):
        assert [name for name in names.split() if not hasattr(thing, name)] == []


@pytest.mark.parametrize("module", NAMES)
def test_every_published_name_can_be_imported(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if getattr(found, name, None) is None] == []


def test_a_name_that_an_alias_has_not_is_said_as_python_says_it() -> None:
    with pytest.raises(ImportError, match="cannot import name 'finish' from 'slurm.runtime'"):
        exec("from slurm.runtime import finish")


@pytest.mark.parametrize("module", doors.ELSEWHERE)
def test_a_module_that_is_none_here_says_what_to_use(module: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="there is no slurm") as caught:
        importlib.import_module(f"slurm.{module}")
    assert str(caught.value).endswith(doors.ELSEWHERE[module])
    assert caught.value.name == f"slurm.{module}"


@pytest.mark.parametrize("module", doors.NAMES_ELSEWHERE)
def test_a_name_that_is_none_here_says_what_to_use(module: str) -> None:
    found = importlib.import_module(f"slurm.{module}")
    for name, instead in doors.NAMES_ELSEWHERE[module].items():
        with pytest.raises(ImportError, match="there is no slurm") as caught:
            getattr(found, name)
        assert str(caught.value).endswith(instead)
        assert name not in vars(found)


def test_an_installed_slurm_py_has_all_of_them_too(tmp_path: Path) -> None:
    code = f"""if 1:
        import importlib, sys
        import slurm
        assert "site-packages" in slurm.__file__, slurm.__file__
        for module, names in {NAMES!r}.items():
            found = importlib.import_module(module)
            assert all(getattr(found, name, None) is not None for name in names.split()), (module, names)
    """
    # Isolated: neither PYTHONPATH nor the folder, both of which would show the sources.
    python = [sys.executable, "-I", "-c"]
    if subprocess.run([*python, "import slurm"], cwd=tmp_path, capture_output=True, check=False).returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("slurm-py is not installed beside this Python")
    done = subprocess.run([*python, code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
