"""Link: a daemon's own connection to another daemon, kept open: connected again whenever it breaks.

Lives here: the interface, and the link over sockets. The other side must prove itself too: on TCP by its certificate, on a unix socket by
the uid of its process. Not here: the link in memory (`memory`), what is said on it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple, Protocol, cast

from slurm.model.errors import NotPermitted, ProtocolError, SlurmError
from slurm.net.endpoint import Endpoint, peer_uid, short_path
from slurm.net.framing import FrameBuffer
from slurm.net.tls import Party, Tls, Trust
from slurm.wire.messages import UNREADABLE

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
CONNECT_SECONDS = 5.0
HANDSHAKE_SECONDS = 30.0
"""Ten thousand nodes that come back at once wait for one another."""
SILENT_SECONDS = 10.0
"""So long a place that fell silent is tried behind all others, and after that it is given less time to prove who it is: it may be
stopped."""
SILENT_HANDSHAKE_SECONDS = 2.0
_ROOTS_PORTS = range(600, 1024)
UNSENT_LIMIT = 64 * 1024 * 1024
Late = Callable[[int, bytes], bytes]
HIGH_WATER = 256 * 1024
"""Bytes queued from which on who sends much waits: what is sent then arrives soon."""


class Listener(Protocol):
    """Whom a link tells what happens; called in the event loop, in order."""

    def on_up(self) -> None:
        """The connection stands; say who you are."""

    def on_message(self, codec: int, payload: bytes) -> None:
        """A message came."""

    def on_down(self, why: str) -> None:
        """The connection broke; it is being made again."""


class Link(Protocol):
    """A connection that comes back. Messages sent while it is down are not kept: `send` says so."""

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        ...

    def start(self) -> None:
        """Begin to connect."""

    def send(self, frame: bytes) -> bool:
        """Queue a frame (wire.frames.pack); False when the connection is down."""
        ...

    async def drained(self) -> None:
        """Wait until little is queued, or the connection is down: for those who send much."""

    def reconnect(self, why: str) -> None:
        """Break the connection, to be made anew."""
        ...

    def leave(self, why: str) -> None:
        """Connect anew, elsewhere first where there are several: for who notices that the other side is silent."""
        ...

    def elsewhere(self, why: str) -> None:
        """Break the connection and try the other places first: who answered is not the one that is wanted now."""

    async def close(self) -> None:
        """Send what is queued, hang up, stay down."""


class Wanted(NamedTuple):
    """Who the other side must be: this role (and name, where one is given) on TCP, a process of one of these users on a unix socket."""

    role: str = "slurmctld"
    name: str = ""
    owners: Collection[int] = (0,)


class Prover(Protocol):
    """Proves both ends of a TCP connection within TLS where no certificate does."""

    @property
    def trust(self) -> Trust:
        """With which nobody is known yet."""
        ...

    async def prove(self, certificate: bytes, ask: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Say who we are and make sure who shows this certificate (DER); `ask` sends a frame and returns the next payload. SlurmError."""


