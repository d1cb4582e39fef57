"""A journal in memory for tests, with a disk that survives a crash and faults that can be put on it.

Lives here: the fake with the interface of `journal`. Shipped, so that other rooms test against it instead of patching.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Sequence

from slurm.journal.row import Name, Row
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store.journal import Entry, Record, StoreBusy
from slurm.store.parcels import NO_NOTES, Kept, KeptNote, Note, Notes, Parcel
from slurm.store.payloads import digest

_NUMBERS = itertools.count(1)


class Fault(enum.Enum):
    """What the next write meets."""

    FULL = "full"  # StoreBusy, nothing written
    BROKEN = "broken"  # StoreError, nothing written
    CRASH_BEFORE = "crash before"  # Crashed, nothing written
    CRASH_AFTER = "crash after"  # Crashed, but it is on the disk


class Crashed(BaseException):
    """The process died here. No ordinary handler catches it; open the disk again with a new MemoryJournal."""


class MemoryDisk:
    """What outlives a MemoryJournal. `faults` are met by the following writes, one each."""

    def __init__(self) -> None:
        self.events: dict[int, Entry] = {}
        self.rows: dict[Name, Row] = {}  # of the newest whole snapshot
        self.kept: dict[Name, Row] = {}  # of the one that is being written
        self.snapshots: list[int] = []  # up to which event the newest two go
        self.payloads: dict[Digest, bytes] = {}
        self.shapes: dict[int, str] = {}
        self.outbox: dict[int, bytes] = {}
        self.outbox_last = 0
        self.notes: dict[int, Note] = {}
        self.notes_last = 0
        self.notes_clock = 0.0
        self.id = f"memory-{next(_NUMBERS)}"
        self.faults: list[Fault] = []
        self.syncs = 0

    @property
    def last_seq(self) -> int:
        """The newest event's number."""
        return max((*self.events, *self.snapshots), default=0)


