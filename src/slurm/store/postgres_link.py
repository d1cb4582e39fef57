"""One session with PostgreSQL, made again when it broke, and what its errors mean.

Every session is looked at before it is used: that the server keeps what it acknowledges, on another machine too where there is one. A
transaction of ours is sent as a whole, so that the server never waits within it for a controller that sleeps.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

from slurm.config.state_location import Location
from slurm.model.errors import StoreError
from slurm.store.journal import StoreBusy
from slurm.store.lease import Deposed

log = logging.getLogger("slurm.store")
Session = psycopg.Connection[tuple[Any, ...]]
STATEMENT_SECONDS = 30
"""So long one statement, or the replica for which a commit waits, is waited for."""
NOT_LEADING = "SL001"
"""The code by which the database refuses who does not lead (`postgres_schema`)."""
_PASSING = ("08", "25006", "25P03", "25P04", "40", "53", "55P03", "57")
"""Beginnings of codes of what passes: connections, standbys, sessions that were stopped within a transaction, deadlocks, resources, locks,
shutdowns and cancelled statements."""


class Unknown(StoreBusy):
    """Whether the write is kept is not known: its end was not heard, or no replica has confirmed it. It is to be written again."""


class Link:
    """A session with the database of `location`. `made` is called with each new session, and may refuse it. Any thread may use it, one at a
    time."""

    def __init__(self, location: Location, purpose: str, made: Callable[[Session], None] | None = None) -> None:
        self._location = location
        self._purpose = purpose
        self._made = made
        self._session: Session | None = None
        self._mutex = threading.RLock()
        self._warnings: list[str] = []
        self._closed = False

    @contextmanager
    def using(self) -> Iterator[Session]:
        """The session, this thread's alone until the end.

        StoreBusy where the server cannot be reached or gives it up meanwhile; StoreError.
        """
        with self._mutex:
            try:
                session = self._open()
                self._warnings.clear()
                yield session
            except psycopg.Error as error:
                self._drop()
                raise translated(self._location, error) from error
            except StoreError:
                raise
            except BaseException:
                self._drop()  # in the middle of something, nobody knows of what
                raise

    @contextmanager
    def writing(self, epoch: int | None) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        """One transaction, on disk at the end, sent as a whole; what its statements answer is read at the end.

        Deposed where `epoch` does not lead (None: whoever leads). Unknown where it may or may not be kept.
        """
        with self.using() as session:
            try:
                with session.pipeline(), session.cursor() as cursor:
                    cursor.execute("BEGIN")
                    if epoch is not None:
                        cursor.execute("SELECT slurm_leads(%s)", (epoch,))
                    yield cursor
                    cursor.execute("COMMIT")
            except psycopg.Error as error:
                self._drop()
                found = translated(self._location, error)
                raise Unknown(message=found.message, hints=found.hints) if isinstance(found, StoreBusy) else found from error
            self.confirm()

    def confirm(self) -> None:
        """Unknown where the server gave up waiting for its replicas in what this thread did last: it has that, they may not."""
        if self._warnings:
            raise Unknown(message=f"{self._location}: {self._warnings[0]}", hints=[
                "a synchronous replica must confirm each write: is one running, and named in synchronous_standby_names?"])

    def _open(self) -> Session:
        if self._closed:
            raise StoreError(message=f"{self._location} was closed")
        if self._session is not None and not self._session.closed:
            return self._session
        session = psycopg.connect(
            "", autocommit=True, **{"application_name": f"slurmctld {self._purpose}",
            **self._location.parameters})  # type: ignore[arg-type]
        try:
            session.add_notice_handler(self._on_notice)
            for setting, value in (
                    ("synchronous_commit", "on"), ("statement_timeout", f"{STATEMENT_SECONDS}s"), ("lock_timeout", "10s"),
                    ("idle_in_transaction_session_timeout", "10s"), ("search_path", "public")):
                session.execute("SELECT set_config(%s, %s, false)", (setting, value))
            check(session, self._location)
            if self._made is not None:
                self._made(session)
        except BaseException:
            session.close()
            raise
        self._session = session
        return session

    def _on_notice(self, told: Diagnostic) -> None:
        if told.severity_nonlocalized == "WARNING":
            self._warnings.append(told.message_primary or "a warning")

    def _drop(self) -> None:
        if self._session is not None:
            with suppress(psycopg.Error):
                self._session.close()
            self._session = None

    def close(self) -> None:
        """End it; may be called twice."""
        with self._mutex:
            self._closed = True
            self._drop()


def check(session: Session, location: Location) -> None:
    """StoreBusy for a server that may forget what it acknowledged, unless the site says that it may."""
    row = session.execute(
        "SELECT current_setting('fsync'), current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication), "
        "pg_is_in_recovery()").fetchone()
    assert row is not None
    fsync, standbys, replicas, recovering = row
    if recovering:
        raise StoreBusy(message=f"{location} is a replica, and cannot be written")
    if not location.may_lose_work:
        require_durable(location, fsync, standbys, replicas)


def require_durable(location: Location, fsync: str, standbys: str, replicas: int) -> None:
    """StoreBusy where settings and the number of replicas that follow mean that something acknowledged can be lost."""
    if fsync != "on":
        raise StoreBusy(message=f"{location} does not wait for its disk (fsync={fsync}): what it acknowledged may be gone", hints=[
            "set fsync=on, or say may_lose_work=yes in StateSaveLocation"])
    if not standbys and (len(location.hosts) > 1 or replicas):
        what = f"{len(location.hosts)} servers are named" if len(location.hosts) > 1 else f"{replicas} replicas follow it"
        raise StoreBusy(message=f"{location}: {what}, but synchronous_standby_names is empty: a failover may lose acknowledged jobs",
            hints=[
            "name the replicas in synchronous_standby_names (Patroni: synchronous_mode and synchronous_mode_strict), "
            "or say may_lose_work=yes in StateSaveLocation"])


def translated(location: Location, error: psycopg.Error) -> StoreError:
    """What an error of the database means for a journal."""
    code = error.sqlstate or ""
    text = " ".join(str(error).split())
    if code == NOT_LEADING:
        return Deposed(message=f"this slurmctld does not lead any more: {error.diag.message_primary}", hints=[
            "what it acknowledged is kept; what it had not acknowledged was not written"])
    if (not code and isinstance(error, psycopg.OperationalError)) or code.startswith(_PASSING):
        return StoreBusy(message=f"{location}: {text}", hints=["nothing that was acknowledged is lost; it is tried again"])
    return StoreError(message=f"{location}: {text}",
        hints=["look at the server's log; slurmctld must be restarted to read its state afresh"])
