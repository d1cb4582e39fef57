"""MPI_Abort: the task that called it may end by itself, for a moment; then the step ends, and with the code that was given."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from slurm.slurmd.stepd.loop import Loop

PATIENCE_SECONDS = 1.0


class Aborts:
    """`on_abort(rank)` is called once for the whole step, when the aborting task has ended or does not in time."""

    def __init__(self, loop: Loop, on_abort: Callable[[int], None]) -> None:
        self._loop = loop
        self._on_abort = on_abort
        self._codes: dict[int, int] = {}
        self._done = False

    def ask(self, rank: int, code: int) -> bool:
        """A task aborts; False when it had said so before."""
        if rank in self._codes:
            return False
        self._codes[rank] = code
        self._loop.at(time.monotonic() + PATIENCE_SECONDS, lambda: self.ended(rank))
        return True

    def status(self, rank: int, status: int) -> int:
        """The wait status that a task's end counts as: its code, where it was killed before it could exit with that."""
        if rank in self._codes and os.WIFSIGNALED(status):
            return (self._codes[rank] & 0xFF) << 8
        return status

    def ended(self, rank: int) -> None:
        """A task has ended, or had its time."""
        if rank in self._codes and not self._done:
            self._done = True
            self._on_abort(rank)
