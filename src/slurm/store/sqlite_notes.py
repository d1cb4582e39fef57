"""The notices of the SQLite journal: who is still to be told of what, written with the events, read beside them.

Not here: what is in one (`core.notices`), who tells it (`slurmctld.notices`).
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Callable

from slurm.model.errors import StoreError
from slurm.store.parcels import KeptNote, Notes
from slurm.store.sqlite_errors import reading

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS notices (number INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, key TEXT NOT NULL UNIQUE, "
    "body BLOB NOT NULL, crc INTEGER NOT NULL);")
_CLOCK = "notices clock"


def write(connection: sqlite3.Connection, notes: Notes) -> None:
    """Within a transaction: keep these, drop those that were told."""
    connection.executemany(
        "INSERT OR IGNORE INTO notices (destination, key, body, crc) VALUES (?, ?, ?, ?)",
        ((note.destination, note.key, note.body, zlib.crc32(note.body)) for note in notes.kept))
    connection.executemany("DELETE FROM notices WHERE number = ?", ((number,) for number in notes.told))
    if notes.clock:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_CLOCK, repr(notes.clock)))


class Reader:
    """Reads the notices of the database at `path` on a connection of its own, opened when it is first used. Any thread may call."""

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._mutex = threading.Lock()

    def slice(self, destination: str, after: int, most: int) -> list[KeptNote]:
        """At most `most` notices for a destination behind number `after`, in order. StoreError for a damaged one."""
        with self._mutex, reading(self._path):
            rows = self._open().execute(
                "SELECT number, body, crc FROM notices WHERE destination = ? AND number > ? ORDER BY number LIMIT ?",
                (destination, after, most)).fetchall()
            for number, body, crc in rows:
                if zlib.crc32(body) != crc:
                    raise StoreError(message=f"{self._path} is damaged: notice {number} has a wrong checksum")
        return [KeptNote(number, body) for number, body, _ in rows]

    def last(self) -> int:
        """The highest number that was ever given, 0: none."""
        with self._mutex, reading(self._path):
            row = self._open().execute("SELECT seq FROM sqlite_sequence WHERE name = 'notices'").fetchone()
            return int(row[0]) if row is not None else 0

    def clock(self) -> float:
        """The moment up to which time brought notices about, 0: none yet."""
        with self._mutex, reading(self._path):
            row = self._open().execute("SELECT value FROM meta WHERE key = ?", (_CLOCK,)).fetchone()
            return float(row[0]) if row is not None else 0.0

    def close(self) -> None:
        """Let go of the connection; it is made again when it is needed."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection
