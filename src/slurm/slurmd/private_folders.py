"""Folders of which each job has its own (job_container.conf): made before its first step, removed when nothing of it is left here.

They lie below BasePath, in a folder that only root enters, so that every step finds the same ones; a task of a step that begins has them
put over /tmp and its like in a mount namespace of its own (`stepd.private_mounts`), so that nothing but that folder has to be cleaned up,
whoever was killed. The one for /dev/shm is a tmpfs, whose memory counts for the job that writes there.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil

from slurm.config.job_container import SHARED_MEMORY, JobContainer
from slurm.model.errors import ConfigError
from slurm.slurmd.aside import aside
from slurm.slurmd.stepd.container import mounting

log = logging.getLogger("slurmd.private_folders")
_REMOVAL_SECONDS = 600.0
_TMPFS_OPTIONS = "mode=1777"
_NO_SETUID, _NO_DEVICES = 2, 4  # MS_NOSUID, MS_NODEV
Pairs = list[tuple[str, str]]
"""(what it lies over, where it lies) of each folder."""


class PrivateFolders:
    """Those of one node. `spool` is not to be hidden by them."""

    def __init__(self, conf: JobContainer, node: str, spool: str) -> None:
        self._conf = conf
        self._node = node
        self._spool = os.path.realpath(spool)
        self._there: set[tuple[int, int]] = set()

    @property
    def is_wanted(self) -> bool:
        """Whether jobs have any."""
        return bool(self._conf.base)

    @property
    def shared(self) -> bool:
        """Whether what the host mounts later is seen by jobs."""
        return self._conf.shared

    @property
    def attempts(self) -> frozenset[tuple[int, int]]:
        """(job, attempt) of those that have folders here: of some no step may run now."""
        return frozenset(self._there)

    def open(self) -> None:
        """Try whether they can be had, and find those that are there. ConfigError."""
        if not self.is_wanted:
            return
        conf = self._conf
        for folder in conf.folders:
            if os.path.commonpath([self._spool, folder]) == folder:
                raise ConfigError(message=f"job_container.conf: Dirs has {folder}, in which SlurmdSpoolDir={self._spool} lies", hints=[
                    "tasks would not find their scripts: let the spool lie elsewhere, such as in /var/spool/slurmd"])
        if os.geteuid() != 0:
            raise ConfigError(message="job_container.conf: jobs get folders of their own by root's slurmd only")
        try:
            if conf.make_base:
                os.makedirs(conf.base, mode=0o755, exist_ok=True)
            self._there = {attempt for name in os.listdir(conf.base) if (attempt := self._attempt_of(name)) is not None}
        except OSError as error:
            raise ConfigError(message=f"job_container.conf: BasePath={conf.base}: {error.strerror}", hints=[
                "make the folder, or write AutoBasePath=true"]) from error

    def of(self, job: int, attempt: int, uid: int, gid: int) -> Pairs:
        """The folders of an attempt, made if they are not there. OSError."""
        if not self.is_wanted:
            return []
        place = self._place(job, attempt)
        self._there.add((job, attempt))
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
        pairs = [(folder, os.path.join(place, folder.strip("/").replace("/", "."))) for folder in self._conf.folders]
        for over, path in pairs:
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            if over == SHARED_MEMORY:
                mounting.mount("tmpfs", path, "tmpfs", _NO_SETUID | _NO_DEVICES, _TMPFS_OPTIONS)
            os.chown(path, uid, gid)
            os.chmod(path, 0o1777)
        return pairs

    def remove(self, job: int, attempt: int) -> None:
        """Nothing of the attempt is left: its folders go. What cannot be removed is in the log.

        Blocks as long as there is much to remove.
        """
        if (job, attempt) in self._there:
            try:
                self._remove(self._place(job, attempt))
            finally:
                self._there.discard((job, attempt))

    async def clear(self, job: int, attempt: int) -> None:
        """As `remove`, beside the event loop; what takes too long is found again when slurmd starts."""
        try:
            await aside(lambda: self.remove(job, attempt), _REMOVAL_SECONDS)
        except (OSError, TimeoutError) as error:
            log.error("the folders of job %s attempt %s are not removed: %s", job, attempt, error or "it takes too long")
            self._there.discard((job, attempt))

    def _place(self, job: int, attempt: int) -> str:
        return os.path.join(self._conf.base, f"{self._node}.{job}.{attempt}")

    def _attempt_of(self, name: str) -> tuple[int, int] | None:
        """Whose folder this is: job and attempt, None where it is not of this node's making."""
        node, _, rest = name.rpartition(".")[0].rpartition(".")
        attempt = name.rpartition(".")[2]
        return (int(rest), int(attempt)) if node == self._node and rest.isdecimal() and attempt.isdecimal() else None

    def _remove(self, place: str) -> None:
        try:
            names = os.listdir(place)
        except FileNotFoundError:
            return
        for name in names:
            path = os.path.join(place, name)
            while os.path.ismount(path):
                try:
                    mounting.unmount(path)
                except OSError as error:
                    log.error("%s cannot be unmounted, it is left: %s", path, error.strerror)
                    return
        shutil.rmtree(place, onerror=_tell)


def _tell(function: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(error[1], OSError) or error[1].errno != errno.ENOENT:
        log.error("%s cannot be removed: %s", path, error[1])
