"""The daemons' server: whole messages from known peers, on unix sockets and TCP ports, however ill-behaved the rest of the world.

Lives here: opening and closing. Not here: one connection (`stream`), what they share (`gate`), what messages mean (the handler), who may do
what (the handler, from `Peer.identity`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable

from slurm.model.errors import SlurmError, describe
from slurm.net.channels import Channels
from slurm.net.endpoint import Endpoint
from slurm.net.gate import Gate, Limits, trusted
from slurm.net.listening import BACKLOG, listen, unlink_own
from slurm.net.peer import OnMessage, Peer
from slurm.net.plain_get import OnGet
from slurm.net.relayed import Refused, RelayedTransport
from slurm.net.stream import OnTicket, Relayed, Stream, Verify
from slurm.net.tls import Trust
from slurm.wire import frames

__all__ = ["Limits", "OnMessage", "Peer", "Server"]

_GRACE_SECONDS = 2.0


class Server:
    """Accepts connections and calls `on_message(peer, codec, payload)` for each message.

    With `trust` TCP connections are TLS, and a peer with a certificate is known by that (Peer.party). `verify` turns the token of a TCP
    peer without one into its identity (net.identity.Notary.verify); without it such peers are refused. `on_ticket` takes TCP connections
    that begin with a step's ticket (wire.step_io) instead of TLS. `first` says which users are never bounded by a share (net.shares). A
    SlurmError that the handler raises is sent back as Failure; any other exception is logged, and told as a failure of the daemon.
    """

    def __init__(self, on_message: OnMessage, *, verify: Verify | None = None, limits: Limits | None = None, trust: Trust | None = None,
                 on_ticket: OnTicket | None = None, log: logging.Logger | None = None, first: Callable[[int], bool] = trusted) -> None:
        self._on_message = on_message
        self._verify = verify
        self._trust = trust
        self._on_ticket = on_ticket
        self._gate = Gate(limits or Limits(), log or logging.getLogger("slurm.net"), first)
        self._listeners: list[asyncio.Server] = []
        self._files: list[tuple[str, int]] = []

    @property
    def connections(self) -> int:
        """How many are connected, known or not."""
        return len(self._gate.guests)

    def reserve(self, addresses: Iterable[str]) -> None:
        """These are the addresses of nodes: their daemons are served before strangers."""
        self._gate.nodes = frozenset(addresses)

    def answer_gets(self, on_get: OnGet | None) -> None:
        """Answer plain HTTP GETs at TCP ports from now on, or no more."""
        self._gate.on_get = on_get

    def secure(self, trust: Trust) -> None:
        """TCP connections that are accepted from now on are TLS by this trust."""
        self._trust = trust

    def recheck(self) -> None:
        """What is trusted has changed: end the connections of those that are not any more."""
        for guest in list(self._gate.guests):
            party = guest.peer.party if isinstance(guest, Stream) and guest.peer is not None else None
            why = self._trust.refusal(party) if party is not None and self._trust is not None else ""
            if why:
                guest.drop(why)

    async def listen(self, endpoint: Endpoint, *, mode: int = 0o666) -> Endpoint:
        """Serve this endpoint too; where it really is (port 0 becomes a free one). ConfigError when the place is taken.

        `mode` is that of a unix socket's file.
        """
        listener = listen(endpoint, mode=mode)
        loop = asyncio.get_running_loop()
        place = str(endpoint)

        def accept() -> Stream:
            return Stream(self._gate, self._on_message, self._verify, self._trust, place, on_ticket=self._on_ticket)

        if endpoint.is_unix:
            self._files.append((endpoint.path, os.lstat(endpoint.path).st_ino))
            self._listeners.append(await loop.create_unix_server(accept, sock=listener, backlog=BACKLOG))
        else:
            endpoint = endpoint._replace(port=listener.getsockname()[1])
            self._listeners.append(await loop.create_server(accept, sock=listener, backlog=BACKLOG))
        self._gate.open()
        return endpoint

    def adopt(self, channels: Channels, number: int, relayed: Relayed) -> None:
        """Serve a caller whose connection is this channel of another daemon's, under the same limits as every other."""
        stream = Stream(self._gate, self._on_message, None, None, f"{relayed.via} (uid {relayed.identity.uid}, pid {relayed.pid})", relayed)
        stream.connection_made(RelayedTransport(channels, number, stream))

    def refuse(self, channels: Channels, number: int, relayed: Relayed, error: SlurmError) -> None:
        """Answer a caller whom another daemon may not speak for, and hang up. It takes nobody's place."""
        self._gate.complain(f"{relayed.via} may not speak for uid {relayed.identity.uid} (pid {relayed.pid}): {'; '.join(error.hints)}")
        channel = channels.open(number, Refused())
        channel.write(frames.pack(frames.JSON, json.dumps({"type": "Failure", **describe(error)}).encode()))
        channel.close()

    async def close(self, *, grace: float = _GRACE_SECONDS) -> None:
        """Stop listening, let handlers finish (up to `grace` seconds), hang up on everybody once what was sent has left."""
        for path, inode in self._files:
            unlink_own(path, inode)
        for serving in self._listeners:
            serving.close()
        at_work = [asyncio.ensure_future(guest.settled()) for guest in self._gate.guests if isinstance(guest, Stream)]
        if at_work:
            await asyncio.wait(at_work, timeout=grace)
            for task in at_work:
                task.cancel()
        self._gate.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        while self._gate.guests and loop.time() < deadline:
            await asyncio.sleep(0.005)
