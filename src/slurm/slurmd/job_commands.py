"""The Slurm commands that jobs here find, whatever became of their PATH: a folder of links, put first, and a line for each bash of a job.

Who installed slurm-py into a virtual environment has its commands where no login shell looks, and perhaps those of another Slurm where each
does. Its folder cannot be put first: it holds a Python too. `#!/bin/bash -l` reads /etc/profile, which sets PATH anew, and after it the
file that BASH_ENV names. Not here: what that makes of a task's environment (`stepd.path`).
"""

from __future__ import annotations

import os
import shlex
import sys

from slurm.options import tables
from slurm.slurmd.stepd.path import FILE, FOLDER, KEPT

_EVERYWHERE = ("/usr/bin", "/bin", "/usr/local/bin")
"""Where every shell looks: commands that are there need no help."""


def make(spool: str, programs: tuple[str, ...] = (sys.argv[0], sys.executable)) -> str:
    """Make the folder in `spool` with the commands that lie beside one of these programs; its path, "" where none is needed or there are
    none. OSError."""
    for program in programs:
        beside = os.path.dirname(os.path.abspath(program))
        if os.path.exists(os.path.join(beside, "srun")):
            break
    else:
        return ""
    if beside in _EVERYWHERE:
        return ""
    folder = os.path.join(spool, FOLDER)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    for name in (*tables.COMMANDS, "slurm"):
        target = os.path.join(beside, name)
        if os.path.exists(target):
            os.symlink(target, os.path.join(folder, f".{name}"))
            os.replace(os.path.join(folder, f".{name}"), os.path.join(folder, name))
    with open(os.path.join(folder, f".{FILE}"), "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(_bash(folder))
    os.replace(os.path.join(folder, f".{FILE}"), os.path.join(folder, FILE))
    return folder


def _bash(folder: str) -> str:
    quoted = shlex.quote(folder)
    return ("# Each bash of a job reads this: the commands of the cluster that runs it come first, whatever /etc/profile made of PATH.\n"
            f'case "${{PATH-}}:" in {quoted}:*) ;; *) PATH={quoted}:${{PATH-}} ;; esac\n'
            f'if [ -n "${{{KEPT}-}}" ]; then eval ". \\"${KEPT}\\""; fi\n')