class MemoryJournal:
    """A journal on a MemoryDisk."""

    def __init__(self, disk: MemoryDisk | None = None, *, version: int = VERSION, shapes: str = TEXT) -> None:
        self.version = version
        self._text = shapes
        self.disk = disk if disk is not None else MemoryDisk()
        self._crash_after = False

    @property
    def id(self) -> str:
        """The name that this disk has now."""
        return self.disk.id

    def rename(self) -> str:
        """Give it another one."""
        self.disk.id = f"memory-{next(_NUMBERS)}"
        return self.disk.id

    @property
    def last_seq(self) -> int:
        """The sequence number of the newest event on the disk."""
        return self.disk.last_seq

    @property
    def snapshot_seq(self) -> int:
        """The event up to which the newest snapshot goes."""
        return max(self.disk.snapshots, default=0)

    def shapes(self) -> dict[int, str]:
        """What the bodies of each version look like."""
        return dict(self.disk.shapes)

    def rows(self) -> Iterator[Row]:
        """The rows of the newest snapshot."""
        return iter(list(self.disk.rows.values()))

    def unfinished(self) -> list[Name]:
        """The rows that were kept for a snapshot that was not finished."""
        return list(self.disk.kept)

    def old_snapshot(self) -> bytes | None:
        """None: this fake has no past."""
        return None

    def replay(self, after: int = 0) -> Iterator[Entry]:
        """Events after `after`, in order; StoreError for a missing one."""
        for seq in range(after + 1, self.last_seq + 1):
            if seq not in self.disk.events:
                raise StoreError(message=f"event {seq} is missing")
            yield self.disk.events[seq]

    def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0,
               notes: Notes = NO_NOTES) -> int:
        """Keep events, payloads, parcels and notices; drop parcels up to number `taken`."""
        self._meet_fault()
        self.disk.shapes[self.version] = self._text
        self.disk.payloads.update({digest(content): content for content in payloads})
        for record in records:
            seq = self.last_seq + 1
            self.disk.events[seq] = Entry(seq, self.version, record.kind, record.body)
        self.disk.outbox.update(outbox)
        self.disk.outbox_last = max([self.disk.outbox_last, *(parcel.sequence for parcel in outbox)])
        self.disk.outbox = {sequence: body for sequence, body in self.disk.outbox.items() if sequence > taken}
        for note in notes.kept:
            if all(note.key != other.key for other in self.disk.notes.values()):
                self.disk.notes_last += 1
                self.disk.notes[self.disk.notes_last] = note
        for number in notes.told:
            self.disk.notes.pop(number, None)
        self.disk.notes_clock = notes.clock or self.disk.notes_clock
        self._written()
        return self.last_seq

    def keep(self, rows: Sequence[Row]) -> None:
        """Keep rows of the next snapshot."""
        self._meet_fault()
        self.disk.kept.update({row.name: row for row in rows})
        self._written()

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """The rows that were kept count from now on."""
        self._meet_fault()
        disk = self.disk
        merged = disk.rows | disk.kept | {row.name: row for row in rows}
        disk.rows = {name: row for name, row in merged.items() if row.body is not None}
        disk.kept = {}
        disk.snapshots = [*disk.snapshots[-1:], seq]
        if len(disk.rows) != count or seq > self.last_seq:
            raise StoreError(message=f"{len(disk.rows)} of {count} rows, {self.last_seq} of {seq} events")
        self._written()

    def compact(self) -> bool:
        """Drop the events that the snapshot before the newest covers."""
        covered = self.disk.snapshots[0] if len(self.disk.snapshots) > 1 else 0
        self.disk.events = {number: kept for number, kept in self.disk.events.items() if number > covered}
        return False

    def forget(self, dead: Sequence[Digest]) -> None:
        """Drop these payloads."""
        self._meet_fault()
        for name in dead:
            self.disk.payloads.pop(name, None)
        self._written()

    def outbox(self, after: int, most: int, size: int) -> list[Parcel]:
        """Parcels behind number `after`, in order."""
        found: list[Parcel] = []
        for sequence in sorted(sequence for sequence in self.disk.outbox if sequence > after)[:most]:
            found.append(Parcel(sequence, self.disk.outbox[sequence]))
            if sum(len(parcel.body) for parcel in found) > size:
                break
        return found

    def outbox_last(self) -> int:
        """The highest number that was ever kept."""
        return self.disk.outbox_last

    def outbox_kept(self) -> Kept:
        """Which parcels are kept."""
        return Kept(min(self.disk.outbox, default=0), max(self.disk.outbox, default=0))

    def notes(self, destination: str, after: int, most: int) -> list[KeptNote]:
        """Notices for a destination, in order."""
        return [KeptNote(number, note.body) for number, note in self.disk.notes.items() if note.destination == destination
            and number > after][:most]

    def notes_last(self) -> int:
        """The highest number that was ever given."""
        return self.disk.notes_last

    def notes_clock(self) -> float:
        """Up to when time brought some about."""
        return self.disk.notes_clock

    def payload(self, digest: Digest) -> bytes:
        """The content of this name."""
        if digest not in self.disk.payloads:
            raise StoreError(message=f"payload {digest} is missing")
        return self.disk.payloads[digest]

    def sweep(self, live: set[Digest]) -> int:
        """Drop payloads that are not in `live`."""
        self._meet_fault()
        dead = [name for name in self.disk.payloads if name not in live]
        for name in dead:
            del self.disk.payloads[name]
        self._written()
        return len(dead)

    def close(self) -> None:
        """The disk stays as it is."""

    def _meet_fault(self) -> None:
        fault = self.disk.faults.pop(0) if self.disk.faults else None
        if fault is Fault.FULL:
            raise StoreBusy(message="no space is left for the journal")
        if fault is Fault.BROKEN:
            raise StoreError(message="the journal's disk is broken")
        if fault is Fault.CRASH_BEFORE:
            raise Crashed
        self._crash_after = fault is Fault.CRASH_AFTER

    def _written(self) -> None:
        self.disk.syncs += 1
        if self._crash_after:
            raise Crashed
