"""Handshakes: public-key work of a server, a little each turn of the loop, however many want it at once.

Those who go before others (nodes' daemons, net.gate) have as much of each turn as it gives; strangers are served address by address, and
all of them together have a fifth of the loop's time: a thousand of them delay one another.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from slurm.net.shares import Holder, Share

TURN_SECONDS = 0.005
STRANGERS_PART = 0.2


class Handshakes:
    """What waits to be done. `clock` in seconds, finer than the event loop's."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._first: deque[Callable[[], None]] = deque()
        self._strangers: dict[Holder, deque[Callable[[], None]]] = {}
        self._strangers_at = 0.0
        self._next: asyncio.TimerHandle | asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._first) + sum(map(len, self._strangers.values()))

    def ask(self, share: Share, work: Callable[[], None]) -> None:
        """Call `work` when it is this holder's turn."""
        if share.first:
            self._first.append(work)
        else:
            self._strangers.setdefault(share.holder, deque()).append(work)
        self._schedule(share.first)

    def _schedule(self, first: bool) -> None:
        loop = asyncio.get_running_loop()
        wait = self._strangers_at - self._clock()
        if first and isinstance(self._next, asyncio.TimerHandle):
            self._next.cancel()  # it waits for the strangers' time
            self._next = None
        if self._next is None:
            self._next = loop.call_soon(self._turn) if first or wait <= 0 else loop.call_later(wait, self._turn)

    def _turn(self) -> None:
        self._next = None
        began = now = self._clock()
        while now - began < TURN_SECONDS:
            strangers = bool(self._strangers) and now >= self._strangers_at
            if not strangers and not self._first:
                break
            (self._take() if strangers else self._first.popleft())()
            before, now = now, self._clock()
            if strangers:
                self._strangers_at = now + (now - before) * (1 / STRANGERS_PART - 1)
        if len(self):
            self._schedule(bool(self._first))

    def _take(self) -> Callable[[], None]:
        holder = next(iter(self._strangers))
        waiting = self._strangers.pop(holder)
        work = waiting.popleft()
        if waiting:
            self._strangers[holder] = waiting  # behind the others
        return work
