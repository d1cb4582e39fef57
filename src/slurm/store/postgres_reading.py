"""What is read of the journal in PostgreSQL, by its leader and by who follows it, each checked against what was written."""

from __future__ import annotations

from collections.abc import Generator
from zlib import crc32

from slurm.config.state_location import Location
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store import postgres_schema
from slurm.store.journal import Entry
from slurm.store.parcels import KeptNote, Parcel
from slurm.store.payloads import expand
from slurm.store.postgres_link import Session
from slurm.store.postgres_schema import RESTORE

_FETCH = 2000
_AT_ONCE = 100


def checksum(seq: int, kind: str, body: bytes) -> int:
    """What is kept with an event to know it by."""
    return crc32(body, crc32(f"{seq} {kind}".encode()))


def missing(location: Location, seq: int) -> StoreError:
    """The error of a gap."""
    return StoreError(message=f"{location} is damaged: event {seq} is missing", hints=[RESTORE])


def last(session: Session) -> tuple[int, int]:
    """Number and checksum of the newest event; where a snapshot covers all, its number and 0."""
    row = session.execute("SELECT seq, crc FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    covered = session.execute("SELECT max(seq) FROM complete").fetchone()
    snapshot = int(covered[0] or 0) if covered is not None else 0
    if row is not None and row[0] < snapshot:  # events go from the first on, and the newest of them is never given up while others stay
        raise StoreError(message=f"the snapshot says that it covers event {snapshot}, but the newest of the events is {row[0]}",
                         hints=[RESTORE])
    return (int(row[0]), int(row[1])) if row is not None else (snapshot, 0)


def replay(session: Session, after: int) -> Generator[Entry]:
    """The events after `after` within a transaction, in order; StoreError for a damaged one."""
    with session.cursor("events") as cursor:
        cursor.itersize = _FETCH
        cursor.execute("SELECT seq, version, kind, body, crc FROM events WHERE seq > %s ORDER BY seq", (after,))
        for seq, version, kind, body, crc in cursor:
            if checksum(seq, kind, body) != crc:
                raise StoreError(message=f"event {seq} ({kind}) has a wrong checksum", hints=[RESTORE])
            yield Entry(seq, version, kind, body)


def happened(session: Session, after: int, upto: int) -> Generator[tuple[float, Entry]]:
    """The events after one number up to another, with when they happened, within a transaction. StoreError for a damaged one."""
    with session.cursor("happened") as cursor:
        cursor.itersize = _FETCH
        cursor.execute("SELECT at, seq, version, kind, body, crc FROM events WHERE seq > %s AND seq <= %s ORDER BY seq", (after, upto))
        for at, seq, version, kind, body, crc in cursor:
            if checksum(seq, kind, body) != crc:
                raise StoreError(message=f"event {seq} ({kind}) has a wrong checksum", hints=[RESTORE])
            yield at, Entry(seq, version, kind, body)


def number(session: Session, key: str) -> int:
    """A count that is kept under this key."""
    row = session.execute("SELECT value FROM meta WHERE key = %s", (key,)).fetchone()
    return postgres_schema.number(key, row[0]) if row is not None else 0


def payload(session: Session, name: Digest) -> bytes:
    """The content of this name; StoreError where there is none."""
    row = session.execute("SELECT blob FROM payloads WHERE digest = %s", (bytes.fromhex(name),)).fetchone()
    if row is None:
        raise StoreError(message=f"payload {name} is missing", hints=[RESTORE])
    return expand(name, row[0])


def outbox(session: Session, after: int, most: int, size: int) -> list[Parcel]:
    """At most `most` parcels behind number `after`, ending with the one by which they exceed `size` bytes. StoreError for a damaged one."""
    found: list[Parcel] = []
    held = 0
    while len(found) < most and held <= size:
        rows = session.execute("SELECT sequence, body, crc FROM outbox WHERE sequence > %s ORDER BY sequence LIMIT %s",
                               (found[-1].sequence if found else after, min(_AT_ONCE, most - len(found)))).fetchall()
        if not rows:
            break
        for sequence, body, crc in rows:
            if crc32(body, sequence) != crc or (found and sequence != found[-1].sequence + 1):
                raise StoreError(message=f"accounting record {sequence} has a wrong checksum or follows a missing one", hints=[RESTORE])
            found.append(Parcel(sequence, body))
            held += len(body)
            if held > size:
                break
    return found


def notes(session: Session, destination: str, after: int, most: int) -> list[KeptNote]:
    """At most `most` notices for a destination behind number `after`, in order. StoreError for a damaged one."""
    rows = session.execute("SELECT number, body, crc FROM notices WHERE destination = %s AND number > %s ORDER BY number LIMIT %s",
                           (destination, after, most)).fetchall()
    for of, body, crc in rows:
        if crc32(body) != crc:
            raise StoreError(message=f"notice {of} has a wrong checksum", hints=[RESTORE])
    return [KeptNote(of, body) for of, body, _ in rows]
