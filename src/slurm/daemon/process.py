"""Pid files, going to the background, and telling whoever started a daemon how that went."""

from __future__ import annotations

import fcntl
import os
import sys
import time

from slurm.model.errors import StoreError

LOOKED_AT_SECONDS = 0.5
"""A lock that is held no longer was somebody looking (`holder_of`), or the predecessor's last breath."""


class PidFile:
    """A file with this process's number, locked while it runs: a stale one is simply taken over, a live one refuses."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, program: str) -> None:
        """Write our number; StoreError when a running process holds the file or it cannot be written."""
        deadline = time.monotonic() + LOOKED_AT_SECONDS
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                number = os.read(descriptor, 32).decode(errors="replace").strip()
                os.close(descriptor)
                if time.monotonic() > deadline:
                    raise StoreError(message=f"{program} is already running (pid {number}, {self.path})") from error
                time.sleep(0.02)
                continue
            if _is_at(descriptor, self.path):
                break
            os.close(descriptor)  # its last holder removed it while we waited: what we locked is nobody's
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Remove the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if _is_at(descriptor, self.path):
                os.unlink(self.path)
            os.close(descriptor)

    def _open(self) -> int:
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise StoreError(message=f"cannot write the pid file {self.path}: {error.strerror}") from error


def _is_at(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


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


class Readiness:
    """What `to_background` gave the daemon `program` to report with; -1 in the foreground, where nobody waits for a report."""

    def __init__(self, program: str, pipe: int) -> None:
        self._program = program
        self._pipe = pipe

    def ready(self) -> None:
        """Requests are answered: whoever started us may go on."""
        self._tell("ready\n")

    def failed(self, lines: list[str]) -> None:
        """It ended while it started, and why; after `ready` nobody hears that any more."""
        self._tell("".join(f"{self._program}: fatal: {line}\n" for line in lines))

    def _tell(self, text: str) -> None:
        if self._pipe < 0:
            return
        pipe, self._pipe = self._pipe, -1
        try:
            os.write(pipe, text.encode())
        except BrokenPipeError:
            sys.stderr.write("whoever started this daemon did not wait for it\n")
        finally:
            os.close(pipe)


def to_background() -> int:
    """Leave the terminal: returns in a grandchild of a session of its own, with a pipe's write end for `Readiness`.

    The calling process stays until the grandchild reports or ends: it exits 0 for "ready", else 1 with the text on standard error. So
    `slurmctld && sbatch job.sh` works.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.readline()
            if text.strip() == "ready":
                os._exit(0)
            text += pipe.read()
        sys.stderr.write(text or "the daemon ended while it started; see its log\n")
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
