"""A journal in memory for tests, with a disk that survives a crash and faults that can be put on it.

Lives here: the fakes with the interfaces of `journal`, `lease` and `state`, for as many controllers as a test wants on one disk. Shipped,
so that other rooms test against them instead of patching.
"""

from __future__ import annotations

import enum
import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from slurm.journal.row import Name, Row
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store.journal import Entry, Missed, Record, StoreBusy
from slurm.store.lease import Term, deposed, overtaken
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
        self.events: dict[int, Entry] = {}  # in order
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
        self.term: Term | None = None
        self.mutex = threading.RLock()  # held by each transaction: the lease cannot change within one
        self.faults: list[Fault] = []
        self.syncs = 0

    @property
    def last_seq(self) -> int:
        """The newest event's number."""
        return max(next(reversed(self.events), 0), *self.snapshots, 0)


class MemoryJournal:
    """A journal on a MemoryDisk; with `term` it writes only while that is the disk's."""

    def __init__(self, disk: MemoryDisk | None = None, *, version: int = VERSION, shapes: str = TEXT, term: Term | None = None) -> None:
        self.version = version
        self._text = shapes
        self._term = term
        self.disk = disk if disk is not None else MemoryDisk()

    @property
    def id(self) -> str:
        """The name that this disk has now."""
        return self.disk.id

    def rename(self) -> str:
        """Give it another one."""
        with self.disk.mutex:
            self._lead()
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
        with self._transaction():
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
            return self.last_seq

    def keep(self, rows: Sequence[Row]) -> None:
        """Keep rows of the next snapshot."""
        with self._transaction():
            self.disk.kept.update({row.name: row for row in rows})

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """The rows that were kept count from now on."""
        with self._transaction():
            disk = self.disk
            merged = disk.rows | disk.kept | {row.name: row for row in rows}
            disk.rows = {name: row for name, row in merged.items() if row.body is not None}
            disk.kept = {}
            disk.snapshots = [*disk.snapshots[-1:], seq]
            if len(disk.rows) != count or seq > self.last_seq:
                raise StoreError(message=f"{len(disk.rows)} of {count} rows, {self.last_seq} of {seq} events")

    def compact(self) -> bool:
        """Drop the events that the snapshot before the newest covers."""
        with self.disk.mutex:
            self._lead()
            covered = self.disk.snapshots[0] if len(self.disk.snapshots) > 1 else 0
            self.disk.events = {number: kept for number, kept in self.disk.events.items() if number > covered}
        return False

    def forget(self, dead: Sequence[Digest]) -> None:
        """Drop these payloads."""
        with self._transaction():
            for name in dead:
                self.disk.payloads.pop(name, None)

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
        with self._transaction():
            dead = [name for name in self.disk.payloads if name not in live]
            for name in dead:
                del self.disk.payloads[name]
            return len(dead)

    def close(self) -> None:
        """The disk stays as it is."""

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One write: all or nothing, and only in the disk's own term."""
        with self.disk.mutex:
            fault = self.disk.faults.pop(0) if self.disk.faults else None
            if fault is Fault.FULL:
                raise StoreBusy(message="no space is left for the journal")
            if fault is Fault.BROKEN:
                raise StoreError(message="the journal's disk is broken")
            if fault is Fault.CRASH_BEFORE:
                raise Crashed
            self._lead()
            yield
            self.disk.syncs += 1
            if fault is Fault.CRASH_AFTER:
                raise Crashed

    def _lead(self) -> None:
        now = self.disk.term
        if self._term is not None and (now is None or now.epoch != self._term.epoch or now.released):
            raise deposed(self._term, now)


class MemoryLease:
    """Who leads on a MemoryDisk."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def read(self) -> Term | None:
        """The newest term."""
        return self._disk.term

    def claim(self, holder: str, address: str, seen: int, *, least: int = 0) -> Term:
        """The next term, unless somebody was faster."""
        with self._disk.mutex:
            now = self._disk.term
            if seen != (now.epoch if now is not None else 0):
                raise overtaken(seen, now)
            self._disk.term = Term(max(seen, least) + 1, holder, address)
            return self._disk.term

    def beat(self, term: Term) -> None:
        """One beat more."""
        with self._disk.mutex:
            now = self._held(term)
            self._disk.term = now._replace(beats=now.beats + 1)

    def release(self, term: Term) -> None:
        """Hand over."""
        with self._disk.mutex:
            self._disk.term = self._held(term)._replace(released=True)

    def close(self) -> None:
        """The term stays as it is, as after a kill."""

    def _held(self, term: Term) -> Term:
        now = self._disk.term
        if now is None or now.epoch != term.epoch or now.released:
            raise deposed(term, now)
        return now


class MemoryReplica(MemoryJournal):
    """What others write on a MemoryDisk, followed."""

    def refresh(self) -> None:
        """Nothing: a disk in memory is always seen as it is."""

    def replay(self, after: int = 0) -> Iterator[Entry]:
        """Events after `after`, in order; Missed when some of them were given up already."""
        if any(number not in self.disk.events for number in range(after + 1, self.disk.last_seq + 1)):
            raise Missed(message=f"event {after + 1} is not kept any more")
        return super().replay(after)


class MemoryState:
    """The state of a cluster on a MemoryDisk, as one of its controllers has it."""

    location = "memory"

    def __init__(self, disk: MemoryDisk, folder: str = "") -> None:
        self._disk = disk
        self.folder = folder
        self.lease = MemoryLease(disk)

    def journal(self, term: Term) -> MemoryJournal:
        """The journal, for as long as the term lasts."""
        return MemoryJournal(self._disk, term=term)

    def replica(self) -> MemoryReplica:
        """What others write."""
        return MemoryReplica(self._disk)

    def share_files(self, names: Sequence[str]) -> None:
        """Nothing: the test gives its controllers a folder."""

    def close(self) -> None:
        """The disk stays as it is."""
