"""The journal in one SQLite file: write-ahead log, synchronous=FULL, one fsync a write.

Lives here: opening, the tables' statements, their checks. Not here: how SQLite's errors read (`sqlite_errors`), whether a left-over
write-ahead log is whole (`sqlite_wal`), who else has it open (`lock`), what a payload is (`payloads`), snapshots (`sqlite_rows`).
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from slurm.journal.row import Name, Row
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store import sqlite_format, sqlite_notes, sqlite_outbox
from slurm.store.in_place import Files, Place
from slurm.store.journal import Entry, Origin, Record, StoreBusy
from slurm.store.lease import Term
from slurm.store.lock import FileLock
from slurm.store.parcels import NO_NOTES, Kept, KeptNote, Notes, Parcel
from slurm.store.payloads import digest, expand, shrink
from slurm.store.sqlite_errors import reading, writing
from slurm.store.sqlite_rows import RESTORE, SqliteRows
from slurm.store.sqlite_wal import check_wal

log = logging.getLogger("slurm.store")
RECENT_PAYLOADS = 4096
_LEAST_BYTES = 4096
"""Of a database: one page."""

_INSERT = "INSERT INTO events (seq, at, kind, body, crc, version) VALUES (?, ?, ?, ?, ?, ?)"
PATIENCE = 0.05
"""Seconds for which what nobody waits for lets events go first."""


def _checksum(seq: int, kind: str, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(f"{seq} {kind}".encode()))


def sync(path: str) -> None:
    """Wait until a file or folder is on disk. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SqliteJournal:
    """The journal in the file `path`, made when it is not there; the file is this process's alone until `close`.

    `cluster` names the cluster whose state this is: a file of another one is refused. `version` is that of the bodies which are written,
    and `shapes` what they look like, kept with them for whoever reads them later. `term` is kept with the first write. Who has the `lock`
    already (`sqlite_state`) gives it, and lets go of it himself; else it is taken here. Call it after daemonising: the lock belongs to the
    process. StoreError names the file and says what to do.
    """

    def __init__(self, path: str, *, cluster: str = "", now: float = 0.0, version: int = VERSION, shapes: str = TEXT,
                 term: Term | None = None, lock: FileLock | None = None) -> None:
        self.path = path
        self.version = version
        self._text = shapes
        self._begun = False
        self._rows: SqliteRows | None = None  # None while the file has format 1
        self._urgent = threading.Lock()  # held by writes for which somebody waits, while they wait and write
        self._term = term
        self._lock = lock if lock is not None else FileLock(path + ".lock")
        self._locks = lock is None
        self._mutex = threading.Lock()
        self._recent: dict[bytes, None] = {}
        self._files = Files((path, path + "-wal"))
        self._unsure = False  # the newest events may be on disk although their write was told as refused
        try:
            self._open(cluster, now)
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        if self._locks:
            self._lock.release()

    def _open(self, cluster: str, now: float) -> None:
        try:
            # Before SQLite makes it: the files beside it get the mode that it has then.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(message=f"{self.path}: {error.strerror}", hints=[
                "the StateSaveLocation must be writable for SlurmUser"]) from error
        with reading(self.path):
            if 0 < (size := os.path.getsize(self.path)) < _LEAST_BYTES:
                raise self._damaged(f"it has {size} bytes")  # SQLite takes it for an empty one
            check_wal(self.path)
            self._facts = sqlite_format.look(self.path, self.version, self._text)
            self._writer = self._connect()
            try:
                self._create()
                self._check_cluster(cluster, now)
                self._prepare_outbox()
                self.last_seq = self._newest()
                self._reader = self._connect()
                if self._facts.format == sqlite_format.FORMAT:
                    self._rows = SqliteRows(self.path, self._connect, self._turn)
                self._files.look()
            except BaseException:
                self._writer.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        if self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        os.chmod(self.path, 0o600)
        self._writer.executescript(sqlite_format.SCHEMA)
        sync(os.path.dirname(self.path) or ".")

    def _meta(self, key: str) -> str | None:
        row = self._writer.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _check_cluster(self, cluster: str, now: float) -> None:
        known = self._meta("cluster")
        if known is None:
            with self._writer:
                self._writer.execute("INSERT INTO meta VALUES ('cluster', ?), ('created', ?)", (cluster, str(now)))
        elif cluster and known and known != cluster:
            raise StoreError(
                message=f"{self.path} holds the state of cluster {known}, but ClusterName is {cluster}",
                hints=[f"set ClusterName={known}, or another StateSaveLocation for {cluster}"])

    def _prepare_outbox(self) -> None:
        self._writer.execute(sqlite_outbox.SCHEMA)
        self._writer.execute(sqlite_notes.SCHEMA)
        if self._meta("id") is None:
            self._writer.execute("INSERT INTO meta VALUES ('id', ?)", (uuid.uuid4().hex,))
        self.id = str(self._meta("id"))
        self._outbox = sqlite_outbox.Reader(self.path, self._connect)
        self._notes = sqlite_notes.Reader(self.path, self._connect)

    def rename(self) -> str:
        """Give it another id, for when its numbers turn out to have been used: it was restored from a backup. The new one."""
        fresh = uuid.uuid4().hex
        with self._mutex, writing(self.path, self._writer):
            self._writer.execute("UPDATE meta SET value = ? WHERE key = 'id'", (fresh,))
        self.id = fresh
        return fresh

    def _newest(self) -> int:
        newest, old = self._writer.execute("SELECT (SELECT max(seq) FROM events), (SELECT max(seq) FROM snapshots)").fetchone()
        whole = self._writer.execute("SELECT max(seq) FROM complete").fetchone()[0] if self._facts.format == sqlite_format.FORMAT else 0
        if newest and whole and int(newest) < int(whole):  # events go from the first on, and the newest is never given up while others stay
            raise self._damaged(f"the snapshot says that it covers event {whole}, but the newest of the events is {newest}")
        return max(int(newest or 0), int(old or 0), int(whole or 0))

    # --- reading -----------------------------------------------------------------------------------------------------------

    @property
    def snapshot_seq(self) -> int:
        """The number of the last event that is folded into the newest whole snapshot, 0 when there is none."""
        if self._rows is not None and self._rows.seq:
            return self._rows.seq
        old = self._old_snapshot()
        return old[0] if old is not None else 0

    def shapes(self) -> dict[int, str]:
        """Version → what its bodies look like, as the programs said that wrote them."""
        return self._facts.shapes | ({self.version: self._text} if self._begun else {})

    def rows(self) -> Iterator[Row]:
        """Every record of the newest whole snapshot; StoreError when one is damaged or missing."""
        return self._rows.read() if self._rows is not None else iter(())

    def unfinished(self) -> list[Name]:
        """Kinds and keys of the rows that a snapshot left which was not finished, as `rows` met them."""
        return self._rows.unfinished() if self._rows is not None else []

    def old_snapshot(self) -> bytes | None:
        """What format 1 kept instead of rows, until there are any."""
        old = self._old_snapshot() if self._rows is None or not self._rows.seq else None
        return old[1] if old is not None else None

    def _old_snapshot(self) -> tuple[int, bytes] | None:
        with reading(self.path):
            row = self._reader.execute("SELECT seq, body, crc FROM snapshots ORDER BY seq DESC LIMIT 1").fetchone()
        if row is None:
            return None
        seq, body, crc = row
        if _checksum(seq, "snapshot", body) != crc:
            raise self._damaged(f"the snapshot at event {seq} has a wrong checksum")
        return seq, body

    def replay(self, after: int = 0) -> Iterator[Entry]:
        """Every event after `after`, in order; StoreError at the first damaged or missing one."""
        expected = after
        version_of = "version" if self._rows is not None else "1"
        with reading(self.path):
            for seq, kind, body, crc, version in self._reader.execute(
                    f"SELECT seq, kind, body, crc, {version_of} FROM events WHERE seq > ? ORDER BY seq", (after,)):
                expected += 1
                if seq != expected:
                    raise self._damaged(f"event {expected} is missing")
                if _checksum(seq, kind, body) != crc:
                    raise self._damaged(f"event {seq} ({kind}) has a wrong checksum")
                yield Entry(seq, version, kind, body)
        if expected < self.last_seq:
            raise self._damaged(f"event {expected + 1} is missing")

    def payload(self, digest: Digest) -> bytes:
        """The content with this SHA-256; StoreError when it is not kept or damaged."""
        with reading(self.path):
            row = self._reader.execute("SELECT blob FROM payloads WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
            if row is None:
                raise self._damaged(f"payload {digest} is missing")
            return expand(digest, row[0])

    def outbox(self, after: int, most: int, size: int) -> list[Parcel]:
        """At most `most` parcels behind number `after`, in order, ending with the one by which they exceed `size` bytes.

        Any thread may ask.
        """
        return self._outbox.slice(after, most, size)

    def outbox_last(self) -> int:
        """The highest number of a parcel that was ever kept, 0: none."""
        return self._outbox.last()

    def outbox_kept(self) -> Kept:
        """Which parcels are kept. Any thread may ask."""
        return self._outbox.kept()

    def notes(self, destination: str, after: int, most: int) -> list[KeptNote]:
        """At most `most` notices for a destination behind number `after`, in order. Any thread may ask."""
        return self._notes.slice(destination, after, most)

    def notes_last(self) -> int:
        """The highest number that a notice ever had, 0: none."""
        return self._notes.last()

    def notes_clock(self) -> float:
        """The moment up to which time brought notices about, 0: none yet."""
        return self._notes.clock()

    def _damaged(self, what: str) -> StoreError:
        return StoreError(message=f"{self.path} is damaged: {what}", hints=[RESTORE])

    # --- writing -----------------------------------------------------------------------------------------------------------

    def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0,
               notes: Notes = NO_NOTES) -> int:
        """Keep events, the payloads they name, the parcels and notices they send, all or nothing, on disk when this returns; the last
        sequence number.

        Parcels up to number `taken` have arrived and are dropped.
        """
        first = self.last_seq + 1
        rows = [(seq, at, kind, body, _checksum(seq, kind, body), self.version) for seq, (at, kind, body) in enumerate(records, first)]
        with self._urgent, self._mutex:
            self._stay()
            if not (rows or payloads or outbox or taken or notes):
                return self.last_seq
            self._begin()
            blobs = {name: content for content in payloads if (name := bytes.fromhex(digest(content))) not in self._recent}
            with writing(self.path, self._writer):
                if blobs:
                    self._writer.executemany(
                        "INSERT OR IGNORE INTO payloads VALUES (?, ?)", ((name, shrink(content)) for name, content in blobs.items()))
                if self._unsure:
                    self._writer.execute("DELETE FROM events WHERE seq >= ?", (first,))
                self._writer.executemany(_INSERT, rows)
                if outbox or taken:
                    sqlite_outbox.write(self._writer, outbox, taken)
                if notes:
                    sqlite_notes.write(self._writer, notes)
            self._unsure = True
            self._stay()
            self._unsure = False
            self._remember(blobs)
        self.last_seq += len(rows)
        return self.last_seq

    def _remember(self, names: dict[bytes, bytes]) -> None:
        self._recent.update(dict.fromkeys(names))
        while len(self._recent) > RECENT_PAYLOADS:
            del self._recent[next(iter(self._recent))]

    def adopt(self, origin: Origin) -> None:
        """Go on, empty, where another journal ended; a snapshot up to that event must follow. StoreError when this one is not empty."""
        if self.last_seq:
            raise StoreError(message=f"{self.path} holds a state already: {self.last_seq} events")
        with self._urgent, self._mutex:
            self._stay()
            self._begin()
            with writing(self.path, self._writer):
                self._writer.execute("UPDATE meta SET value = ? WHERE key = 'id'", (origin.id,))
                self._writer.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (
                    ("outbox", origin.outbox_last), ("notices", origin.notes_last)))
        self.id, self.last_seq = origin.id, origin.seq

    def keep(self, rows: Sequence[Row]) -> None:
        """Write rows of the next snapshot; nobody reads them before it is complete."""
        self._sure_rows().keep(rows)

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """Make the last rows, and all that were kept since the last snapshot, the snapshot up to event `seq`."""
        if seq > self.last_seq:
            raise StoreError(message=f"a snapshot up to event {seq} was to be written, but only {self.last_seq} are on disk")
        self._sure_rows().complete(seq, rows, count)

    def compact(self) -> bool:
        """Give up a little of what no restart needs; whether there is more."""
        return self._sure_rows().compact()

    def _sure_rows(self) -> SqliteRows:
        if not self._begun:
            with self._urgent, self._mutex:
                self._stay()
                self._begin()
        assert self._rows is not None
        return self._rows

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The database for one transaction for which nobody waits: events go first, for a moment."""
        if self._urgent.acquire(timeout=PATIENCE):
            self._urgent.release()
        with self._mutex:
            self._stay()
            yield

    def _begin(self) -> None:
        """Make the file one of the present format, and say in it what is written from here on.

        Only now, so that what cannot be read stays as it is.
        """
        if self._begun:
            return
        old = self._rows is None
        with writing(self.path, self._writer):
            for statement in sqlite_format.FROM_1 if old else ():
                self._writer.execute(statement)
            if self._text:
                self._writer.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (f"{sqlite_format.SHAPES_KEY}{self.version}", self._text))
            if self._term is not None:
                self._writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (sqlite_format.TERM_KEY, json.dumps(self._term)))
        if old:
            self._learn_to_give_back()
            with reading(self.path):
                self._rows = SqliteRows(self.path, self._connect, self._turn)
            log.info("%s has format %d from here on", self.path, sqlite_format.FORMAT)
        self._begun = True

    def _learn_to_give_back(self) -> None:
        try:
            self._writer.execute("VACUUM")
        except sqlite3.Error as error:
            log.warning("%s never gives space back to the file system, because it could not be written anew: %s", self.path, error)

    def forget(self, dead: Sequence[Digest]) -> None:
        """Drop these payloads."""
        names = [bytes.fromhex(name) for name in dead if name]
        with self._urgent, self._mutex:
            self._stay()
            for name in names:
                self._recent.pop(name, None)
            with writing(self.path, self._writer):
                self._writer.executemany("DELETE FROM payloads WHERE digest = ?", [(name,) for name in names])

    def sweep(self, live: set[Digest]) -> int:
        """Drop payloads that nothing names any more; how many."""
        keep = {bytes.fromhex(name) for name in live if name}
        with self._mutex:
            self._stay()
            self._recent.clear()
            with writing(self.path, self._writer):
                dead = [(name,) for (name,) in self._writer.execute("SELECT digest FROM payloads") if name not in keep]
                self._writer.executemany("DELETE FROM payloads WHERE digest = ?", dead)
        return len(dead)

    def _stay(self) -> None:
        """Be sure that what is written can be found again: what was removed is written anew, from the files that are still open here.

        StoreBusy while that is not possible, so that nothing is acknowledged; StoreError when another slurmctld has the state.
        """
        place = self._files.look()
        if place is Place.REPLACED:
            raise StoreBusy(message=f"{self.path} was replaced by another file while slurmctld runs", hints=[
                "move that file away, and slurmctld writes its own anew; to use that file, stop slurmctld before it is put there"])
        if place is Place.GONE:
            if not os.path.isdir(os.path.dirname(self.path) or "."):
                raise StoreBusy(message=f"{self.path} is gone with its folder",
                    hints=["make the StateSaveLocation again: slurmctld writes its state anew"])
            self._lock.keep()
            self._write_anew()
        else:
            self._lock.keep()

    def _write_anew(self) -> None:
        rescue = self.path + ".rescue"
        try:
            with suppress(FileNotFoundError):
                os.unlink(rescue)
            os.close(os.open(rescue, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(rescue)) as copy:
                self._writer.backup(copy)
            sync(rescue)
        except (OSError, sqlite3.Error) as error:
            raise StoreBusy(message=f"{self.path} was removed while slurmctld runs and cannot be written anew: {error}",
                            hints=["the StateSaveLocation must exist and be writable for SlurmUser"]) from error
        # Before the new one is there: SQLite removes what lies beside a database, by name, when its last user goes.
        self._reader.close()
        self._outbox.close()
        self._notes.close()
        self._writer.close()
        if self._rows is not None:
            self._rows.close()
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(self.path + suffix)
        os.replace(rescue, self.path)
        sync(os.path.dirname(self.path) or ".")
        self._files = Files((self.path, self.path + "-wal"))
        with reading(self.path):
            self._writer = self._connect()
            self._reader = self._connect()
            if self._rows is not None:
                self._rows.reconnect()
        self._files.look()
        log.error("%s was removed by somebody while slurmctld runs: it was written anew, with everything that was acknowledged", self.path)

    def close(self) -> None:
        """Let go of the file and its lock; may be called twice."""
        with self._mutex:
            self._reader.close()
            self._outbox.close()
            self._notes.close()
            self._writer.close()
            if self._rows is not None:
                self._rows.close()
        self._let_go()
