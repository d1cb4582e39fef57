"""Files of jobs on a disk that this process and the jobs share: what all backends but ssh do with them."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Mapping, Sequence
from itertools import count
from typing import BinaryIO

from slurm.sdk.backends.backend import DEFAULT_MAX_ARRAY, Around, Outputs
from slurm.sdk.calls.folder import make_private, whole
from slurm.sdk.errors import SubmissionError
from slurm.sdk.published.methods import PublishedMethods

OWN_IDS = count(os.getpid() * 100_000 + 1)
"""Ids for jobs that no cluster numbers; a workflow's jobs and its own, in another process, differ."""
PIECE = 1 << 20
"""Bytes of a growing file that are read at once."""


class SharedDisk(PublishedMethods):
    """What a Backend does with files, and what it says where nobody knows better."""

    pace = (0.05, 1.0)

    def read(self, path: str) -> BinaryIO:
        """A file, open for reading; OSError for what is none: who reads may be root, and a job's owner may have put a pipe or a device in
        its place."""
        return _regular(path)

    def present(self, paths: Sequence[str]) -> set[str]:
        """Those of these files that are there."""
        return {path for path in paths if os.path.exists(path)}

    def grown(self, files: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        """What was added to these files."""
        found: dict[str, tuple[int, bytes]] = {}
        for path, start in files.items():
            try:
                with _regular(path) as file:
                    size = os.fstat(file.fileno()).st_size
                    file.seek(place := begin(start, size))
                    if data := file.read(PIECE) if place < size else b"":
                        found[path] = place + len(data), data
            except FileNotFoundError:
                continue  # it may come yet
        return found

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Write a file whole, making its folder and those above it, for this user only; OSError as the disk gives it."""
        make_private(os.path.dirname(path))
        with whole(path, mode) as file:
            file.write(data)

    def prefetch(self, paths: Sequence[str]) -> None:
        """The files are here already."""

    def base(self, path: str) -> str:
        """As this process's environment says."""
        return os.path.abspath(os.path.expandvars(os.path.expanduser(path)))

    def rest(self) -> None:
        """Nothing listens between questions."""

    def max_array(self) -> int:
        """As on a cluster that was not told otherwise."""
        return DEFAULT_MAX_ARRAY

    def around(self) -> Around:
        """Where and as whom this process runs."""
        try:
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            user = str(os.getuid())
        return Around(os.getcwd(), user)


def outputs(options: Mapping[str, str | None], around: Around, path: str) -> Outputs:
    """Where a job runs and writes that no cluster starts; SubmissionError, for the script at `path`, when its folder is not there."""
    found = Outputs.of(options, options.get("job_name") or "", around)
    if not os.path.isdir(found.folder):
        raise SubmissionError(f"chdir={options['chdir']}: there is no such folder", metadata={"path": path})
    return found


def begin(start: int, size: int) -> int:
    """Where to read on in a file of this size, `start` being what `Backend.grown` was given."""
    return max(0, size + start) if start < 0 else start if start <= size else 0


def _regular(path: str) -> BinaryIO:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) and path != os.devnull:
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return open(descriptor, "rb")
