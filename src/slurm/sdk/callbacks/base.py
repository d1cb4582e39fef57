"""BaseCallback: what a callback can be told, and where. Who tells it stands in `client` and `inside`.

What it is told: one dataclass a hook, with the fields of the published SDK; times are seconds since the epoch. How it travels to jobs: each
pickled by itself in one file beside the call, so that one which cannot be loaded there leaves the others whole.
"""

from __future__ import annotations

import io
import pickle
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from slurm.sdk.calls.pickling import PROTOCOL, Reference, dumps
from slurm.sdk.inside.runtime import JobContext
from slurm.sdk.tasks import importable


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


CLIENT, RUNNER, BOTH = ExecutionLocus.CLIENT, ExecutionLocus.RUNNER, ExecutionLocus.BOTH

HOOKS: dict[str, ExecutionLocus] = {
    "on_begin_package_ctx": CLIENT, "on_end_package_ctx": CLIENT, "on_begin_submit_job_ctx": CLIENT, "on_end_submit_job_ctx": CLIENT,
    "on_job_status_update_ctx": CLIENT, "on_begin_run_job_ctx": RUNNER, "on_end_run_job_ctx": RUNNER, "on_completed_ctx": BOTH,
    "on_workflow_begin_ctx": RUNNER, "on_workflow_end_ctx": RUNNER, "on_workflow_task_submitted_ctx": CLIENT,
}
"""Hook → where it is called unless its callback says otherwise in `execution_loci`."""


class BaseCallback:
    """Told of packaging, submission, states and ends by overriding hooks; nothing is called that is not overridden.

    The client is the process that submits: a program, or a workflow's job for its children. What is called in the job is a copy that
    travelled with it: it begins as the callback was when the job was submitted, and what it changes in itself stays there. A hook that
    raises is reported on standard error and does no harm.
    """

    execution_loci: ClassVar[Mapping[str, ExecutionLocus | str]] = {}
    """Hook → where it is called, for those that are to be called elsewhere than `HOOKS` says."""
    poll_interval_secs: float | None = None
    """Seconds after which `on_job_status_update_ctx` is called again though nothing has changed; None: at changes only."""
    requires_pickling: bool = True
    """Whether it may travel to jobs."""

    def on_begin_package_ctx(self, ctx: PackagingBeginContext) -> None:
        """The code of a job is about to be brought to where it can run."""

    def on_end_package_ctx(self, ctx: PackagingEndContext) -> None:
        """It is there."""

    def on_begin_submit_job_ctx(self, ctx: SubmitBeginContext) -> None:
        """A job or an array is about to be handed in."""

    def on_end_submit_job_ctx(self, ctx: SubmitEndContext) -> None:
        """The cluster has taken it."""

    def on_job_status_update_ctx(self, ctx: JobStatusUpdatedContext) -> None:
        """The state of a job, or of an element of an array, has changed, or `poll_interval_secs` have passed."""

    def on_begin_run_job_ctx(self, ctx: RunBeginContext) -> None:
        """In the job: the task's function is about to be called; once more before each further try that its `retries` allow there."""

    def on_end_run_job_ctx(self, ctx: RunEndContext) -> None:
        """In the job: it has returned or raised, and what came of it is written."""

    def on_completed_ctx(self, ctx: CompletedContext) -> None:
        """A job has ended: once in the job (`emitted_by` RUNNER) and once on the client, which also hears of those that were killed."""

    def on_workflow_begin_ctx(self, ctx: WorkflowCallbackContext) -> None:
        """A workflow is about to be called; on the client: it has been seen to run."""

    def on_workflow_end_ctx(self, ctx: WorkflowCallbackContext) -> None:
        """A workflow has returned or raised; on the client: it has ended."""

    def on_workflow_task_submitted_ctx(self, ctx: WorkflowTaskSubmitContext) -> None:
        """In a workflow's job: it has submitted a child."""

    def get_execution_locus(self, hook: str) -> ExecutionLocus:
        """Where a hook is called."""
        return ExecutionLocus(self.execution_loci.get(hook, HOOKS.get(hook, CLIENT)))

    def should_run_on_client(self, hook: str) -> bool:
        """Whether a hook is called by the process that submits."""
        return self.get_execution_locus(hook) in (CLIENT, BOTH)

    def should_run_on_runner(self, hook: str) -> bool:
        """Whether a hook is called in the job."""
        return self.get_execution_locus(hook) in (RUNNER, BOTH)

    def get_poll_interval(self) -> float | None:
        """`poll_interval_secs` where it is a positive number."""
        seconds = self.poll_interval_secs
        return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None

    def requires_runner_transport(self) -> bool:
        """Whether it may travel to jobs and any hook of its kind is called there."""
        return self.requires_pickling and any(self.should_run_on_runner(hook) for hook in HOOKS)

    def waited(self) -> None:
        """A thread that waited for jobs goes on: called in that thread, after the callback has heard of their ends."""


