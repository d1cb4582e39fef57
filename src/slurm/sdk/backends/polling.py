"""Waiting for backends that cannot say when something changes: asks again, seldom when nothing happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from slurm.sdk import forking
from slurm.sdk.status import Status

GROWTH = 1.5


class Poll:
    """The `changes` and `wake` of a Backend: pauses grow from `shortest` to `longest` seconds and begin anew after each change."""

    def __init__(self, states: Callable[[Sequence[str]], dict[str, Status]], shortest: float, longest: float) -> None:
        self._states = states
        self._shortest, self._longest = shortest, longest
        self._pause = shortest
        self._last: dict[str, Status] = {}
        self.after_fork()
        forking.remember(self)

    def after_fork(self) -> None:
        """Nobody waits in the child yet."""
        self._woken = threading.Event()

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        """The states after a pause."""
        self._woken.wait(min(self._pause, timeout))
        if self._woken.is_set():
            self._woken.clear()
            self._pause = self._shortest
        found = self._states(ids)
        self._pause = self._shortest if found != self._last else min(self._longest, self._pause * GROWTH)
        self._last = found
        return found

    def wake(self) -> None:
        """End the pause."""
        self._woken.set()
