"""A task's standard input and output when they are files, opened by a new task itself: as the job's owner, with his umask and the open
mode.

What may take for ever (a FIFO that nobody reads, a file system that does not answer) so takes only a process that can be killed. Not here:
who waits for it and for how long (`hooks.tasks`).
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

FOLDER_SECONDS = 2.0
"""How long an output file waits for its folder: clients such as submitit make one named after the job id that sbatch has just told them."""
_LOOK_AGAIN_SECONDS = 0.02
_READ = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | os.O_CLOEXEC


class CannotOpen(Exception):
    """A file that the job named cannot be opened; the text is Slurm's line for it."""


class File(NamedTuple):
    """A file to open: the same one is opened once, so that tasks and streams that share it also share its offset.

    `stream` is its name in errors, `own` the rank of the only task that reads it, -1 for an output file.
    """

    path: str
    flags: int
    stream: str
    own: int = -1


def output(path: str, stream: str, *, append: bool) -> File:
    """An output file, made when it is not there; `stream` "stdout" or "stderr"."""
    return File(path, _WRITE | (os.O_APPEND if append else os.O_TRUNC), stream)


def source(path: str, rank: int) -> File:
    """What a task reads as its standard input: opened for it alone."""
    return File(path, _READ, "stdin", rank)


def open_all(wanted: Sequence[File], about: Callable[[int], None]) -> list[int]:
    """Descriptors of these files, in order; `about(index)` is called before each, since it may take long. CannotOpen."""
    found = []
    for index, file in enumerate(wanted):
        about(index)
        try:
            found.append(_open_in_time(file))
        except (OSError, ValueError) as error:
            raise CannotOpen(f"Could not open {file.stream} file {file.path}: {_why(file, error)}") from error
    return found


def too_long(file: File, seconds: float) -> str:
    """What is said of a file that was not open after so many seconds. Asks nothing of its file system."""
    return (f"Could not open {file.stream} file {file.path}: not within {seconds:.0f} s; "
            f"a FIFO needs a process at its other end, a file system must answer")


def _open_in_time(file: File) -> int:
    deadline = time.monotonic() + FOLDER_SECONDS if file.flags & os.O_CREAT else 0.0
    while True:
        try:
            return os.open(file.path, file.flags, 0o666)
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def _why(file: File, error: OSError | ValueError) -> str:
    """The system's words, and for a missing folder which one it is."""
    if not isinstance(error, OSError):
        return str(error)
    words = os.strerror(error.errno or 0)
    folder = os.path.dirname(file.path)
    if error.errno == errno.ENOENT and file.flags & os.O_CREAT and not _is_folder(folder):
        return f"{words}: folder {folder} is not there; it must exist on the node before the job starts"
    return words


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False
