"""A lock file: one process at a time has the state. The kernel drops the lock when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os

from slurm.model.errors import StoreError


class FileLock:
    """Holds `path` until `release`; StoreError that names the holder's pid when another process has it."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(message=f"{path}: {error.strerror}", hints=["the StateSaveLocation must exist and be writable"]) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            self._fd = -1
            raise StoreError(
                message=f"{path.removesuffix('.lock')} is in use by another slurmctld (pid {holder})",
                hints=["stop that one first, or use another StateSaveLocation"]) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