def overrides(callback: BaseCallback, hook: str) -> bool:
    """Whether a callback does anything at a hook: nothing is called that is not overridden."""
    return hook in vars(callback) or getattr(type(callback), hook) is not getattr(BaseCallback, hook)


def call(callbacks: Iterable[BaseCallback], locus: ExecutionLocus, hook: str, context: object) -> None:
    """Call this hook of those callbacks that override it and want it called here."""
    for callback in callbacks:
        wanted = callback.should_run_on_client if locus == ExecutionLocus.CLIENT else callback.should_run_on_runner
        if wanted(hook) and overrides(callback, hook):
            try:
                getattr(callback, hook)(context)
            except (Exception, SystemExit) as error:
                # It is the user's code: it may raise anything, and the job is not to suffer.
                report(callback, hook, error)


def listens(callbacks: Iterable[BaseCallback], *hooks: str) -> bool:
    """Whether any of these hooks does anything on the client."""
    return any(callback.should_run_on_client(hook) and overrides(callback, hook) for callback in callbacks for hook in hooks)


def report(callback: BaseCallback, hook: str, error: BaseException) -> None:
    """Say on standard error which callback raised what, and where."""
    import traceback

    text = "".join(traceback.format_exception(error))
    print(f"slurm: the callback {type(callback).__qualname__} raised in {hook}; the job goes on\n{text}", end="", file=sys.stderr,
        flush=True)


def travels(callback: BaseCallback, workflow: bool) -> bool:
    """Whether a job needs this callback: a workflow's for its children too, any other where it overrides a hook that is called there."""
    if workflow:
        return callback.requires_pickling
    return callback.requires_runner_transport() and any(callback.should_run_on_runner(hook) and overrides(callback, hook) for hook in HOOKS)


def pack(callbacks: Sequence[BaseCallback], workflow: bool) -> bytes:
    """The file of those that travel. One that cannot be pickled stays here, with a RuntimeWarning that says so."""
    from slurm.sdk.calls.submission import pickled  # which jobs, that only unpack, do without

    packed: list[tuple[str, bytes]] = []
    for callback in callbacks:
        if travels(callback, workflow):
            kind = type(callback)
            try:
                known = importable(kind.__module__, getattr(sys.modules.get(kind.__module__), "__file__", None))
                packed.append((kind.__qualname__, (dumps(callback) if known else pickled(kind, callback))[0]))
            except TypeError as error:
                warnings.warn(f"the callback {kind.__qualname__} stays on the client: {error}. Its hooks in the job are not called; "
                              "requires_pickling = False in its class says that they need not be", RuntimeWarning, stacklevel=2)
    return pickle.dumps(packed, PROTOCOL)


def unpack(data: bytes) -> list[BaseCallback]:
    """The callbacks in such a file; one that cannot be loaded is said on standard error and left out."""
    if not data:
        return []
    found = []
    for name, callback in pickle.loads(data):
        try:
            found.append(_Loader(io.BytesIO(callback)).load())
        except Exception as error:
            # Unpickling runs the user's code, which may raise anything.
            print(f"slurm: the callback {name} cannot be loaded in this job, which goes on without it: {type(error).__name__}: {error}",
                  file=sys.stderr)
    return found


class _Loader(pickle.Unpickler):
    """A job that a callback keeps, its result perhaps not there yet, is loaded as a record of its `id` and the path of its result."""

    def persistent_load(self, reference: Reference) -> Any:
        _, job, where = reference
        return SimpleNamespace(id=job, result_path=where)
