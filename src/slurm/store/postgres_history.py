"""What the history takes from the journal in PostgreSQL.

The history itself lies in the folder of each controller, for the time in which it led.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from slurm.config.state_location import Location
from slurm.journal.shapes import TEXT, VERSION
from slurm.store import postgres_reading as reading
from slurm.store import postgres_rows, postgres_schema
from slurm.store.history_sources import Events, Newest, keep_events, keep_rows
from slurm.store.postgres_link import Link, Session
from slurm.store.sqlite_errors import writing


class PostgresSource:
    """The journal of the database at `location`, by a session of its own for each question."""

    def __init__(self, location: Location) -> None:
        self._location = location

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with closing(Link(self._location, "history")) as link, link.using() as session, session.transaction():
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield session

    def newest(self) -> Newest:
        """What there is now."""
        with self._session() as session:
            known = postgres_schema.look(session, "", VERSION, TEXT).id
            number, seq, _ = postgres_rows.newest(session)
            first = session.execute("SELECT min(seq) FROM events").fetchone()
        return Newest(known, number, seq, int(first[0] or seq + 1) if first is not None else seq + 1)

    def begin(self, segment: sqlite3.Connection, path: str, number: int, seq: int) -> float | None:
        """Rows come from the server."""
        with self._session() as session, writing(path, segment):
            found = session.execute("SELECT at FROM events WHERE seq = %s", (seq,)).fetchone()
            if number:
                keep_rows(segment, postgres_rows.read(session, *postgres_rows.newest(session)))
        return float(found[0]) if found is not None else None

    def take(self, segment: sqlite3.Connection, path: str, after: int, seq: int) -> None:
        """Events come from the server."""
        with self._session() as session, writing(path, segment):
            shapes = postgres_schema.look(session, "", VERSION, TEXT).shapes
            with closing(reading.happened(session, after, seq)) as events:
                keep_events(segment, shapes, events)

    def late(self) -> tuple[str, dict[int, str], Events]:
        """What is still in the database."""
        with self._session() as session:
            facts = postgres_schema.look(session, "", VERSION, TEXT)
            with closing(reading.happened(session, 0, reading.last(session)[0])) as events:
                return facts.id, facts.shapes, list(events)
