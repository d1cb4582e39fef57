"""X11 forwarding at the side of srun: X clients of the step's nodes reach the display at which srun was called (--x11).

The nodes get a cookie that was made for this step. Here it is checked and the display's own put in its place, which never leaves this
machine; whoever shows another is not connected.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from slurm.commands.launching.link import Link
from slurm.commands.launching.loop import READ, WRITE, Loop
from slurm.model.errors import InvalidRequest, NotFound, ProtocolError
from slurm.notation import xauthority
from slurm.wire import step_io, x11_setup
from slurm.wire.x11_setup import CLOSE, DATA, OPEN

CHOICES = ("all", "batch", "first", "last")
_DISPLAY = re.compile(r"(?:(?P<host>[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):)(?P<number>[0-9]{1,5})(?:\.(?P<screen>[0-9]{1,3}))?")
_FIRST_PORT = 6000
_SOCKET = "/tmp/.X11-unix/X{number}"
_CONNECT_SECONDS = 5.0
_CHUNK = 65536
_MOST_CONNECTIONS = 256
_MOST_WAITING = 64 << 20
"""Bytes that a display does not take: so many, and its client is let go."""
_COOKIE_BYTES = 16


class Display(NamedTuple):
    """Where the submitter's X server is (a socket's path, or host and port), and the cookie that opens it."""

    path: str
    host: str
    port: int
    screen: int
    cookie: bytes


def wanted(where: str, prolog_flags: str, environ: Mapping[str, str], refused: str) -> Display:
    """The display of this process, to be forwarded to these nodes; InvalidRequest, NotFound.

    `refused` goes before what a site without X11 says.
    """
    if where not in CHOICES:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Invalid --x11 specification: {where}", hints=[f"valid: {', '.join(CHOICES)}"])
    display = display_of(environ)
    if "x11" not in (word.strip().lower() for word in prolog_flags.split(",")):
        raise InvalidRequest(message=f"{refused}X11 forwarding not available", hints=["slurm.conf has no PrologFlags=X11"])
    return display


def display_of(environ: Mapping[str, str]) -> Display:
    """The display of this process, and its cookie. NotFound when there is none that could be used."""
    text = environ.get("DISPLAY", "")
    if not text:
        raise NotFound(message="No DISPLAY variable set, cannot setup x11 forwarding.")
    found = _DISPLAY.fullmatch(text)
    if found is None:
        raise NotFound(message="Error parsing DISPLAY environment variable. Cannot use X11 forwarding.", hints=[f"DISPLAY is {text}"])
    host, number, screen = found["host"].strip("[]"), int(found["number"]), int(found["screen"] or 0)
    path = _SOCKET.format(number=number) if host in ("", "unix") else ""
    if path and not os.path.exists(path):
        raise NotFound(message=f"Cannot stat() local X11 socket `{path}`")
    if _FIRST_PORT + number > 65_535:
        raise NotFound(message="Error parsing DISPLAY environment variable. Cannot use X11 forwarding.", hints=[f"DISPLAY is {text}"])
    cookie = _cookie(environ, host, number)
    if not cookie:
        raise NotFound(message="x11_get_xauth: Could not retrieve magic cookie. Cannot use X11 forwarding.", hints=[
            f"{_authority(environ)} has none for {text}; `xauth list` shows what it has"])
    return Display(path, host, _FIRST_PORT + number, screen, cookie)


def _authority(environ: Mapping[str, str]) -> str:
    return environ.get("XAUTHORITY") or os.path.join(environ.get("HOME", "/"), ".Xauthority")


def _cookie(environ: Mapping[str, str], host: str, number: int) -> bytes:
    try:
        with open(_authority(environ), "rb") as file:
            entries = xauthority.parse(file.read())
    except OSError:
        return b""
    addresses = {(xauthority.LOCAL, os.uname().nodename.encode())}
    if host not in ("", "unix", "localhost"):
        addresses = set()
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
                kind = xauthority.INTERNET if family == socket.AF_INET else xauthority.INTERNET6
                addresses.add((kind, socket.inet_pton(family, str(address[0]))))
        except OSError:
            pass  # an entry by which any host is meant may be there
    return xauthority.cookie_for(entries, addresses, number)


class Forwarding:
    """The X clients of one step. `where` says for which of its nodes."""

    def __init__(self, loop: Loop, display: Display, where: str) -> None:
        self._loop = loop
        self._display = display
        self._where = where
        self._cookie = secrets.token_bytes(_COOKIE_BYTES)
        self._connections: dict[tuple[str, int], _Connection] = {}

    def launch_fields(self, number: int, nodes: int) -> dict[str, object]:
        """What the node of this number, of so many, is told when the step is launched."""
        last = nodes - 1
        if self._where in ("first", "batch") and number != 0 or self._where == "last" and number != last:
            return {}
        return {"x11_cookie": self._cookie.hex(), "x11_screen": self._display.screen}

    def take(self, link: Link, payload: bytes) -> None:
        """A message of a node. ProtocolError for what is none."""
        number, what, data = x11_setup.unpack(payload)
        key = (link.place, number)
        if what == OPEN and key not in self._connections and len(self._connections) < _MOST_CONNECTIONS:
            self._connections[key] = _Connection(self._loop, self._display, self._cookie, link, number, lambda: self._forget(key))
            return
        connection = self._connections.get(key)
        if connection is None:
            if what != CLOSE:
                link.send(step_io.X11, step_io.ALL_TASKS, x11_setup.pack(number, CLOSE))
        elif what == DATA:
            connection.feed(data)
        elif what == CLOSE:
            connection.close(tell=False)

    def drained(self, link: Link) -> None:
        """A node takes more."""
        for (place, _), connection in list(self._connections.items()):
            if place == link.place:
                connection.resume()

    def close(self) -> None:
        """The step is over."""
        for connection in list(self._connections.values()):
            connection.close(tell=False)

    def _forget(self, key: tuple[str, int]) -> None:
        self._connections.pop(key, None)


class _Connection:
    """An X client of a node, and its way to the display once it has shown the step's cookie."""

    def __init__(self, loop: Loop, display: Display, cookie: bytes, link: Link, number: int, on_closed: Callable[[], None]) -> None:
        self._loop = loop
        self._display = display
        self._cookie = cookie
        self._link = link
        self._number = number
        self._on_closed = on_closed
        self._incoming = bytearray()  # until it has said who it is
        self._outgoing = bytearray()
        self._stream: socket.socket | None = None
        self._closed = False

    def feed(self, data: bytes) -> None:
        """What the client says."""
        if self._stream is not None:
            self._outgoing += data
            self._flush()
            return
        self._incoming += data
        try:
            setup = x11_setup.taken(self._incoming)
        except ProtocolError:
            self.close()
            return
        if setup is None:
            return
        if setup.name != xauthority.COOKIE or not hmac.compare_digest(setup.data, self._cookie):
            self.close()
            return
        self._outgoing += x11_setup.shown(setup._replace(data=self._display.cookie)) + self._incoming
        self._incoming.clear()
        self._connect()

    def _connect(self) -> None:
        """At once for a display of this machine; for one across a network the step stands still a moment."""
        display = self._display
        try:
            if display.path:
                self._stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._stream.settimeout(_CONNECT_SECONDS)
                self._stream.connect(display.path)
            else:
                self._stream = socket.create_connection((display.host, display.port), _CONNECT_SECONDS)
        except OSError:
            self.close()
            return
        self._stream.setblocking(False)
        self._flush()

    def resume(self) -> None:
        """Read what the display says, as far as the node takes it."""
        if self._stream is not None:
            reading = 0 if self._link.full else READ
            self._loop.watch(self._stream.fileno(), reading | (WRITE if self._outgoing else 0), self._on_event)

    def _flush(self) -> None:
        assert self._stream is not None
        try:
            while self._outgoing:
                del self._outgoing[:self._stream.send(bytes(self._outgoing[:_CHUNK]))]
        except BlockingIOError:
            if len(self._outgoing) > _MOST_WAITING:
                self.close()
                return
        except OSError:
            self.close()
            return
        self.resume()

    def _on_event(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self._stream is None or not events & ~WRITE:
            return
        try:
            data = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._link.send(step_io.X11, step_io.ALL_TASKS, x11_setup.pack(self._number, DATA, data))
        self.resume()

    def close(self, *, tell: bool = True) -> None:
        """Let go of both ends."""
        if self._closed:
            return
        self._closed = True
        if self._stream is not None:
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            self._stream = None
        if tell:
            self._link.send(step_io.X11, step_io.ALL_TASKS, x11_setup.pack(self._number, CLOSE))
        self._on_closed()
