"""Pid files and going to the background."""

from __future__ import annotations

import fcntl
import os
import sys

from slurm.model.errors import StoreError


class PidFile:
    """A file with this process's number, locked while it runs: a stale one is simply taken over, a live one refuses."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, program: str) -> None:
        """Write our number; StoreError when a running process holds the file or it cannot be written."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(message=f"cannot write the pid file {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            number = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise StoreError(message=f"{program} is already running (pid {number}, {self.path})") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Remove the file; a second call does nothing."""
        if self._descriptor >= 0:
            if os.path.exists(self.path):
                os.unlink(self.path)
            os.close(self._descriptor)
            self._descriptor = -1


def holder_of(path: str) -> int:
    """The pid of the running process that holds this pid file, 0 when there is none."""
    try:
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                text = file.read(32).decode(errors="replace").strip()
                return int(text) if text.isdigit() else 0
    except OSError:
        return 0
    return 0


def to_background() -> int:
    """Leave the terminal: returns in a grandchild of a session of its own, with a pipe's write end to report readiness with.

    The calling process stays until the grandchild writes a line to the pipe or ends: it exits 0 for "ready", else 1 with the text on
    standard error. So `slurmctld && sbatch job.sh` works.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.readline().strip()
        if text == "ready":
            os._exit(0)
        sys.stderr.write((text or "the daemon ended while it started; see its log") + "\n")
        sys.stderr.flush()
        os._exit(1)
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)
    return writing
