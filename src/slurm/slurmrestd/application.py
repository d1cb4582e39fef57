"""The ASGI application: which operation a request means, whom it comes from, what it is answered.

Every operation is carried out in a thread, over a connection of its own to slurmctld that speaks for whom the request comes from. Nothing
is kept between requests. Of whom slurmctld does not know no body is read.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from slurm.client.cluster import Unchanged
from slurm.model.errors import InvalidRequest, NotFound, SlurmError, Unsupported
from slurm.net.discovery import Site
from slurm.render import openmetrics
from slurm.slurmrestd import job_output, metrics, reading, replies, schema, versions, watching
from slurm.slurmrestd.authentication import Claim, Client, claim, own_uid
from slurm.slurmrestd.bodies import LARGEST_BODY, Bodies, Crowded, TooLarge
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.operation import Call, Handler, Operation
from slurm.slurmrestd.replies import Asker
from slurm.slurmrestd.sources import Sources
from slurm.slurmrestd.table import OPERATIONS, REFUSED
from slurm.slurmrestd.turns import Turns
from slurm.slurmrestd.visitors import recognising
from slurm.slurmrestd.web.application import LIVE, Served, Web

log = logging.getLogger("slurmrestd")
BODY_SECONDS = 30.0
METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS")
SECTIONS = {"slurmctld": "slurm", "slurmdbd": "slurmdb", "util": "util"}
"""Plug-in of -s → first part of its paths."""
PAGES = "web"
"""The word of -s for the web page."""
_MOVING = ("meta", "last_update", "last_backfill", "errors", "warnings", "pings")
"""What of a reply changes though nothing has changed."""
_JSON = "application/json"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


Reply = tuple[int, bytes, str]
"""Status, body and tag."""


class Settings(NamedTuple):
    """What a slurmrestd serves: of which cluster, for whom, which sections and versions of the API."""

    site: Site
    plugins: tuple[str, ...]
    sections: tuple[str, ...] = tuple(SECTIONS.values())
    versions: tuple[int, ...] = versions.VERSIONS
    host: str = ""
    pages: bool = False


class Found(NamedTuple):
    """What a request's method and path mean."""

    operation: Operation
    version: int
    path: Mapping[str, str]


class Refusal(NamedTuple):
    """A path that means nothing: its status and why."""

    status: int
    error: SlurmError
    methods: Sequence[str] = ()


def _refuse(name: str, why: str) -> Handler:
    def handler(call: Call) -> dict[str, Any]:
        raise Unsupported(message=f"{name.replace('{version}', versions.name(call.version))} is not supported by slurm-py yet", hints=[why])

    return handler


ALL: tuple[Operation, ...] = (*OPERATIONS, *(Operation(name, _refuse(name, why)) for name, why in REFUSED.items()))


