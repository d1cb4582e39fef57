"""What no input may cause: a traceback in a log, a descriptor that stays open, memory that stays."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

MEGABYTE = 1 << 20


class Surprises(logging.Handler):
    """Keeps log records that carry a traceback, or tell of what should not be."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it when it is a surprise."""
        if record.exc_info or "beside failed" in record.getMessage():
            self.found.append(logging.Formatter().format(record))


@contextmanager
def nothing_surprises() -> Iterator[None]:
    """Fails when something inside was logged with a traceback."""
    surprises = Surprises()
    root = logging.getLogger()
    root.addHandler(surprises)
    try:
        yield
    finally:
        root.removeHandler(surprises)
    assert not surprises.found, surprises.found[0]


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def nothing_stays(*, files: int = 4, megabytes: int = 96) -> Iterator[None]:
    """Fails when after all that happened inside more descriptors are open, or more memory is held, than so many more than before.

    The interpreter keeps memory that it had once: the bound is for what grows with every input.
    """
    gc.collect()
    open_before, held_before = descriptors(), psutil.Process().memory_info().rss
    yield
    gc.collect()
    left = descriptors() - open_before
    assert left <= files, f"{left} descriptors were left open"
    grown = (psutil.Process().memory_info().rss - held_before) // MEGABYTE
    assert grown <= megabytes, f"memory grew by {grown} MB"
