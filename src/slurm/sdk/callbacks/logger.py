"""LoggerCallback: what becomes of jobs, as lines of Python's logging, on the client and in the jobs' standard error."""

from __future__ import annotations

import sys
from typing import Any

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import BaseCallback, ExecutionLocus

INFO, ERROR = 20, 40
LOGGER = "slurm"
PLAIN = ("auto", "none", "inherit")
"""Ways of packaging that take no time worth a line."""


class _Array:
    """How many elements of an array have ended."""

    def __init__(self, array: ArrayJob[Any]) -> None:
        self.id, self.name, self.size = array.id, array.name, len(array)
        self.ended = self.failed = 0


class LoggerCallback(BaseCallback):
    """Logs submissions, changes of state and ends. Of an array a line for each tenth that has ended and one for each element that failed.

    `logger`: by default the one called "slurm"; it writes to standard error where nobody has set logging up, unless `configure_logging` is
    False.
    """

    poll_interval_secs = 2.0

    def __init__(self, *, logger: Any = None, poll_interval: float | None = None, log_level: int = INFO,
            configure_logging: bool = True) -> None:
        self._logger = logger
        self._name = logger.name if logger is not None else LOGGER
        self._level = log_level
        self._configure = configure_logging
        self._states: dict[str, str] = {}
        self._arrays: dict[str, _Array] = {}
        if poll_interval is not None:
            self.poll_interval_secs = poll_interval

    def on_begin_package_ctx(self, ctx: base.PackagingBeginContext) -> None:
        """Packaging that may take a while."""
        kind = (ctx.packaging_config or {}).get("type", "auto")
        if kind not in PLAIN:
            self._log(f"packaging {ctx.task}: {kind}")

    def on_end_package_ctx(self, ctx: base.PackagingEndContext) -> None:
        """Packaging that took a while."""
        if (ctx.duration or 0.0) >= 1.0:
            self._log(f"packaged {ctx.task} in {ctx.duration:.1f} s")

    def on_end_submit_job_ctx(self, ctx: base.SubmitEndContext) -> None:
        """The id and the folder."""
        if isinstance(ctx.job, ArrayJob):
            array = _Array(ctx.job)
            self._arrays[ctx.pre_submission_id] = array
            self._log(f"array {ctx.job_id} ({array.name}, {array.size} elements) submitted: {ctx.target_job_dir}")
        else:
            self._log(f"job {ctx.job_id} ({ctx.job.name}) submitted: {ctx.target_job_dir}")

    def on_job_status_update_ctx(self, ctx: base.JobStatusUpdatedContext) -> None:
        """A change, of jobs that are no elements of arrays."""
        state, files = str(ctx.status["JobState"]), ctx.job.files
        if ctx.is_terminal or files.key != files.array_key or self._states.get(files.key) == state:
            return
        self._states[files.key] = state
        reason = ctx.status.get("Reason", "None")
        self._log(f"job {ctx.job_id} ({ctx.job.name}): {state}" + (f", reason: {reason}" if state == "PENDING"
            and reason not in ("None", "") else ""))

    def on_begin_run_job_ctx(self, ctx: base.RunBeginContext) -> None:
        """In the job."""
        self._log(f"job {ctx.job_id} begins {ctx.module}.{ctx.function} on {ctx.hostname}, Python {ctx.python_version}")

    def on_end_run_job_ctx(self, ctx: base.RunEndContext) -> None:
        """In the job."""
        failed = f": {ctx.error_type}: {ctx.error_message}" if ctx.status != "success" else ""
        self._log(f"job {ctx.job_id} ended after {ctx.duration or 0.0:.1f} s, {ctx.status}{failed}", ERROR if failed else None)

    def on_completed_ctx(self, ctx: base.CompletedContext) -> None:
        """The end as the cluster tells it."""
        if ctx.emitted_by == ExecutionLocus.RUNNER or ctx.job_id is None:
            return
        self._states.pop(ctx.job.files.key, None)
        good = ctx.job_state == "COMPLETED"
        array = self._arrays.get(ctx.job.files.array_key)
        if not good or array is None:
            after = f" after {ctx.duration:.1f} s" if ctx.duration is not None else ""
            told = f", exit code {ctx.exit_code or 'none'}, {ctx.error_type}: {ctx.error_message}" if not good else ""
            self._log(f"job {ctx.job_id} ({ctx.job.name}): {ctx.job_state}{after}{told}", None if good else ERROR)
        if array is not None:
            self._count(array, good)

    def on_workflow_begin_ctx(self, ctx: base.WorkflowCallbackContext) -> None:
        """The workflow begins."""
        self._log(f"workflow {ctx.workflow_job_id} ({ctx.workflow_name}) begins")

    def on_workflow_task_submitted_ctx(self, ctx: base.WorkflowTaskSubmitContext) -> None:
        """Said by `on_end_submit_job_ctx` too; here stands whose child it is."""
        self._log(f"workflow {ctx.parent_workflow_id} ({ctx.parent_workflow_name}) has submitted {ctx.child_task_name} as "
                  f"{ctx.child_job_id}")

    def on_workflow_end_ctx(self, ctx: base.WorkflowCallbackContext) -> None:
        """The workflow has ended."""
        raised = ctx.exception
        told = f" with {type(raised).__name__}: {raised}" if raised is not None else ""
        self._log(f"workflow {ctx.workflow_job_id} ({ctx.workflow_name}) ended{told}", ERROR if told else None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_logger": None, "_states": {}, "_arrays": {}}

    def _count(self, array: _Array, good: bool) -> None:
        before = array.ended * 10 // array.size
        array.ended += 1
        array.failed += not good
        if array.ended * 10 // array.size != before:
            failed = f", {array.failed} of them badly" if array.failed else ""
            self._log(f"array {array.id} ({array.name}): {array.ended} of {array.size} have ended{failed}")

    def _log(self, text: str, level: int | None = None) -> None:
        if self._logger is None:
            self._logger = _logger(self._name, self._level, self._configure)
        self._logger.log(self._level if level is None else max(level, self._level), text)


def _logger(name: str, level: int, configure: bool) -> Any:
    """The logger of this name, with a handler where there is none and one is wanted."""
    import logging

    found = logging.getLogger(name)
    if configure and not found.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        found.addHandler(handler)
        found.setLevel(level)
    return found
