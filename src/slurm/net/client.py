"""The commands' small blocking client: find the controller, ask it, get its answer or its refusal.

Light on purpose: nothing here imports msgspec, asyncio or anything else that takes long to load.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from slurm.model.errors import ConfigError, ProtocolError, SlurmError, Unreachable, revive
from slurm.net.discovery import Site, find_site
from slurm.net.endpoint import Endpoint, connected
from slurm.net.framing import FrameBuffer
from slurm.wire import frames

CONNECT_SECONDS = 3.0
"""How long a connection is tried again while the controller's socket refuses: it may be starting."""
RETRY_SECONDS = 0.1
SELDOM_SECONDS = 0.5
TELL_SECONDS = 1.0
"""A wait so long is worth a line."""
DIAL_SECONDS = 10.0
OTHERS_SECONDS = 2.0
"""The same where there are other controllers: a machine that is off does not even refuse."""
IN_STANDBY = "ESLURM_IN_STANDBY_MODE"
CALL_SECONDS = 60.0
PING_SECONDS = 5.0
CONTROLLER = "slurmctld"
_READ_SIZE = 256 * 1024


class Connection:
    """A connection to a daemon; frames whole, JSON objects by default."""

    def __init__(self, stream: socket.socket, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.closed = False
        self._stream = stream
        self._buffer = FrameBuffer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def fileno(self) -> int:
        """For select; look at `ready` first."""
        return self._stream.fileno()

    def close(self) -> None:
        """Hang up; may be called twice."""
        self.closed = True
        self._stream.close()

    def call(self, message: Mapping[str, Any], timeout: float | None = CALL_SECONDS) -> dict[str, Any]:
        """Send a request and return its reply; raises the SlurmError that a Failure carries, Unreachable when none comes in `timeout` s."""
        self.send(message)
        try:
            return self.receive(timeout)
        except ProtocolError as error:
            if message.get("type") == "Ping":
                raise
            raise self._explained(error) from None

    def exchange(self, message: Mapping[str, Any], timeout: float | None = CALL_SECONDS) -> bytes:
        """Send a request and return its reply as it came, a Failure too, for those who read large ones themselves."""
        self.send(message)
        codec, payload = self.receive_frame(timeout)
        if codec != frames.JSON:
            raise ProtocolError(hints=[f"{self.endpoint} answered in another codec"])
        return payload

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a JSON object."""
        self.send_frame(frames.JSON, json.dumps(message, separators=(",", ":")).encode())

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """The next JSON object, waiting for ever when `timeout` is None; raises the SlurmError that a Failure carries."""
        codec, payload = self.receive_frame(timeout)
        if codec != frames.JSON:
            raise ProtocolError(hints=[f"{self.endpoint} answered in another codec"])
        return decode(payload)

    def send_frame(self, codec: int, payload: bytes) -> None:
        """Send one frame; Unreachable when the peer has gone."""
        try:
            self._stream.settimeout(CALL_SECONDS)
            self._stream.sendall(frames.pack(codec, payload))
        except OSError as error:
            raise self._lost(error) from error

    def receive_frame(self, timeout: float | None = None) -> tuple[int, bytes]:
        """The next (codec, payload); Unreachable when the peer has gone or nothing came in `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (frame := self._buffer.take()) is None:
            self._stream.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            if not self._read():
                raise self._lost(None)
        return frame

    def ready(self) -> list[tuple[int, bytes]]:
        """The frames that are here now, after one read that does not wait; sets `closed` once the peer has gone."""
        import select  # most commands wait for one answer

        poller = select.poll()  # select() knows no descriptor above 1023
        poller.register(self._stream, select.POLLIN)
        if self._held() or poller.poll(0):
            self.closed = not self._read_now()
        found = []
        while (frame := self._buffer.take()) is not None:
            found.append(frame)
        return found

    def _explained(self, error: ProtocolError) -> ProtocolError:
        """A refusal of what the peer could not read; when it is of another version, it says so."""
        from slurm.net import generations

        try:
            told = generations.hints(self.call({"type": "Ping"}, PING_SECONDS), generations.installed())
        except SlurmError:
            return error  # it has hung up, or is no slurmctld
        return ProtocolError(error.name, message=error.message, hints=[*error.hints, *told], preface=error.preface)

    def _read(self) -> bool:
        try:
            data = self._stream.recv(_READ_SIZE)
        except OSError as error:
            raise self._lost(error) from error
        self._buffer.feed(data)
        return bool(data)

    def _held(self) -> int:
        """Bytes that TLS has taken from the socket and not handed out."""
        return int(self._stream.pending()) if hasattr(self._stream, "pending") else 0

    def _read_now(self) -> bool:
        """Read what is here; False when the peer has gone. What TLS says to itself is readable, and nothing for us."""
        if not hasattr(self._stream, "pending"):
            return self._read()
        from ssl import SSLWantReadError

        self._stream.settimeout(0.0)
        try:
            while data := self._stream.recv(_READ_SIZE):
                self._buffer.feed(data)
            return False
        except SSLWantReadError:
            return True
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError | None) -> Unreachable:
        if isinstance(error, TimeoutError):
            return Unreachable(message="Socket timed out on send/recv operation", hints=[f"{self.endpoint} did not answer in time"])
        return Unreachable(message="Zero Bytes were transmitted or received", hints=[
            f"{self.endpoint} closed the connection before it answered: whether the request was carried out is not known"])


def decode(payload: bytes) -> dict[str, Any]:
    """The object in a JSON payload; raises the SlurmError that a Failure carries."""
    try:
        reply = json.loads(payload)
    except ValueError as error:
        raise ProtocolError(hints=[f"the reply is no JSON: {error}"]) from error
    if not isinstance(reply, dict):
        raise ProtocolError(hints=["the reply is no JSON object"])
    if reply.get("type") == "Failure":
        raise revive(reply.get("kind", ""), reply.get("name", ""), reply.get("message", ""), reply.get("hints", ()),
            reply.get("preface", ()))
    return reply


def connect(environ: Mapping[str, str]) -> Connection:
    """A connection to the controller of the cluster that `environ` means; Unreachable says what was tried."""
    return reach(find_site(environ))


def connect_waiting(environ: Mapping[str, str], tell: Callable[[str], None]) -> Connection:
    """As `connect`; inside a job of that cluster a controller that is away is waited for, some minutes, and `tell` gets one line of it."""
    site = find_site(environ)
    return reach(site, site.away_seconds, tell) if site.is_around(environ) else reach(site)


def waiting_line(seconds: float) -> str:
    """What a program says that begins to wait."""
    return f"slurmctld does not answer: waiting up to {seconds:.0f} seconds for it"


def reach(site: Site, patience: float | None = None, tell: Callable[[str], None] | None = None) -> Connection:
    """A connection to the controller of `site` that leads; tried again for `patience` seconds while one refuses or stands by.

    By default CONNECT_SECONDS, or as long as another controller may need to take over. With `tell`, whatever is wrong is waited for, and
    told of in one line.
    """
    if patience is None:
        patience = max(CONNECT_SECONDS, site.takeover_seconds)
    began = time.monotonic()
    deadline = began + patience
    told = False
    while True:
        refused = False
        tried = []
        for endpoint in site.ways:
            try:
                return _dial(endpoint, site)
            except OSError as error:
                refused = refused or isinstance(error, ConnectionRefusedError | BlockingIOError | _StandsBy) or bool(site.takeover_seconds)
                if endpoint.path in site.relays and isinstance(error, FileNotFoundError):
                    continue  # this machine has no such daemon
                tried.append(f"{endpoint}: {error.strerror or error}")
        now = time.monotonic()
        if now >= deadline or not (refused or tell is not None):
            raise Unreachable(hints=[*(f"tried {line}" for line in tried), _advice(site)])
        if tell is not None and not told and now - began >= TELL_SECONDS:
            told = True
            tell(waiting_line(patience))
        time.sleep(RETRY_SECONDS if now - began < CONNECT_SECONDS else SELDOM_SECONDS)


def dial(endpoint: Endpoint, timeout: float = DIAL_SECONDS) -> Connection:
    """A connection to one daemon of this machine."""
    try:
        return Connection(connected(endpoint, timeout), endpoint)
    except OSError as error:
        raise Unreachable(hints=[f"tried {endpoint}: {error.strerror or error}"]) from error


class _StandsBy(OSError):
    """Who answered does not lead."""


def _dial(endpoint: Endpoint, site: Site) -> Connection:
    if endpoint.is_unix or not site.takeover_seconds:
        return _dial_one(endpoint, site, DIAL_SECONDS)
    try:
        connection = _dial_one(endpoint, site, OTHERS_SECONDS)
        if connection.call({"type": "Ping"}, OTHERS_SECONDS).get("leads", True):
            return connection
        connection.close()
    except Unreachable as error:
        raise _StandsBy(None, error.message) from error
    except SlurmError as error:
        if error.name != IN_STANDBY:
            raise
        raise _StandsBy(None, error.message) from error
    raise _StandsBy(None, "it stands by")


def _dial_one(endpoint: Endpoint, site: Site, seconds: float) -> Connection:
    stream = connected(endpoint, seconds)
    if endpoint.is_unix:
        return Connection(stream, endpoint)
    if site.auth.lower() == "auth/munge" and not site.token:
        return proved_by_munge(stream, endpoint, site)
    try:
        stream = _secured(stream, site.cluster, _authorities(site.authorities))
        connection = Connection(stream, endpoint)
        connection.send({"type": "Hello", "token": site.token})
    except BaseException:
        stream.close()
        raise
    return connection


def proved_by_munge(stream: socket.socket, endpoint: Endpoint, site: Site, to: str = CONTROLLER) -> Connection:
    """The connection to the daemon `to`, after both sides have proved by MUNGE who they are. NotPermitted, Unreachable."""
    from slurm.net.munge_client import prove, secured

    try:
        safe = secured(stream)
        connection = Connection(safe, endpoint)
        prove(safe, connection.call, site, to)
    except BaseException:
        stream.close()
        raise
    return connection


def _authorities(path: str) -> bytes:
    """The certificates by which a machine without a daemon knows the controller; ConfigError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(message=f"cannot read {path}: {error.strerror}", hints=[
            "a command with SLURM_JWT knows the controller by it: copy it from a machine of the cluster (`slurm cert show --authorities`)",
            "where sackd or slurmd runs beside, unset SLURM_JWT instead"]) from error


def _secured(stream: socket.socket, cluster: str, authorities: bytes) -> socket.socket:
    """The connection as TLS, once the other side has proved to be the cluster's slurmctld: before that it is told nothing. NotPermitted."""
    import ssl

    from slurm.net.tls import Credentials, Trust, refused

    trust = Trust(Credentials(cluster, None, authorities))
    try:
        secured = trust.client_context.wrap_socket(stream)
    except ssl.SSLError as error:
        raise refused(error) from error
    party = trust.party_of(secured)
    if party is not None:  # a client demands a certificate
        party.require(CONTROLLER)
    return secured


def _advice(site: Site) -> str:
    if site.embedded:
        return f"the cluster {site.cluster} is not running: start it with `slurm up`"
    if site.relays and not site.token and not any(os.path.exists(way.path) for way in site.ways):
        return (f"no daemon of cluster {site.cluster} runs on this machine: start sackd here (or slurmctld, on "
                f"{site.host or 'its machine'}), or set SLURM_JWT")
    return f"is slurmctld of cluster {site.cluster} running? ({site.conf})"


