"""What callbacks are told: one dataclass a hook, with the fields of the published SDK. Times are seconds since the epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from slurm.sdk.inside.runtime import JobContext


class ExecutionLocus(StrEnum):
    """Where a hook is called: by the process that submits, in the job, or by both."""

    CLIENT = "client"
    RUNNER = "runner"
    BOTH = "both"


@dataclass
class PackagingBeginContext:
    """The code of `task` is about to be brought to where it can run."""

    task: Any
    packaging_config: dict[str, Any] | None = None
    cluster: Any = None
    timestamp: float = field(default_factory=time.time)


@dataclass
class PackagingEndContext:
    """The code is there; `packaging_result` is what the job will use, `duration` how many seconds it took."""

    task: Any
    packaging_result: Any
    cluster: Any = None
    timestamp: float = field(default_factory=time.time)
    duration: float | None = None


@dataclass
class SubmitBeginContext:
    """A job or array is about to be handed in, with these options; its folder does not exist yet."""

    task: Any
    sbatch_options: dict[str, Any]
    pre_submission_id: str
    target_job_dir: str
    cluster: Any = None
    packaging_strategy: Any = None
    backend_type: str | None = None
    timestamp: float = field(default_factory=time.time)


@dataclass
class SubmitEndContext:
    """The cluster has taken it; `job` is a Job or an ArrayJob."""

    job: Any
    job_id: str
    pre_submission_id: str
    target_job_dir: str
    sbatch_options: dict[str, Any]
    cluster: Any = None
    timestamp: float = field(default_factory=time.time)
    backend_type: str | None = None


@dataclass
class JobStatusUpdatedContext:
    """How `job` stands: `status` has what is known without asking, JobId, JobState, ExitCode, Reason, JobName, WorkDir, StdOut, StdErr;
    `job.get_status()` asks."""

    job: Any
    job_id: str
    status: dict[str, Any]
    timestamp: float
    previous_state: str | None = None
    is_terminal: bool = False


@dataclass
class RunBeginContext:
    """In the job: `function` of `module` is about to be called with what lies in the files."""

    module: str
    function: str
    args_file: str
    kwargs_file: str
    output_file: str
    job_id: str | None = None
    job_dir: str | None = None
    hostname: str | None = None
    python_executable: str | None = None
    python_version: str | None = None
    working_directory: str | None = None
    environment_snapshot: dict[str, str] | None = None
    start_time: float = field(default_factory=time.time)
    job_context: JobContext | None = None


@dataclass
class RunEndContext:
    """In the job: the call ended; `status` is "success" or "failure"."""

    status: str
    output_file: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    job_id: str | None = None
    job_dir: str | None = None
    hostname: str | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    start_time: float | None = None
    end_time: float | None = None
    duration: float | None = None
    job_context: JobContext | None = None


@dataclass
class CompletedContext:
    """A job has ended. In the job `job` is None and the times are its own; on the client they are those at which it was seen."""

    job: Any
    job_id: str | None
    job_dir: str | None
    job_state: str | None
    exit_code: str | None
    reason: str | None
    stdout_path: str | None
    stderr_path: str | None
    start_time: float | None
    end_time: float | None
    duration: float | None
    status: dict[str, Any] | None = None
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    result_path: str | None = None
    emitted_by: ExecutionLocus = ExecutionLocus.CLIENT
    job_context: JobContext | None = None


@dataclass
class WorkflowCallbackContext:
    """A workflow begins or has ended, with its result or its exception where it is known. On the client there is no `workflow_context`."""

    workflow_job_id: str
    workflow_job_dir: Path
    workflow_name: str
    workflow_context: Any
    timestamp: float
    result: Any = None
    exception: BaseException | None = None
    cluster: Any = None


@dataclass
class WorkflowTaskSubmitContext:
    """A workflow has submitted a child, a job or an array."""

    parent_workflow_id: str
    parent_workflow_dir: Path
    parent_workflow_name: str
    child_job_id: str
    child_job_dir: Path
    child_task_name: str
    child_is_workflow: bool
    timestamp: float
    cluster: Any
