"""Pages over HTTP: who is logged in, which page is meant, what protects both, and how errors read. What pages show is in their modules.

What changes something is a form with its session's `csrf`, sent from a page of ours. No script or style but our own files is let in
(Content-Security-Policy), and nobody frames a page.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from slurm.model.errors import InvalidRequest, NotPermitted, SlurmError
from slurm.net.discovery import Site
from slurm.slurmrestd import replies
from slurm.slurmrestd.authentication import JWT, Claim, Client, claim, own_uid
from slurm.slurmrestd.bodies import Bodies, Crowded
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.turns import Turns
from slurm.slurmrestd.web import rendering
from slurm.slurmrestd.web.pages import MENU, ROWS
from slurm.slurmrestd.web.sessions import Session, Sessions
from slurm.slurmrestd.web.visit import Answer, Handler, Moved, Page, Row, Visit, local

log = logging.getLogger("slurmrestd")
LARGEST_FORM = 8 * 1024 * 1024
"""Bytes. slurmctld takes scripts of 4 MiB, and a form writes many characters as three."""
LARGEST_LOGIN = 64 * 1024
FORM_SECONDS = 30.0
LIVE = "/live"
MOST_FIELDS = 5_000
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
          "frame-ancestors 'none'; base-uri 'none'")
HEADERS = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "private, no-cache"}
_OWN_SITE = ("same-origin", "none")
"""Of Sec-Fetch-Site: a page of ours, or nobody's, as what is typed or opened by another program."""
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class Served(NamedTuple):
    """Of which cluster pages are, how users may prove who they are, and this machine's name."""

    site: Site
    plugins: tuple[str, ...]
    host: str


