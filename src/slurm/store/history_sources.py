"""Where the history takes what it keeps from: the journal in a SQLite file, or in PostgreSQL.

Not here: the segments that it is kept in (`history`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple, Protocol
from urllib.parse import quote

from slurm.journal.row import Row
from slurm.store.journal import Entry
from slurm.store.sqlite_errors import reading, writing
from slurm.store.sqlite_format import SHAPES_KEY

Events = list[tuple[float, Entry]]
"""Events with when they happened, in order."""

_ROWS = """
INSERT INTO rows SELECT kind, key, version, body FROM journal.rows AS one WHERE body IS NOT NULL AND number = (
  SELECT max(number) FROM journal.rows AS other WHERE other.kind = one.kind AND other.key = one.key AND other.number <= ?)
"""
_SHAPES = f"""
INSERT OR IGNORE INTO shapes SELECT CAST(substr(key, {len(SHAPES_KEY) + 1}) AS INTEGER), value FROM journal.meta
WHERE substr(key, 1, {len(SHAPES_KEY)}) = '{SHAPES_KEY}'
"""


class Newest(NamedTuple):
    """A journal's id, its newest whole snapshot (0: none) and the event up to which that goes, and the first event that it still has."""

    id: str
    number: int
    seq: int
    first: int


class Source(Protocol):
    """A journal that the history reads beside its writer. StoreError."""

    def newest(self) -> Newest:
        """What there is now."""
        ...

    def begin(self, segment: sqlite3.Connection, path: str, number: int, seq: int) -> float | None:
        """Put the rows of a snapshot (0: none) into a new segment, in a transaction; when event `seq` happened, None where it is not
        kept."""
        ...

    def take(self, segment: sqlite3.Connection, path: str, after: int, seq: int) -> None:
        """Put the events after one number up to another, and what their versions look like, into a segment, in a transaction."""
        ...

    def late(self) -> tuple[str, dict[int, str], Events]:
        """The journal's id, what its versions look like, and every event that it still has, all as they are at one moment."""
        ...


class SqliteSource:
    """The journal in the file at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def newest(self) -> Newest:
        """What there is now."""
        with closing(opened(self._path)) as journal, reading(self._path):
            known = str(journal.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()[0])
            number, seq = journal.execute("SELECT number, seq FROM complete ORDER BY number DESC LIMIT 1").fetchone() or (0, 0)
            first = journal.execute("SELECT min(seq) FROM events").fetchone()[0] or seq + 1
        return Newest(known, number, seq, first)

    def begin(self, segment: sqlite3.Connection, path: str, number: int, seq: int) -> float | None:
        """Rows go from file to file."""
        self._attach(segment, path)
        with writing(path, segment):
            began = segment.execute("SELECT at FROM journal.events WHERE seq = ?", (seq,)).fetchone()
            if number:
                segment.execute(_ROWS, (number,))
        return float(began[0]) if began else None

    def take(self, segment: sqlite3.Connection, path: str, after: int, seq: int) -> None:
        """Events go from file to file."""
        self._attach(segment, path)
        with writing(path, segment):
            segment.execute(_SHAPES)
            segment.execute("INSERT INTO events SELECT seq, at, kind, body, version FROM journal.events WHERE seq > ? AND seq <= ?",
                (after, seq))

    def late(self) -> tuple[str, dict[int, str], Events]:
        """What is still in the file."""
        with closing(opened(self._path)) as journal, reading(self._path):
            journal.execute("BEGIN")
            known = str(journal.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()[0])
            shapes = {int(key.removeprefix(SHAPES_KEY)): str(text) for key, text in journal.execute("SELECT key, value FROM meta")
                      if key.startswith(SHAPES_KEY)}
            return known, shapes, read_events(journal)

    def _attach(self, connection: sqlite3.Connection, path: str) -> None:
        with reading(path):
            connection.execute("ATTACH ? AS journal", (f"file:{quote(self._path)}?mode=ro",))


def keep_rows(segment: sqlite3.Connection, rows: Iterator[Row]) -> None:
    """Rows that come one by one, within a transaction."""
    segment.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)


def keep_events(segment: sqlite3.Connection, shapes: dict[int, str], events: Iterator[tuple[float, Entry]]) -> None:
    """Events that come one by one, within a transaction."""
    segment.executemany("INSERT OR IGNORE INTO shapes VALUES (?, ?)", shapes.items())
    segment.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                        ((entry.seq, at, entry.kind, entry.body, entry.version) for at, entry in events))


def read_events(connection: sqlite3.Connection) -> Events:
    """Every event of a journal or a segment."""
    return [(at, Entry(seq, version, kind, body)) for seq, at, kind, body, version in connection.execute(
        "SELECT seq, at, kind, body, version FROM events ORDER BY seq")]


def opened(path: str, *, writing_to: bool = False) -> sqlite3.Connection:
    """A connection to a file that is there. StoreError."""
    with reading(path):
        return sqlite3.connect(f"file:{quote(path)}?mode={'rw' if writing_to else 'ro'}", uri=True, isolation_level=None, timeout=10.0,
                               check_same_thread=False)
