"""Gate: what all connections to one server share: limits, places, deadlines, and complaints about those that do not behave."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import resource
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from slurm.net.handshakes import Handshakes
from slurm.net.plain_get import OnGet
from slurm.net.shares import Guest, Holder, Share, Shares, Turns
from slurm.wire import frames

MEGABYTE = 1024 * 1024
TICK_SECONDS = 1.0
PRIVILEGED_PORTS = 1024
_SPARE_FILES = 64


class Limits(NamedTuple):
    """What one server grants. Sizes in bytes, times in seconds."""

    hello: int = frames.MAX_HELLO  # longest message of a peer that has not said who it is
    payload: int = frames.MAX_PAYLOAD  # longest message of a known one
    unfinished: int = 256 * MEGABYTE  # parts of messages, all connections together
    unsent: int = 64 * MEGABYTE  # written to one connection and not read by it
    silent: float = 10.0  # until a new connection has sent its first message, a handshake included; the time that we take is not counted
    stalled: float = 60.0  # from the first byte of a message to its last, and from hanging up to the end
    strangers: int = 512  # connections without a first message; a further one replaces the oldest of whoever has most
    source_strangers: int = 64  # of them from one address; a further one replaces the oldest
    party: int = 16  # connections of one party that a certificate proved
    requests: int = 256  # being carried out for one connection; it is not read from meanwhile
    places: int = 0  # connections in all, 0: as many as open files allow
    complaints: int = 10  # log lines a second about ill-behaved peers
    # What one user may have of it; root and the daemon's own user are not bounded.
    user_places: float = 0.25  # part of the places for connections
    user_unfinished: float = 0.25  # part of `unfinished`
    user_requests: int = 4096  # being carried out, those that wait for a job's end included
    user_unsent: int = 256 * MEGABYTE  # written to all his connections and not read


def trusted(uid: int) -> bool:
    """Whether a user always gets in: root, and the user that this daemon runs as."""
    return uid in (0, os.geteuid())


class Gate:
    """Keeps count of the connections of one server. Times are the event loop's."""

    def __init__(self, limits: Limits, log: logging.Logger, first: Callable[[int], bool] = trusted) -> None:
        self.limits = limits
        self.log = log
        self.turns = Turns()
        self.handshakes = Handshakes()
        self.nodes: frozenset[str] = frozenset()
        """Addresses of configured nodes: their daemons, known by ports that only root may use, have places and time of their own."""
        self.on_get: OnGet | None = None  # answers plain HTTP
        self._first = first
        self._shares = Shares()
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

    @property
    def _places(self) -> int:
        return self.limits.places or max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES)

    def enter(self, guest: Guest, holder: Holder, *, first: bool = False) -> bool:
        """A connection was accepted; False when there is no place for it.

        `holder`: its uid, else whence it comes; `first`: goes before others.
        """
        share = self._shares.enter(guest, holder, first=first or (isinstance(holder, int) and self._first(holder)))
        guest.share = share
        if isinstance(holder, str) and len(share.guests) > self.limits.source_strangers:
            self._replace(next(iter(share.guests)), f"{share} has {self.limits.source_strangers} that sent nothing")
        if not self._within_share(share) or not self._room_for(share):
            self.leave(guest)
            return False
        self.guests.add(guest)
        if not (share.first and isinstance(holder, str)):  # nodes may all come at once, when the controller is back
            self._strangers[guest] = None
        return True

    def goes_first(self, uid: int) -> bool:
        """Whether a user is never bounded by a share."""
        return self._first(uid)

    def is_node(self, address: str, port: int) -> bool:
        """Whether a connection comes from a configured node and from a port that only root has there."""
        return port < PRIVILEGED_PORTS and address in self.nodes

    def known(self, guest: Guest, holder: Holder) -> bool:
        """A connection that came without a uid has said whose it is (uid, or a proven party); False when that one has his share already."""
        if guest.share is not None:
            self._shares.leave(guest, guest.share)
        guest.share = self._shares.enter(guest, holder, first=isinstance(holder, int) and self._first(holder))
        if isinstance(holder, str) and len(guest.share.guests) > self.limits.party:
            self.complain(f"too many connections of {holder}: it has {self.limits.party}, and one more was refused")
            return False
        return self._within_share(guest.share)

    def _within_share(self, share: Share) -> bool:
        most = max(16, int(self._places * self.limits.user_places))
        if share.first or not isinstance(share.holder, int) or len(share.guests) <= most:
            return True
        self.complain(f"too many connections of {share}: it has {most}, the share of one user, and one more was refused")
        return False

    def _room_for(self, newcomer: Share) -> bool:
        """Make room where there is none: whoever holds most gives a place away."""
        if len(self._strangers) >= self.limits.strangers:
            crowd = Counter(guest.share for guest in self._strangers)
            largest = max(crowd, key=lambda share: (share is not None and not share.first, crowd[share]))
            self._replace(next(guest for guest in self._strangers if guest.share is largest), "it had not sent anything")
        elif len(self.guests) >= self._places:
            leaving = self._shares.to_make_room(newcomer) or next(
                (guest for guest in self._strangers if newcomer.first or guest.share is newcomer), None)
            if leaving is None:
                self.complain(f"too many connections: one more, of {newcomer}, was refused")
                return False
            self._replace(leaving, f"nobody has more of them than {leaving.share}")
        return True

    def _replace(self, guest: Guest, why: str) -> None:
        self.leave(guest)
        guest.drop(f"made room for others: {why}")

    def spoke(self, guest: Guest) -> None:
        """A connection has sent its first message."""
        self._strangers.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """A connection has ended."""
        self.guests.discard(guest)
        self._strangers.pop(guest, None)
        self._timed.discard(guest)
        if guest.share is not None:
            self._shares.leave(guest, guest.share)

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