class Web:
    """The pages. `now` gives seconds since the epoch, `opening` the ways to the cluster for who asks, `watching` the stream of what changes
    there; `bodies` and `turns` are those of the API: who asks much by pages has no more of both than who asks by it."""

    def __init__(self, served: Served, *, now: Callable[[], float], opening: Callable[[Site, Claim, str], Connections],
            watching: Callable[[Claim, str], Awaitable[Response]], bodies: Bodies, turns: Turns) -> None:
        self._watching = watching
        self._bodies, self._turns = bodies, turns
        self._served = served
        self._now = now
        self._opening = opening
        self._sessions = Sessions(now)
        self._rendering = rendering.shared()

    def routes(self) -> list[Route]:
        """Where pages are."""
        return [
            Route("/static/{version}/{name}", self._static), Route("/favicon.ico", self._mark),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/login/{word}", self._redeem), Route("/logout", self._logout, methods=["POST"]),
            Route("/web/link", self._link, methods=["POST"]), Route(LIVE, self._live), *(self._route(row) for row in ROWS)]

    def _route(self, row: Row) -> Route:
        async def endpoint(request: Request) -> Response:
            return await (self._changed(request, row.handler) if row.changes else self._shown(request, row.handler))

        return Route(row.place, endpoint, methods=["POST"] if row.changes else ["GET"])

    # --- files, coming and going ---------------------------------------------------------------------------------------------

    async def _static(self, request: Request) -> Response:
        file = self._rendering.files.get(request.path_params["name"])
        if file is None:
            return self._page(Page("trouble.html", {"title": "Not found", "lines": ["There is no such file."]}, replies.NOT_FOUND), None)
        return Response(file.content, media_type=file.type, headers={**HEADERS, **FOREVER})

    async def _mark(self, request: Request) -> Response:
        return RedirectResponse(f"/static/{self._rendering.version}/mark.svg", 308, headers=HEADERS)

    async def _login(self, request: Request) -> Response:
        place = local(request.query_params.get("next", "/"))
        if request.method == "GET":
            return self._page(self._entry(place), None)
        try:
            _require_same_origin(request)
            form = await _form(request, LARGEST_LOGIN, _anyway)
            claimed = Claim((form.get("token") or [""])[0].strip())
            if claimed.is_local or JWT not in self._served.plugins:
                raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["no token was given" if claimed.is_local else
                    "rest_auth/jwt is not loaded: this slurmrestd takes no tokens (-a)"])
            opened = await run_in_threadpool(self._opening, self._served.site, claimed, _place(request))
        except SlurmError as error:
            return self._page(self._entry(place, error.lines(), replies.status_of(error)), None)
        opened.close()
        return self._entered(request, self._sessions.begin(claimed, opened.user), place)

    async def _redeem(self, request: Request) -> Response:
        if request.method == "HEAD":  # of who looks where a link leads, before he follows it
            return Response(status_code=200, headers=HEADERS)
        if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            # It would log in as whoever made the link: what is typed from then on would be read by him.
            return self._page(self._entry("/", ["Another site's page has sent you here with a link that logs in: it would do so as whoever "
                "made the link.", "If it is your own, put it into the browser's address line."], replies.FORBIDDEN), None)
        name = self._sessions.redeem(request.path_params["word"])
        if name is None:
            return self._page(self._entry("/", [
                "This link was used already, or it is older than ten minutes: `slurm web` makes another one."], replies.FORBIDDEN), None)
        return self._entered(request, name, "/")

    def _entry(self, place: str, wrong: Sequence[str] = (), status: int = replies.OK) -> Page:
        """The log-in, which leads on to `place`."""
        return Page("login.html", {"title": "Log in", "next": place, "tokens": JWT in self._served.plugins, "wrong": wrong}, status)

    def _entered(self, request: Request, name: str, place: str) -> Response:
        reply = RedirectResponse(place, 303, headers=HEADERS)
        # Behind a proxy that speaks TLS only the browser says that it came by it.
        secured = request.scope["scheme"] == "https" or request.headers.get("origin", "").startswith("https://")
        reply.set_cookie(_cookie(request), name, httponly=True, samesite="lax", secure=secured, path="/")
        return reply

    async def _logout(self, request: Request) -> Response:
        try:
            await self._checked(request, await _form(request, LARGEST_LOGIN, _anyway))
        except SlurmError as error:
            return self._trouble(error, None)
        self._sessions.end(request.cookies.get(_cookie(request), ""))
        reply = RedirectResponse("/login", 303, headers=HEADERS)
        reply.delete_cookie(_cookie(request), path="/")
        return reply

    async def _link(self, request: Request) -> Response:
        """A link that logs in whoever asks for it as the API is asked: by a unix socket, or with a token."""
        client = getattr(request.state, "client", Client("unknown"))
        try:
            claimed = claim(request.headers.items(), client, self._served.plugins, own_uid())
            opened = await run_in_threadpool(self._opening, self._served.site, claimed, client.place)
        except SlurmError as error:
            body: dict[str, Any] = {"errors": error.lines()}
            return Response(msgspec.json.encode(body), replies.status_of(error), HEADERS, "application/json")
        opened.close()
        word = self._sessions.link(claimed, opened.user)
        return Response(msgspec.json.encode({"path": f"/login/{word}", "user": opened.user}), 200, HEADERS, "application/json")

    async def _live(self, request: Request) -> Response:
        """Server-sent events for who is logged in: something has changed."""
        session = self._session(request)
        if session is None:
            return Response(status_code=replies.UNAUTHORIZED, headers=HEADERS)
        try:
            return await self._watching(session.claim, _place(request))
        except SlurmError as error:
            return Response("; ".join(error.lines()), replies.status_of(error), HEADERS, "text/plain")

    # --- pages ---------------------------------------------------------------------------------------------------------------

    async def _shown(self, request: Request, handler: Handler) -> Response:
        session = self._session(request)
        if session is None:
            return self._unknown(request)
        return await self._answered(request, handler, session, {})

    async def _changed(self, request: Request, handler: Handler) -> Response:
        """What a form asks for; what is refused is said on the page that the browser goes on to."""
        session = self._session(request)
        if session is None:
            return self._unknown(request)
        with self._bodies.of(session.user) as take:
            try:
                form = await _form(request, LARGEST_FORM, take)
                await self._checked(request, form)
            except SlurmError as error:
                return self._trouble(error, session)
            return await self._answered(request, handler, session, form)

    async def _answered(self, request: Request, handler: Handler, session: Session, form: Mapping[str, list[str]]) -> Response:
        """What a handler makes of a request, when it is the user's turn."""
        async with self._turns.of(session.user):
            made = await run_in_threadpool(self._made, request, handler, session, form)
            if isinstance(made, Page):
                return await run_in_threadpool(self._page, made, session, request)
        return RedirectResponse(made.place, 303, headers=HEADERS)

    async def _checked(self, request: Request, form: Mapping[str, list[str]]) -> Session:
        """The session of a form that one of its own pages sent; NotPermitted."""
        _require_same_origin(request)
        session = self._session(request)
        token = request.headers.get("x-csrf-token") or (form.get("csrf") or [""])[0]
        if session is None or not session.vouches(token):
            raise NotPermitted(message="This form is not of your log-in", hints=["go back, load the page again and repeat it"])
        return session

    def _made(self, request: Request, handler: Handler, session: Session, form: Mapping[str, list[str]]) -> Answer:
        """What a handler gives, or the page that says why it could not."""
        opened: Connections | None = None
        try:
            query = _fields(_query(request))
            opened = self._opening(self._served.site, session.claim, _place(request))
            return handler(Visit(
                path=request.path_params, query=query, form=form, session=session, doors=opened, now=self._now(), host=self._served.host,
                cluster=self._served.site.cluster, place=_asked_place(request)))
        except SlurmError as error:
            if request.method == "GET":
                return _told(error)
            session.tell("failed", "; ".join([error.message, *error.hints]))
            return Moved(local((form.get("next") or ["/"])[0]))
        except Exception:
            log.exception("the page %s of %s failed", request.scope["path"], session.user)
            return Page("trouble.html", {"title": "Something went wrong", "lines": [
                "slurmrestd failed on this page; its log has the details."]}, replies.FAILED)
        finally:
            if opened is not None:
                opened.close()

    def _session(self, request: Request) -> Session | None:
        return self._sessions.find(request.cookies.get(_cookie(request), ""))

    def _unknown(self, request: Request) -> Response:
        """To the log-in, and back here; for what a page loads by itself the whole page goes there."""
        place = "/login?" + urlencode({"next": _asked_place(request) if request.method == "GET" else "/"})
        if request.headers.get("hx-request"):
            return Response(status_code=replies.UNAUTHORIZED, headers={**HEADERS, "HX-Redirect": "/login"})
        return RedirectResponse(place, 303, headers=HEADERS)

    def _trouble(self, error: SlurmError, session: Session | None) -> Response:
        return self._page(_told(error), session)

    def _page(self, page: Page, session: Session | None, request: Request | None = None) -> Response:
        part = request is not None and bool(request.headers.get("hx-request"))
        shown = {
            "cluster": self._served.site.cluster, "user": session.user if session else "", "csrf": session.csrf if session else "",
            "menu": MENU, "place": _asked_place(request) if request else "/",
            "here": "/" + request.scope["path"].split("/")[1] if request else "",
            "news": session.heard() if session and not part else [], **page.shown}
        try:
            content = self._rendering.page(page.template, shown).encode()
        except Exception:
            log.exception("the template %s failed", page.template)
            return Response("slurmrestd failed on this page; its log has the details.", replies.FAILED, HEADERS, "text/plain")
        tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
        if request is not None and page.status == replies.OK and request.headers.get("if-none-match") == tag:
            return Response(status_code=replies.NOT_MODIFIED, headers={**HEADERS, "ETag": tag, "Vary": "HX-Request, Cookie"})
        return Response(content, page.status, {**HEADERS, "ETag": tag, "Vary": "HX-Request, Cookie"}, "text/html; charset=utf-8")


