"""The Slurm commands of this very installation: where they lie, and whether a shell here finds and can start them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from slurm.model.errors import InvalidRequest

PROBE = "sbatch"


def folder(beside: Sequence[str] = (), probe: str = PROBE) -> str:
    """The folder where they are, `probe` among them: that of one of these programs, by default `slurm` itself and Python.

    InvalidRequest when they are in neither.
    """
    for program in beside or (sys.argv[0], sys.executable):
        found = os.path.dirname(os.path.abspath(program))
        if os.path.exists(os.path.join(found, probe)):
            return found
    raise InvalidRequest(message=f"{probe} is not installed in {found}", hints=["`pip install .` installs the Slurm commands"])


def check(where: str) -> None:
    """InvalidRequest with what to do when the system does not start what pip installed there, as where the path of its Python has a blank
    in it."""
    path = os.path.join(where, PROBE)
    try:
        subprocess.run([path, "--version"], capture_output=True, check=False)
    except OSError as error:
        raise InvalidRequest(message=f"{path} cannot be started: {error.strerror}", hints=_cure(path)) from error


def _cure(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as script:
        interpreter = script.readline().removeprefix("#!").strip()
    if " " not in interpreter:
        return [f"its first line says that {interpreter} runs it"]
    return [f"pip has written {interpreter} into its first line, which no system reads beyond the blank",
            "install slurm-py into a folder whose path has no blanks, or with uv, which knows how to write that line"]


def advice(environ: Mapping[str, str], beside: Sequence[str] = ()) -> list[str]:
    """What a user has to know before typing `sbatch`, in lines; none where the shell finds the commands of this installation and can start
    them."""
    try:
        where = folder(beside)
        check(where)
    except InvalidRequest as error:
        return error.lines()
    found = shutil.which(PROBE, path=environ.get("PATH"))
    if found and os.path.realpath(found) == os.path.realpath(os.path.join(where, PROBE)):
        return []
    stands = f"{PROBE} on your PATH is {found}, which is of another installation" if found else f"{PROBE} is not on your PATH"
    return [f"{stands}; for the commands of this one:  export PATH={shlex.quote(where)}:$PATH"]
