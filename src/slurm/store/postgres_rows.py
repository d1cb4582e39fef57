"""Snapshots in PostgreSQL: rows with the number of the snapshot that they were written for, as `sqlite_rows` has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

import psycopg

from slurm.journal.row import Name, Row
from slurm.model.errors import StoreError
from slurm.store.postgres_link import Link, Session
from slurm.store.postgres_schema import HALF, RESTORE, key_of, key_text

ROWS_AT_ONCE = 500
EVENTS_AT_ONCE = 2000
_FETCH = 2000
_KEEP = """
INSERT INTO rows (kind, key, number, version, body, crc)
SELECT kind, key, %s, version, body, crc FROM unnest(%s::text[], %s::text[], %s::int[], %s::bytea[], %s::bigint[])
  AS new (kind, key, version, body, crc)
ON CONFLICT (kind, key, number) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body, crc = EXCLUDED.crc
"""
_READ = """
SELECT DISTINCT ON (kind, key) kind, key, number, version, body, crc FROM rows WHERE number <= %s ORDER BY kind, key, number DESC
"""
_SUPERSEDED = "SELECT kind, key FROM rows WHERE number <= %s GROUP BY kind, key HAVING count(*) > 1 OR bool_or(body IS NULL)"
_DROP = """
DELETE FROM rows USING (
  SELECT name.kind, name.key, max(number) AS newest FROM unnest(%s::text[], %s::text[]) AS name (kind, key)
  JOIN rows ON rows.kind = name.kind AND rows.key = name.key AND number <= %s GROUP BY name.kind, name.key) AS kept
WHERE rows.kind = kept.kind AND rows.key = kept.key AND (number < newest OR (number = newest AND body IS NULL))
"""


def newest(session: Session) -> tuple[int, int, int]:
    """Number, last event and count of rows of the newest whole snapshot; zeros where there is none."""
    row = session.execute("SELECT number, seq, count FROM complete ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], row[1], row[2]) if row is not None else (0, 0, 0)


def read(session: Session, number: int, seq: int, count: int) -> Iterator[Row]:
    """The rows of a snapshot, within a transaction; StoreError for a damaged one, or when there are not as many as there were."""
    found = 0
    with session.cursor("rows") as cursor:
        cursor.itersize = _FETCH
        cursor.execute(_READ, (number,))
        for kind, key, of, version, body, crc in cursor:
            row = Row(kind, key_of(key), version, body)
            if crc != checksum(row, of):
                raise StoreError(message=f"the snapshot's row of {kind} {row.key} has a wrong checksum", hints=[RESTORE])
            if body is not None:
                found += 1
                yield row
    if found != count:
        raise StoreError(message=f"the snapshot at event {seq} has {found} of {count} rows", hints=[RESTORE])


def unfinished(session: Session, number: int) -> list[Name]:
    """The names of rows that a later snapshot left, which is not whole."""
    return [(kind, key_of(key)) for kind, key in session.execute("SELECT kind, key FROM rows WHERE number > %s", (number,))]


def checksum(row: Row, number: int) -> int:
    """What is kept with a row to know it by."""
    return crc32(row.body or b"", crc32(f"{row.kind} {row.key} {number} {row.version}".encode()))


class PostgresRows:
    """Writes snapshots in one term, by a session of its own."""

    def __init__(self, link: Link, epoch: int | None) -> None:
        self._link = link
        self._epoch = epoch
        self._unsure = False  # the newest snapshot may be complete although its write was told as refused
        self._look()
        self._superseded: list[Name] | None = None  # None: not looked for yet
        self._kept: list[Name] = []

    def _look(self) -> None:
        with self._link.using() as session:
            self.number, self.seq, self.count = newest(session)
        self._unsure = False

    def keep(self, rows: Sequence[Row]) -> None:
        """Write rows of the next snapshot."""
        if self._unsure:
            self._look()  # what counts must not be written over
        with self._link.writing(self._epoch) as cursor:
            self._write(cursor, rows)
        self._kept += [row.name for row in rows]

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """Write the last rows; the snapshot counts from now on."""
        if self._unsure:
            self._look()
        self._unsure = True
        with self._link.writing(self._epoch) as cursor:
            self._write(cursor, rows)
            cursor.execute("DELETE FROM complete WHERE number < %s", (self.number,))
            cursor.execute("INSERT INTO complete VALUES (%s, %s, %s) ON CONFLICT (number) DO UPDATE SET seq = EXCLUDED.seq, "
                           "count = EXCLUDED.count", (self.number + 1, seq, count))
            cursor.execute("DELETE FROM meta WHERE key = %s", (HALF,))
        if self._superseded is not None and self.number:
            self._superseded += self._kept + [row.name for row in rows]
        self._kept = []
        self._unsure = False
        self.number, self.seq, self.count = self.number + 1, seq, count

    def compact(self) -> bool:
        """Drop a portion of what is not needed any more; whether there is more. The database gives its space back by itself."""
        return self._drop_rows() or self._drop_events()

    def _write(self, cursor: psycopg.Cursor[tuple[object, ...]], rows: Sequence[Row]) -> None:
        number = self.number + 1
        last = {row.name: row for row in rows}.values()  # a statement may meet a row once
        cursor.execute(_KEEP, (
            number, [row.kind for row in last], [key_text(row.key) for row in last], [row.version for row in last],
            [row.body for row in last], [checksum(row, number) for row in last]))

    def _drop_rows(self) -> bool:
        if self._superseded is None:
            with self._link.using() as session:
                self._superseded = [(kind, key_of(key)) for kind, key in session.execute(_SUPERSEDED, (self.number,))]
        names = self._superseded[-ROWS_AT_ONCE:]
        if names:
            with self._link.writing(self._epoch) as cursor:
                cursor.execute(_DROP, ([kind for kind, _ in names], [key_text(key) for _, key in names], self.number))
            del self._superseded[-ROWS_AT_ONCE:]
        return bool(names)

    def _drop_events(self) -> bool:
        with self._link.using() as session:
            row = session.execute("SELECT (SELECT min(seq) FROM complete HAVING count(*) > 1), (SELECT min(seq) FROM events)").fetchone()
        covered, first = row or (None, None)
        if not covered or not first or first > covered:
            return False
        with self._link.writing(self._epoch) as cursor:
            cursor.execute("DELETE FROM events WHERE seq <= %s", (min(covered, first + EVENTS_AT_ONCE),))
        return True
