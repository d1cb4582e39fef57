"""BaseCallback: what a callback can be told, and where. How it travels to jobs: each pickled by itself in one
file beside the call, so that one which cannot be loaded there leaves the others whole. Who tells it stands in `client` and `inside`; what it is told, in `contexts`."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

from slurm.sdk.callbacks import contexts
from slurm.sdk.callbacks.contexts import ExecutionLocus
from slurm.sdk.calls.pickling import PROTOCOL, Reference, dumps
from slurm.sdk.tasks import importable

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

    def on_begin_package_ctx(self, ctx: contexts.PackagingBeginContext) -> None:
        """The code of a job is about to be brought to where it can run."""

    def on_end_package_ctx(self, ctx: contexts.PackagingEndContext) -> None:
        """It is there."""

    def on_begin_submit_job_ctx(self, ctx: contexts.SubmitBeginContext) -> None:
        """A job or an array is about to be handed in."""

    def on_end_submit_job_ctx(self, ctx: contexts.SubmitEndContext) -> None:
        """The cluster has taken it."""

    def on_job_status_update_ctx(self, ctx: contexts.JobStatusUpdatedContext) -> None:
        """The state of a job, or of an element of an array, has changed, or `poll_interval_secs` have passed."""

    def on_begin_run_job_ctx(self, ctx: contexts.RunBeginContext) -> None:
        """In the job: the task's function is about to be called; once more before each further try that its `retries` allow there."""

    def on_end_run_job_ctx(self, ctx: contexts.RunEndContext) -> None:
        """In the job: it has returned or raised, and what came of it is written."""

    def on_completed_ctx(self, ctx: contexts.CompletedContext) -> None:
        """A job has ended: once in the job (`emitted_by` RUNNER) and once on the client, which also hears of those that were killed."""

    def on_workflow_begin_ctx(self, ctx: contexts.WorkflowCallbackContext) -> None:
        """A workflow is about to be called; on the client: it has been seen to run."""

    def on_workflow_end_ctx(self, ctx: contexts.WorkflowCallbackContext) -> None:
        """A workflow has returned or raised; on the client: it has ended."""

    def on_workflow_task_submitted_ctx(self, ctx: contexts.WorkflowTaskSubmitContext) -> None:
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
