"""The outbox of the SQLite journal: its table of parcels, written with the events, read beside them.

Not here: what a parcel is (`parcels`), what is in it (`core.records`), who sends it (`slurmctld.accounting`).
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Callable, Sequence

from slurm.model.errors import StoreError
from slurm.store.parcels import Kept, Parcel
from slurm.store.sqlite_errors import reading

SCHEMA = "CREATE TABLE IF NOT EXISTS outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, crc INTEGER NOT NULL);"
_KEEP = "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?)"
_READ = "SELECT sequence, body, crc FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?"
_AT_ONCE = 100


def write(connection: sqlite3.Connection, parcels: Sequence[Parcel], taken: int) -> None:
    """Within a transaction: keep these, drop those up to number `taken`."""
    # A write that was told as refused may have got through all the same: then the same parcels come again.
    connection.executemany(_KEEP, ((sequence, body, zlib.crc32(body, sequence)) for sequence, body in parcels))
    if taken:
        connection.execute("DELETE FROM outbox WHERE sequence <= ?", (taken,))


class Reader:
    """Reads the outbox of the database at `path` on a connection of its own, opened when it is first used. Any thread may call."""

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._mutex = threading.Lock()

    def slice(self, after: int, most: int, size: int) -> list[Parcel]:
        """At most `most` parcels behind number `after`, in order, ending with the one by which they exceed `size` bytes.

        StoreError for a damaged or missing one.
        """
        found: list[Parcel] = []
        held = 0
        with self._mutex, reading(self._path):
            while len(found) < most and held <= size:
                last = found[-1].sequence if found else after
                rows = self._open().execute(_READ, (last, min(_AT_ONCE, most - len(found)))).fetchall()
                if not rows:
                    break
                for sequence, body, crc in rows:
                    if zlib.crc32(body, sequence) != crc or (found and sequence != found[-1].sequence + 1):
                        raise StoreError(message=(
                            f"{self._path} is damaged: accounting record {sequence} has a wrong checksum or follows a missing one"))
                    found.append(Parcel(sequence, body))
                    held += len(body)
                    if held > size:
                        break
        return found

    def kept(self) -> Kept:
        """Which parcels there are."""
        with self._mutex, reading(self._path):
            first, last = self._open().execute("SELECT (SELECT min(sequence) FROM outbox), (SELECT max(sequence) FROM outbox)").fetchone()
        return Kept(first or 0, last or 0)

    def last(self) -> int:
        """The highest number that was ever kept, 0: none. SQLite remembers it, whatever was dropped."""
        with self._mutex, reading(self._path):
            if not self._open().execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone()[0]:
                return 0
            row = self._open().execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            return int(row[0]) if row is not None else 0

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