def _told(error: SlurmError) -> Page:
    title = "Not allowed" if isinstance(error, NotPermitted) else "That did not work"
    status = replies.UNAVAILABLE if isinstance(error, Crowded) else replies.status_of(error)
    return Page("trouble.html", {"title": title, "lines": error.lines()}, status)


def _cookie(request: Request) -> str:
    """Browsers send cookies to every port of a machine, so that each slurmrestd there has a name of its own."""
    server = request.scope.get("server") or ("", 0)
    return f"slurm_session_{server[1] or 0}"


def _place(request: Request) -> str:
    client: Client = getattr(request.state, "client", Client("unknown"))
    return client.place


def _asked_place(request: Request) -> str:
    query = _query(request)
    return local(quote(request.scope["path"]) + (f"?{query}" if query else ""))


def _query(request: Request) -> str:
    """What stands behind the question mark. Not of request.url, which is put together of headers."""
    return bytes(request.scope["query_string"]).decode("ascii", "replace")


def _require_same_origin(request: Request) -> None:
    """NotPermitted for a form of another site's page: browsers say whose it is."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    same = origin is None or origin.partition("://")[2] == request.headers.get("host", "")
    if not same or site not in _OWN_SITE:
        raise NotPermitted(message="This form came from another site's page")


def _anyway(size: int) -> None:
    """Takes no place: what is read is small."""


async def _form(request: Request, most: int, take: Callable[[int], None]) -> Mapping[str, list[str]]:
    """The fields of a form, each with its values, for which `take` takes place as it comes.

    NotPermitted for what is no form of ours, InvalidRequest for one that does not come.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for piece in request.stream():
                take(len(piece))
                body += piece
                if len(body) > most:
                    raise NotPermitted(message=f"A form has at most {most} bytes")
    except (TimeoutError, ClientDisconnect) as error:
        raise InvalidRequest(message=f"The form did not come within {FORM_SECONDS:.0f} seconds") from error
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded") and body:
        raise NotPermitted(message="A form comes as application/x-www-form-urlencoded")
    return _fields(body.decode("utf-8", "replace"))


def _fields(text: str) -> Mapping[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise InvalidRequest(message="There are too many fields") from error
