"""Stream: one accepted connection: who it is, its frames in order, its limits, its end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec

from slurm.model.errors import NotPermitted, ProtocolError, SlurmError, describe
from slurm.net.framing import FrameBuffer
from slurm.net.gate import Gate
from slurm.net.peer import OnMessage, Peer
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.messages import UNREADABLE, Hello

Verify = Callable[[str], Identity]

_PEERCRED = struct.Struct("3i")
_HOST = socket.gethostname()
_LOW_WATER = 256 * 1024


class Stream(asyncio.Protocol):
    """The bytes of one connection. A unix peer is known at once; a TCP peer by the Hello that must come first."""

    def __init__(self, gate: Gate, on_message: OnMessage, verify: Verify | None, place: str) -> None:
        self.peer: Peer | None = None
        self.deadline = 0.0
        self._gate = gate
        self._on_message = on_message
        self._verify = verify
        self._place = place
        self._transport: asyncio.Transport | None = None
        self._buffer = FrameBuffer(gate.limits.hello)
        self._spoke = False
        self._held = 0  # bytes counted in gate.unfinished
        self._running = 0
        self._tasks: set[asyncio.Future[None]] = set()
        self._leaving = False
        self._writable = asyncio.Event()
        self._writable.set()

    # --- asyncio.Protocol --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: somebody connected."""
        # uvloop's transports are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        if not self._gate.enter(self):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=4 * _LOW_WATER, low=_LOW_WATER)
        self._gate.expect(self, self._gate.limits.silent)
        stream = self._transport.get_extra_info("socket")
        if stream.family == socket.AF_UNIX:
            pid, uid, gid = _PEERCRED.unpack(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
            self._known(Identity(uid=uid, gid=gid, host=_HOST, issued=time.time()), local=True, pid=pid)
            self._place += f" (uid {uid}, pid {pid})"
        else:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
            address = self._transport.get_extra_info("peername")
            self._place += f" ({address[0]})" if address else ""

    def data_received(self, data: bytes) -> None:
        """Called by the loop: bytes came."""
        if not self._leaving:
            self._buffer.feed(data)
            self._take()

    def eof_received(self) -> bool:
        """Called by the loop: the peer will send no more. It is answered no longer: our commands read their replies before they hang up."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop: it is over."""
        self._leaving = True
        self._count(0)
        self._gate.leave(self)
        self._writable.set()
        if self.peer is not None:
            self.peer.ended()

    def pause_writing(self) -> None:
        """Called by the loop: much is queued."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by the loop: little is queued."""
        self._writable.set()

    # --- in ----------------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Hand over the messages that are whole, as long as the handlers keep up."""
        took = False
        try:
            while not self._leaving and self._running < self._gate.limits.requests:
                frame = self._buffer.take()
                if frame is None:
                    break
                took = True
                if self.peer is None:
                    self._hello(*frame)
                else:
                    self._deliver(self.peer, *frame)
                if not self._spoke and self.peer is not None:
                    self._spoke = True
                    self._gate.spoke(self)
        except SlurmError as error:
            self._refuse(error)
        if not self._leaving:
            self._pace(took)

    def _pace(self, took: bool) -> None:
        """Count what is left over, set its deadline, and read on only if the handlers keep up."""
        assert self._transport is not None
        waiting = bool(len(self._buffer))
        busy = self._running >= self._gate.limits.requests
        if busy:
            self._transport.pause_reading()
        elif not self._transport.is_reading():
            self._transport.resume_reading()
        if busy or (self._spoke and not waiting):
            self._gate.expect(self, None)
        elif waiting and self.peer is not None and (took or not self._held):
            self._gate.expect(self, self._gate.limits.stalled)
        self._count(len(self._buffer))
        if self._gate.unfinished > self._gate.limits.unfinished and self._held > frames.MAX_HELLO:
            self.drop("too much is being received at once by all connections together")

    def _count(self, held: int) -> None:
        self._gate.unfinished += held - self._held
        self._held = held

    def _hello(self, codec: int, payload: bytes) -> None:
        if self._verify is None:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["this daemon takes connections on its unix socket only"])
        try:
            hello = (msgspec.json if codec == frames.JSON else msgspec.msgpack).decode(payload, type=Hello)
        except UNREADABLE as error:
            raise ProtocolError(hints=["the first message must be a Hello"]) from error
        self._known(self._verify(hello.token), local=False)

    def _known(self, identity: Identity, *, local: bool, pid: int = 0) -> None:
        self.peer = Peer(self, identity, local=local, pid=pid)
        self._buffer.limit = self._gate.limits.payload

    def _deliver(self, peer: Peer, codec: int, payload: bytes) -> None:
        try:
            request = self._on_message(peer, codec, payload)
        except (SlurmError, *UNREADABLE) as error:
            self._declined(codec, error)
            return
        except Exception:
            self._gate.log.exception("a message from %s could not be handled", self._place)
            self._answer(codec, _surprise())
            return
        if request is not None:
            self._running += 1
            task = asyncio.ensure_future(_owned(request))
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._carried_out(done, codec))

    def _carried_out(self, task: asyncio.Future[None], codec: int) -> None:
        self._tasks.discard(task)
        was_full = self._running >= self._gate.limits.requests
        self._running -= 1
        error = None if task.cancelled() else task.exception()
        if isinstance(error, (SlurmError, *UNREADABLE)):
            self._declined(codec, error)
        elif error is not None:
            self._gate.log.error("a message from %s could not be handled", self._place, exc_info=error)
            self._answer(codec, _surprise())
        if was_full and not self._leaving:
            self._take()

    # --- what went wrong ---------------------------------------------------------------------------------------------------

    def _declined(self, codec: int, error: BaseException) -> None:
        if not isinstance(error, SlurmError):
            error = ProtocolError(hints=[str(error)])
        if isinstance(error, ProtocolError):
            self._refuse(error, codec)
        else:
            self._answer(codec, error)

    def _answer(self, codec: int, error: SlurmError) -> None:
        reply = {"type": "Failure", **describe(error)}
        codec = frames.MSGPACK if codec == frames.MSGPACK else frames.JSON
        self.write(frames.pack(codec, json.dumps(reply).encode() if codec == frames.JSON else msgspec.msgpack.encode(reply)))

    def _refuse(self, error: SlurmError, codec: int = frames.JSON) -> None:
        """Say why, where the peer may understand it, and hang up."""
        self._gate.complain(f"connection to {self._place} closed: {'; '.join(error.lines())}")
        if self._spoke or error.name != "SLURM_MALFORMED_MESSAGE":
            self._answer(codec, error)
        self.hang_up()

    def drop(self, why: str) -> None:
        """End it now, with a line in the log."""
        self._gate.complain(f"connection to {self._place} dropped: {why}")
        self._leaving = True
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """Its deadline has passed."""
        if self._leaving:
            self.drop("it did not read what it was told")
        elif len(self._buffer):
            self.drop(f"a message was not whole after {self._gate.limits.silent if self.peer is None else self._gate.limits.stalled:g} s")
        else:
            self.drop(f"nothing came within {self._gate.limits.silent:g} s")

    # --- out (net.peer.Line) -----------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        """Queue a whole frame; a peer that has not read what was queued before is dropped."""
        if self._transport is None or self._transport.is_closing():
            return
        unsent = self._transport.get_write_buffer_size()
        if unsent > self._gate.limits.unsent:
            self.drop(f"it does not read: {unsent} bytes wait for it")
            return
        self._transport.write(frame)

    async def drained(self) -> None:
        """Wait until little is queued."""
        await self._writable.wait()

    def hang_up(self) -> None:
        """Close once what was queued has left."""
        self._leaving = True
        self._count(0)
        if self._transport is not None and not self._transport.is_closing():
            self._gate.expect(self, self._gate.limits.stalled)
            self._transport.close()

    def detach(self) -> tuple[socket.socket, bytes]:
        """Give the connection away: a socket of its own, and bytes that were read but not taken."""
        assert self._transport is not None
        self._transport.pause_reading()
        self._leaving = True
        self._count(0)
        given = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        self._transport.abort()
        return given, self._buffer.rest()

    async def settled(self) -> None:
        """Wait until no handler works for this connection any more."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))


async def _owned(request: Awaitable[None]) -> None:
    await request


def _surprise() -> SlurmError:
    return SlurmError("ESLURM_ERROR_ON_DESC_TO_RECORD_COPY", "The daemon failed on this request", hints=["its log has the details"])