class SocketLink:
    """A link to the first of `endpoints` that answers and is who is wanted (default: this user's or root's slurmctld).

    `trust` proves both ends on TCP, or else `prover` does; without them TCP endpoints are not tried. Pauses between tries are of random
    length: those of ten thousand nodes spread. `refused` is called when every endpoint says that nobody serves there. `late`
    takes what comes on a connection that was left: the frame that it is answered with before it is closed, b"" for none.
    """

    def __init__(self, endpoints: Sequence[Endpoint], listener: Listener, *, trust: Trust | None = None, wanted: Wanted | None = None,
                 prover: Prover | None = None, log: logging.Logger | None = None, refused: Callable[[], None] | None = None,
                 longest_pause: float = LONGEST_PAUSE, late: Late | None = None) -> None:
        self._endpoints = tuple(endpoints)
        self._listener = listener
        self._trust = trust if prover is None else prover.trust
        self._prover = prover
        self._refused = refused
        self._late = late
        self._longest_pause = longest_pause
        self._wanted = wanted or Wanted(owners=(0, os.geteuid()))
        self._session: ssl.SSLSession | None = None
        self._log = log or logging.getLogger("slurm.net")
        self._wire: _Wire | None = None
        self._left: _Wire | None = None  # the connection that was left, until something comes on it
        self._first = 0  # the endpoint that is tried first
        self._silent: Endpoint | None = None  # the one that was left for its silence
        self._silent_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._told = ""

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        return self._wire is not None

    def start(self) -> None:
        """Begin to connect; call it in the event loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())

    def send(self, frame: bytes) -> bool:
        """Queue a frame; False when the connection is down."""
        return self._wire is not None and self._wire.write(frame)

    async def drained(self) -> None:
        """Wait until little is queued, or the connection is down."""
        if self._wire is not None:
            await self._wire.writable.wait()

    def reconnect(self, why: str) -> None:
        """Break the connection, to be made anew."""
        if self._wire is not None:
            self._wire.fail(why)

    def leave(self, why: str) -> None:
        """Connect anew: elsewhere first where other machines are known; what the other side may still say goes to `late`. Without that, the
        connection is broken."""
        wire = self._wire
        if wire is None:
            return
        if sum(not endpoint.is_unix for endpoint in self._endpoints) > 1:
            self._first = self._behind(wire.endpoint)
            self._silent, self._silent_until = wire.endpoint, asyncio.get_running_loop().time() + SILENT_SECONDS
        if self._late is None:
            wire.fail(why)
            return
        self._drop_left()
        self._left = wire
        wire.leave(self._late, why)

    def elsewhere(self, why: str) -> None:
        """Break the connection, to be made anew with the others first."""
        if self._wire is not None:
            self._first = self._behind(self._wire.endpoint)
            self._wire.fail(why)

    def _behind(self, endpoint: Endpoint) -> int:
        return (self._endpoints.index(endpoint) + 1) % len(self._endpoints)

    def _drop_left(self) -> None:
        if self._left is not None:
            self._left.fail("it was left")
        self._left = None

    def secure(self, trust: Trust) -> None:
        """From now on TCP endpoints are tried too, both ends proved by this trust."""
        self._trust = trust

    def recheck(self) -> None:
        """What is trusted has changed: break the connection to one that is not any more."""
        party = self._wire.party if self._wire is not None else None
        why = self._trust.refusal(party) if party is not None and self._trust is not None else ""
        if why:
            self.reconnect(why)

    async def close(self) -> None:
        """Send what is queued, hang up, stay down."""
        self._closing = True
        self._drop_left()
        if self._wire is not None:
            await self._wire.finish()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._closing:
            wire = await self._connect()
            if wire is not None:
                began = asyncio.get_running_loop().time()
                why = await wire.ended
                self._wire = None
                self._session = wire.session or self._session
                if wire.heard and asyncio.get_running_loop().time() - began > LONGEST_PAUSE:
                    pause = FIRST_PAUSE  # it was no refusal
                if not self._closing:
                    self._log.info("connection to %s lost: %s", wire.endpoint, why)
                    self._listener.on_down(why)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, self._longest_pause)

    async def _connect(self) -> _Wire | None:
        """The first endpoint that answers; the reasons of all are logged once, not at every attempt."""
        tried = []
        nobody = True
        for endpoint in self._in_order():
            if not endpoint.is_unix and self._trust is None:
                nobody = False
                tried.append(f"{endpoint}: there is neither slurm.key nor a certificate to prove who we are with")
                continue
            try:
                wire = await self._open(endpoint)
            except SlurmError as error:
                nobody = False
                tried.append(f"{endpoint}: {'; '.join(error.lines())}")
                continue
            except OSError as error:
                nobody = nobody and (isinstance(error, ConnectionRefusedError)
                    or (endpoint.is_unix and isinstance(error, FileNotFoundError)))
                tried.append(f"{endpoint}: {error.strerror or str(error) or 'it does not answer in time'}")
                continue
            self._told = ""
            self._wire = wire
            self._listener.on_up()
            wire.begin()
            return wire
        if nobody and self._refused is not None:
            self._refused()
        told = "; ".join(tried)
        if told != self._told:
            self._log.warning("cannot connect, trying on: %s", told)
            self._told = told
        return None

    def _in_order(self) -> list[Endpoint]:
        order = [*self._endpoints[self._first:], *self._endpoints[:self._first]]
        if self._silent is not None and asyncio.get_running_loop().time() < self._silent_until:
            order.sort(key=lambda endpoint: endpoint == self._silent)
        return order

    async def _open(self, endpoint: Endpoint) -> _Wire:
        """A connection whose other end has proved who it is; OSError, SlurmError."""
        loop = asyncio.get_running_loop()
        tls = None if endpoint.is_unix or self._trust is None else Tls(self._trust, server=False, session=self._session)
        wire = _Wire(endpoint, self._listener, self._wanted, tls, self._prover)
        try:
            if endpoint.is_unix:
                with short_path(endpoint.path) as path:
                    await asyncio.wait_for(loop.create_unix_connection(lambda: wire, path), CONNECT_SECONDS)
            else:
                stream = await asyncio.wait_for(_dialled(endpoint), CONNECT_SECONDS)
                await loop.create_connection(lambda: wire, sock=stream)
            seconds = SILENT_HANDSHAKE_SECONDS if endpoint == self._silent else HANDSHAKE_SECONDS
            await asyncio.wait_for(asyncio.shield(wire.proved), seconds)
            if endpoint == self._silent:
                self._silent = None
        except BaseException:
            wire.fail("it did not prove who it is")
            raise
        return wire


async def _dialled(endpoint: Endpoint) -> socket.socket:
    """A connected TCP socket; root's comes from a port that only root may use, by which a node's daemon is known before its handshake."""
    loop = asyncio.get_running_loop()
    failed: OSError | None = None
    for family, kind, number, _, address in await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM):
        stream = socket.socket(family, kind, number)
        try:
            stream.setblocking(False)
            if os.geteuid() == 0:
                _take_roots_port(stream)
            await loop.sock_connect(stream, address)
            return stream
        except OSError as error:
            stream.close()
            failed = error if failed is None or isinstance(failed, ConnectionRefusedError) else failed  # one that refuses tells the least
        except BaseException:
            stream.close()
            raise
    raise failed or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


def _take_roots_port(stream: socket.socket) -> None:
    """Bind to a free port below 1024; without one left, or without the right to it, it goes by any port."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for port in random.sample(_ROOTS_PORTS, len(_ROOTS_PORTS)):
        try:
            stream.bind(("", port))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return


