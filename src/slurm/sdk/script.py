"""The batch script of a task: #SBATCH lines, a few variables, and one call of the runner."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from slurm.sdk import options
from slurm.sdk.folder import JobFiles


def render(files: JobFiles, task: str, asked: Mapping[str, str | None], python: str, *, array: bool = False, base: int = 0,
           setup: str = "", source: str = "") -> str:
    """The text of the script. `asked` are the options with all defaults in, `setup` shell lines to run before the task, `source` the folder
    that slurm-py is found in, "" where `python` finds it by itself.

    With several tasks every one of them runs the runner, by srun. `base` is added to the ids of an array's elements.
    """
    lines = ["#!/bin/bash", *options.directives(asked), "", f"export JOB_DIR={shlex.quote(files.folder)}"]
    lines.append(f"export SLURM_JOBS_DIR={shlex.quote(os.path.dirname(os.path.dirname(files.folder)))}")
    if source:
        lines.append(f"export PYTHONPATH={shlex.quote(source)}${{PYTHONPATH:+:$PYTHONPATH}}")
    lines += ["export PYTHONUNBUFFERED=1", *([setup] if setup else [])]
    words = [*_launcher(asked), shlex.quote(python), "-m", "slurm.runner", "--task", shlex.quote(task), "--folder", shlex.quote(files.folder),
             "--key", files.array_key]
    if array:
        words += ["--base", str(base)]
    return "\n".join((*lines, f"exec {' '.join(words)}")) + "\n"


def _launcher(asked: Mapping[str, str | None]) -> list[str]:
    """srun where the job has more than one task."""
    tasks = any((asked.get(name) or "1").partition("-")[0] != "1" for name in ("ntasks", "ntasks_per_node", "nodes"))
    return ["srun", "--kill-on-bad-exit=1"] if tasks else []
