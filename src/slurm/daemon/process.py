"""Pid files, going to the background, and telling whoever started a daemon how that went."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import time
from collections.abc import Mapping
from typing import NoReturn

from slurm.daemon.service_manager import ServiceManager
from slurm.model.errors import StoreError

LAST_BREATH_SECONDS = 0.5
"""How long a pid file may still be locked by a predecessor that is ending."""


class PidFile:
    """A file with this process's number, locked while it runs: a stale one is simply taken over, a live one refuses.

    The lock is one that only a descriptor opened for writing can take, so that nobody who may merely read the file can be taken for a
    daemon. Locks of readers do not count either: each start puts a new file, which nobody could open before it was locked, in the place of
    the old one.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, program: str, owner: int = -1) -> None:
        """Write our number; `owner` is the uid that the file shall belong to.

        StoreError when a running process holds the file or it cannot be written.
        """
        deadline = time.monotonic() + LAST_BREATH_SECONDS
        while not self._taken(owner):
            if time.monotonic() > deadline:
                raise StoreError(message=f"{program} is already running (pid {holder_of(self.path) or 'unknown'}, {self.path})")
            time.sleep(0.02)

    def _taken(self, owner: int) -> bool:
        """One attempt. Whoever starts holds the new file's lock first, so that only one at a time looks at the old one and replaces it."""
        new = self.path + ".new"
        descriptor = self._open(new)
        try:
            if not _lock(descriptor) or not _is_at(descriptor, new):
                os.close(descriptor)
                return False
            if holder_of(self.path):
                os.unlink(new)
                os.close(descriptor)
                return False
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            if owner >= 0:
                os.fchown(descriptor, owner, -1)
            os.fchmod(descriptor, 0o644)
            os.replace(new, self.path)
        except OSError as error:
            raise StoreError(message=f"cannot write the pid file {self.path}: {error.strerror}") from error
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Remove the file, or empty it where its folder is not ours any more; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if _is_at(descriptor, self.path):
                try:
                    os.unlink(self.path)
                except PermissionError:
                    os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def _open(self, path: str) -> int:
        try:
            if os.path.islink(self.path):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(message=f"cannot write the pid file {self.path}: {error.strerror}") from error


_LOCK = struct.Struct("hhqqi4x")
"""struct flock of 64-bit Linux: type, whence, start, length, pid."""


def _lock(descriptor: int) -> bool:
    """Take the write lock of an open file description, as `lockf` does, but one that survives other descriptors of the same file being
    closed."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def holder_of(path: str) -> int:
    """The pid of the running process that holds this pid file, 0 when there is none. Takes no lock itself."""
    try:
        with open(path, "rb") as file:
            # Whether a reader's lock would be possible: only a write lock, a daemon's, is in its way.
            kind = _LOCK.unpack(fcntl.fcntl(file, fcntl.F_OFD_GETLK, _LOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)))[0]
            text = file.read(32).decode(errors="replace").strip()
    except OSError:
        return 0
    return int(text) if kind != fcntl.F_UNLCK and text.isdigit() else 0


class Readiness:
    """What `to_background` gave the daemon `program` to report with; -1 in the foreground, where only a service manager waits for a
    report."""

    def __init__(self, program: str, pipe: int) -> None:
        self._program = program
        self._pipe = pipe
        self._manager = ServiceManager()

    def ready(self) -> None:
        """Requests are answered: whoever started us may go on."""
        self._manager.tell("READY=1", f"MAINPID={os.getpid()}")
        self._tell("ready\n")

    def failed(self, lines: list[str]) -> None:
        """It ended while it started, and why; after `ready` only a service manager hears that."""
        self._manager.tell(f"STATUS={'; '.join(lines)}".replace("\n", " "))
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


def begin_again(environ: Mapping[str, str]) -> NoReturn:
    """This process becomes what it was started as, with these variables: nothing of what it knew, held or had begun is left. OSError."""
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(environ))
