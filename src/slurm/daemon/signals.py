"""What each signal means to a daemon, as the SIGNALS sections of slurmctld(8) and slurmd(8) have it. None ends a daemon silently."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable
from types import FrameType

IGNORED = (signal.SIGUSR1, signal.SIGTSTP, signal.SIGXCPU, signal.SIGQUIT, signal.SIGALRM)
"""By a handler that does nothing: what a process ignores, the programs that it starts would ignore too. SIGPIPE is Python's."""
_PR_SET_DUMPABLE = 4


def _nothing(number: int, frame: FrameType | None) -> None:
    """Taken note of."""


def calm() -> None:
    """From the start of a daemon until its loop runs: signals that mean nothing yet do not end it."""
    for number in (*IGNORED, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, _nothing)


class Signals:
    """The signals of one daemon: `attach` while its loop runs, `end` as the last thing of the process."""

    def __init__(self) -> None:
        self.aborted = False

    def attach(self, *, stop: Callable[[], None], reread: Callable[[], None], reopen: Callable[[], None]) -> None:
        """SIGTERM, SIGINT and SIGABRT end it in order, SIGHUP reads the configuration again, SIGUSR2 the log's level, whose file is opened
        again."""

        def abort() -> None:
            self.aborted = True
            stop()

        loop = asyncio.get_running_loop()
        actions = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGABRT: abort, signal.SIGHUP: reread, signal.SIGUSR2: reopen}
        for number, action in actions.items():
            loop.add_signal_handler(number, action)
        for number in IGNORED:
            loop.add_signal_handler(number, int)

    def end(self) -> None:
        """After SIGABRT: a core dump, wherever the limits of this process and the kernel's core_pattern let it be written."""
        if self.aborted:
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # a process that changed its user may not be dumped otherwise
            os.abort()
