"""The batch script of a task: #SBATCH lines, a few variables, and one call of the runner."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from types import MappingProxyType

from slurm.sdk import options
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.following.retry import ATTEMPT
from slurm.sdk.packaging.base import PackagingStrategy, quoted

NOTHING: Mapping[str, str] = MappingProxyType({})


def render(files: JobFiles, task: str, asked: Mapping[str, str | None], packaging: PackagingStrategy, *, array: bool = False, base: int = 0,
           setup: str = "", home: str = "", environ: Mapping[str, str] = NOTHING, attempt: int = 0) -> str:
    """The text of the script. `asked` are the options with all defaults in, `packaging` is prepared and says how the runner is run, `setup`
    are shell lines before that, for which relative paths begin at `home`. So do they in `environ`, the variables that jobs on this disk
    have from the program.

    With several tasks every one of them runs the runner, by srun. `base` is added to the ids of an array's elements, `attempt` counts those
    before.
    """
    lines = ["#!/bin/bash", *options.directives(asked), "", f"export JOB_DIR={shlex.quote(files.folder)}"]
    lines.append(f"export SLURM_JOBS_DIR={shlex.quote(os.path.dirname(os.path.dirname(files.folder)))}")
    lines += _whole(home, environ)
    if packaging.source:
        lines.append(f"export PYTHONPATH={shlex.quote(packaging.source)}${{PYTHONPATH:+:$PYTHONPATH}}")
    lines += [f"export SLURM_SDK_PYTHON={'.'.join(map(str, python_version()))}", "export PYTHONUNBUFFERED=1",
        *([f"export {ATTEMPT}={attempt}"] if attempt else []), *_set_up(setup, home)]
    lines += packaging.lines(files, base if array else None)
    words = [*packaging.command(), "--task", task, "--folder", files.folder, "--key", files.array_key,
        *(["--base", str(base)] if array else [])]
    return "\n".join((*lines, *packaging.launch(quoted(words), " ".join(_launcher(asked)), files))) + "\n"


def _set_up(setup: str, home: str) -> list[str]:
    """The shell lines of the user's, run at `home` where the node has that folder; those that lead elsewhere are followed."""
    if not setup or not home:
        return [setup] if setup else []
    there = shlex.quote(home)
    return [f"pushd -- {there} >/dev/null 2>&1", setup, f'[ "$PWD" != {there} ] || popd >/dev/null 2>&1']


def _whole(home: str, environ: Mapping[str, str]) -> list[str]:
    """Lines that say the relative folders of PATH and PYTHONPATH in full, where the job has these variables from the program."""
    lines = []
    for name in ("PATH", "PYTHONPATH"):
        folders = environ[name].split(":") if environ.get(name) else []
        if any(not os.path.isabs(one) for one in folders):
            whole = ":".join(os.path.normpath(os.path.join(home, one)) for one in folders)
            lines.append(f'[ "${name}" != {shlex.quote(environ[name])} ] || {name}={shlex.quote(whole)}')
    return lines


def _launcher(asked: Mapping[str, str | None]) -> list[str]:
    return ["srun", "--kill-on-bad-exit=1"] if options.several_tasks(asked) else []
