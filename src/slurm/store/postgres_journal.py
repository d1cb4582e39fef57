"""The journal in PostgreSQL: each write one transaction, fenced by the term, on disk when it returns, on a replica's where there are some.

Lives here: events, payloads, parcels and notices. Not here: sessions and what errors mean (`postgres_link`), tables (`postgres_schema`),
snapshots (`postgres_rows`), who leads (`postgres_lease`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from zlib import crc32

import psycopg

from slurm.config.state_location import Location
from slurm.journal.row import Name, Row
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store import postgres_reading as reading
from slurm.store import postgres_rows, postgres_schema
from slurm.store.journal import Entry, Origin, Record
from slurm.store.lease import Term
from slurm.store.parcels import NO_NOTES, Kept, KeptNote, Notes, Parcel
from slurm.store.payloads import digest, shrink
from slurm.store.postgres_link import Link, Session
from slurm.store.postgres_rows import PostgresRows

_EVENTS = """
INSERT INTO events (seq, at, kind, body, crc, version, epoch)
SELECT seq, at, kind, body, crc, %s, %s FROM unnest(%s::bigint[], %s::float8[], %s::text[], %s::bytea[], %s::bigint[])
  AS new (seq, at, kind, body, crc)
"""
_PAYLOADS = "INSERT INTO payloads SELECT * FROM unnest(%s::bytea[], %s::bytea[]) ON CONFLICT DO NOTHING"
_PARCELS = ("INSERT INTO outbox SELECT * FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[]) ON CONFLICT (sequence) DO UPDATE SET "
            "body = EXCLUDED.body, crc = EXCLUDED.crc")
_COUNT_UP = "UPDATE meta SET value = greatest(value::bigint, %s)::text WHERE key = %s"
_NOTE = ("INSERT INTO notices SELECT value::bigint + 1, %s, %s, %s, %s FROM meta WHERE key = 'notices last' ON CONFLICT (key) DO NOTHING")
_COUNT_NOTES = ("UPDATE meta SET value = greatest(value::bigint, (SELECT max(number) FROM notices))::text WHERE key = 'notices last'")
_SET = "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value"


class PostgresJournal:
    """The journal of the database at `location`, written in `term` alone. StoreError, StoreBusy, Deposed.

    After each reconnection the last acknowledged event must be there: StoreError for a database that lost it.
    """

    def __init__(self, location: Location, *, cluster: str = "", term: Term | None = None, version: int = VERSION,
            shapes: str = TEXT) -> None:
        self.version = version
        self._text = shapes
        self._epoch = term.epoch if term is not None else None
        self._location = location
        self._acknowledged: tuple[int, int] | None = None  # number and checksum of the last event that was
        self._unsure = False  # behind that one there may be events whose write was told as refused
        self._begun = False
        self._writer = Link(location, f"epoch {self._epoch}", self._recognise)
        self._snapshots = Link(location, f"snapshots of epoch {self._epoch}", self._recognise)
        self._reader = Link(location, f"reader of epoch {self._epoch}", self._recognise)
        self.id = ""
        self._ids: set[str] = set()  # that it has had here
        try:
            with self._writer.using() as session:
                facts = postgres_schema.look(session, cluster, version, shapes)
                self._shapes = facts.shapes
                last = reading.last(session)
            self.id, self._acknowledged = facts.id, last
            self._ids.add(facts.id)
            self._rows = PostgresRows(self._snapshots, self._epoch)
        except BaseException:
            self.close()
            raise

    def _recognise(self, session: Session) -> None:
        """StoreError for a database that is another one than before, or lacks what was acknowledged."""
        if self._acknowledged is None:
            return
        number, crc = self._acknowledged
        row = session.execute(
            "SELECT (SELECT value FROM meta WHERE key = 'id'), (SELECT crc FROM events WHERE seq = %s), (SELECT max(seq) FROM complete)",
            (number,)).fetchone()
        known, found, covered = row or ("", None, None)
        if known not in self._ids:
            raise StoreError(message=f"{self._location} is another state than before", hints=["slurmctld must be restarted"])
        if number and found != crc and not (found is None and covered is not None and covered >= number):
            raise StoreError(message=f"{self._location} has lost event {number}, which was acknowledged", hints=[
                "a failover to a replica that lacked it, or a restored backup: slurmctld stops, so that nothing is built on that"])

    # --- reading ---------------------------------------------------------------------------------------------------------

    @property
    def last_seq(self) -> int:
        """The sequence number of the newest event that is on disk for certain."""
        assert self._acknowledged is not None
        return self._acknowledged[0]

    @property
    def snapshot_seq(self) -> int:
        """The number of the last event that is folded into the newest whole snapshot, 0 when there is none."""
        return self._rows.seq

    def shapes(self) -> dict[int, str]:
        """Version → what its bodies look like."""
        return self._shapes | ({self.version: self._text} if self._begun else {})

    def rows(self) -> Iterator[Row]:
        """Every record of the newest whole snapshot."""
        with self._reader.using() as session, session.transaction():
            yield from postgres_rows.read(session, self._rows.number, self._rows.seq, self._rows.count)

    def unfinished(self) -> list[Name]:
        """Kinds and keys of the rows that a snapshot left which was not finished."""
        with self._reader.using() as session:
            return postgres_rows.unfinished(session, self._rows.number)

    def old_snapshot(self) -> bytes | None:
        """None: PostgreSQL came later."""
        return None

    def replay(self, after: int = 0) -> Iterator[Entry]:
        """Every event after `after`, in order; StoreError at the first damaged or missing one."""
        with self._reader.using() as session, session.transaction(), closing(reading.replay(session, after)) as entries:
            expected = after
            for entry in entries:
                expected += 1
                if entry.seq != expected:
                    raise reading.missing(self._location, expected)
                yield entry
        if expected < self.last_seq:
            raise reading.missing(self._location, expected + 1)

    def payload(self, digest: Digest) -> bytes:
        """The content with this SHA-256."""
        with self._reader.using() as session:
            return reading.payload(session, digest)

    def outbox(self, after: int, most: int, size: int) -> list[Parcel]:
        """Parcels behind number `after`, in order."""
        with self._reader.using() as session:
            return reading.outbox(session, after, most, size)

    def outbox_last(self) -> int:
        """The highest number of a parcel that was ever kept, 0: none."""
        with self._reader.using() as session:
            return reading.number(session, "outbox last")

    def outbox_kept(self) -> Kept:
        """Which parcels are kept."""
        with self._reader.using() as session:
            row = session.execute("SELECT min(sequence), max(sequence) FROM outbox").fetchone()
        return Kept(row[0] or 0, row[1] or 0) if row is not None else Kept()

    def notes(self, destination: str, after: int, most: int) -> list[KeptNote]:
        """Notices for a destination behind number `after`, in order."""
        with self._reader.using() as session:
            return reading.notes(session, destination, after, most)

    def notes_last(self) -> int:
        """The highest number that a notice ever had, 0: none."""
        with self._reader.using() as session:
            return reading.number(session, "notices last")

    def notes_clock(self) -> float:
        """The moment up to which time brought notices about, 0: none yet."""
        with self._reader.using() as session:
            row = session.execute("SELECT value FROM meta WHERE key = 'notices clock'").fetchone()
        if row is None:
            return 0.0
        try:
            return float(row[0])
        except ValueError as error:
            raise StoreError(message=f"the table meta has {row[0][:40]!r} under notices clock, which is no moment",
                             hints=[postgres_schema.RESTORE]) from error

    # --- writing ---------------------------------------------------------------------------------------------------------

    def rename(self) -> str:
        """Give it another id. The new one."""
        fresh = uuid.uuid4().hex
        self._ids.add(fresh)
        with self._writer.writing(self._epoch) as cursor:
            cursor.execute("UPDATE meta SET value = %s WHERE key = 'id'", (fresh,))
        self.id = fresh
        return fresh

    def adopt(self, origin: Origin) -> None:
        """Go on, empty, where another journal ended; a snapshot up to that event must follow. StoreError when this one is not empty."""
        if self.last_seq:
            raise StoreError(message=f"{self._location} holds a state already: {self.last_seq} events")
        self._ids.add(origin.id)
        with self._writer.writing(self._epoch) as cursor:
            self._begin(cursor)
            cursor.execute(_SET, (postgres_schema.HALF, "1"))
            for key, value in (("id", origin.id), ("outbox last", origin.outbox_last), ("notices last", origin.notes_last)):
                cursor.execute(_SET, (key, str(value)))
        self._begun = True
        self.id, self._acknowledged = origin.id, (origin.seq, 0)

    def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0,
               notes: Notes = NO_NOTES) -> int:
        """Keep events, payloads, parcels and notices, all or nothing, on disk when this returns; the last sequence number."""
        if not (records or payloads or outbox or taken or notes):
            return self.last_seq
        first = self.last_seq + 1
        rows = [(seq, at, kind, body, reading.checksum(seq, kind, body)) for seq, (at, kind, body) in enumerate(records, first)]
        there = self._there(rows) if self._unsure else 0
        self._unsure = True
        with self._writer.writing(self._epoch) as cursor:
            self._begin(cursor)
            if new := rows[there:]:
                cursor.execute(_EVENTS, (self.version, self._epoch or 0, *(list(column) for column in zip(*new, strict=True))))
            if payloads:
                blobs = {bytes.fromhex(digest(content)): shrink(content) for content in payloads}
                cursor.execute(_PAYLOADS, (list(blobs), list(blobs.values())))
            _write_parcels(cursor, outbox, taken)
            _write_notes(cursor, notes)
        self._begun = True
        if rows:
            self._acknowledged = (rows[-1][0], rows[-1][4])
        self._unsure = there > len(rows)
        return self.last_seq

    def _there(self, rows: Sequence[tuple[int, float, str, bytes, int]]) -> int:
        """How many of these events are kept already, by a write whose end was not heard; StoreError where others are."""
        first = self.last_seq + 1
        with self._writer.using() as session:
            kept = session.execute("SELECT seq, crc FROM events WHERE seq >= %s ORDER BY seq", (first,)).fetchall()
        for (seq, crc), row in zip(kept, rows, strict=False):
            if (seq, crc) != (row[0], row[4]):
                raise StoreError(message=f"{self._location}: event {seq} is another one than was to be written", hints=[
                    "something else writes there; slurmctld stops, so that nothing is built on that"])
        return len(kept)

    def _begin(self, cursor: psycopg.Cursor[tuple[object, ...]]) -> None:
        """Say in the database what is written from here on."""
        if not self._begun and self._text:
            cursor.execute("INSERT INTO meta VALUES (%s, %s) ON CONFLICT DO NOTHING",
                           (f"{postgres_schema.SHAPES_KEY}{self.version}", self._text))

    def keep(self, rows: Sequence[Row]) -> None:
        """Write rows of the next snapshot; nobody reads them before it is complete."""
        self._sure()
        self._rows.keep(rows)

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """Make the last rows, and all that were kept since the last snapshot, the snapshot up to event `seq`."""
        if seq > self.last_seq:
            raise StoreError(message=f"a snapshot up to event {seq} was to be written, but only {self.last_seq} are on disk")
        self._sure()
        self._rows.complete(seq, rows, count)

    def compact(self) -> bool:
        """Give up a little of what no restart needs; whether there is more."""
        return self._rows.compact()

    def _sure(self) -> None:
        if not self._begun:
            with self._writer.writing(self._epoch) as cursor:
                self._begin(cursor)
            self._begun = True

    def forget(self, dead: Sequence[Digest]) -> None:
        """Drop these payloads."""
        with self._writer.writing(self._epoch) as cursor:
            cursor.execute("DELETE FROM payloads WHERE digest = ANY(%s)", ([bytes.fromhex(name) for name in dead if name],))

    def sweep(self, live: set[Digest]) -> int:
        """Drop payloads that nothing names any more; how many."""
        with self._writer.using() as session:
            known = {row[0] for row in session.execute("SELECT digest FROM payloads")}
        dead = known - {bytes.fromhex(name) for name in live if name}
        if dead:
            self.forget([Digest(name.hex()) for name in dead])
        return len(dead)

    def close(self) -> None:
        """Let go of the sessions; may be called twice."""
        for link in (self._writer, self._snapshots, self._reader):
            link.close()


def _write_parcels(cursor: psycopg.Cursor[tuple[object, ...]], parcels: Sequence[Parcel], taken: int) -> None:
    if parcels:
        cursor.execute(_PARCELS, ([parcel.sequence for parcel in parcels], [parcel.body for parcel in parcels],
                                  [crc32(parcel.body, parcel.sequence) for parcel in parcels]))
        cursor.execute(_COUNT_UP, (parcels[-1].sequence, "outbox last"))
    if taken:
        cursor.execute("DELETE FROM outbox WHERE sequence <= %s", (taken,))


def _write_notes(cursor: psycopg.Cursor[tuple[object, ...]], notes: Notes) -> None:
    for note in notes.kept:
        cursor.execute(_NOTE, (note.destination, note.key, note.body, crc32(note.body)))
        cursor.execute(_COUNT_NOTES)
    if notes.told:
        cursor.execute("DELETE FROM notices WHERE number = ANY(%s)", (list(notes.told),))
    if notes.clock:
        cursor.execute(_SET, ("notices clock", repr(notes.clock)))
