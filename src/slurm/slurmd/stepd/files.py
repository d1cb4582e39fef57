"""A task's standard input and output when they are files: opened as the job's owner, with the job's umask and open mode."""

from __future__ import annotations

import os
import time

from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.user import acting_as

FOLDER_SECONDS = 2.0
"""How long an output file waits for its folder: clients such as submitit make one named after the job id that sbatch has just told them."""
_LOOK_AGAIN_SECONDS = 0.02


class CannotOpen(Exception):
    """A file that the job named cannot be opened; the text is Slurm's line for it."""


class Files:
    """The open files of a step: each path is opened once, so that tasks and streams that share it also share its offset."""

    def __init__(self, record: StepRecord) -> None:
        self._record = record
        self._outputs: dict[str, int] = {}

    def output(self, path: str, stream: str) -> int:
        """Descriptor of an output file, relative paths from the working directory; `stream` is its name in the error. CannotOpen."""
        whole = os.path.join(self._record.work_dir, path)
        if whole not in self._outputs:
            mode = os.O_APPEND if self._record.append else os.O_TRUNC
            self._outputs[whole] = self._open(whole, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | mode, stream)
        return self._outputs[whole]

    def input(self, path: str) -> int:
        """A fresh descriptor of an input file. CannotOpen."""
        return self._open(os.path.join(self._record.work_dir, path), os.O_RDONLY | os.O_NOCTTY, "stdin")

    def close(self) -> None:
        """Close the output files; inputs are their user's to close."""
        for descriptor in self._outputs.values():
            os.close(descriptor)
        self._outputs.clear()

    def _open(self, path: str, flags: int, stream: str) -> int:
        try:
            with acting_as(self._record):
                return _open_in_time(path, flags | os.O_CLOEXEC)
        except OSError as error:
            raise CannotOpen(f"Could not open {stream} file {path}: {error.strerror}") from error


def _open_in_time(path: str, flags: int) -> int:
    deadline = time.monotonic() + FOLDER_SECONDS if flags & os.O_CREAT else 0.0
    while True:
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)
