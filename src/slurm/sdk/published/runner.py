"""`python -m slurm.runner --module M --function F …`: a job as the published SDK's scripts start it, its arguments in files of theirs.

    --module --function --output-file --callbacks-file                            always
    --args-file --kwargs-file                                                     of a call
    --array-index --array-items-file                                              of an element of an array
    --sys-path --loglevel --job-dir --stdout-path --stderr-path --pre-submission-id

How a call is made and what is written of it stands in `inside.runner`; what programs call of theirs beside this in `calling` and
`workflow_run`.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import Envelope, python_version, read_result, skip_header
from slurm.sdk.inside import awaiting, injection, loading
from slurm.sdk.inside.runner import Loaded, make
from slurm.sdk.published.array_items import load_array_item
from slurm.sdk.published.metadata import found, save_result, update_job_metadata

__all__ = ["RunnerArgs", "configure_logging", "create_argument_parser", "get_job_id_from_env", "load_function", "load_task_arguments",
    "log_startup_info",
           "parse_args", "resolve_placeholder", "resolve_task_arguments", "restore_sys_path", "save_result", "update_job_metadata"]

Call = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass
class RunnerArgs:
    """The options of the command line."""

    module: str
    function: str
    output_file: str
    callbacks_file: str
    args_file: str | None = None
    kwargs_file: str | None = None
    array_index: int | None = None
    array_items_file: str | None = None
    sys_path: str | None = None
    loglevel: str = "INFO"
    job_dir: str | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    pre_submission_id: str | None = None

    @property
    def is_array_job(self) -> bool:
        """Whether it is an element of an array."""
        return self.array_index is not None


class TheirFiles(JobFiles):
    """A job's folder in which the result has a name that was told."""

    __slots__ = ("_result",)

    def __init__(self, folder: str, key: str, index: int | None, result: str) -> None:
        super().__init__(folder, key, index)
        self._result = result

    def rank_result(self, rank: int) -> str:
        """As told; the others of a job of several tasks beside it."""
        return f"{self._result}{f'.{rank}' if rank else ''}"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one task; the exit status of its job."""
    args = parse_args(argv)
    configure_logging(args.loglevel)
    log_startup_info(args)
    folder = os.path.abspath(args.job_dir or environ.get("JOB_DIR") or ".")
    output = os.path.join(folder, args.output_file)
    key = args.pre_submission_id or os.path.basename(output).removeprefix("slurm_job_").removesuffix("_result.pkl")
    files = TheirFiles(folder, key, args.array_index, output)
    made = Published(args, folder, environ)
    callbacks = os.path.join(folder, args.callbacks_file)
    status = make(files, environ, made.envelope, made.load, callbacks if os.path.exists(callbacks) and os.path.getsize(callbacks) else "")
    if status == 0 and not int(environ.get("SLURM_PROCID") or 0):
        try:
            update_job_metadata(output, get_job_id_from_env(environ) or "")
        except OSError as error:
            print(f"slurm.runner: the result is written, but not its entry in metadata.json: {error}", file=sys.stderr)
    return status


class Published:
    """What `runner.make` needs of a job, from a command line of the published SDK."""

    def __init__(self, args: RunnerArgs, folder: str, environ: Mapping[str, str]) -> None:
        self._args, self._folder, self._environ = args, folder, environ
        self._call: Call = ((), {})
        self._function: Any = None
        self._retry: Any = None

    def envelope(self) -> Envelope:
        """The function is imported and its arguments are loaded, for what it wants of its job decides what stands in the envelope."""
        restore_sys_path(self._args.sys_path)
        with loading.imports():
            task = load_function(self._args.module, self._args.function)
            self._function = awaiting.waited(loading.function(task))
            self._call = resolve_task_arguments(*load_task_arguments(self._args, self._folder), self._environ.get("SLURM_JOBS_DIR"))
        workflow = bool(getattr(task, "workflow", False))
        self._retry = getattr(task, "retry", None)
        bound = injection.bound(injection.signature_of(self._function), *self._call, workflow=workflow)
        self._call = bound.args, bound.kwargs
        return Envelope(b"", self._args.function, python_version(), [], bound.inject, self._cluster() if workflow else {})

    def load(self, envelope: Envelope) -> Loaded:
        """The function, what to call it with, and how it wants to be tried again."""
        return self._function, *self._call, self._retry

    def _cluster(self) -> dict[str, Any]:
        """The cluster of a workflow's children."""
        from slurm.sdk.published.workflow_run import create_cluster_from_config, extract_cluster_config_from_env

        cluster, _ = create_cluster_from_config(extract_cluster_config_from_env(self._folder, self._environ))
        return cluster.spec()


