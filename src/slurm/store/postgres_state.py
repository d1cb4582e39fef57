"""State in PostgreSQL, for one controller or several: the lease, the journal, and what a standby follows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing

from psycopg.pq import TransactionStatus

from slurm.config.state_location import Location
from slurm.journal.row import Name, Row
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store import postgres_reading as reading
from slurm.store import postgres_rows, postgres_schema
from slurm.store.journal import Entry, Missed, StoreBusy
from slurm.store.lease import Term
from slurm.store.postgres_journal import PostgresJournal
from slurm.store.postgres_lease import PostgresLease
from slurm.store.postgres_link import Link, Session

MOST_BYTES = 1 << 20
"""Of a file that controllers share."""


class PostgresState:
    """The state of a cluster in the database at `location`; its tables are made when it is first looked at and there are none."""

    def __init__(self, location: Location, *, cluster: str = "", version: int = VERSION, shapes: str = TEXT) -> None:
        self._at = location
        self.location = str(location)
        self.folder = location.folder
        self._cluster = cluster
        self._version = version
        self._text = shapes
        self._link = Link(location, "lease", self._look)
        self.lease = PostgresLease(self._link)

    def _look(self, session: Session) -> None:
        postgres_schema.prepare(session, self._cluster)
        # Before anything is claimed: what a later version wrote stays as it is.
        postgres_schema.look(session, self._cluster, self._version, self._text)

    def journal(self, term: Term) -> PostgresJournal:
        """The journal, written in this term alone."""
        return PostgresJournal(self._at, cluster=self._cluster, term=term, version=self._version, shapes=self._text)

    def replica(self) -> PostgresReplica:
        """What another controller writes."""
        return PostgresReplica(self._at, cluster=self._cluster, version=self._version, shapes=self._text)

    def share_files(self, names: Sequence[str]) -> None:
        """Have these files of the folder in the database, and what the database has in the folder. StoreError."""
        for name in names:
            path = os.path.join(self.folder, name)
            mine = _read(path)
            with self._link.using() as session:
                if mine is not None:
                    session.execute("INSERT INTO files VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, mine))
                row = session.execute("SELECT body FROM files WHERE name = %s", (name,)).fetchone()
            if row is not None and row[0] != mine:
                _write(path, row[0])

    def close(self) -> None:
        """Let go of the session; the term stays as it is."""
        self.lease.close()


class PostgresReplica:
    """The journal that another controller writes, as it was at the last `refresh`, all of it at one moment."""

    def __init__(self, location: Location, *, cluster: str = "", version: int = VERSION, shapes: str = TEXT) -> None:
        self._at = location
        self._cluster = cluster
        self._version = version
        self._text = shapes
        self._link = Link(location, "standby", self._forget)
        self._fresh = False
        self.id = ""
        self.last_seq = 0
        self._shapes: dict[int, str] = {}
        self._snapshot = (0, 0, 0)
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    def _forget(self, _session: Session) -> None:
        self._fresh = False

    def refresh(self) -> None:
        """See from here on what is in the database now."""
        with self._link.using() as session:
            if session.info.transaction_status != TransactionStatus.IDLE:
                session.execute("ROLLBACK")
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            facts = postgres_schema.look(session, self._cluster, self._version, self._text)
            self.id, self._shapes = facts.id, facts.shapes
            self._snapshot = postgres_rows.newest(session)
            self.last_seq = reading.last(session)[0]
            self._fresh = True

    @property
    def snapshot_seq(self) -> int:
        """The number of the last event in the newest whole snapshot."""
        return self._snapshot[1]

    def shapes(self) -> dict[int, str]:
        """Version → what its bodies look like."""
        return self._shapes

    def rows(self) -> Iterator[Row]:
        """Every record of the newest whole snapshot."""
        with self._link.using() as session:
            self._check()
            yield from postgres_rows.read(session, *self._snapshot)

    def unfinished(self) -> list[Name]:
        """What a snapshot left that is not whole."""
        with self._link.using() as session:
            self._check()
            return postgres_rows.unfinished(session, self._snapshot[0])

    def old_snapshot(self) -> bytes | None:
        """None."""
        return None

    def replay(self, after: int = 0) -> Iterator[Entry]:
        """Every event after `after`, in order; Missed where some of them are given up."""
        with self._link.using() as session:
            self._check()
            with closing(reading.replay(session, after)) as entries:
                for entry in entries:
                    if entry.seq != after + 1:
                        raise self._gap(after + 1)
                    after = entry.seq
                    yield entry
        if after < self.last_seq:
            raise self._gap(after + 1)

    def _gap(self, seq: int) -> StoreError:
        return Missed(message=f"event {seq} is not kept any more") if seq <= self.snapshot_seq else reading.missing(self._at, seq)

    def outbox_last(self) -> int:
        """The highest number of a parcel that was ever kept."""
        with self._link.using() as session:
            self._check()
            return reading.number(session, "outbox last")

    def payload(self, digest: Digest) -> bytes:
        """The content with this SHA-256."""
        with self._link.using() as session:
            self._check()
            return reading.payload(session, digest)

    def _check(self) -> None:
        if not self._fresh:
            raise StoreBusy(message=f"{self._at}: the session broke, and what is seen now is not what was seen before",
                hints=["look again"])

    def close(self) -> None:
        """Let go of the session."""
        self._link.close()


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            found = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(message=f"{path}: {error.strerror}") from error
    if len(found) > MOST_BYTES:
        raise StoreError(message=f"{path} is too large to be shared")
    return found


def _write(path: str, body: bytes) -> None:
    try:
        descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise StoreError(message=f"{path}: {error.strerror}") from error
