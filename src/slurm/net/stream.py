"""Stream: one accepted connection: who it is, its frames in order, its limits, its end.

A connection from another machine is TLS from its first byte where the server has a `Trust`. The gate (`gate`) decides who may come in at
all, and when the work of its handshake is done (`handshakes`).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

import msgspec

from slurm.model.errors import NotNow, NotPermitted, ProtocolError, SlurmError, Unsupported, describe
from slurm.net import plain_get
from slurm.net.framing import FrameBuffer
from slurm.net.gate import Gate
from slurm.net.peer import OnMessage, Peer
from slurm.net.shares import Holder, Share
from slurm.net.tls import Party, Tls, Trust
from slurm.wire import frames, step_io
from slurm.wire.credentials import Identity
from slurm.wire.messages import UNREADABLE, Hello


class Proved(NamedTuple):
    """Who said Hello, and the frame that answers it."""

    identity: Identity
    answer: bytes


Verify = Callable[[str], "Identity | Awaitable[Proved]"]
"""What makes an identity of a Hello's token; what must be asked of another process is awaited, and nothing is heard of the peer
meanwhile."""
OnTicket = Callable[[bytes, Callable[[], tuple[socket.socket, bytes]]], None]
"""Called with the secret of a ticket (wire.step_io) and what gives the connection away; a SlurmError ends the connection."""

_PEERCRED = struct.Struct("3i")
_HOST = socket.gethostname()
_LOW_WATER = 256 * 1024
MAX_HANDSHAKE = 32 * 1024
"""Bytes of a handshake from the other side: two certificates have less than 2 kB."""
_NO_USER = -1
_NODES_PATIENCE = 3
"""Ten thousand nodes that come at once may be slow to answer."""


class Relayed(NamedTuple):
    """Who is at the far end of a connection that another daemon relays, as that daemon's kernel says.

    `require` raises NotPermitted once that daemon may not speak for him any more; it is asked before every message. `confined_to`,
    `unelevated`: Peer's.
    """

    identity: Identity
    pid: int
    via: str
    require: Callable[[], None]
    confined_to: str = ""
    unelevated: bool = False


def _holder(relayed: Relayed, gate: Gate) -> Holder:
    """Whose share a relayed connection counts in: its user's; but who goes before others elsewhere does not do so where a compute node says
    who it is."""
    uid = relayed.identity.uid
    return f"{relayed.via}, for uid {uid}," if relayed.unelevated and gate.goes_first(uid) else uid


class Stream(asyncio.Protocol):
    """The bytes of one connection. A unix peer is known at once, as is a relayed one; a TCP peer by its certificate, or by the Hello that
    must come first."""

    def __init__(self, gate: Gate, on_message: OnMessage, verify: Verify | None, trust: Trust | None, place: str,
                 relayed: Relayed | None = None, on_ticket: OnTicket | None = None) -> None:
        self.peer: Peer | None = None
        self.deadline = 0.0
        self.share: Share | None = None
        self._gate = gate
        self._on_message = on_message
        self._verify = verify
        self._trust = trust  # None: the bytes are not TLS
        self._on_ticket = on_ticket
        self._tls: Tls | None = None
        self._head = b""  # what came before it was clear whether it is a ticket
        self._shaking = False  # a turn for the handshake was asked for
        self._proving: asyncio.Future[Proved] | None = None
        self._shook = 0  # bytes of the handshake
        self._patience = gate.limits.silent
        self._waiting_since = 0.0
        self._place = place
        self._relayed = relayed
        self._transport: asyncio.Transport | None = None
        self._buffer = FrameBuffer(gate.limits.hello)
        self._spoke = False
        self._held = 0  # bytes counted in gate.unfinished
        self._running = 0
        self._in_turn = False  # a turn was asked for
        self._tasks: set[asyncio.Future[None]] = set()
        self._leaving = False
        self._lost = False  # the connection has ended by itself: whole messages that came before are still taken
        self._writable = asyncio.Event()
        self._writable.set()

    # --- asyncio.Protocol --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: somebody connected."""
        # uvloop's transports are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        stream = self._transport.get_extra_info("socket")
        local = stream is not None and stream.family == socket.AF_UNIX
        address = None if local else self._transport.get_extra_info("peername")
        pid, uid, gid = _PEERCRED.unpack(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)) if local else (0, 0, 0)
        relayed = self._relayed
        source, port = (str(address[0]), int(address[1])) if address else ("", 0)
        node = bool(address) and self._gate.is_node(source, port)
        if node:
            self._patience *= _NODES_PATIENCE
        holder = _holder(relayed, self._gate) if relayed is not None else uid if local else f"node {source}" if node else source
        if not self._gate.enter(self, holder, first=node):
            self._leaving = True
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=4 * _LOW_WATER, low=_LOW_WATER)
        self._wait()
        if relayed is not None:
            self._know(relayed.identity, local=False, pid=relayed.pid, via=relayed.via, confined_to=relayed.confined_to,
                       unelevated=relayed.unelevated)
        elif local:
            self._trust = None
            self._know(Identity(uid=uid, gid=gid, host=_HOST, issued=time.time()), local=True, pid=pid)
            self._place += f" (uid {uid}, pid {pid})"
        else:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
            self._place += f" ({address[0]})" if address else ""

    def data_received(self, data: bytes) -> None:
        """Called by the loop: bytes came."""
        if self._leaving:
            return
        if self._trust is not None:
            self._secured(self._trust, data)
        else:
            self._buffer.feed(data)
            self._go_on()

    def eof_received(self) -> bool:
        """Called by the loop: the peer will send no more. It is answered no longer: our commands read their replies before they hang up."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop: it is over."""
        self._lost = self._in_turn and not self._leaving
        self._leaving = True
        if not self._lost:
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

    # --- TLS ---------------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """From here on it is the other side that we wait for."""
        self._waiting_since = asyncio.get_running_loop().time()
        self._gate.expect(self, max(0.01, self._patience))

    def _secured(self, trust: Trust, data: bytes) -> None:
        if self._on_ticket is not None:
            data = self._head + data
            if step_io.TICKET_MARK.startswith(data[:len(step_io.TICKET_MARK)]) or data.startswith(step_io.TICKET_MARK):
                self._head = data
                if len(data) >= step_io.TICKET_SIZE:
                    self._claim(self._on_ticket)
                return
            self._on_ticket, self._head = None, b""
        if self._tls is None and self._gate.on_get is not None and plain_get.begins(self._head + data):
            self._head += data
            self._hear(self._gate.on_get)
            return
        if self._tls is None:
            data, self._head = self._head + data, b""
            if data.startswith(frames.MAGIC):
                self._refuse_plain()
                return
            self._tls = Tls(trust, server=True, anonymous=self._verify is not None)
        self._tls.feed(data)
        if self._tls.finished:
            self._decrypt(self._tls)
            return
        self._shook += len(data)
        if self._shook > MAX_HANDSHAKE:
            self.drop("its handshake has no end")
        elif not self._shaking and self.share is not None:
            self._shaking = True
            self._patience -= asyncio.get_running_loop().time() - self._waiting_since
            self._gate.expect(self, None)
            self._gate.handshakes.ask(self.share, self._shake)

    def _hear(self, on_get: plain_get.OnGet) -> None:
        """It began with a plain GET: once that is whole it is answered, and the connection ends."""
        try:
            request = plain_get.read(self._head)
        except ValueError as error:
            self.drop(str(error))
            return
        if request is None or self._tasks:
            return
        self._gate.expect(self, self._gate.limits.stalled)
        task: asyncio.Future[None] = asyncio.ensure_future(self._got(on_get, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _got(self, on_get: plain_get.OnGet, request: plain_get.Get) -> None:
        try:
            found = await on_get(request)
        except Exception:
            self._gate.log.exception("GET %s from %s failed", request.path[:128], self._place)
            found = plain_get.Got(500, "it failed: the log has the details\n")
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(plain_get.written(found))
        self.hang_up()

    def _claim(self, on_ticket: OnTicket) -> None:
        """It began with a ticket: who gave that takes it, or it ends."""
        secret = self._head[len(step_io.TICKET_MARK):step_io.TICKET_SIZE]
        try:
            on_ticket(secret, self._give_away)
        except (SlurmError, OSError) as error:
            self.drop("; ".join(error.lines()) if isinstance(error, SlurmError) else str(error))
        except Exception:
            self._gate.log.exception("a ticket from %s could not be taken", self._place)
            self.drop("its ticket could not be taken")

    def _give_away(self) -> tuple[socket.socket, bytes]:
        """The connection after its ticket."""
        stream, _ = self.detach()
        return stream, self._head[step_io.TICKET_SIZE:]

    def _shake(self) -> None:
        """The public-key work of a handshake, when it is this connection's turn."""
        self._shaking = False
        if self._leaving or self._tls is None:
            return
        try:
            finished = self._tls.handshake()
            if finished and self._tls.party is not None:
                self._prove(self._tls.party)
        except SlurmError as error:
            self._flush()
            # Whoever showed a certificate is a daemon and reads this; for all others there is nobody yet to whom it could be said.
            self._spoke = self._tls.established
            self._refuse(error, frames.MSGPACK)
            return
        self._flush()
        if not self._spoke:
            self._wait()
        if finished:
            self._decrypt(self._tls)

    def _prove(self, party: Party) -> None:
        """Its certificate says who it is."""
        self._place += f" ({party})"
        if not self._gate.known(self, str(party)):
            raise NotNow(message=f"{party} has as many connections as one may have")
        self._know(Identity(uid=_NO_USER, gid=_NO_USER, host=party.name, issued=time.time()), local=False, party=party)
        self._spoke = True
        self._gate.spoke(self)
        self._gate.expect(self, None)

    def _decrypt(self, tls: Tls) -> None:
        try:
            plain = tls.read()
        except SlurmError as error:
            self.drop("; ".join(error.lines()))
            return
        self._flush()
        if plain:
            self._buffer.feed(plain)
            self._go_on()
        if tls.ended and not self._leaving:
            self.hang_up()

    def _flush(self) -> None:
        """Send what TLS itself has to say."""
        data = self._tls.outgoing() if self._tls is not None else b""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _refuse_plain(self) -> None:
        """A slurm-py before the secured channel, or one that takes this for another daemon: it reads plain frames and is told in one."""
        error = ProtocolError("SLURM_PROTOCOL_VERSION_ERROR", hints=[
            f"this daemon takes TLS only on this port (protocol version {frames.VERSION}): install the same slurm-py on both sides"])
        self._gate.complain(f"connection to {self._place} closed: {'; '.join(error.lines())}")
        reply = frames.pack(frames.JSON, json.dumps({"type": "Failure", **describe(error)}).encode())
        if self._transport is not None:
            self._transport.write(_of_version(reply, frames.OLDEST))
        self.hang_up()

    # --- in ----------------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Take what has come: at once for those who go before others, else when it is this user's turn."""
        if self.peer is None or self.share is None or self.share.first:
            self._take()
            return
        if not self._in_turn and len(self._buffer):
            self._in_turn = True
            self._gate.turns.ask(self.share.holder, self._turn)
        self._pace(False)

    def _turn(self) -> None:
        self._in_turn = False
        if self._leaving and not self._lost:
            return
        if self._take(1) and len(self._buffer) and self._running < self._gate.limits.requests:
            self._go_on()
        elif self._lost:
            self._count(0)

    def _take(self, most: int = sys.maxsize) -> bool:
        """Hand over the messages that are whole, as long as the handlers keep up, at most so many; whether there was one."""
        took = 0
        try:
            while (took < most and (self._lost or not self._leaving) and self._running < self._gate.limits.requests
                    and self._proving is None):
                frame = self._buffer.take()
                if frame is None:
                    break
                took += 1
                if self.peer is None:
                    self._hello(*frame)
                else:
                    self._deliver(self.peer, *frame)
                if not self._spoke and self.peer is not None:
                    self._spoke = True
                    self._gate.spoke(self)
        except SlurmError as error:
            self._refuse(error)
        self._pace(bool(took))
        return bool(took)

    def _pace(self, took: bool) -> None:
        """Count what is left over, set its deadline, and read on only if the handlers keep up."""
        if self._leaving:
            return
        assert self._transport is not None
        waiting = bool(len(self._buffer))
        busy = self._running >= self._gate.limits.requests or self._proving is not None or (self._in_turn
            and len(self._buffer) > _LOW_WATER)
        if busy:
            self._transport.pause_reading()
        elif not self._transport.is_reading():
            self._transport.resume_reading()
        if busy or (self._spoke and not waiting):
            self._gate.expect(self, None)
        elif waiting and self.peer is not None and (took or not self._held):
            self._gate.expect(self, self._gate.limits.stalled)
        self._count(len(self._buffer))
        if self._held <= frames.MAX_HELLO:
            return
        limits, share = self._gate.limits, self.share
        if self._gate.unfinished > limits.unfinished:
            self.drop("too much is being received at once by all connections together")
        elif share is not None and not share.first and share.unfinished > limits.unfinished * limits.user_unfinished:
            self.drop(f"too much is being received at once by all connections of {share}")

    def _count(self, held: int) -> None:
        self._gate.unfinished += held - self._held
        if self.share is not None:
            self.share.unfinished += held - self._held
        self._held = held

    def _hello(self, codec: int, payload: bytes) -> None:
        if self._verify is None:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["this daemon takes connections on its unix socket only"])
        try:
            hello = (msgspec.json if codec == frames.JSON else msgspec.msgpack).decode(payload, type=Hello)
        except UNREADABLE as error:
            raise ProtocolError(hints=["the first message must be a Hello"]) from error
        found = self._verify(hello.token)
        if isinstance(found, Identity):
            self._admit(found)
            return
        self._proving = asyncio.ensure_future(found)
        self._proving.add_done_callback(self._proved)

    def _proved(self, done: asyncio.Future[Proved]) -> None:
        self._proving = None
        if self._leaving:
            done.cancelled() or done.exception()
            return
        try:
            found = done.result()
            self._admit(found.identity)
        except SlurmError as error:
            self._refuse(error)
        except Exception:
            self._gate.log.exception("a Hello from %s could not be verified", self._place)
            self._refuse(_surprise())
        else:
            self._spoke = True
            self._gate.spoke(self)
            self.write(found.answer)
            self._go_on()

    def _admit(self, identity: Identity) -> None:
        self._count(0)
        if not self._gate.known(self, identity.uid):
            raise NotNow(message="You have as many connections as one user may have", hints=["close some of them"])
        self._know(identity, local=False)

    def _know(self, identity: Identity, *, local: bool, pid: int = 0, party: Party | None = None, via: str = "", confined_to: str = "",
              unelevated: bool = False) -> None:
        self.peer = Peer(self, identity, local=local, pid=pid, party=party, via=via, confined_to=confined_to, unelevated=unelevated)
        self._buffer.limit = self._gate.limits.payload

    def _deliver(self, peer: Peer, codec: int, payload: bytes) -> None:
        share, most = self.share, self._gate.limits.user_requests
        if share is not None and not share.first and share.requests >= most:
            self._answer(codec, NotNow(message=f"{most} requests of yours are being carried out, as many as one user may have", hints=[
                "wait until some of them are answered"]))
            return
        try:
            if self._relayed is not None:
                self._relayed.require()
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
            if share is not None:
                share.requests += 1
            task = asyncio.ensure_future(_owned(request))
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._carried_out(done, codec, share))

    def _carried_out(self, task: asyncio.Future[None], codec: int, share: Share | None) -> None:
        self._tasks.discard(task)
        was_full = self._running >= self._gate.limits.requests
        self._running -= 1
        if share is not None:
            share.requests -= 1
        error = None if task.cancelled() else task.exception()
        if isinstance(error, (SlurmError, *UNREADABLE)):
            self._declined(codec, error)
        elif error is not None:
            self._gate.log.error("a message from %s could not be handled", self._place, exc_info=error)
            self._answer(codec, _surprise())
        if was_full and not self._leaving:
            self._go_on()

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

    # --- what the gate asks (net.shares.Guest) -----------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing is carried out for it and no message is on its way."""
        return not self._running and not len(self._buffer)

    @property
    def unsent(self) -> int:
        """Bytes that wait for it to read them."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    # --- out (net.peer.Line) -----------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        """Queue a whole frame; a peer that has not read what was queued before is dropped."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._trust is not None and (self._tls is None or not self._tls.established):
            return  # nobody is there to whom it could be said
        unsent = self._transport.get_write_buffer_size()
        if unsent > self._gate.limits.unsent:
            self.drop(f"it does not read: {unsent} bytes wait for it")
            return
        if self.share is not None and not self.share.wrote(len(frame), self._gate.limits.user_unsent):
            self.drop(f"all connections of {self.share} together do not read what waits for them")
            return
        if self._buffer.version != frames.VERSION:
            frame = _of_version(frame, self._buffer.version)
        if self._tls is not None:
            self._tls.write(frame)
            frame = self._tls.outgoing()
        self._transport.write(frame)

    def count_for(self, uid: int) -> None:
        """It speaks for this user from here on: what is still coming and what is asked next counts in his share. NotNow."""
        held, before = self._held, self.share
        self._count(0)
        within = self._gate.known(self, uid)
        if not within and before is not None:
            self._gate.known(self, before.holder)
        self._count(held)
        if not within:
            raise NotNow(message="You have as many connections as one user may have", hints=["close some of them"])

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
        """Give the connection away: a socket of its own, and bytes that were read but not taken. Unsupported when it is TLS."""
        assert self._transport is not None
        if self._tls is not None:
            raise Unsupported(message="a TLS connection cannot be handed to another process")
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


def _of_version(frame: bytes, version: int) -> bytes:
    """The frame with the version byte of a peer that speaks an earlier one."""
    return frame[:2] + bytes((version,)) + frame[3:]


def _surprise() -> SlurmError:
    return SlurmError("ESLURM_ERROR_ON_DESC_TO_RECORD_COPY", "The daemon failed on this request", hints=["its log has the details"])
