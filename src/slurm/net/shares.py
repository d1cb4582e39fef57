"""Shares: who holds how much of one server, so that nobody's connections, requests or bytes keep others out.

A holder is a uid, or for a connection that has not said who it is where it comes from. Those with `first` (root, the daemon's own user, a
reserved address) are counted and never refused. Not here: connections and their deadlines (`gate`), sockets (`stream`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

Holder = int | str
"""A uid, or where a connection without one comes from."""


class Guest(Protocol):
    """A connection, as gate and shares see it."""

    deadline: float
    share: Share | None

    def drop(self, why: str) -> None:
        """End it now, with a line in the log."""

    def expire(self) -> None:
        """Its deadline has passed."""

    def hang_up(self) -> None:
        """End it in order."""

    @property
    def idle(self) -> bool:
        """Whether nothing is carried out for it and no message is on its way."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes that wait for it to read them."""
        ...


class Share:
    """What one holder has now. `guests` in order of arrival; bytes: parts of messages that came, messages that were not read."""

    __slots__ = ("first", "guests", "holder", "requests", "unfinished", "written")

    def __init__(self, holder: Holder, *, first: bool) -> None:
        self.holder = holder
        self.first = first
        self.guests: dict[Guest, None] = {}
        self.requests = 0
        self.unfinished = 0
        self.written = 0  # since `unsent` was last added up

    def __str__(self) -> str:
        return f"uid {self.holder}" if isinstance(self.holder, int) else self.holder

    def wrote(self, size: int, most: int) -> bool:
        """So many bytes are about to be queued; False when its connections together leave more than `most` unread."""
        self.written += size
        if self.first or self.written <= most:
            return True
        self.written = sum(guest.unsent for guest in self.guests)  # adding up takes a while with many connections: it is done seldom
        return self.written <= most


class Shares:
    """The shares of one server, by holder."""

    def __init__(self) -> None:
        self._by_holder: dict[Holder, Share] = {}

    def enter(self, guest: Guest, holder: Holder, *, first: bool) -> Share:
        """One more connection of a holder."""
        share = self._by_holder.get(holder)
        if share is None:
            share = self._by_holder[holder] = Share(holder, first=first)
        share.guests[guest] = None
        return share

    def leave(self, guest: Guest, share: Share) -> None:
        """One less."""
        share.guests.pop(guest, None)
        if not share.guests:
            self._by_holder.pop(share.holder, None)

    def to_make_room(self, newcomer: Share) -> Guest | None:
        """Who goes when there is no place left: of the holder of most, the connection that rests longest; None when that is the
        newcomer."""
        largest = max((share for share in self._by_holder.values() if not share.first), key=lambda share: len(share.guests), default=None)
        if largest is None or (not newcomer.first and len(newcomer.guests) >= len(largest.guests)):
            return None
        return _resting(largest.guests)


def _resting(guests: Iterable[Guest]) -> Guest | None:
    latest = None
    for guest in guests:
        if guest.idle:
            return guest
        latest = guest
    return latest


class Turns:
    """One message a turn of the loop, holder after holder: whoever sends ten thousand at once waits for himself only."""

    def __init__(self) -> None:
        self._waiting: dict[Holder, deque[Callable[[], None]]] = {}

    def ask(self, holder: Holder, take: Callable[[], None]) -> None:
        """Call `take` when it is this holder's turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.setdefault(holder, deque()).append(take)

    def _next(self) -> None:
        holder = next(iter(self._waiting))
        waiting = self._waiting.pop(holder)
        take = waiting.popleft()
        if waiting:
            self._waiting[holder] = waiting  # behind the others
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        take()
