"""The journal: what every backend of the controller's durable state can do, and how it fails.

Lives here: the interface, the record, the errors. Not here: SQLite (`sqlite_journal`), the fake (`memory`), when to write
(`group_commit`). Bodies are opaque bytes: what an event or a row of a snapshot looks like inside is the business of `slurm.journal`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from slurm.journal.row import Row
from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store.parcels import NO_NOTES, Kept, KeptNote, Notes, Parcel


class Record(NamedTuple):
    """One event to be kept: seconds since the epoch, the event's kind, its encoding."""

    at: float
    kind: str
    body: bytes


class Entry(NamedTuple):
    """One event as it is kept: its number, the version that it was written with, kind and encoding."""

    seq: int
    version: int
    kind: str
    body: bytes


class Origin(NamedTuple):
    """Where a journal goes on that began elsewhere: that one's id, its last event, and the highest numbers of its parcels and notices."""

    id: str
    seq: int
    outbox_last: int
    notes_last: int


class StoreBusy(StoreError):
    """The store cannot take a write now (full disk, quota, file size limit); nothing was written and it may be tried again."""


class Missed(StoreError):
    """What was to be followed is not kept any more: a newer snapshot has it. Read that."""


class JournalReader(Protocol):
    """What a journal has for whoever makes the state of it. Every method raises StoreError when it cannot be trusted."""

    @property
    def id(self) -> str:
        """What names this journal among all others, made with it: the numbers of its parcels count within it."""
        ...

    @property
    def last_seq(self) -> int:
        """The sequence number of the newest event on disk, 0 for none yet."""
        ...

    @property
    def snapshot_seq(self) -> int:
        """The number of the last event that is folded into the newest whole snapshot, 0 when there is none."""
        ...

    def shapes(self) -> dict[int, str]:
        """Version → what its bodies look like, as the programs said that wrote them."""
        ...

    def rows(self) -> Iterator[Row]:
        """Every record of the newest whole snapshot; StoreError when one is damaged or missing. None where there is no such snapshot."""
        ...

    def unfinished(self) -> list[tuple[str, int | str]]:
        """Kinds and keys of the rows that a snapshot left which was not finished, as `rows` met them: they are to be kept again."""
        ...

    def old_snapshot(self) -> bytes | None:
        """What format 1 kept instead of rows, one record of everything, where there are no rows yet."""
        ...

    def replay(self, after: int = 0) -> Iterator[Entry]:
        """Every event after `after`, in order; StoreError at the first damaged or missing one."""
        ...

    def outbox_last(self) -> int:
        """The highest number of a parcel that was ever kept, 0: none. Any thread may ask."""
        ...

    def payload(self, digest: Digest) -> bytes:
        """The content with this SHA-256; StoreError when it is not kept or damaged."""
        ...

    def close(self) -> None:
        """Let go of the files; may be called twice."""
        ...


class Replica(JournalReader, Protocol):
    """A journal that another controller writes, followed by a standby. It is seen as it was at the last `refresh`, never half of a
    snapshot.

    `replay` raises Missed where events after `after` are given up already.
    """

    def refresh(self) -> None:
        """See from here on what is on disk now. StoreBusy while the store cannot be reached."""
        ...


class Journal(JournalReader, Protocol):
    """A durable, ordered list of events with snapshots of what they add up to, row by row, and payloads kept by content.

    Sequence numbers start at 1 and have no gaps. Every method raises StoreError when the state cannot be trusted; StoreBusy when it can,
    but a write found no room. A journal that was opened in a term (`lease`) writes in it alone: Deposed from then on when it is over.
    `append` and `forget` are called by one thread, `keep`, `complete` and `compact` by another one, the rest by anybody.
    """

    def rename(self) -> str:
        """Give it another id, for when its numbers turn out to have been used: it was restored from a backup. The new one."""
        ...

    def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0,
               notes: Notes = NO_NOTES) -> int:
        """Keep events, the payloads they name, the parcels and notices they send, all or nothing, on disk when this returns; the last
        sequence number.

        Parcels up to number `taken` have arrived and are dropped.
        """
        ...

    def notes(self, destination: str, after: int, most: int) -> list[KeptNote]:
        """At most `most` notices for a destination behind number `after`, in order. Any thread may ask."""
        ...

    def notes_last(self) -> int:
        """The highest number that a notice ever had, 0: none. Any thread may ask."""
        ...

    def notes_clock(self) -> float:
        """The moment up to which time brought notices about, 0: none yet. Any thread may ask."""
        ...

    def outbox(self, after: int, most: int, size: int) -> list[Parcel]:
        """At most `most` parcels behind number `after`, in order, ending with the one by which they exceed `size` bytes.

        Any thread may ask.
        """
        ...

    def outbox_kept(self) -> Kept:
        """Which parcels are kept. Any thread may ask."""
        ...

    def keep(self, rows: Sequence[Row]) -> None:
        """Write rows of the next snapshot. Nobody reads them before it is complete; of two with one name the later one counts."""
        ...

    def complete(self, seq: int, rows: Sequence[Row], count: int) -> None:
        """Make the last rows, and all that were kept since the last snapshot, the snapshot up to event `seq`, on disk when this returns.

        Records of which nothing was kept stay as they were; `count` is how many there must be then. Event `seq` must be on disk.
        """
        ...

    def compact(self) -> bool:
        """Give up a little of what no restart needs: older rows, events that the snapshot before covers, free space.

        Whether there is more.
        """
        ...

    def forget(self, dead: Sequence[Digest]) -> None:
        """Drop these payloads, which no event in the journal's future will name without bringing them."""
        ...

    def sweep(self, live: set[Digest]) -> int:
        """Drop payloads that are not in `live`; how many."""
        ...
