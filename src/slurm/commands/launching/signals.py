"""Signals as something to poll for: they are noted where they arrive and read in the loop's own time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from types import TracebackType
from typing import Self

FORWARDED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
"""Passed on to the tasks as they come."""
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""End the step."""
NOTED = (*FORWARDED, *ENDING, signal.SIGINT, signal.SIGCONT, signal.SIGWINCH)
IGNORED = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE)
"""A stopped srun would stop its tasks' output for nobody's good; a closed pipe is seen when it is written to."""


class Signals:
    """While its context lasts the given signals are collected instead of acted upon. Poll `fileno()`, then `take()`."""

    def __init__(self, noted: Iterable[int] = NOTED, ignored: Iterable[int] = IGNORED) -> None:
        self._noted = tuple(noted)
        self._ignored = tuple(ignored)
        self._before: dict[int, object] = {}
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        for number in self._noted:
            self._before[number] = signal.signal(number, _noted)
        for number in self._ignored:
            self._before[number] = signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave it takes back
        os.close(self._reading)
        os.close(self._writing)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reading

    def take(self) -> list[int]:
        """The signals that came, in their order."""
        try:
            return list(os.read(self._reading, 256))
        except BlockingIOError:
            return []


def _noted(number: int, frame: object) -> None:
    """Python's wakeup descriptor carries the news."""
