"""`GET /slurm/watch`: what changes in the cluster, as server-sent events or over a WebSocket, to whoever may see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import NamedTuple

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from slurm.model.errors import InvalidRequest
from slurm.notation.nearest import nearest
from slurm.slurmrestd.replica import WHAT, Batch, Change, Filter, Replica
from slurm.slurmrestd.sources import Listener, Source, Sources

PATH = "/slurm/watch"
KEEP_ALIVE_SECONDS = 15.0
"""Something is sent after so long without a change, so that whoever listens knows that the connection lives, and proxies keep it."""
CONFIRM_SECONDS = 60.0
"""How often slurmctld is asked whether a listener is still whom he was, and may see what he saw."""
A_PIECE = 500
"""Changes that are written at once."""
PARAMETERS = ("account", "after", "job", "partition", "snapshot", "user", "what")
_RETRY_MS = 2000
_encode = msgspec.json.Encoder().encode
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


class Wish(NamedTuple):
    """What a listener asks for: `after`: the event up to which he knows all, None: from now on; `snapshot`: first all that there is."""

    filter: Filter = Filter()
    after: int | None = None
    snapshot: bool = False


class Told(NamedTuple):
    """What is sent at once: with `seq`, after it all is known up to that event; without, more follows. No changes: a sign of life."""

    changes: list[Change]
    seq: int | None = None


def wish(query: Iterable[tuple[str, str]], last_event_id: str = "") -> Wish:
    """What query parameters and the header Last-Event-ID ask for. InvalidRequest."""
    found: dict[str, str] = {}
    for name, text in query:
        if name not in PARAMETERS:
            near = nearest(name, list(PARAMETERS))
            raise InvalidRequest(message=f"Unknown query parameter: {name[:64]}", hints=[
                f"did you mean {near}?" if near else f"valid: {', '.join(PARAMETERS)}"])
        if name in found:
            raise InvalidRequest(message=f"The query parameter {name} is given twice", hints=["write several values with commas"])
        found[name] = text
    what = _words(found, "what") or frozenset(WHAT)
    if unknown := what - set(WHAT):
        raise InvalidRequest(message=f"what: there is no {min(unknown)[:64]}", hints=[f"valid: {', '.join(WHAT)}"])
    after = last_event_id or found.get("after", "")
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise InvalidRequest(message=f"{after[:64]!r} is the id of no event", hints=["it is that of the last event that you were told"])
    snapshot = found.get("snapshot", "").lower()
    if snapshot not in (*TRUE, *FALSE):
        raise InvalidRequest(message=f"snapshot: true or false is due, not {snapshot[:64]!r}")
    return Wish(
        Filter(what, _words(found, "user"), _words(found, "account"), _words(found, "partition"), _words(found, "job")),
        int(after) if after else None, snapshot in TRUE)


def _words(found: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(word.strip() for word in found.get(name, "").split(",") if word.strip())


class Streamed(StreamingResponse):
    """Server-sent events, or what else comes piece by piece; `over` is called when they end, whether they began or not."""

    def __init__(self, pieces: AsyncIterator[bytes], over: Callable[[], None], media_type: str = "text/event-stream") -> None:
        super().__init__(pieces, media_type=media_type, headers={
            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no"})
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()


class Watching:
    """The streams of one slurmrestd, read from its replicas."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def stream(self, source: Source, listener: Listener, wanted: Wish) -> AsyncGenerator[Told, None]:
        """What somebody is told, until he goes, may listen no more, or slurmrestd ends; the last one says why."""
        replica = source.replica
        number, first = _beginning(replica, listener, wanted)
        for told in first:
            yield told
        confirmed = heard = time.monotonic()
        while not self._sources.closing:
            batches = replica.after(number)
            if batches is None:
                # He reads slower than the cluster changes.
                yield Told([Change("reset", "", _why("too much has changed since what you read last"))], replica.seq)
                number, first = _beginning(replica, listener, wanted._replace(after=None))
                for told in first:
                    yield told
                continue
            if batches:
                number, heard = batches[-1].number, time.monotonic()
                for told in _passed(batches, wanted.filter):
                    yield told
            if source.is_over:
                yield Told([Change("end", "", _why("the connection to slurmctld is gone"))])
                return
            now = time.monotonic()
            if now - confirmed > CONFIRM_SECONDS or (listener.expires and time.time() > listener.expires):
                confirmed = now
                if why := await self._sources.confirmed(source, listener):
                    yield Told([Change("end", "", _why(why))])
                    return
            if now - heard > KEEP_ALIVE_SECONDS:
                heard = now
                yield Told([])
            try:
                async with asyncio.timeout(min(KEEP_ALIVE_SECONDS, listener.expires - time.time() + 0.1 if listener.expires else 1e9)):
                    await replica.changed(number)
            except TimeoutError:
                continue

    def events(self, source: Source, listener: Listener, wanted: Wish) -> Response:
        """The answer to a request for server-sent events."""
        async def pieces() -> AsyncIterator[bytes]:
            yield b"retry: %d\n\n" % _RETRY_MS
            async with aclosing(self.stream(source, listener, wanted)) as stream:
                async for told in stream:
                    yield b"".join([*(change.sent for change in told.changes), _trailer(told)])

        return Streamed(pieces(), lambda: self._sources.left(source, listener))

    async def messages(self, socket: WebSocket, source: Source, listener: Listener, wanted: Wish) -> None:
        """The same over a WebSocket: each message is `{"id": …, "events": [{"event": …, "data": …}, …]}`."""
        await socket.accept()
        telling = asyncio.ensure_future(self._tell(socket, source, listener, wanted))
        hearing = asyncio.ensure_future(_until_gone(socket))
        try:
            await asyncio.wait((telling, hearing), return_when=asyncio.FIRST_COMPLETED)
            if telling.done() and not hearing.done():
                telling.result()
                await socket.close(1001)
        finally:
            for task in (telling, hearing):
                task.cancel()
            await asyncio.gather(telling, hearing, return_exceptions=True)
            self._sources.left(source, listener)

    async def _tell(self, socket: WebSocket, source: Source, listener: Listener, wanted: Wish) -> None:
        async with aclosing(self.stream(source, listener, wanted)) as stream:
            async for told in stream:
                seq = b"null" if told.seq is None else b"%d" % told.seq
                await socket.send_text((b'{"id":%s,"events":[%s]}' % (seq, b",".join(change.framed for change in told.changes))).decode())


