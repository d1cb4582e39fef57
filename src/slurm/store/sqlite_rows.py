"""Snapshots in SQLite: rows with the number of the snapshot that they were written for, on a connection of their own.

A row counts once its snapshot is complete, and until a later one has a row of the same name. So an unfinished snapshot changes nothing, at
whichever write it ended: its rows are passed over by number, and written again by the next one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from zlib import crc32

from slurm.journal.row import Name, Row
from slurm.model.errors import StoreError
from slurm.store.sqlite_errors import reading, writing

SCHEMA = """
CREATE TABLE rows (
  kind TEXT NOT NULL, key NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB, crc INTEGER NOT NULL,
  UNIQUE (kind, key, number));
CREATE TABLE complete (number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, count INTEGER NOT NULL);
"""
ROWS_AT_ONCE = 500
EVENTS_AT_ONCE = 2000
PAGES_AT_ONCE = 100
LEAST_FREE_PAGES = 1024
"""Free pages that are not given back: they will soon be used again."""
_CHECKPOINT_BYTES = 1 << 20
_ROW_BYTES = 100

_KEEP = "INSERT OR REPLACE INTO rows (kind, key, number, version, body, crc) VALUES (?, ?, ?, ?, ?, ?)"
_READ = "SELECT kind, key, number, version, body, crc FROM rows ORDER BY kind, key, number"
_NEWEST = "(SELECT max(number) FROM rows WHERE kind = ?1 AND key = ?2 AND number <= ?3)"
_DROP = f"DELETE FROM rows WHERE kind = ?1 AND key = ?2 AND (number < {_NEWEST} OR (number = {_NEWEST} AND body IS NULL))"
"""Of one name: what lies before the row that counts, which may be of an earlier snapshot than the newest; and that row, where it says
gone."""

_Values = tuple[str, int | str, int, int, bytes | None, int]
Turn = Callable[[], AbstractContextManager[None]]
"""Waits until the database may be written; entered for one short transaction at a time."""


def _checksum(row: Row, number: int) -> int:
    return crc32(row.body or b"", crc32(f"{row.kind} {row.key} {number} {row.version}".encode()))


class SqliteRows:
    """The snapshots in the journal's database at `path`; `connect` opens it, `turn` says when it may be written."""

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection], turn: Turn) -> None:
        self._path = path
        self._turn = turn
        self._connect = connect
        self.reconnect()
        self._kept: list[Name] = []  # of the snapshot that is being written
        self._superseded: list[Name] = []
        self._unfinished: list[Name] = []
        self._unchecked = 0  # bytes written since the log was last copied into the file
        self.number, self.seq, self._count = self._newest()

    def reconnect(self) -> None:
        """The database was written anew."""
        self._connection = self._connect()
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")

    def _newest(self) -> tuple[int, int, int]:
        row = self._connection.execute("SELECT number, seq, count FROM complete ORDER BY number DESC LIMIT 1").fetchone()
        return row or (0, 0, 0)

    def read(self) -> Iterator[Row]:
        """The rows that count; StoreError for a damaged one, or when there are not as many as there were."""
        count = 0
        self._superseded, self._unfinished = [], []
        before: Row | None = None
        with reading(self._path):
            for kind, key, number, version, body, crc in self._connection.execute(_READ):
                row = Row(kind, key, version, body)
                if crc != _checksum(row, number):
                    raise StoreError(message=f"{self._path} is damaged: the snapshot's row of {kind} {key} has a wrong checksum",
                        hints=[RESTORE])
                if number > self.number:
                    self._unfinished.append(row.name)
                    continue
                if before is not None and before.name == row.name:
                    self._superseded.append(row.name)
                elif before is not None and before.body is not None:
                    count += 1
                    yield before
                if body is None:
                    self._superseded.append(row.name)
                before = row
        if before is not None and before.body is not None:
            count += 1
            yield before
        if count != self._count:
            raise StoreError(message=f"{self._path} is damaged: the snapshot at event {self.seq} has {count} of {self._count} rows",
                hints=[RESTORE])

    def unfinished(self) -> list[Name]:
        """The names of rows that belong to no whole snapshot, as `read` met them."""
        return self._unfinished

    def keep(self, rows: Sequence[Row]) -> None:
        """Write rows of the next snapshot."""
        values = self._values(rows)
        with self._turn(), writing(self._path, self._connection):
            self._connection.executemany(_KEEP, values)
        self._kept += self._old_names(rows)
        self._checkpoint(values)

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """Write the last rows; the snapshot counts from now on."""
        values = self._values(rows)
        with self._turn(), writing(self._path, self._connection):
            self._connection.executemany(_KEEP, values)
            self._connection.execute("DELETE FROM complete WHERE number < ?", (self.number,))
            self._connection.execute("INSERT INTO complete VALUES (?, ?, ?)", (self.number + 1, seq, count))
        self._superseded += self._kept + self._old_names(rows)
        self._kept = []
        self.number, self.seq, self._count = self.number + 1, seq, count
        self._checkpoint(values)

    def compact(self) -> bool:
        """Drop a portion of what is not needed any more; whether there is more."""
        return self._drop_rows() or self._drop_events() or self._drop_old_snapshots() or self._give_back_space()

    def _old_names(self, rows: Sequence[Row]) -> list[Name]:
        return [row.name for row in rows] if self.number else []

    def _values(self, rows: Sequence[Row]) -> list[_Values]:
        number = self.number + 1
        return [(row.kind, row.key, number, row.version, row.body, _checksum(row, number)) for row in rows]

    def _drop_rows(self) -> bool:
        names = self._superseded[-ROWS_AT_ONCE:]
        if names:
            with self._turn(), writing(self._path, self._connection):
                self._connection.executemany(_DROP, [(kind, key, self.number) for kind, key in names])
            del self._superseded[-ROWS_AT_ONCE:]
            self._checkpoint()
        return bool(names)

    def _drop_events(self) -> bool:
        covered = self._one("SELECT min(seq) FROM complete") if self._one("SELECT count(*) FROM complete") > 1 else 0
        first = self._one("SELECT min(seq) FROM events")
        if not first or first > covered:
            return False
        with self._turn(), writing(self._path, self._connection):
            self._connection.execute("DELETE FROM events WHERE seq <= ?", (min(covered, first + EVENTS_AT_ONCE),))
        self._checkpoint()
        return True

    def _drop_old_snapshots(self) -> bool:
        """What format 1 kept instead of rows."""
        if not self.number or not self._one("SELECT count(*) FROM snapshots"):
            return False
        with self._turn(), writing(self._path, self._connection):
            self._connection.execute("DELETE FROM snapshots")
        return True

    def _give_back_space(self) -> bool:
        free, pages = self._one("PRAGMA freelist_count"), self._one("PRAGMA page_count")
        spare = free - max(LEAST_FREE_PAGES, (pages - free) // 4)
        if spare <= 0:
            return False
        with self._turn(), reading(self._path):
            # As a script, because execute() makes one step of a statement without rows, and each step frees one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({min(spare, PAGES_AT_ONCE)})")
        self._checkpoint()
        return self._one("PRAGMA freelist_count") < free

    def _one(self, question: str) -> int:
        with reading(self._path):
            row = self._connection.execute(question).fetchone()
        return int(row[0] or 0)

    def _checkpoint(self, values: Sequence[_Values] = ()) -> None:
        """Copy the log into the file now and then, so that no event has to wait for that."""
        self._unchecked += sum(_ROW_BYTES + len(body or b"") for _, _, _, _, body, _ in values) or _CHECKPOINT_BYTES // 4
        if self._unchecked >= _CHECKPOINT_BYTES:
            self._unchecked = 0
            # A log that is not copied now is copied later; what is wrong with the disk is told by the next write.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Let go of the database; may be called twice."""
        self._connection.close()


RESTORE = "restore the StateSaveLocation from a backup, or move the file away to start with an empty cluster"