class _Wire(asyncio.Protocol):
    """One connection of a link.

    `proved` is done once the other end has shown to be the wanted one; no message is delivered before `begin`.
    """

    def __init__(self, endpoint: Endpoint, listener: Listener, wanted: Wanted, tls: Tls | None, prover: Prover | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.endpoint = endpoint
        self.proved: asyncio.Future[None] = loop.create_future()
        self.proved.add_done_callback(lambda proved: proved.cancelled() or proved.exception())  # nobody may wait for it any more
        self.ended: asyncio.Future[str] = loop.create_future()
        self.heard = False
        self.writable = asyncio.Event()
        self.writable.set()
        self._listener = listener
        self._wanted = wanted
        self._tls = tls
        self._prover = prover
        self._proving: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._began = False
        self._late: Late | None = None
        self._buffer = FrameBuffer()
        self._transport: asyncio.Transport | None = None
        self._why = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        stream = self._transport.get_extra_info("socket")
        if stream.family == socket.AF_UNIX:
            uid = peer_uid(stream)
            if uid in self._wanted.owners:
                self.proved.set_result(None)
            else:
                self._refuse(NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[
                    f"who listens there is uid {uid}: neither root nor SlurmUser"]))
            return
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
        self._shake(b"")

    def _shake(self, data: bytes) -> None:
        assert self._tls is not None, "there is no TCP without TLS"
        try:
            self._tls.feed(data)
            if self._tls.handshake() and self._prover is not None:
                self._proving = asyncio.get_running_loop().create_task(self._prove(self._prover, self._tls.certificate))
            elif self._tls.finished:
                assert self._tls.party is not None, "a client demands a certificate"
                self._tls.party.require(self._wanted.role, self._wanted.name)
                self.proved.set_result(None)
        except SlurmError as error:
            self._flush()
            self._refuse(error)
            return
        self._flush()

    async def _prove(self, prover: Prover, certificate: bytes) -> None:
        try:
            await prover.prove(certificate, self._ask)
        except (SlurmError, *UNREADABLE) as error:
            self._refuse(error if isinstance(error, SlurmError) else ProtocolError(hints=[f"the answer cannot be read: {error}"]))
        else:
            if not self.proved.done():
                self.proved.set_result(None)

    async def _ask(self, frame: bytes) -> bytes:
        self._answer = asyncio.get_running_loop().create_future()
        self.write(frame)
        return await self._answer

    def _refuse(self, error: SlurmError) -> None:
        if not self.proved.done():
            self.proved.set_exception(error)
        self.fail("; ".join(error.lines()))

    def _flush(self) -> None:
        data = self._tls.outgoing() if self._tls is not None else b""
        if data and self._transport is not None:
            self._transport.write(data)

    @property
    def party(self) -> Party | None:
        """Who is at the other end; None on a unix socket."""
        return self._tls.party if self._tls is not None else None

    @property
    def session(self) -> ssl.SSLSession | None:
        """What the next connection may begin with."""
        return self._tls.session if self._tls is not None and self.heard else None

    def begin(self) -> None:
        """The listener has been told that it is up: from now on messages are delivered."""
        self._began = True
        self._deliver()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._why:
            return
        if self._tls is not None:
            if not self._tls.finished:
                self._shake(data)
                data = b""
                if not self._tls.finished:
                    return
            try:
                self._tls.feed(data)
                data = self._tls.read()
            except SlurmError as error:
                self.fail("; ".join(error.lines()))
                return
            self._flush()
        self._buffer.feed(data)
        if self._began:
            self._deliver()
        elif self._answer is not None and not self._answer.done() and (answer := self._buffer.take()) is not None:
            self._answer.set_result(answer[1])

    def _deliver(self) -> None:
        try:
            while not self._why and (frame := self._buffer.take()) is not None:
                self.heard = True
                if self._late is not None:
                    self._answer_late(self._late(*frame))
                else:
                    self._listener.on_message(*frame)
        except (SlurmError, *UNREADABLE) as error:
            self.fail(str(error))

    def leave(self, late: Late, why: str) -> None:
        """Over for its owner, but not closed: what still comes is for `late`."""
        self._late = late
        self.writable.set()
        if not self.ended.done():
            self.ended.set_result(why)

    def _answer_late(self, answer: bytes) -> None:
        """What is said late is answered once, if it needs that, and the connection closed."""
        if answer:
            self.write(answer)
            self._why = "it was left"
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self.writable.set()
        if self._proving is not None:
            self._proving.cancel()
        why = self._why or (str(error) if error else "the other side closed it")
        if not self.proved.done():
            self.proved.set_exception(ConnectionError(errno.ECONNRESET, why))
        if not self.ended.done():
            self.ended.set_result(why)

    def pause_writing(self) -> None:
        """Called by the loop: much is queued."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Called by the loop: little is queued."""
        self.writable.set()

    def write(self, frame: bytes) -> bool:
        """Queue a frame; False when the connection is ending."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > UNSENT_LIMIT:
            self.fail("the other side does not read")
            return False
        if self._tls is not None:
            self._tls.write(frame)
            frame = self._tls.outgoing()
        self._transport.write(frame)
        return True

    def fail(self, why: str) -> None:
        """Break it."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Close once what was queued has left, or after 2 seconds."""
        if self._transport is not None:
            self._transport.close()
            await asyncio.wait([self.ended], timeout=2.0)
            self._transport.abort()