def _trailer(told: Told) -> bytes:
    """An id of its own: whoever is cut off within a batch gets it whole when he comes back."""
    if not told.changes and told.seq is None:
        return b": nothing new\n\n"
    return b"" if told.seq is None else b"id: %d\n\n" % told.seq


def _beginning(replica: Replica, listener: Listener, wanted: Wish) -> tuple[int, Iterator[Told]]:
    """The batch behind which a listener goes on, and what he is told first."""
    place = replica.place_of(wanted.after) if wanted.after is not None else None
    hello = Change("hello", "", _encode({"cluster": replica.cluster, "user": listener.user, "seq": replica.seq}))
    if place is not None:
        return place, iter([Told([hello], wanted.after)])
    first = [hello]
    if wanted.after is not None:
        first.append(Change("reset", "", _why("what has happened since then is not kept any more")))
    if not wanted.snapshot:
        return replica.last, iter([Told(first, replica.seq)])
    return replica.last, _snapshot(replica, wanted, first)


def _snapshot(replica: Replica, wanted: Wish, first: list[Change]) -> Iterator[Told]:
    seq, piece = replica.seq, first
    for change in replica.everything(wanted.filter):
        piece.append(change)
        if len(piece) >= A_PIECE:
            yield Told(piece)
            piece = []
    yield Told([*piece, Change("ready", "", b"{}")], seq)


def _passed(batches: list[Batch], wanted: Filter) -> Iterator[Told]:
    """What of these batches somebody wants, in pieces; the last one has the id."""
    piece: list[Change] = []
    for batch in batches:
        for change in batch.changes:
            if wanted.passes(change):
                piece.append(change)
                if len(piece) >= A_PIECE:
                    yield Told(piece)
                    piece = []
    if piece:
        yield Told(piece, batches[-1].seq)


async def _until_gone(socket: WebSocket) -> None:
    """Read what nobody listens to."""
    try:
        while True:
            await socket.receive_bytes()
    except (WebSocketDisconnect, KeyError):
        return


def _why(why: str) -> bytes:
    return _encode({"why": why})
