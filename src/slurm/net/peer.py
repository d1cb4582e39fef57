"""Peer: the other end of a connection that a daemon accepted, as the daemon's handlers see it, whatever carries the bytes."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from slurm.net.tls import Party
from slurm.wire.credentials import Identity

OnMessage = Callable[["Peer", int, bytes], Awaitable[None] | None]
"""Called with (peer, codec, payload) for every message, in order. What it awaits does not hold up the next message of the connection."""


class Line(Protocol):
    """What carries the bytes of a peer."""

    def write(self, frame: bytes) -> None:
        """Queue a whole frame."""

    def hang_up(self) -> None:
        """Close once what was queued has left."""

    async def drained(self) -> None:
        """Wait until little is queued."""

    def count_for(self, uid: int) -> None:
        """Count the connection in the share of this user from here on. NotNow when he has as many as one may have."""

    def detach(self) -> tuple[socket.socket, bytes]:
        """Give the connection away: its socket, and bytes that were read but not taken."""
        ...


class Peer:
    """Who is connected. `local`: on this machine, known by the kernel; `pid` 0 where no kernel told it.

    `party`: whom its certificate names, None where it showed none. A party is no user: its identity has uid -1.
    `via` says which daemon relays for it, such as "slurmd of cn01". `left`, once it has ended: that its own end closed it, as a kernel
    says, and not only the way to it broke. `confined_to` names a node to whose own jobs alone its requests may apply. `unelevated`: a
    compute node speaks for it, so that rights which it has beyond those of any user (AdminLevel, accounts that it coordinates) do not
    count.
    """

    __slots__ = ("_goodbyes", "_line", "closed", "confined_to", "identity", "left", "local", "party", "pid", "unelevated", "via")

    def __init__(self, line: Line, identity: Identity, *, local: bool, pid: int = 0, party: Party | None = None, via: str = "",
                 confined_to: str = "", unelevated: bool = False) -> None:
        self.identity = identity
        self.local = local
        self.pid = pid
        self.party = party
        self.via = via
        self.confined_to = confined_to
        self.unelevated = unelevated
        self.left = local
        self.closed = False
        self._line = line
        self._goodbyes: list[Callable[[], None]] = []

    @property
    def trusted(self) -> bool:
        """Whether it may speak for a daemon of this cluster: root, or the user that this daemon runs as. Never a command."""
        return not self.via and self.identity.uid in (0, os.geteuid())

    @property
    def by_token(self) -> bool:
        """Whether a token that it sent says who it is, and nobody else."""
        return not (self.local or self.via) and self.party is None

    def speak_by_token(self, identity: Identity) -> None:
        """From here on it is whom a token speaks for, and no longer whom a kernel vouched for. NotNow where that one has too
        many connections."""
        self._line.count_for(identity.uid)
        self.identity = identity
        self.local = False
        self.pid = 0

    def send(self, frame: bytes) -> None:
        """Queue a frame (wire.frames.pack); nothing happens when the peer has gone. One that does not read is dropped."""
        if not self.closed:
            self._line.write(frame)

    async def drained(self) -> None:
        """Wait until most of what was sent has left: for those who send much."""
        await self._line.drained()

    def close(self) -> None:
        """Hang up once what was sent has left; `on_close` is called then."""
        self._line.hang_up()

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back once when the connection has ended, at once when it has ended already."""
        if self.closed:
            callback()
        else:
            self._goodbyes.append(callback)

    def detach(self) -> tuple[socket.socket, bytes]:
        """Take the connection out of the server: its socket (non-blocking) and what was read beyond the last message.

        Not told to on_close.
        """
        self._goodbyes.clear()
        self.closed = True
        return self._line.detach()

    def ended(self) -> None:
        """For the carrier: the connection is gone."""
        self.closed = True
        goodbyes, self._goodbyes = self._goodbyes, []
        for callback in goodbyes:
            callback()
