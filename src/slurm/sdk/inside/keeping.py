"""Keeping: inside a job, its result is put into the cache that its submitter looks into (`caching`). A link where the disk allows it, so it is there once."""

from __future__ import annotations

import contextlib
import os
import sys

from slurm.sdk.calls.folder import JobFiles, make_private, read_item


def keep(files: JobFiles) -> None:
    """Put the result of these files, which is whole, under its name in the cache; several jobs may do the same. A failure is told and costs nothing else."""
    path = read_item(files.cache, files.index or 0).decode()
    if not path:
        return
    new = f"{path}.{os.uname().nodename}.{os.getpid()}.new"
    try:
        make_private(os.path.dirname(path))
        try:
            os.link(files.result, new)
        except OSError:
            import shutil  # another disk, or one without links

            shutil.copyfile(files.result, new)
        os.replace(new, path)
    except OSError as error:
        print(f"slurm.runner: the result was not put into the cache: {path}: {error.strerror}", file=sys.stderr)
    with contextlib.suppress(OSError):
        os.unlink(new)  # replacing a link by another to the same file leaves both
