"""The way to a step on another machine: mutual TLS to its slurmd, which takes the LaunchStep and answers with a ticket, then a second
connection with that ticket, whose other end is the step's slurmstepd. Never waits.

Loads ssl, so `link` imports it only for nodes that are elsewhere.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from typing import NamedTuple

from slurm.commands.launching.controller import Controller
from slurm.commands.launching.link import Link
from slurm.commands.launching.loop import READ, WRITE, Loop
from slurm.model.errors import ProtocolError, SlurmError, Unreachable
from slurm.net.client import decode
from slurm.net.endpoint import Endpoint
from slurm.net.framing import FrameBuffer
from slurm.net.tls import Credentials, Pair, Tls, Trust
from slurm.wire import frames, step_io

_CHUNK = 1 << 18
_CERTIFY_SECONDS = 60.0
_DIAL_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
"""From the connection to the answer: a busy node may take its time to start a slurmstepd."""


class Arrived(NamedTuple):
    """A connection to who has the step, and what came on it already: plain bytes that are no whole frame yet are in `buffer`."""

    stream: socket.socket
    tls: Tls
    first: tuple[int, bytes] | None  # slurmd answers itself when the step was begun before, or could not be
    buffer: FrameBuffer


class Approach:
    """One attempt to reach the step on one node.

    Ends with `arrived(Arrived)` or `failed(error)`, once; Unreachable, NotNow: it may be tried again.
    """

    def __init__(
        self, loop: Loop, node: str, address: Endpoint, launch: bytes, trust: Trust,
        arrived: Callable[[Arrived], None], failed: Callable[[SlurmError], None],
    ) -> None:
        self._loop = loop
        self._node = node
        self._address = address
        self._launch = launch
        self._trust = trust
        self._arrived = arrived
        self._failed = failed
        self._stream: socket.socket | None = None
        self._tls: Tls | None = None
        self._ticket = b""
        self._outgoing = bytearray()
        self._buffer = FrameBuffer()

    def start(self) -> None:
        """Begin."""
        self._dial()

    def close(self) -> None:
        """Give up, without a word."""
        self._loop.cancel(self._deadline)
        if self._stream is not None:
            self._loop.unwatch(self._stream.fileno())
            self._stream.close()
            self._stream = None

    @property
    def _deadline(self) -> str:
        return f"approach {self._node}"

    def _dial(self) -> None:
        self._loop.after(_DIAL_SECONDS, self._deadline, lambda: self._fail(self._unreachable("it does not answer")))
        try:
            family, _, _, _, place = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM)[0]
            stream = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            self._fail(self._unreachable(error.strerror or str(error)))
            return
        self._stream = stream
        self._tls = Tls(self._trust, server=False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        problem = stream.connect_ex(place)
        if problem not in (0, errno.EINPROGRESS):
            self._fail(self._unreachable(os.strerror(problem)))
            return
        self._loop.watch(stream.fileno(), WRITE, self._on_connected)

    def _on_connected(self, events: int) -> None:
        assert self._stream is not None
        problem = self._stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            self._fail(self._unreachable(os.strerror(problem)))
            return
        self._loop.after(_ANSWER_SECONDS, self._deadline, lambda: self._fail(self._unreachable("it does not go on")))
        self._outgoing += self._ticket
        self._advance()

    # --- while connected -------------------------------------------------------------------------------------------------

    def _on_event(self, events: int) -> None:
        if self._stream is None or self._tls is None:
            return
        if events & ~WRITE:
            try:
                data = self._stream.recv(_CHUNK)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data == b"":
                self._fail(self._unreachable("it closed the connection" if self._tls.finished
                    else "it closed the connection before it proved who it is"))
                return
            self._tls.feed(data or b"")
        self._advance()

    def _advance(self) -> None:
        """Do what can be done with what has come."""
        assert self._tls is not None
        try:
            if not self._tls.finished and self._tls.handshake():
                assert self._tls.party is not None
                self._tls.party.require("slurmd", self._node)
                if self._ticket:
                    self._arrive(None)
                    return
                self._tls.write(self._launch)
            if self._tls.finished and self._take(self._tls):
                return
        except SlurmError as error:
            self._outgoing += self._tls.outgoing()
            self._flush()
            self._fail(error)
            return
        self._outgoing += self._tls.outgoing()
        self._flush()

    def _take(self, tls: Tls) -> bool:
        """The answer of slurmd; whether it took us away from this connection."""
        self._buffer.feed(tls.read())
        frame = self._buffer.take()
        if frame is None:
            return False
        if frame[0] != frames.JSON:
            self._arrive(frame)
            return True
        answer = decode(frame[1])
        if answer.get("type") != "StepTicket":
            raise ProtocolError(hints=[f"slurmd of {self._node} answered with {json.dumps(answer)[:80]}"])
        self._ticket = step_io.ticket(bytes.fromhex(str(answer["ticket"])))
        self.close()
        self._buffer = FrameBuffer()
        self._outgoing.clear()
        self._dial()
        return True

    def _flush(self) -> None:
        if self._stream is None:
            return
        try:
            while self._outgoing:
                del self._outgoing[:self._stream.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # it closed; reading tells what it said last
        self._loop.watch(self._stream.fileno(), READ | (WRITE if self._outgoing else 0), self._on_event)

    def _arrive(self, first: tuple[int, bytes] | None) -> None:
        assert self._stream is not None and self._tls is not None
        self._loop.cancel(self._deadline)
        stream, self._stream = self._stream, None
        self._loop.unwatch(stream.fileno())
        self._arrived(Arrived(stream, self._tls, first, self._buffer))

    def _fail(self, error: SlurmError) -> None:
        self.close()
        self._failed(error)

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(message=f"slurmd of {self._node} cannot be reached", hints=[f"tried {self._address}: {why}"])


class Ways:
    """Makes the ways of one step to other machines. The controller is asked for one certificate for all of them. SlurmError."""

    def __init__(self, loop: Loop, controller: Controller, job_id: int) -> None:
        given = controller.tell({"type": "CertifyUser", "job_id": job_id}, _CERTIFY_SECONDS)
        own = Pair(str(given["certificate"]).encode(), str(given["key"]).encode())
        self._loop = loop
        self._trust = Trust(Credentials(str(given["cluster"]), own, str(given["authorities"]).encode()))

    def to(self, link: Link, address: Endpoint, launch: bytes) -> Approach:
        """A way to the node of a link."""
        return Approach(self._loop, link.node, address, launch, self._trust, lambda there: link.reached(*there), link.not_reached)
