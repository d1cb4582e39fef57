"""A step's event loop: poll(2), one callback a descriptor, timers, and SIGCHLD. No asyncio: slurmstepd is forked small and stays small."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

READ = select.POLLIN
WRITE = select.POLLOUT
_BROKEN = select.POLLHUP | select.POLLERR | select.POLLNVAL
_HELD_BACK = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
    signal.SIGXCPU)


def catch_signals() -> None:
    """Note SIGCHLD, and let no stray signal end this process: blocked, so that a task which gets one before its exec still dies of it.

    The zygote calls it once for all that it forks; a task unblocks them.
    """
    signal.signal(signal.SIGCHLD, _noted)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)


class Loop:
    """Calls `on_child` after a child ended, a descriptor's callback when it is ready, a timer's when its time (monotonic) has come.

    One a process, since signals are; `catch_signals` must have been called before.
    """

    def __init__(self) -> None:
        self.on_child: Callable[[], None] = _nothing
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: dict[Callable[[], None], float] = {}
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self.watch(self._wake, READ, self._woken)

    def watch(self, descriptor: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(events)` while the descriptor is ready for any of `events`; replaces an earlier watch."""
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor; nothing happens when it is not watched."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def at(self, when: float, callback: Callable[[], None]) -> None:
        """Call `callback` once at `when` (time.monotonic()); a second call moves it."""
        self._timers[callback] = when

    def clear(self) -> None:
        """Forget every watch, timer and callback, for the next step."""
        for descriptor in [descriptor for descriptor in self._callbacks if descriptor != self._wake]:
            self.unwatch(descriptor)
        self._timers.clear()
        self.on_child = _nothing

    def run(self, until: Callable[[], bool]) -> None:
        """Serve until `until()` holds; it is asked after each round."""
        while not until():
            for descriptor, events in self._poll.poll(self._patience()):
                callback = self._callbacks.get(descriptor)
                if callback is not None:
                    callback(events)
            now = time.monotonic()
            for callback_due in [c for c, when in self._timers.items() if when <= now]:
                if self._timers.pop(callback_due, None) is not None:  # one before it may have called it off
                    callback_due()

    def _patience(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (min(self._timers.values()) - time.monotonic()) * 1000 + 1)

    def _woken(self, _: int) -> None:
        os.read(self._wake, 4096)
        self.on_child()


def readable(events: int) -> bool:
    """Whether these events say that a read will not block: data, end or error."""
    return bool(events & (READ | _BROKEN))


def broken(events: int) -> bool:
    """Whether these events say that nobody is at the other end."""
    return bool(events & _BROKEN)


def _noted(number: int, frame: object) -> None:
    """Python's own wakeup descriptor carries the news."""


def _nothing() -> None:
    """There is no step whose child could end."""
