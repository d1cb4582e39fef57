"""Files of jobs on a disk that this process and the jobs share: what all backends but ssh do with them."""

from __future__ import annotations

import os
from typing import BinaryIO

from slurm.sdk.folder import whole


class SharedDisk:
    """The `read` and `write` of a Backend."""

    def read(self, path: str) -> BinaryIO:
        """A file, open for reading."""
        return open(path, "rb")

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Write a file whole, making its folder; OSError as the disk gives it."""
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with whole(path, mode) as file:
            file.write(data)
