"""Files of jobs on a disk that this process and the jobs share: what all backends but ssh do with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from typing import BinaryIO

from slurm.sdk.backends.backend import Around
from slurm.sdk.folder import whole

OWN_IDS = count(os.getpid() * 100_000 + 1)
"""Ids for jobs that no cluster numbers; a workflow's jobs and its own, in another process, differ."""


class SharedDisk:
    """The `read`, `write`, `prefetch`, `base` and `around` of a Backend."""

    def read(self, path: str) -> BinaryIO:
        """A file, open for reading."""
        return open(path, "rb")

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Write a file whole, making its folder; OSError as the disk gives it."""
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with whole(path, mode) as file:
            file.write(data)

    def prefetch(self, paths: Sequence[str]) -> None:
        """The files are here already."""

    def base(self, path: str) -> str:
        """As this process's environment says."""
        return os.path.abspath(os.path.expandvars(os.path.expanduser(path)))

    def around(self) -> Around:
        """Where and as whom this process runs."""
        return Around(os.getcwd(), os.environ.get("USER", ""))
