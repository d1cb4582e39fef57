"""What an image may take of a node's disk: all but a part, without which the node's own daemons and other users' steps could not go on.

An image of some kilobytes may become terabytes. Looked at by a timer of the process that unpacks: it is one thread, and stays one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from slurm.slurmd.stepd.container.root import CannotBuild

KEPT, MOST_KEPT = 0.05, 10 << 30
"""Of a file system's bytes and files this part stays free, of very large ones so many bytes."""
LOOK_SECONDS = 0.1


def require(folder: str) -> None:
    """CannotBuild where the file system of a folder is nearly full."""
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < min(found.f_blocks * found.f_frsize * KEPT,
            MOST_KEPT) or (found.f_files and found.f_favail < found.f_files * KEPT):
        raise CannotBuild(f"there is no space left for images on this node: the rest of the file system of {folder} stays free for others")


@contextmanager
def watched(folder: str) -> Iterator[None]:
    """What is done meanwhile is broken off by CannotBuild as soon as the file system of `folder` is nearly full; in the main thread
    only."""
    require(folder)
    before = signal.signal(signal.SIGALRM, lambda number, frame: require(folder))
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
