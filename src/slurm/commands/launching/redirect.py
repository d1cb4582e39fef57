"""What -o, -e and -i of srun mean: which streams srun carries, which files it opens itself and which the nodes open. Opens nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from slurm.model.errors import SlurmError
from slurm.notation import filenames


class Stream(NamedTuple):
    """One standard stream of a step. `remote` goes into LaunchStep; `path`: a file that srun opens for it, "": srun's own stream."""

    remote: str
    path: str = ""

    @property
    def carried(self) -> bool:
        """Whether srun passes it on."""
        return self.remote in ("", "all") or self.remote.isdigit()


class Streams(NamedTuple):
    """The three of them."""

    stdin: Stream
    stdout: Stream
    stderr: Stream


TERMINAL = Streams(Stream("0"), Stream("0"), Stream("0"))
"""--pty: task 0 alone, the others have nothing."""


def plan(stdin: str, stdout: str, stderr: str, fields: filenames.Fields, ntasks: int) -> Streams:
    """Where the streams lead that were asked for as -i, -o and -e ("": not asked). A file for -o takes standard error too.

    A number is a task of the `ntasks` that there are, else the name of a file.
    """
    out = _output(stdout, fields, ntasks)
    err = _output(stderr, fields, ntasks) if stderr or out.carried and not out.path or out.remote == "none" else out
    return Streams(_input(stdin, fields, ntasks), out, err)


def _is_task(wanted: str, ntasks: int) -> bool:
    return wanted.isascii() and wanted.isdigit() and int(wanted) < ntasks


def _output(wanted: str, fields: filenames.Fields, ntasks: int) -> Stream:
    if wanted in ("", "all"):
        return Stream("")
    if wanted.lower() == "none" or _is_task(wanted, ntasks):
        return Stream(wanted.lower())
    if filenames.needs_per_node(wanted):
        return Stream(wanted)
    return Stream("", filenames.expand(wanted, fields))


def _input(wanted: str, fields: filenames.Fields, ntasks: int) -> Stream:
    if wanted in ("", "all"):
        return Stream("all")
    if wanted.lower() == "none" or _is_task(wanted, ntasks):
        return Stream(wanted.lower())
    if filenames.needs_per_node(wanted):
        return Stream(wanted)
    return Stream("all", filenames.expand(wanted, fields))


def fields_of(job: int, step: int, environ: Mapping[str, str]) -> filenames.Fields:
    """What the symbols in file names stand for, as far as the whole step shares it; `environ` is the step's."""
    array_job, array_task = environ.get("SLURM_ARRAY_JOB_ID", ""), environ.get("SLURM_ARRAY_TASK_ID", "")
    return filenames.Fields(
        job=job, job_name=environ.get("SLURM_JOB_NAME", ""), user=environ.get("SLURM_JOB_USER", ""), step=str(step),
        array_job=int(array_job) if array_job.isdigit() else None, array_task=int(array_task) if array_task.isdigit() else None)


class Opened(NamedTuple):
    """Descriptors that srun reads from and writes to; -1: nothing to carry. Equal paths share one."""

    stdin: int
    stdout: int
    stderr: int


class CannotOpen(SlurmError):
    """A file of srun's own that cannot be opened."""


def open_streams(streams: Streams, folder: str, *, append: bool) -> Opened:
    """Open what srun itself reads and writes, relative paths below `folder`; CannotOpen."""
    opened: dict[str, int] = {}

    def output(stream: Stream, own: int, name: str) -> int:
        if not stream.carried:
            return -1
        if not stream.path:
            return own
        path = os.path.join(folder, stream.path)
        if path not in opened:
            mode = os.O_APPEND if append else os.O_TRUNC
            opened[path] = _open(path, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | mode, name)
        return opened[path]

    source = -1
    if streams.stdin.carried:
        source = _open(os.path.join(folder, streams.stdin.path), os.O_RDONLY | os.O_NOCTTY, "stdin") if streams.stdin.path else 0
    return Opened(source, output(streams.stdout, 1, "stdout"), output(streams.stderr, 2, "stderr"))


def _open(path: str, flags: int, name: str) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise CannotOpen(message=f"Could not open {name} file {path}: {error.strerror}") from error
