"""Link: a daemon's own connection to another daemon, kept open: connected again whenever it breaks.

Lives here: the interface, and the link over sockets. Not here: the one in memory (`memory`), what is said on it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec

from slurm.model.errors import SlurmError
from slurm.net.endpoint import Endpoint, short_path
from slurm.net.framing import FrameBuffer
from slurm.wire import frames
from slurm.wire.messages import UNREADABLE, Hello

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
CONNECT_SECONDS = 5.0
UNSENT_LIMIT = 64 * 1024 * 1024


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

    def reconnect(self, why: str) -> None:
        """Break the connection, to be made anew: for who notices that the other side is silent."""

    async def close(self) -> None:
        """Send what is queued, hang up, stay down."""


class SocketLink:
    """A link to the first of `endpoints` that answers. `token` makes the proof of identity that TCP needs, for every connection a new one."""

    def __init__(self, endpoints: Sequence[Endpoint], listener: Listener, *, token: Callable[[], str] | None = None,
                 log: logging.Logger | None = None) -> None:
        self._endpoints = tuple(endpoints)
        self._listener = listener
        self._token = token
        self._log = log or logging.getLogger("slurm.net")
        self._wire: _Wire | None = None
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

    def reconnect(self, why: str) -> None:
        """Break the connection, to be made anew."""
        if self._wire is not None:
            self._wire.fail(why)

    async def close(self) -> None:
        """Send what is queued, hang up, stay down."""
        self._closing = True
        if self._wire is not None:
            await self._wire.finish()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._closing:
            wire = await self._connect()
            if wire is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            why = await wire.ended
            self._wire = None
            if wire.heard:
                pause = FIRST_PAUSE
            if not self._closing:
                self._log.info("connection to %s lost: %s", wire.endpoint, why)
                self._listener.on_down(why)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect(self) -> _Wire | None:
        """The first endpoint that answers; the reasons of all are logged once, not at every attempt."""
        tried = []
        for endpoint in self._endpoints:
            if not endpoint.is_unix and self._token is None:
                tried.append(f"{endpoint}: there is no key to prove who we are with (AuthType=auth/slurm)")
                continue
            try:
                token = "" if endpoint.is_unix or self._token is None else self._token()
                wire = await asyncio.wait_for(self._open(endpoint), CONNECT_SECONDS)
            except (OSError, SlurmError) as error:
                tried.append(f"{endpoint}: {error}")
                continue
            self._told = ""
            self._wire = wire
            if token:
                wire.write(frames.pack(frames.MSGPACK, msgspec.msgpack.encode(Hello(token=token))))
            self._listener.on_up()
            return wire
        told = "; ".join(tried)
        if told != self._told:
            self._log.warning("cannot connect, trying on: %s", told)
            self._told = told
        return None

    async def _open(self, endpoint: Endpoint) -> _Wire:
        loop = asyncio.get_running_loop()
        wire = _Wire(endpoint, self._listener, loop.create_future())
        if endpoint.is_unix:
            with short_path(endpoint.path) as path:
                await loop.create_unix_connection(lambda: wire, path)
        else:
            await loop.create_connection(lambda: wire, endpoint.host, endpoint.port)
        return wire


class _Wire(asyncio.Protocol):
    """One connection of a link."""

    def __init__(self, endpoint: Endpoint, listener: Listener, ended: asyncio.Future[str]) -> None:
        self.endpoint = endpoint
        self.ended = ended
        self.heard = False
        self._listener = listener
        self._buffer = FrameBuffer()
        self._transport: asyncio.Transport | None = None
        self._why = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        stream = self._transport.get_extra_info("socket")
        if stream.family != socket.AF_UNIX:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._buffer.feed(data)
        try:
            while not self._why and (frame := self._buffer.take()) is not None:
                self.heard = True
                self._listener.on_message(*frame)
        except (SlurmError, *UNREADABLE) as error:
            self.fail(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        if not self.ended.done():
            self.ended.set_result(self._why or (str(error) if error else "the other side closed it"))

    def write(self, frame: bytes) -> bool:
        """Queue a frame; False when the connection is ending."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > UNSENT_LIMIT:
            self.fail("the other side does not read")
            return False
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
