"""The one loop in which srun and salloc wait: descriptors and named deadlines, each with what to do. Knows nothing of either command."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

READ = select.POLLIN
WRITE = select.POLLOUT
ENDED = select.POLLHUP | select.POLLERR


class Loop:
    """Single-threaded; callbacks of descriptors get the events that poll(2) saw."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._deadlines: dict[str, tuple[float, Callable[[], None]]] = {}

    def watch(self, descriptor: int, events: int, act: Callable[[int], None]) -> None:
        """Call `act` whenever one of `events` or the end is there; without events the descriptor rests."""
        if not events:
            self.unwatch(descriptor)
            return
        if self._watched.get(descriptor, (0, act))[0] != events:
            self._poll.register(descriptor, events)
        self._watched[descriptor] = (events, act)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor; must come before it is closed."""
        if self._watched.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        """Call `act` once, in so many seconds, in place of what was due under this name."""
        self._deadlines[name] = (time.monotonic() + seconds, act)

    def due(self, name: str) -> bool:
        """Whether something is due under this name."""
        return name in self._deadlines

    def cancel(self, name: str) -> None:
        """Nothing is due under this name any more."""
        self._deadlines.pop(name, None)

    def run(self, over: Callable[[], bool]) -> None:
        """Serve until `over` is true."""
        while not over():
            for descriptor, events in self._poll.poll(self._patience()):
                watched = self._watched.get(descriptor)
                if watched is not None:
                    watched[1](events)
            self._act_on_deadlines()

    def _patience(self) -> float | None:
        if not self._deadlines:
            return None
        first = min(moment for moment, _ in self._deadlines.values())
        return max(0.0, (first - time.monotonic()) * 1000)

    def _act_on_deadlines(self) -> None:
        now = time.monotonic()
        for name in [name for name, (moment, _) in self._deadlines.items() if moment <= now]:
            entry = self._deadlines.pop(name, None)
            if entry is not None:
                entry[1]()
