"""`slurm.rendering`: a batch script in the published SDK's form, which carries its call with it and is run by `published.runner`, or by
theirs.

Not used for jobs of ours, whose script (`sdk.script`) names a file with the call.
"""

from __future__ import annotations

import base64
import os
import pickle
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import PROTOCOL
from slurm.sdk.published.strategies import PublishedStrategy
from slurm.sdk.published.words import normalize_sbatch_options

__all__ = ["ARGS_FILENAME", "CALLBACKS_FILENAME", "KWARGS_FILENAME", "RESULT_FILENAME", "RenderContext", "render_job_script"]

RESULT_FILENAME, ARGS_FILENAME, KWARGS_FILENAME, CALLBACKS_FILENAME = "result.pkl", "task_args.pkl", "task_kwargs.pkl", "callbacks.pkl"
"""The last words of the files' names; before them stands `slurm_job_<key>_`."""


class RenderContext(NamedTuple):
    """What a script is made of; `packaging_strategy` is None, one of ours that is prepared, or has generate_setup_commands,
    generate_cleanup_commands and wrap_execution_command."""

    task_func: Any
    task_args: tuple[Any, ...]
    task_kwargs: dict[str, Any]
    task_definition: Mapping[str, Any]
    sbatch_overrides: Mapping[str, Any]
    packaging_strategy: Any
    target_job_dir: str
    pre_submission_id: str
    callbacks: Sequence[Any] = ()
    cluster: Any = None
    is_array_job: bool = False
    array_items_file: str | None = None


def render_job_script(context: RenderContext | None = None, **fields: Any) -> str:
    """The script, from a RenderContext or from its fields by name; RuntimeError when the arguments cannot be pickled."""
    ctx = context if context is not None else RenderContext(**fields)
    key, folder = ctx.pre_submission_id, os.fspath(ctx.target_job_dir)
    runner, files = _runner(ctx)
    setup, cleanup, command = _packaged(ctx, runner)
    return "\n".join((
        "#!/bin/bash", *_directives(ctx), "", f"export JOB_DIR={shlex.quote(folder)}",
        'export SLURM_JOBS_DIR=$(dirname "$(dirname "$JOB_DIR")")',
        'cd "$JOB_DIR" || { echo "ERROR: cannot change to $JOB_DIR" >&2; exit 1; }', *setup, *files,
        f"export PYTHONPATH={shlex.quote(os.pathsep.join(shipping.extra_path()))}:${{PYTHONPATH:-}}",
        "PY_EXEC_RESOLVED=${PY_EXEC:-python}", "export PY_EXEC_RESOLVED PYTHONUNBUFFERED=1",
        *([f'RESULT_FILE="slurm_job_{key}_${{SLURM_ARRAY_TASK_ID}}_{RESULT_FILENAME}"'] if ctx.is_array_job else []),
        command, "EXECUTION_STATUS=$?", *cleanup, "exit $EXECUTION_STATUS"))


def _directives(ctx: RenderContext) -> list[str]:
    asked = {**normalize_sbatch_options(ctx.task_definition), **normalize_sbatch_options(ctx.sbatch_overrides)}
    name = asked.pop("job_name", None) or ctx.task_func.__name__
    folder, stem = os.fspath(ctx.target_job_dir), f"slurm_{ctx.pre_submission_id}" + ("_%a" if ctx.is_array_job else "")
    asked.setdefault("output", f"{folder}/{stem}.out")
    asked.setdefault("error", f"{folder}/{stem}.err")
    lines = [f"#SBATCH --job-name={shlex.quote(str(name))}"]
    for option, value in asked.items():
        if value is not False:
            text = "" if value is None or value is True else f"={shlex.quote(str(value))}"
            lines.append(f"#SBATCH --{option.replace('_', '-')}{text}")
    return lines


def _runner(ctx: RenderContext) -> tuple[str, list[str]]:
    """The runner's command line, and the lines that write its files."""
    folder, stem = os.fspath(ctx.target_job_dir), f"slurm_job_{ctx.pre_submission_id}"
    names = JobFiles(folder, f"{ctx.pre_submission_id}_$SLURM_ARRAY_TASK_ID" if ctx.is_array_job else ctx.pre_submission_id)
    words = ["-m slurm.runner", f'--module "{_module(ctx.task_func)}"', f'--function "{ctx.task_func.__name__}"']
    lines = []
    if ctx.is_array_job:
        words += ['--array-index "$SLURM_ARRAY_TASK_ID"', f'--array-items-file "{ctx.array_items_file or "array_items.pkl"}"',
            '--output-file "$RESULT_FILE"']
    else:
        for option, name, value in (("args", ARGS_FILENAME, tuple(ctx.task_args)), ("kwargs", KWARGS_FILENAME, dict(ctx.task_kwargs))):
            words.append(f'--{option}-file "{stem}_{name}"')
            lines += _heredoc(f"{stem}_{name}", value, f"BASE64_{option.upper()}")
        words.append(f'--output-file "{stem}_{RESULT_FILENAME}"')
    callbacks = f"{stem}_{CALLBACKS_FILENAME}"
    lines += _heredoc(callbacks, list(ctx.callbacks), "BASE64_CBS") if ctx.callbacks else [f'touch "{callbacks}"']
    path = base64.b64encode(pickle.dumps(shipping.extra_path(), PROTOCOL)).decode()
    words += [f'--callbacks-file "{callbacks}"', f'--sys-path "{path}"', f'--job-dir "{folder}"', f'--stdout-path "{names.stdout}"',
              f'--stderr-path "{names.stderr}"', f'--pre-submission-id "{ctx.pre_submission_id}"']
    return '"$PY_EXEC_RESOLVED" ' + " ".join(words), lines


def _heredoc(name: str, value: Any, mark: str) -> list[str]:
    try:
        data = pickle.dumps(value, PROTOCOL)
    except Exception as error:
        # What a __reduce__ of somebody else's may raise is not ours to list.
        raise RuntimeError(f"Failed to serialize task arguments for cluster execution. {type(error).__name__}: {error}") from error
    return [f'base64 -d > "{name}" << "{mark}"', base64.b64encode(data).decode(), mark]


def _packaged(ctx: RenderContext, runner: str) -> tuple[list[str], list[str], str]:
    strategy, task, key = ctx.packaging_strategy, ctx.task_func, ctx.pre_submission_id
    if strategy is None:
        return [], [], runner
    ours = isinstance(strategy, PublishedStrategy)  # they quote the folder themselves
    folder = os.fspath(ctx.target_job_dir) if ours else "$JOB_DIR"
    setup = list(strategy.generate_setup_commands(task, job_id=key, job_dir=folder))
    cleanup = [] if ctx.is_array_job else list(strategy.generate_cleanup_commands(task, job_id=key, job_dir=folder))
    return setup, cleanup, str(strategy.wrap_execution_command(runner, task, job_id=key, job_dir=folder if ours else '"$JOB_DIR"'))


def _module(function: Any) -> str:
    """The name that the function's module has where it is not the main script."""
    name = str(function.__module__)
    file = getattr(sys.modules.get(name), "__file__", None)
    if name != "__main__" or file is None:
        return name
    inside = [os.path.relpath(file, entry or ".") for entry in sys.path]
    fitting = [one.removesuffix(".py").replace(os.sep, ".") for one in inside if not one.startswith("..")]
    return max(fitting, key=lambda one: one.count("."), default=os.path.basename(file).removesuffix(".py"))
