"""The connection to the slurmstepd of one node: LaunchStep first, then step_io frames both ways. Never waits.

What is sent before the tasks run is held back: until then slurmd, not slurmstepd, reads the connection.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from slurm.commands.launching.loop import READ, WRITE, Loop
from slurm.model.errors import ProtocolError
from slurm.net import endpoint
from slurm.net.client import dial
from slurm.net.discovery import Site
from slurm.net.framing import FrameBuffer
from slurm.wire import frames, step_io

_CHUNK = 1 << 18
_MUCH = 1 << 18
_CONNECT_SECONDS = 10.0


class Link:
    """One node of a step. `on_frame(link, kind, rank, data)` hears it; `on_gone(link)` that it closed, once."""

    def __init__(
        self, loop: Loop, node: str, ranks: list[int],
        on_frame: Callable[[Link, int, int, bytes], None], on_gone: Callable[[Link], None],
    ) -> None:
        self.node = node
        self.ranks = ranks
        self.started = False
        self.failed = False
        self.finished = False  # it said DONE
        self.gone = True
        self.on_drained: Callable[[], None] = _nothing
        self._loop = loop
        self._on_frame = on_frame
        self._on_gone = on_gone
        self._outgoing = bytearray()
        self._held = bytearray()
        self._incoming = FrameBuffer()
        self._stream: socket.socket | None = None

    def open(self, address: str, site: Site, launch: Mapping[str, Any]) -> None:
        """Connect to the node's slurmd and send the launch. Unreachable."""
        with dial(endpoint.parse(address), site, _CONNECT_SECONDS) as connection:
            self._stream = socket.socket(fileno=os.dup(connection.fileno()))
        self._stream.setblocking(False)
        self.gone = False
        self._outgoing += frames.pack(frames.JSON, json.dumps(launch, separators=(",", ":")).encode())
        self._flush()

    @property
    def full(self) -> bool:
        """Whether so much waits to be sent that no more input should be read."""
        return len(self._outgoing) + len(self._held) > _MUCH

    def send(self, kind: int, rank: int, data: bytes = b"") -> None:
        """Send a step message as soon as the tasks run; nothing happens when the link has closed."""
        if self.gone or self.finished:
            return
        frame = frames.pack(frames.STEP_IO, step_io.pack(kind, rank, data))
        if not self.started:
            self._held += frame
            return
        self._outgoing += frame
        self._flush()

    def has_started(self) -> None:
        """The tasks run: what was held back goes out."""
        self.started = True
        self._outgoing += self._held
        self._held.clear()
        self._flush()

    def close(self) -> None:
        """Hang up without a word."""
        if not self.gone and self._stream is not None:
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
        self.gone = True
        self._outgoing.clear()
        self._held.clear()

    def _flush(self) -> None:
        if self.gone or self._stream is None:
            return
        try:
            while self._outgoing:
                del self._outgoing[:self._stream.send(memoryview(self._outgoing)[:_CHUNK].tobytes())]
        except BlockingIOError:
            self._loop.watch(self._stream.fileno(), READ | WRITE, self._on_event)
            return
        except OSError:
            self._outgoing.clear()  # it closed; reading tells what it said last
        self._loop.watch(self._stream.fileno(), READ, self._on_event)
        self.on_drained()

    def _on_event(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self.gone or self._stream is None or not events & ~WRITE:
            return
        try:
            data = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        self._incoming.feed(data)
        try:
            while (frame := self._incoming.take()) is not None:
                self._on_frame(self, *step_io.unpack(frame[1]))
        except ProtocolError:
            self._end()

    def _end(self) -> None:
        self.close()
        self.on_drained()
        self._on_gone(self)


def _nothing() -> None:
    """Nobody waits to send more."""
