"""The job's side of callbacks: loads those that came with it and tells them when the task begins and ends.

In a job of several tasks, in each of them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import BaseCallback, ExecutionLocus, call
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.raised import text_of
from slurm.sdk.inside import loading
from slurm.sdk.inside.runtime import build_job_context

RUNNER = ExecutionLocus.RUNNER
VERSION = ".".join(map(str, sys.version_info[:3]))
_SHOWN = ("CUDA_VISIBLE_DEVICES", "JOB_DIR", "PATH", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX")
"""Variables besides SLURM_* that callbacks are told of."""


class Inside:
    """Tells the callbacks of the job that this process is."""

    def __init__(self, files: JobFiles, environ: Mapping[str, str]) -> None:
        self._files = files
        self._environ = environ
        self._rank = int(environ.get("SLURM_PROCID") or 0)
        self._started = time.time()
        self._context = build_job_context({**environ, "JOB_DIR": files.folder})
        self._host = os.uname().nodename
        array = environ.get("SLURM_ARRAY_JOB_ID")
        self._job = f"{array}_{environ.get('SLURM_ARRAY_TASK_ID')}" if array else environ.get("SLURM_JOB_ID")
        self.callbacks = loaded(files.callbacks)

    def begin(self, function: Callable[..., Any]) -> None:
        """Tell that the task's function is about to be called."""
        self._started = time.time()
        files = self._files
        arguments = files.call if files.key == files.array_key else files.items
        self._call("on_begin_run_job_ctx", base.RunBeginContext(
            module=getattr(function, "__module__", ""), function=getattr(function, "__qualname__", repr(function)), args_file=arguments,
            kwargs_file=arguments, output_file=files.rank_result(self._rank), job_id=self._job, job_dir=files.folder, hostname=self._host,
            python_executable=sys.executable, python_version=VERSION, working_directory=os.getcwd(),
            environment_snapshot=snapshot(self._environ),
            start_time=self._started, job_context=self._context))

    def workflow(self, around: Any, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a workflow's function, telling of its beginning and its end."""
        self._workflow("on_workflow_begin_ctx", around)
        self.begin(function)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._workflow("on_workflow_end_ctx", around, exception=error)
            raise
        self._workflow("on_workflow_end_ctx", around, result=result)
        return result

    def end(self, error: BaseException | None = None, traceback: str | None = None) -> None:
        """Tell that the task has ended, well or with this error, and that what came of it is written."""
        ended, files = time.time(), self._files
        raised = None if error is None else type(error).__name__
        message = None if error is None else text_of(error)
        out, err = _written(sys.stdout) or files.stdout, _written(sys.stderr) or files.stderr
        self._call("on_end_run_job_ctx", base.RunEndContext(
            "success" if error is None else "failure", files.rank_result(self._rank), raised, message, traceback, self._job, files.folder,
            self._host,
            out, err, self._started, ended, ended - self._started, self._context))
        if self._rank and error is None:
            return  # the others may still be at work: the first one, or one that failed, speaks for the job
        state, code = ("COMPLETED", "0:0") if error is None else ("FAILED", "1:0")
        status = {"JobState": state, "ExitCode": code, "PreSubmissionId": files.key, "Hostname": self._host,
                  "PythonVersion": VERSION, "Platform": sys.platform, "ErrorType": raised, "ErrorMessage": message}
        self._call("on_completed_ctx", base.CompletedContext(
            job=None, job_id=self._job, job_dir=files.folder, job_state=state, exit_code=code, reason=None, stdout_path=out,
            stderr_path=err,
            start_time=self._started, end_time=ended, duration=ended - self._started, status=status, error_type=raised,
            error_message=message,
            traceback=traceback, result_path=files.rank_result(self._rank), emitted_by=RUNNER, job_context=self._context))

    def _workflow(self, hook: str, around: Any, result: Any = None, exception: BaseException | None = None) -> None:
        self._call(hook, base.WorkflowCallbackContext(
            around.workflow_job_id, around.workflow_job_dir, around.name, around, time.time(), result, exception, around.cluster))

    def _call(self, hook: str, context: object) -> None:
        call(self.callbacks, RUNNER, hook, context)
        sys.stderr.flush()


def snapshot(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that callbacks are told of."""
    return {name: text for name, text in environ.items() if name.startswith("SLURM_") or name in _SHOWN}


def loaded(path: str) -> list[BaseCallback]:
    """The callbacks in a file; said on standard error when it cannot be read."""
    try:
        with open(path, "rb") as file, loading.imports():
            return base.unpack(file.read())
    except Exception as error:
        # The file is half written or of another kind: the job's own work does not hang on it.
        print(f"slurm: the callbacks in {path} cannot be loaded, the job goes on without them: {type(error).__name__}: {error}",
            file=sys.stderr)
        return []


def _written(stream: Any) -> str:
    """The file that a stream leads to; "" when it is a pipe or a terminal."""
    try:
        path = os.readlink(f"/proc/self/fd/{stream.fileno()}")
    except (OSError, ValueError):
        return ""
    return path if os.path.isfile(path) else ""
