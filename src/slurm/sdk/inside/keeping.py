"""Keeping: inside a job, its result is put into the cache that its submitter looks into (`caching`).

A link where the disk allows it, so it is there once.
"""

from __future__ import annotations

import contextlib
import os
import sys

from slurm.sdk.calls.folder import JobFiles, make_private, read_item


def keep(files: JobFiles, ranks: int = 1) -> None:
    """Put the result of these files, which is whole, under its name in the cache; several jobs may do the same. A failure is told and costs
    nothing else.

    Of a job with several tasks the results of all, once there are all: another task may yet fail. Each looks when it has its own, so the
    last one sees them.
    """
    path = read_item(files.cache, files.index or 0).decode()
    if not path or not all(os.path.exists(files.rank_result(rank)) for rank in range(ranks) if ranks > 1):
        return
    try:
        make_private(os.path.dirname(path))
        for rank in reversed(range(ranks)):  # by that of rank 0 it is found
            _put(files.rank_result(rank), JobFiles.beside(path, rank))
    except OSError as error:
        print(f"slurm.runner: the result was not put into the cache: {path}: {error.strerror}", file=sys.stderr)


def _put(result: str, path: str) -> None:
    new = f"{path}.{os.uname().nodename}.{os.getpid()}.new"
    try:
        try:
            os.link(result, new)
        except OSError:
            import shutil  # another disk, or one without links

            shutil.copyfile(result, new)
        os.replace(new, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(new)  # replacing a link by another to the same file leaves both
