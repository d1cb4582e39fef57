"""Waiting for backends that cannot say when something changes: asks again, seldom when nothing happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from slurm.sdk.following import tracker
from slurm.sdk.following.status import Status

GROWTH = 1.5
LOOKS = (0.02, 0.25)
"""Seconds: the shortest and the longest pause between two cheap looks."""


class Poll:
    """The `changes` and `wake` of a Backend: pauses grow from `shortest` to `longest` seconds and begin anew after each change.

    `look`, which has to be cheap, is called within the pauses; what it finds is news.
    """

    def __init__(self, states: Callable[[Sequence[str]], dict[str, Status]], shortest: float, longest: float,
                 look: Callable[[Sequence[str]], dict[str, Status]] | None = None) -> None:
        self._states = states
        self._shortest, self._longest = shortest, longest
        self._look = look
        self._pause = shortest
        self._due = 0.0
        self._last: dict[str, Status] = {}
        self.after_fork()
        tracker.remember(self)

    def after_fork(self) -> None:
        """Nobody waits in the child yet."""
        self._woken = threading.Event()

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        """The states after a pause; nothing when woken: then the next question comes soon."""
        now = time.monotonic()
        if not now < self._due <= now + self._pause:
            self._due = now + self._pause
        end, step = min(self._due, now + timeout), LOOKS[0]
        while (left := end - time.monotonic()) > 0:
            if self._woken.wait(left if self._look is None else min(left, step)):
                self._woken.clear()
                self._pause = self._shortest
                self._due = min(self._due, time.monotonic() + self._shortest)
                return {}
            if self._look is not None and (seen := self._look(ids)):
                return seen
            step = min(step * GROWTH, LOOKS[1])
        found = self._states(ids)
        self._pause = self._shortest if found != self._last else min(self._longest, self._pause * GROWTH)
        self._due = 0.0
        self._last = found
        return found

    def wake(self) -> None:
        """End the pause."""
        self._woken.set()
