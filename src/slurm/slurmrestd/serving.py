"""HTTP by uvicorn: on TCP ports, on unix sockets, and on standard input and output (inetd mode)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import stat
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import anyio.to_thread
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from slurm.model.errors import ConfigError
from slurm.net.endpoint import short_path
from slurm.slurmrestd.authentication import Client
from slurm.slurmrestd.handshaking import Handshake
from slurm.slurmrestd.rates import Rates
from slurm.slurmrestd.tls import PREFIX
from slurm.slurmrestd.visitors import Limited, Visit, Visitors

KEEP_ALIVE_SECONDS = 75
HEAD_SECONDS = 10.0
"""A request's head must be there this long after the connection, or it ends."""
LARGEST_HEAD = 64 * 1024
BACKLOG = 1024
_READ_SIZE = 64 * 1024
_PEERCRED = struct.Struct("3i")
_END_OF_HEAD = (b"\r\n\r\n", b"\n\n", b"\r\n\n")


class Protocol(H11Protocol):
    """uvicorn's HTTP, which also says who is at the other end of a unix socket, ends what never begins, and answers those who have said all
    they will."""

    known: Client | None = None
    """Who is at the other end, where that does not follow from the socket."""
    visitors: Visitors | None = None
    """Among whom it counts; None: it is the only one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
        super().connection_made(transport)
        self._said_all = False
        client = self.known or client_of(transport.get_extra_info("socket"))
        self._visit = Visit(client.source, transport.abort)
        self.app_state = {**self.app_state, "client": client, "visit": self._visit if self.visitors is not None else None}
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._unheard)
        if self.visitors is not None:
            self.visitors.enter(self._visit)

    def _unheard(self) -> None:
        if self._is_idle and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._head_timer.cancel()
        if self.visitors is not None:
            self.visitors.leave(self._visit)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The connection is another protocol's from here on."""
        self._head_timer.cancel()
        self._visit.upgraded = True
        super().handle_websocket_upgrade(event)

    @property
    def _began(self) -> bool:
        """Whether there was a request."""
        return isinstance(self.cycle, RequestResponseCycle)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The other side sends no more, and is answered still."""
        self._said_all = True
        if self._is_idle:
            self.transport.close()
        return self.transport.get_extra_info("ssl_object") is None  # TLS knows no such half

    def on_response_complete(self) -> None:
        """A reply was written."""
        super().on_response_complete()
        self._head_timer.cancel()
        self._head_timer = self.loop.call_later(KEEP_ALIVE_SECONDS + HEAD_SECONDS, self._unheard)
        if self._said_all and self._is_idle and not self.transport.is_closing():
            self.transport.close()

    @property
    def _is_idle(self) -> bool:
        return not self._began or self.cycle.response_complete


def client_of(stream: socket.socket | None) -> Client:
    """Who is at the other end of a connection."""
    if stream is None:
        return Client("unknown")
    if stream.family == socket.AF_UNIX:
        pid, uid, _ = _PEERCRED.unpack(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
        return Client(f"unix:(pid {pid})", uid)
    address = stream.getpeername()
    return Client(f"[{address[0]}]:{address[1]}")


def _source(transport: asyncio.BaseTransport) -> str:
    return client_of(transport.get_extra_info("socket")).source


def configured(app: Any, visitors: Visitors | None = None) -> uvicorn.Config:
    """How uvicorn serves: it logs nothing, trusts no proxy's headers and tells nobody what it is. Connections count among `visitors`."""
    return uvicorn.Config(
        app, http=type("CountedProtocol", (Protocol,), {"visitors": visitors}), ws="wsproto", ws_max_size=LARGEST_HEAD,
        loop="asyncio", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS, h11_max_incomplete_event_size=LARGEST_HEAD)


def listening(place: str) -> list[socket.socket]:
    """Sockets of `[HOST]:PORT`, `https://[HOST]:PORT` or `unix:/path`; ConfigError when that cannot be had."""
    if place.startswith("unix:"):
        return [_unix(place.removeprefix("unix:"))]
    host, colon, port = place.removeprefix(PREFIX).rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ConfigError(message=f"Unable to listen at {place}",
            hints=["write [HOST]:PORT, as localhost:6820, https://[HOST]:PORT, or unix:/path/to/socket"])
    try:
        found = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(message=f"Unable to listen at {place}: {error.strerror or error}") from error
    return [_bound(family, address, place) for family, _, _, _, address in dict.fromkeys(found)]


def _bound(family: int, address: Any, place: str) -> socket.socket:
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        stream.bind(address)
        stream.listen(BACKLOG)
    except OSError as error:
        stream.close()
        raise ConfigError(message=f"Unable to listen at {place}: {error.strerror}") from error
    return stream


