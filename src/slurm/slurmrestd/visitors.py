"""Connections of slurmrestd: how many there may be, and whose gives way where there is no place left.

Who has not asked anything, or nothing with a good token, costs nobody else's place: such connections are counted apart, in all and by where
they come from, and the oldest of the largest crowd ends when one more comes. Places are for requests, and for connections of those who have
shown who they are. Where all are taken the oldest idle connection of whoever has most ends, or a request of somebody unknown that takes
long; where there is none, the newcomer is answered 503.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from starlette.responses import PlainTextResponse

from slurm.net.discovery import Site
from slurm.slurmrestd.authentication import Claim
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.rates import RETRY_AFTER, Rates, TooMany
from slurm.slurmrestd.replies import TOO_MANY

SILENT, SILENT_OF_ONE = 512, 128
"""Connections on which nobody known has asked anything: in all, and from one address or user of this machine."""
PART = 0.5
"""Of the places one user's requests may have, root's apart."""
SLOW_SECONDS = 2.0
"""A request of somebody unknown that takes longer, as one whose body does not come, may have to give way."""


Opening = Callable[[Site, Claim, str], Connections]
"""What opens the way to the cluster of whoever a request comes from."""


class Visit:
    """One connection: `source` is where it comes from, `end` ends it at once, `user` is "" until slurmctld has believed a request on it."""

    def __init__(self, source: str, end: Callable[[], None]) -> None:
        self.source = source
        self.end = end
        self.user = ""
        self.asking = 0  # requests being answered
        self.since = 0.0  # when it last began or ended to ask
        self.upgraded = False  # ends with its request


_present: ContextVar[tuple[Visitors, Visit] | None] = ContextVar("visit", default=None)


class Visitors:
    """The connections of one server, `places` of them for requests and known users. Called in the event loop but for `recognise` and
    `rates`."""

    def __init__(self, places: int, clock: Callable[[], float] = time.monotonic, rates: Rates | None = None) -> None:
        self.rates = rates or Rates(0)
        self._places = places
        self._clock = clock
        self._silent: dict[Visit, None] = {}  # in order of arrival
        self._inside: dict[Visit, None] = {}

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, visit: Visit) -> None:
        """Somebody connected."""
        visit.since = self._clock()
        crowd = Counter(each.source for each in self._silent)
        if crowd[visit.source] >= SILENT_OF_ONE:
            self._end_oldest(visit.source)
        elif len(self._silent) >= SILENT:
            self._end_oldest(max(crowd, key=lambda source: crowd[source]))
        self._silent[visit] = None

    def leave(self, visit: Visit) -> None:
        """A connection has ended."""
        self._silent.pop(visit, None)
        self._inside.pop(visit, None)

    def begin(self, visit: Visit) -> bool:
        """A request has come; False where there is no place for it."""
        if visit not in self._inside and len(self._inside) >= self._places:
            giving = self._who_gives_way()
            if giving is None:
                return False
            self._end(giving)
        self._silent.pop(visit, None)
        self._inside[visit] = None
        visit.asking += 1
        visit.since = self._clock()
        return True

    def done(self, visit: Visit) -> None:
        """A request was answered."""
        visit.asking -= 1
        visit.since = self._clock()
        if visit.upgraded:
            self.leave(visit)
        elif not visit.asking and not visit.user and visit in self._inside:
            del self._inside[visit]
            self._silent[visit] = None

    def recognise(self, visit: Visit, user: str) -> None:
        """slurmctld believes whom it comes from; any thread. TooMany for a user whose requests have all the places that one may have."""
        visit.user = user
        mine = sum(each.asking > 0 and each.user == user for each in list(self._inside))
        if user != "root" and mine > max(1, int(self._places * PART)):
            raise TooMany(message=f"slurmrestd is answering {mine - 1} requests of yours, as many as one user may have", hints=[
                "try again when some of them are answered"])

    def close(self) -> None:
        """No more requests are taken: who asks nothing goes."""
        for visit in list(self._silent):
            self._end(visit)

    def _who_gives_way(self) -> Visit | None:
        idle = [visit for visit in self._inside if not visit.asking]
        if idle:
            owned = Counter(visit.user for visit in idle)
            return min(idle, key=lambda visit: (-owned[visit.user], visit.since))
        before = self._clock() - SLOW_SECONDS
        slow = [visit for visit in self._inside if not visit.user and visit.since < before]
        return min(slow, key=lambda visit: visit.since, default=None)

    def _end_oldest(self, source: str) -> None:
        self._end(next(each for each in self._silent if each.source == source))

    def _end(self, visit: Visit) -> None:
        self.leave(visit)
        visit.end()


def recognising(opening: Opening) -> Opening:
    """`opening`, which says whose this connection is once slurmctld has believed him."""
    def opened(site: Site, claimed: Claim, place: str) -> Connections:
        present = _present.get()
        if present is None:
            return opening(site, claimed, place)
        present[0].rates.ask(claimed)
        made = opening(site, claimed, place)
        try:
            present[0].rates.take(claimed, made.asker.user)
            present[0].recognise(present[1], made.asker.user)
        except TooMany:
            made.close()
            raise
        return made

    return opened


class Limited:
    """An ASGI application behind the door: each request takes a place for as long as it is answered."""

    def __init__(self, app: Any, visitors: Visitors) -> None:
        self._app = app
        self._visitors = visitors

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Called by uvicorn for each request."""
        visit: Visit | None = scope.get("state", {}).get("visit")
        if visit is None:
            await self._app(scope, receive, send)
            return
        if not self._visitors.begin(visit):
            if scope["type"] == "http":
                await PlainTextResponse("Service Unavailable", 503)(scope, receive, send)
            else:
                await send({"type": "websocket.close"})
            return

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == TOO_MANY:
                message["headers"] = [*message["headers"], (b"retry-after", b"%d" % RETRY_AFTER)]
            await send(message)

        token = _present.set((self._visitors, visit))
        try:
            await self._app(scope, receive, sent)
        finally:
            _present.reset(token)
            self._visitors.done(visit)
