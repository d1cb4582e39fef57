"""The connection to the slurmstepd of one node: LaunchStep first, then step_io frames both ways. Never waits.

A node on this machine is reached by its unix socket, another one by `secured`. What is sent before the tasks run is held back: until then
slurmd, not slurmstepd, may read the connection. While nothing was heard a lost connection is made anew, with the same launch: a step begins
once, whoever asks again is told what came of it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from slurm.commands.launching.loop import READ, WRITE, Loop
from slurm.model.errors import NotNow, ProtocolError, SlurmError, Unreachable
from slurm.net.endpoint import Endpoint, connected
from slurm.net.framing import FrameBuffer
from slurm.wire import frames, step_io

_CHUNK = 1 << 18
_MUCH = 1 << 18
_CONNECT_SECONDS = 10.0
_PATIENCE_SECONDS = 15.0
"""How long a slurmd that is being restarted is looked for."""
_PAUSE_SECONDS = 0.2


class Cipher(Protocol):
    """What stands between frames and the bytes on the wire (net.tls.Tls)."""

    def feed(self, data: bytes) -> None:
        """Take what came."""

    def read(self) -> bytes:
        """What it means."""
        ...

    def write(self, plain: bytes) -> None:
        """Take what is to be said."""

    def outgoing(self) -> bytes:
        """What is to be sent."""
        ...


class Way(Protocol):
    """An attempt to reach a node (`secured.Approach`)."""

    def start(self) -> None:
        """Begin."""

    def close(self) -> None:
        """Give up."""


class Link:
    """One node of a step. `on_frame(link, kind, rank, data)` hears it; `on_gone(link)` that it closed, `on_failed(link, message, hints)`
    that it was never reached, once. `secure(address, launch, link)` makes the way to a node that is not on this machine."""

    def __init__(
        self, loop: Loop, node: str, ranks: list[int],
        on_frame: Callable[[Link, int, int, bytes], None], on_gone: Callable[[Link], None],
        on_failed: Callable[[Link, str, list[str]], None],
        place: str = "",
    ) -> None:
        self.node = node
        self.place = place or node  # its name among the links of a step, which may reach a node twice
        self.ranks = ranks
        self.started = False
        self.failed = False
        self.finished = False  # it said DONE
        self.gone = True
        self.on_drained: Callable[[], None] = _nothing
        self._loop = loop
        self._on_frame = on_frame
        self._on_gone = on_gone
        self._on_failed = on_failed
        self._outgoing = bytearray()
        self._held = bytearray()
        self._incoming = FrameBuffer()
        self._stream: socket.socket | None = None
        self._cipher: Cipher | None = None
        self._heard = False
        self._again: Callable[[], None] = _nothing
        self._way: Way | None = None
        self._until = 0.0

    def open(self, address: Endpoint, launch: Mapping[str, Any], secure: Callable[[Link, Endpoint, bytes], Way]) -> None:
        """Reach the node's slurmd and give it the launch."""
        text = frames.pack(frames.JSON, json.dumps(launch, separators=(",", ":")).encode())
        self._until = time.monotonic() + _PATIENCE_SECONDS
        self._again = (lambda: self._call(address, text)) if address.is_unix else (lambda: self._set_out(secure, address, text))
        self.gone = False
        self._again()

    def _call(self, address: Endpoint, launch: bytes) -> None:
        try:
            stream = connected(address, _CONNECT_SECONDS)
        except OSError as error:
            self.not_reached(Unreachable(hints=[f"tried {address}: {error.strerror or error}"]))
            return
        self._take_up(stream)
        self._outgoing += launch
        self._flush()

    def _set_out(self, secure: Callable[[Link, Endpoint, bytes], Way], address: Endpoint, launch: bytes) -> None:
        try:
            self._way = secure(self, address, launch)
        except SlurmError as error:
            self.not_reached(error)
        else:
            self._way.start()

    def not_reached(self, error: SlurmError) -> None:
        """An attempt failed: try again while that may help."""
        self._way = None
        if isinstance(error, Unreachable | NotNow) and time.monotonic() < self._until:
            self._loop.after(_PAUSE_SECONDS, f"reach {self.place}", self._again)
            return
        self.close()
        self._on_failed(self, error.message, list(error.hints))

    def reached(self, stream: socket.socket, cipher: Cipher, first: tuple[int, bytes] | None, buffer: FrameBuffer) -> None:
        """An attempt succeeded: `first` is a frame that came already, `buffer` what came of the next."""
        self._way = None
        self._cipher = cipher
        self._incoming = buffer
        self._take_up(stream)
        self._outgoing += cipher.outgoing()
        self._flush()
        if first is not None:
            self._heard = True
            self._on_frame(self, *step_io.unpack(first[1]))
        self._take(cipher.read())

    def _take_up(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._loop.watch(stream.fileno(), READ, self._on_event)

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
        self._put(frame)
        self._flush()

    def has_started(self) -> None:
        """The tasks run: what was held back goes out."""
        self.started = True
        self._put(bytes(self._held))
        self._held.clear()
        self._flush()

    def close(self) -> None:
        """Hang up without a word."""
        self._loop.cancel(f"reach {self.place}")
        if self._way is not None:
            self._way.close()
            self._way = None
        self._let_go()
        self.gone = True
        self._held.clear()

    def _let_go(self) -> None:
        if self._stream is not None:
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            self._stream = None
        self._outgoing.clear()

    def _put(self, plain: bytes) -> None:
        if self._cipher is None or not plain:
            self._outgoing += plain
            return
        self._cipher.write(plain)
        self._outgoing += self._cipher.outgoing()

    def _flush(self) -> None:
        if self._stream is None:
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
        if self._stream is None or not events & ~WRITE:
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
        if self._cipher is None:
            self._take(data)
            return
        self._cipher.feed(data)
        try:
            self._take(self._cipher.read())
        except SlurmError:
            self._end()

    def _take(self, plain: bytes) -> None:
        self._incoming.feed(plain)
        try:
            while self._stream is not None and (frame := self._incoming.take()) is not None:
                self._heard = True
                self._on_frame(self, *step_io.unpack(frame[1]))
        except ProtocolError:
            self._end()

    def _end(self) -> None:
        if not self._heard and time.monotonic() < self._until:
            self._let_go()
            self._incoming = FrameBuffer()
            self._cipher = None
            self._loop.after(_PAUSE_SECONDS, f"reach {self.place}", self._again)
            return
        self.close()
        self.on_drained()
        self._on_gone(self)


def _nothing() -> None:
    """Nobody waits to send more."""