def create_argument_parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="slurm.runner", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False)
    for name in ("module", "function", "output-file", "callbacks-file"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("args-file", "kwargs-file", "array-items-file", "sys-path", "job-dir", "stdout-path", "stderr-path", "pre-submission-id"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--array-index", type=int)
    parser.add_argument("--loglevel", default="INFO", help="from which level on the task's log goes to standard error (INFO)")
    return parser


def parse_args(argv: Sequence[str] | None = None) -> RunnerArgs:
    """The options of this program, or of these words; SystemExit when they are wrong."""
    return RunnerArgs(**vars(create_argument_parser().parse_args(argv)))


def configure_logging(loglevel: str) -> None:
    """Write the log to standard error from this level on, unless the program has set it up before."""
    import logging

    logging.basicConfig(level=logging.getLevelNamesMapping().get(loglevel.upper(), logging.INFO), stream=sys.stderr)


def log_startup_info(args: RunnerArgs) -> None:
    """Say in the log, at level DEBUG, what is about to be called."""
    import logging

    logging.getLogger("slurm.runner").debug("%s.%s of job %s in %s", args.module, args.function, get_job_id_from_env(), args.job_dir)


def restore_sys_path(encoded: str | None) -> None:
    """Put the folders of a base64 pickled list before sys.path, as far as they are not in it."""
    if encoded:
        entries = _unpickled(base64.b64decode(encoded))
        sys.path[:0] = [entry for entry in entries if entry not in sys.path]


def load_task_arguments(args: RunnerArgs, job_dir: str | None = None) -> Call:
    """The positional and keyword arguments in the files of a call, or those that an array's item stands for."""
    folder = job_dir or "."
    if args.array_index is not None:
        item = load_array_item(os.path.join(folder, args.array_items_file or "array_items.pkl"), args.array_index)
        if isinstance(item, dict):
            return (), item
        return (item if isinstance(item, tuple) else (item,)), {}
    read = [_read(os.path.join(folder, name)) if name else None for name in (args.args_file, args.kwargs_file)]
    return tuple(read[0] or ()), dict(read[1] or {})


def resolve_task_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], job_base_dir: str | None = None) -> Call:
    """The arguments with results in the place of placeholders, at any depth of lists, tuples and dictionaries."""
    return resolve_placeholder(args, job_base_dir), resolve_placeholder(kwargs, job_base_dir)


def resolve_placeholder(value: Any, job_base_dir: str | None = None) -> Any:
    """The result of the job that a placeholder stands for, of those in a list, tuple or dictionary too; other values as they are.

    FileNotFoundError when no metadata.json below the folder, $SLURM_JOBS_DIR unless said, tells of it.
    """
    if isinstance(value, dict):
        return {key: resolve_placeholder(one, job_base_dir) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(resolve_placeholder(one, job_base_dir) for one in value)
    if type(value).__name__ != "JobResultPlaceholder":
        return value
    below = job_base_dir or os.environ.get("SLURM_JOBS_DIR") or os.path.expanduser("~/slurm_jobs")
    path = found(value.job_id, below)
    if path is None:
        raise FileNotFoundError(f"Could not find result file for job_id={value.job_id}: no metadata.json below {below} names it")
    return read_result(path, value.job_id)


def load_function(module_name: str, function_name: str) -> Any:
    """What a module calls so, a task where it is one."""
    from importlib import import_module

    named: Any = import_module(module_name)
    for part in function_name.split("."):
        named = getattr(named, part)
    return named


def get_job_id_from_env(environ: Mapping[str, str] = os.environ) -> str | None:
    """The id of this job, "12" or "12_3"; None outside of jobs."""
    array = environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{environ.get('SLURM_ARRAY_TASK_ID')}" if array else environ.get("SLURM_JOB_ID")


def _read(path: str) -> Any:
    with open(path, "rb") as file:
        return _unpickled(file.read())


def _unpickled(data: bytes) -> Any:
    file = io.BytesIO(data)
    skip_header(file)
    return pickle.load(file)