def _unix(path: str) -> socket.socket:
    """A unix socket; one that nobody listens at any more is replaced. Its mode follows the umask."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as short:
            if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode) and _is_dead(short):
                os.unlink(path)
            stream.bind(short)
        stream.listen(BACKLOG)
    except OSError as error:
        stream.close()
        raise ConfigError(message=f"Unable to listen at unix:{path}: {error.strerror or error}") from error
    return stream


def _is_dead(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False


class Secured(NamedTuple):
    """Sockets that take TLS, by whose certificate, and what reads that again at SIGHUP."""

    sockets: Sequence[socket.socket]
    context: ssl.SSLContext
    again: Callable[[], None]


async def serve(app: Any, sockets: Sequence[socket.socket], threads: int, connections: int, ready: Callable[[], None],
        stopping: Callable[[], None] = lambda: None, secured: Secured | None = None, rate: int = 0) -> None:
    """Serve until SIGTERM or SIGINT; `stopping` is called then, and ends what would go on for ever. One user may ask `rate` times a second,
    0: as often as he likes."""
    # What it warns of are requests that are none, and too many connections: whoever reaches the port could fill the log with these.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    anyio.to_thread.current_default_thread_limiter().total_tokens = threads
    visitors = Visitors(connections, rates=Rates(rate))
    server = _Server(configured(Limited(app, visitors), visitors))
    server.stopping, server.secured, server.visitors = stopping, secured, visitors
    if secured is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, secured.again)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    ready()
    await server.serve(sockets=list(sockets))


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals to us: it would end by them instead of in order."""

    stopping: Callable[[], None]
    secured: Secured | None = None
    visitors: Visitors

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._handshakes: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        protocol: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        if self.secured is None:
            return
        context = self.secured.context

        def made() -> asyncio.Protocol:
            return protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        for stream in self.secured.sockets:
            self.servers.append(await asyncio.get_running_loop().create_server(
                lambda: Handshake(context, made, self.visitors, _source, self._handshakes), sock=stream, backlog=BACKLOG))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield

    def stop(self) -> None:
        """Take no more connections, answer what was asked, end."""
        self.should_exit = True
        self.visitors.close()
        self.stopping()


async def serve_standard_streams(app: Any, client: Client | None) -> None:
    """Serve what comes by standard input, and write the replies to standard output. `client` None: standard input is a connected socket."""
    loop = asyncio.get_running_loop()
    if client is None:
        stream = socket.socket(fileno=os.dup(0))
        await _serve_one(app, stream, None)
        return
    ours, theirs = socket.socketpair()
    reading = threading.Thread(target=_feed, args=(ours,), daemon=True)
    writing = loop.run_in_executor(None, _drain, ours)
    reading.start()
    await _serve_one(app, theirs, client)
    await writing
    ours.close()


async def _serve_one(app: Any, stream: socket.socket, client: Client | None) -> None:
    config = configured(app)
    config.load()
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    class Watched(Protocol):
        """Says when it is over."""

        known = client

        def connection_lost(self, exc: Exception | None) -> None:
            """Called by the loop."""
            super().connection_lost(exc)
            if not ended.done():
                ended.set_result(None)

    stream.setblocking(False)
    await loop.connect_accepted_socket(lambda: Watched(config=config, server_state=ServerState(), app_state={}), stream)
    await ended


def _feed(to: socket.socket) -> None:
    """Standard input, whose first request may lack its Host: who types it at a shell names none."""
    head = b""
    while not any(end in head for end in _END_OF_HEAD) and len(head) < LARGEST_HEAD:
        piece = os.read(0, _READ_SIZE)
        if not piece:
            break
        head += piece
    try:
        to.sendall(with_host(head))
        while piece := os.read(0, _READ_SIZE):
            to.sendall(piece)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other end has answered and gone


def with_host(head: bytes) -> bytes:
    """The beginning of a connection with a Host in its first request."""
    request, line_break, rest = head.partition(b"\n")
    lines = rest.split(b"\n")
    for line in lines:
        if not line.strip():
            break
        if line.lower().startswith(b"host:"):
            return head
    return request + line_break + b"Host: localhost\r\n" + rest if line_break else head


def _drain(stream: socket.socket) -> None:
    while piece := stream.recv(_READ_SIZE):
        view = memoryview(piece)
        while view:
            view = view[os.write(1, view):]


def standard_input_client() -> Client | None:
    """Who is at the other end of standard input: whoever started us, where it is no socket; None where the socket itself tells."""
    return None if stat.S_ISSOCK(os.fstat(0).st_mode) else Client("standard input", os.getuid())