class Application:
    """The operations of the sections and versions that are served.

    `now` gives seconds since the epoch, `opening` the ways to the cluster of whoever asks, when they are known there.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time,
            opening: Callable[[Site, Claim, str], Connections] = Connections) -> None:
        self._settings = settings
        self._now = now
        opening = recognising(opening)
        self._opening = opening
        self._bodies, self._turns = Bodies(), Turns()
        self._paths: dict[tuple[str, ...], dict[str, Operation]] = {}
        for operation in ALL:
            if operation.section in settings.sections:
                method, _, path = operation.name.partition(" ")
                section, _, *rest = path.strip("/").split("/")
                key = (section, *("{}" if part.startswith("{") else part for part in rest))
                self._paths.setdefault(key, {})[method] = operation
        self.sources = Sources(lambda claimed, place: opening(settings.site, claimed, place))
        self._watching = watching.Watching(self.sources)
        self._outputs = job_output.Outputs(self._turns, lambda: self.sources.closing)
        streams: list[BaseRoute] = [] if SECTIONS["slurmctld"] not in settings.sections else [
            Route(job_output.PATH, self._output, methods=["GET"]),
            Route(watching.PATH, self._watch, methods=["GET"]), WebSocketRoute(watching.PATH, self._watch_socket)]
        pages = Web(Served(settings.site, settings.plugins, settings.host), now=now, opening=opening,
            watching=self._followed, bodies=self._bodies, turns=self._turns).routes() if settings.pages else []
        self.asgi = self._counted = metrics.Counted(Starlette(routes=[
            *pages,
            Route("/openapi/v3", self._specification), Route("/openapi.json", self._specification), Route("/openapi", self._specification),
            Route(metrics.PATH, self._metrics, methods=["GET"]), Route(metrics.PATH + "/{kind}", self._metrics, methods=["GET"]),
            *streams, Route("/{path:path}", self._answer, methods=list(METHODS))]), [watching.PATH, LIVE])

    # --- which operation ---------------------------------------------------------------------------------------------------

    def find(self, method: str, raw_path: str) -> Found | Refusal:
        """The operation of a method and a path as it was sent, percent signs and all."""
        parts = [unquote(part) for part in raw_path.strip("/").split("/")]
        if len(parts) < 3 or parts[0] not in self._settings.sections:
            return Refusal(replies.NOT_FOUND, _unknown(raw_path,
                f"paths begin with {', '.join(f'/{one}/' for one in self._settings.sections)} or are /openapi/v3"))
        version = versions.read(parts[1])
        if version not in self._settings.versions or version is None:
            served = ", ".join(versions.name(one) for one in self._settings.versions)
            return Refusal(replies.NOT_FOUND, _unknown(raw_path, f"versions that are served: {served}"))
        rest = parts[2:]
        for key in ((parts[0], *rest), (parts[0], *rest[:-1], "{}")):
            served_here = {method: one for method, one in self._paths.get(key, {}).items() if versions.serves(version, one.name)}
            if "{}" not in parts and served_here:
                if method not in served_here:
                    return Refusal(405, InvalidRequest(message=f"{method} is not what can be done here",
                        hints=[f"valid: {', '.join(served_here)}"]), list(served_here))
                operation = served_here[method]
                name = operation.name.rstrip("/").rpartition("/")[2].strip("{}")
                return Found(operation, version, {name: rest[-1]} if key[-1] == "{}" else {})
        return Refusal(replies.NOT_FOUND, _unknown(raw_path, "GET /openapi/v3 lists what there is"))

    # --- answers -----------------------------------------------------------------------------------------------------------

    async def _specification(self, request: Request) -> Response:
        served = [one.name for one in OPERATIONS if one.section in self._settings.sections]
        return _response(replies.OK, replies.encode(schema.document(served, self._settings.versions)))

    async def _answer(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        found = self.find(request.method, raw.decode("ascii", "replace"))
        if isinstance(found, Refusal):
            body = {**self._closing(versions.NEWEST, "slurm", Asker()), "errors": [replies.error_entry(found.error,
                request.scope["path"][:128])]}
            return _response(found.status, replies.encode(body), {"Allow": ", ".join(found.methods)} if found.methods else {})
        client = getattr(request.state, "client", Client("unknown"))
        try:
            claimed = claim(request.headers.items(), client, self._settings.plugins, own_uid())
        except SlurmError as error:
            return self._failure(found, error, Asker(source=client.place))
        opened = await run_in_threadpool(self._open, found, claimed, client)
        if isinstance(opened, tuple):
            return _response(*opened[:2])
        try:
            with self._bodies.of(opened.asker.user) as take:
                data = await self._read(request, take) if schema.shapes().operations[found.operation.name].body else b""
                return await self._told(found, request, opened, data)
        except SlurmError as error:
            return self._failure(found, error, opened.asker)
        except TimeoutError:
            return self._failure(found, InvalidRequest(message=f"The body did not come within {BODY_SECONDS:.0f} seconds"), opened.asker,
                replies.TIMEOUT)
        except ClientDisconnect:
            return Response(status_code=replies.BAD_REQUEST)
        finally:
            opened.close()

    async def _watch(self, request: Request) -> Response:
        """GET /slurm/watch."""
        client = getattr(request.state, "client", Client("unknown"))
        try:
            wanted = watching.wish(request.query_params.multi_items(), request.headers.get("last-event-id", ""))
            claimed = claim(request.headers.items(), client, self._settings.plugins, own_uid())
            return self._watching.events(*await self.sources.joined(claimed, client.place), wanted)
        except SlurmError as error:
            return self._declined(error, watching.PATH, client)

    async def _output(self, request: Request) -> Response:
        """GET /slurm/jobs/ID/output."""
        client = getattr(request.state, "client", Client("unknown"))
        try:
            wanted = job_output.wish(request.path_params["job"], request.query_params.multi_items())
            claimed = claim(request.headers.items(), client, self._settings.plugins, own_uid())
            opened = await run_in_threadpool(self._opening, self._settings.site, claimed, client.place)
            return await self._outputs.answer(opened, wanted)
        except SlurmError as error:
            return self._declined(error, job_output.PATH, client)

    async def _metrics(self, request: Request) -> Response:
        """GET /metrics and /metrics/{kind}."""
        client, kind = getattr(request.state, "client", Client("unknown")), request.path_params.get("kind", "")
        try:
            claimed = claim(request.headers.items(), client, self._settings.plugins, own_uid())
            text = await run_in_threadpool(self._measured, claimed, client, kind)
        except SlurmError as error:
            return self._declined(error, f"{metrics.PATH}/{kind}"[:128], client)
        wanted = "application/openmetrics-text" in request.headers.get("accept", "")
        return Response(text, media_type=openmetrics.CONTENT_TYPE if wanted else openmetrics.PLAIN_TYPE, headers=_HEADERS)

    def _measured(self, claimed: Claim, client: Client, kind: str) -> str:
        opened = self._opening(self._settings.site, claimed, client.place)
        try:
            return metrics.text(kind, opened, self._counted, self.sources) if kind else "".join(
                f"{metrics.PATH}/{one}\n" for one in metrics.KINDS)
        finally:
            opened.close()

    def _declined(self, error: SlurmError, what: str, client: Client) -> Response:
        """The refusal of what is none of Slurm's operations."""
        closing = self._closing(versions.NEWEST, "slurm", Asker(source=client.place))
        return _response(replies.status_of(error), replies.encode({**closing, "errors": [replies.error_entry(error, f"GET {what}")]}))

    async def _followed(self, claimed: Claim, place: str) -> Response:
        """What changes from now on, for the web page."""
        return self._watching.events(*await self.sources.joined(claimed, place), watching.Wish())

    async def _watch_socket(self, socket: WebSocket) -> None:
        """The same as a WebSocket; who is refused gets the answer to a plain request instead of one."""
        client = getattr(socket.state, "client", Client("unknown"))
        try:
            wanted = watching.wish(socket.query_params.multi_items(), socket.headers.get("last-event-id", ""))
            claimed = claim(socket.headers.items(), client, self._settings.plugins, own_uid())
            joined = await self.sources.joined(claimed, client.place)
        except SlurmError as error:
            await socket.send_denial_response(self._declined(error, watching.PATH, client))
            return
        await self._watching.messages(socket, *joined, wanted)

    def _open(self, found: Found, claimed: Claim, client: Client) -> Connections | Reply:
        """The way to the cluster as whom the request comes from, or why there is none."""
        try:
            return self._opening(self._settings.site, claimed, client.place)
        except SlurmError as error:
            return self._refused(found, error, Asker(source=client.place))
        except Exception:
            return self._surprised(found, Asker(source=client.place))

    async def _read(self, request: Request, take: Callable[[int], None]) -> bytes:
        """The body, for which place is taken as it comes; TooLarge, Crowded, TimeoutError."""
        announced = request.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() and len(announced) < 16 else 0
        pieces: list[bytes] = []
        if size > LARGEST_BODY:
            raise TooLarge(message=f"A body has at most {LARGEST_BODY} bytes")
        size = 0
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > LARGEST_BODY:
                    raise TooLarge(message=f"A body has at most {LARGEST_BODY} bytes")
                take(len(piece))
                pieces.append(piece)
        return b"".join(pieces)

    async def _told(self, found: Found, request: Request, opened: Connections, data: bytes) -> Response:
        """The reply to a request that has come whole."""
        key, known = request.headers.get("idempotency-key", ""), request.headers.get("if-none-match", "")
        async with self._turns.of(opened.asker.user):
            status, content, tag = await run_in_threadpool(
                self._carried_out, found, opened, request.query_params.multi_items(), data, key, known)
        if status == replies.NOT_MODIFIED:
            return Response(status_code=status, headers={"ETag": known} if known else None)
        if tag and request.headers.get("if-none-match") == tag:
            return Response(status_code=replies.NOT_MODIFIED, headers={"ETag": tag})
        return _response(status, content, {"ETag": tag} if tag else {})

    def _carried_out(self, found: Found, connections: Connections, query: list[tuple[str, str]], data: bytes, key: str,
            known: str) -> Reply:
        """What the operation gives."""
        asker = connections.asker
        try:
            shape = schema.shapes().operations[found.operation.name]
            call = Call(
                version=found.version, path=found.path, query=reading.query(shape.query, query),
                body=reading.body(shape.body, data, found.version) if shape.body else {}, doors=connections, now=self._now(),
                host=self._settings.host, key=key, known=known)
            return self._reply(found, call, found.operation.handler(call), asker)
        except Unchanged:
            return replies.NOT_MODIFIED, b"", ""
        except SlurmError as error:
            return self._refused(found, error, asker)
        except Exception:
            return self._surprised(found, asker)

    def _refused(self, found: Found, error: SlurmError, asker: Asker) -> Reply:
        return replies.status_of(error, found.operation.absent), self._failed(found, error, asker), ""

    def _surprised(self, found: Found, asker: Asker) -> Reply:
        """For the handler of an exception that nobody thought of."""
        log.exception("%s of %s failed", found.operation.name, asker.user or asker.source)
        surprise = SlurmError("SLURM_ERROR", "slurmrestd failed on this request", hints=["its log has the details"])
        return replies.FAILED, self._failed(found, surprise, asker), ""

    def _reply(self, found: Found, call: Call, records: dict[str, Any], asker: Asker) -> Reply:
        rest = {name: value for name, value in records.items() if name in _MOVING} | self._closing(found.version, found.operation.section,
            asker)
        rest["errors"] = call.errors
        rest["warnings"] = replies.warning_entries(call.warnings, found.operation.name)
        kept = {name: value for name, value in records.items() if name not in _MOVING}
        if not kept:
            return call.status, replies.encode(rest), ""
        # What may be large is written once, for the tag and for the reply.
        written = replies.encode(kept)
        tagged = found.operation.name.startswith("GET ") and call.status == replies.OK
        tag = (call.tag or f'"{hashlib.blake2b(written, digest_size=12).hexdigest()}"') if tagged else ""
        return call.status, written[:-1] + b"," + replies.encode(rest)[1:], tag

    def _failure(self, found: Found, error: SlurmError, asker: Asker, status: int = 0) -> Response:
        own = next((status for kind, status in _STATUS if isinstance(error, kind)), 0)
        status = status or own or replies.status_of(error, found.operation.absent)
        return _response(status, self._failed(found, error, asker))

    def _failed(self, found: Found, error: SlurmError, asker: Asker) -> bytes:
        closing = self._closing(found.version, found.operation.section, asker)
        closing["errors"] = [replies.error_entry(error, found.operation.name.replace("{version}", versions.name(found.version)))]
        return replies.encode({**schema.nothing(schema.shapes().operations[found.operation.name].reply), **closing})

    def _closing(self, version: int, section: str, asker: Asker) -> dict[str, Any]:
        return replies.closing(version, section, self._settings.site.cluster, asker)


_STATUS = ((TooLarge, replies.TOO_LARGE), (Crowded, replies.UNAVAILABLE))


def _unknown(path: str, hint: str) -> NotFound:
    return NotFound("SLURM_ERROR", f"Unknown path {path[:128]}", hints=[hint])


def _response(status: int, body: bytes, more: Mapping[str, str] | None = None) -> Response:
    headers = {**_HEADERS, **(more or {})}
    if status == replies.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="slurm"'
    return Response(body, status_code=status, media_type=_JSON, headers=headers)
