"""Where listeners' replicas come from: one connection to slurmctld for all who see the same, made as one of them.

slurmrestd follows with no rights of its own. Who listens is verified by slurmctld, which says what he may see; those who see everybody's
jobs share one replica, whoever PrivateData confines has one of his own. A replica lives a while longer than its last listener.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from slurm.client import following
from slurm.model.errors import NotNow, NotPermitted, SlurmError, Unreachable
from slurm.net.client import Connection
from slurm.slurmrestd.authentication import Claim
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.replica import Replica

log = logging.getLogger("slurmrestd")
LINGER_SECONDS = 30.0
READY_SECONDS = 60.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
MOST = 128
"""Replicas at once."""


class Sight(NamedTuple):
    """What one sees: `user` "" who sees everybody's jobs."""

    user: str
    all_nodes: bool


class Listener(NamedTuple):
    """Who listens, and how he proved it. `expires`: when his token does, 0: never."""

    claim: Claim
    place: str
    user: str
    sight: Sight
    expires: float = 0.0


Opening = Callable[[Claim, str], Connections]


class Source:
    """One replica, the connection that feeds it, and who listens."""

    def __init__(self, sight: Sight, opening: Opening) -> None:
        self.sight = sight
        self.replica = Replica()
        self.listeners: list[Listener] = []
        self.left = 0.0  # when the last listener went
        self._opening = opening
        self._connection: Connection | None = None
        self._lost = asyncio.Event()
        self._why = ""
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: Connection) -> None:
        """Follow by this connection, and by others when it ends."""
        self._task = asyncio.get_running_loop().create_task(self._run(connection))

    def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
        self._hang_up()

    @property
    def is_over(self) -> bool:
        """Whether it follows no more."""
        return self._task is None or self._task.done()

    async def _run(self, connection: Connection) -> None:
        try:
            while True:
                await self._followed(connection)
                self.replica.tell("controller", connected=False, why=self._why)
                found = await self._again()
                if found is None:
                    return
                connection = found
                self.replica.tell("controller", connected=True, why="")
        except Exception:
            log.exception("following slurmctld failed")
        finally:
            self._hang_up()
            self.replica.wake()

    async def _followed(self, connection: Connection) -> None:
        """Take what comes until the connection ends."""
        self._connection, self._lost, self._why = connection, asyncio.Event(), "the connection to slurmctld broke"
        loop = asyncio.get_running_loop()
        try:
            following.begin(connection)
            loop.add_reader(connection.fileno(), self._take)
            await self._lost.wait()
        except Unreachable as error:
            self._why = error.message
        finally:
            self._hang_up()

    def _take(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            for feed in following.took(connection):
                self.replica.take(feed)
        except SlurmError as error:
            self._why = "; ".join([error.message, *error.hints])
            connection.closed = True
        if connection.closed:
            self._hang_up()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            asyncio.get_running_loop().remove_reader(connection.fileno())
            connection.close()
        self._lost.set()

    async def _again(self) -> Connection | None:
        """A connection as any of the listeners; None when there is none left."""
        tried = 0
        while self.listeners:
            for listener in list(self.listeners):
                try:
                    opened, found = await run_in_threadpool(recognised, self._opening, listener.claim, listener.place)
                except (NotPermitted, Unreachable):
                    continue  # he ends when he is looked at next; slurmctld may be starting
                except SlurmError as error:
                    log.warning("following slurmctld: %s", "; ".join(error.lines()))
                    continue
                if found.sight == self.sight:
                    return opened.given_away()
                opened.close()
            await asyncio.sleep(RETRY_SECONDS[min(tried, len(RETRY_SECONDS) - 1)])
            tried += 1
        return None


def recognised(opening: Opening, claim: Claim, place: str) -> tuple[Connections, Listener]:
    """A connection as whoever makes this claim, and who that is. Blocks; SlurmError, NotPermitted where he is not believed."""
    opened = opening(claim, place)
    try:
        rights = opened.rights
    except BaseException:
        opened.close()
        raise
    return opened, Listener(claim, place, rights.user, Sight("" if rights.all_jobs else rights.user, rights.all_nodes), rights.expires)


class Sources:
    """All replicas. `opening` makes connections to slurmctld, of whoever makes a claim."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._sources: dict[Sight, Source] = {}
        self.closing = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(len(source.listeners) for source in self._sources.values())

    @property
    def replicas(self) -> int:
        """How many replicas they are told from."""
        return len(self._sources)

    async def joined(self, claim: Claim, place: str) -> tuple[Source, Listener]:
        """The replica of what somebody sees, once it is whole; `left` has to follow. SlurmError."""
        opened, listener = await run_in_threadpool(recognised, self._opening, claim, place)
        self._sweep()
        source = self._sources.get(listener.sight)
        if source is None or source.is_over:
            if len(self._sources) >= MOST:
                opened.close()
                raise NotNow(message="slurmrestd follows the cluster for too many users", hints=["try again in a moment"])
            source = self._sources[listener.sight] = Source(listener.sight, self._opening)
            source.listeners.append(listener)
            source.start(opened.given_away())
        else:
            source.listeners.append(listener)
            opened.close()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await source.replica.ready.wait()
        except BaseException as error:
            self.left(source, listener)
            if isinstance(error, TimeoutError):
                raise Unreachable(hints=["slurmctld has not told what there is"]) from error
            raise
        return source, listener

    def left(self, source: Source, listener: Listener) -> None:
        """He listens no more."""
        source.listeners.remove(listener)
        if not source.listeners:
            source.left = time.monotonic()
            asyncio.get_running_loop().call_later(LINGER_SECONDS + 1, self._sweep)

    async def confirmed(self, source: Source, listener: Listener) -> str:
        """Whether he may go on listening: "", or why not. While slurmctld does not answer he may: nothing comes from it then."""
        if listener.expires and time.time() > listener.expires:
            return "the token has expired"
        try:
            opened, found = await run_in_threadpool(recognised, self._opening, listener.claim, listener.place)
        except NotPermitted as error:
            return "; ".join([error.message, *error.hints])
        except SlurmError:
            return ""
        opened.close()
        return "" if found.sight == source.sight else "what you may see has changed: begin again"

    def close(self) -> None:
        """Let all listeners go."""
        self.closing = True
        for source in self._sources.values():
            source.replica.wake()
            source.close()

    def _sweep(self) -> None:
        now = time.monotonic()
        for sight, source in list(self._sources.items()):
            if not source.listeners and (source.is_over or now - source.left > LINGER_SECONDS):
                source.close()
                del self._sources[sight]
