"""Every name that programs and tests of the published SDK import, where they import it from."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slurm import doors

NAMES = {
    "slurm":
        "task workflow Job ArrayJob Cluster SlurmTask JobContext WorkflowContext BaseCallback LoggerCallback BenchmarkCallback "
        "RichLoggerCallback SubmissionError DownloadError BackendError BackendTimeout BackendCommandError PackagingError "
        "SlurmfileError parse_packaging_config JobSnapshot WorkflowTask PackagingConfig __version__ __all__",
    "slurm.decorators": "task workflow _parse_packaging_config parse_packaging_config",
    "slurm.task": "SlurmTask SlurmTaskWithDependencies JobResultPlaceholder normalize_sbatch_key normalize_sbatch_options WorkflowTask",
    "slurm.cluster": "Cluster SubmittableWorkflow create_backend get_packaging_strategy logger",
    "slurm.job": "Job JobSnapshot",
    "slurm.array_job": "ArrayJob",
    "slurm.array_items": "convert_job_items_to_placeholders serialize_array_items load_array_item generate_array_spec",
    "slurm.workflow": "WorkflowContext",
    "slurm.runtime": "JobContext build_job_context current_job_context _function_wants_job_context _bind_job_context",
    "slurm.context": "_get_active_context _set_active_context _reset_active_context _clear_active_context _resolve_cluster",
    "slurm.errors":
        "PackagingError SubmissionError DownloadError BackendError BackendTimeout BackendCommandError SlurmfileError "
        "SlurmfileNotFoundError SlurmfileInvalidError SlurmfileEnvironmentNotFoundError",
    "slurm.rendering": "render_job_script RenderContext RESULT_FILENAME ARGS_FILENAME KWARGS_FILENAME CALLBACKS_FILENAME",
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
    "slurm.runner":
        "RunnerArgs create_argument_parser get_job_id_from_env load_function load_task_arguments main parse_args "
        "resolve_placeholder resolve_task_arguments restore_sys_path save_result update_job_metadata",
    "slurm.runner.initialization": "load_task_arguments restore_sys_path",
    "slurm.runner.argument_loader": "load_task_arguments",
    "slurm.logging": "configure_logging",
    "slurm.validation": "validate_job_id",
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
