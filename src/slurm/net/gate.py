"""Gate: what all connections to one server share: limits, places, deadlines, and complaints about those that do not behave."""

from __future__ import annotations

import asyncio
import logging
import math
import resource
from typing import NamedTuple, Protocol

from slurm.wire import frames

MEGABYTE = 1024 * 1024
TICK_SECONDS = 1.0
_SPARE_FILES = 64


class Limits(NamedTuple):
    """What one server grants. Sizes in bytes, times in seconds."""

    hello: int = frames.MAX_HELLO  # longest message of a peer that has not said who it is
    payload: int = frames.MAX_PAYLOAD  # longest message of a known one
    unfinished: int = 256 * MEGABYTE  # parts of messages, all connections together
    unsent: int = 64 * MEGABYTE  # written to one connection and not read by it
    silent: float = 10.0  # until a new connection has sent its first message
    stalled: float = 60.0  # from the first byte of a message to its last, and from hanging up to the end
    strangers: int = 512  # connections without a first message; a further one replaces the oldest
    requests: int = 256  # being carried out for one connection; it is not read from meanwhile
    complaints: int = 10  # log lines a second about ill-behaved peers


class Guest(Protocol):
    """A connection, as the gate sees it."""

    deadline: float

    def drop(self, why: str) -> None:
        """End it now, with a line in the log."""

    def expire(self) -> None:
        """Its deadline has passed."""

    def hang_up(self) -> None:
        """End it in order."""


class Gate:
    """Keeps count of the connections of one server. Times are the event loop's."""

    def __init__(self, limits: Limits, log: logging.Logger) -> None:
        self.limits = limits
        self.log = log
        self.guests: set[Guest] = set()
        self.unfinished = 0  # bytes of parts of messages, all connections together
        self._strangers: dict[Guest, None] = {}  # in order of arrival
        self._timed: set[Guest] = set()
        self._complaints = 0
        self._tick_seconds = min(TICK_SECONDS, limits.silent / 2)
        self._ticking: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Start the clock."""
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().call_later(self._tick_seconds, self._tick)

    def close(self) -> None:
        """Stop the clock and ask everybody to leave."""
        if self._ticking is not None:
            self._ticking.cancel()
        for guest in list(self.guests):
            guest.hang_up()

    def enter(self, guest: Guest) -> bool:
        """A connection was accepted; False when there is no place for it."""
        places = max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES)
        if len(self.guests) >= places and not self._strangers:
            self.complain("too many connections: one more was refused")
            return False
        if len(self.guests) >= places or len(self._strangers) >= self.limits.strangers:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.drop("made room for others: it had not sent anything")
        self.guests.add(guest)
        self._strangers[guest] = None
        return True

    def spoke(self, guest: Guest) -> None:
        """A connection has sent its first message."""
        self._strangers.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """A connection has ended."""
        self.guests.discard(guest)
        self._strangers.pop(guest, None)
        self._timed.discard(guest)

    def expect(self, guest: Guest, seconds: float | None) -> None:
        """Call the guest's `expire` unless it is told otherwise within so many seconds; None: no longer."""
        if seconds is None:
            guest.deadline = math.inf
            self._timed.discard(guest)
        else:
            guest.deadline = asyncio.get_running_loop().time() + seconds
            self._timed.add(guest)

    def complain(self, text: str) -> None:
        """One line in the log about a peer that does not behave; only a few a second, the rest are counted."""
        self._complaints += 1
        if self._complaints <= self.limits.complaints:
            self.log.warning("%s", text)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for guest in [guest for guest in self._timed if guest.deadline < now]:
            guest.expire()
        if self._complaints > self.limits.complaints:
            self.log.warning("%d further connections did not behave either", self._complaints - self.limits.complaints)
        self._complaints = 0
        self._ticking = loop.call_later(self._tick_seconds, self._tick)
