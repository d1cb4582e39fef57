"""A lock file: one process at a time has the state. The kernel drops the lock when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os

from slurm.model.errors import StoreError
from slurm.store.lease import Overtaken


class FileLock:
    """Holds `path` until `release`; Overtaken, which names the holder's pid, when another process has it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = self._take()

    def _take(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(message=f"{self.path}: {error.strerror}", hints=[
                "the StateSaveLocation must exist and be writable"]) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Overtaken(
                message=f"{self.path.removesuffix('.lock')} is in use by another slurmctld (pid {holder})",
                hints=["stop that one first, or use another StateSaveLocation"]) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def keep(self) -> None:
        """Take it again where somebody removed the file; Overtaken when another process has it meanwhile."""
        here = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
            kept = (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
        except FileNotFoundError:
            kept = False
        if not kept:
            descriptor = self._take()
            os.close(self._fd)
            self._fd = descriptor

    def release(self) -> None:
        """Let others have it; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
