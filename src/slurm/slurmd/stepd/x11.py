"""X11 forwarding at the side of slurmstepd: a display number of this node whose X clients are connected to srun, which has the display.

Whoever connects needs the cookie that is in the owner's file, and srun checks it.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Protocol

from slurm.model.errors import ProtocolError
from slurm.slurmd.stepd.loop import READ, WRITE, Loop, broken, readable
from slurm.wire import x11_setup
from slurm.wire.x11_setup import CLOSE, DATA, OPEN

FIRST_DISPLAY, LAST_DISPLAY = 20, 99
"""The numbers that Slurm gives out."""
_FIRST_PORT = 6000
_MOST_CLIENTS = 128
_CHUNK = 65536


class Carrier(Protocol):
    """The connection to srun (`io.StepIO`)."""

    @property
    def crowded(self) -> bool: ...
    def x11(self, payload: bytes) -> None: ...
    def hold(self, change: int) -> None: ...


class _Client:
    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.waiting = bytearray()


class Display:
    """Listens at the first free number; `number` is it. OSError when there is none."""

    def __init__(self, loop: Loop, carrier: Carrier) -> None:
        self._loop = loop
        self._carrier = carrier
        self._clients: dict[int, _Client] = {}
        self._next = 0
        self.number, self._listener = _listener()
        loop.watch(self._listener.fileno(), READ, self._accept)

    def take(self, payload: bytes) -> None:
        """A message of srun's. ProtocolError for what is none."""
        number, what, data = x11_setup.unpack(payload)
        if what == OPEN:
            raise ProtocolError(message="srun opens no X11 connections")
        client = self._clients.get(number)
        if client is None:
            return
        if what == CLOSE:
            self._drop(number, tell=False)
            return
        client.waiting += data
        self._carrier.hold(len(data))
        self._drain(number)

    def throttle(self) -> None:
        """srun takes what there is, or does not any more."""
        for number in self._clients:
            self._watch(number)

    def close(self) -> None:
        """No more clients."""
        for number in list(self._clients):
            self._drop(number, tell=False)
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()

    def _accept(self, _: int) -> None:
        try:
            stream, _address = self._listener.accept()
        except OSError:  # it went again, or no descriptor is left
            return
        if len(self._clients) >= _MOST_CLIENTS:
            stream.close()
            return
        stream.setblocking(False)
        number = self._next
        self._next += 1
        self._clients[number] = _Client(stream)
        self._carrier.x11(x11_setup.pack(number, OPEN))
        self._watch(number)

    def _watch(self, number: int) -> None:
        client = self._clients[number]
        events = (0 if self._carrier.crowded else READ) | (WRITE if client.waiting else 0)
        if events:
            self._loop.watch(client.stream.fileno(), events, lambda found: self._on_client(number, found))
        else:
            self._loop.unwatch(client.stream.fileno())

    def _on_client(self, number: int, events: int) -> None:
        client = self._clients.get(number)
        if client is None:
            return
        if events & WRITE:
            self._drain(number)
        if number not in self._clients or not (readable(events) or broken(events)):
            return
        try:
            data = client.stream.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._carrier.x11(x11_setup.pack(number, DATA, data))
        else:
            self._drop(number, tell=True)

    def _drain(self, number: int) -> None:
        client = self._clients[number]
        try:
            while client.waiting:
                sent = client.stream.send(bytes(client.waiting[:_CHUNK]))
                del client.waiting[:sent]
                self._carrier.hold(-sent)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(number, tell=True)
            return
        self._watch(number)

    def _drop(self, number: int, *, tell: bool) -> None:
        client = self._clients.pop(number)
        self._loop.unwatch(client.stream.fileno())
        client.stream.close()
        self._carrier.hold(-len(client.waiting))
        if tell:
            self._carrier.x11(x11_setup.pack(number, CLOSE))


def _listener() -> tuple[int, socket.socket]:
    for number in range(FIRST_DISPLAY, LAST_DISPLAY + 1):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stream.bind(("127.0.0.1", _FIRST_PORT + number))
            stream.listen(16)
        except OSError as error:
            stream.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return number, stream
    raise OSError(errno.EADDRINUSE, f"no X11 display number from {FIRST_DISPLAY} to {LAST_DISPLAY} is free on {os.uname().nodename}")
