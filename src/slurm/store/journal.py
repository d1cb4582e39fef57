"""The journal: what every backend of the controller's durable state can do, and how it fails.

Lives here: the interface, the record, the errors. Not here: SQLite (`sqlite_journal`), the fake (`memory`), when to write
(`group_commit`). Bodies are opaque bytes: what an event or a snapshot looks like inside is `core`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store.parcels import Kept, Parcel


class Record(NamedTuple):
    """One event to be kept: seconds since the epoch, the event's kind, its encoding."""

    at: float
    kind: str
    body: bytes


class StoreBusy(StoreError):
    """The store cannot take a write now (full disk, quota, file size limit); nothing was written and it may be tried again."""


class Journal(Protocol):
    """A durable, ordered list of events with snapshots of what they add up to, and payloads kept by content.

    Sequence numbers start at 1 and have no gaps. Every method raises StoreError when the state cannot be trusted; StoreBusy when it can,
    but a write found no room. One thread may write while another reads.
    """

    @property
    def id(self) -> str:
        """What names this journal among all others, made with it: the numbers of its parcels count within it."""
        ...

    def rename(self) -> str:
        """Give it another id, for when its numbers turn out to have been used: it was restored from a backup. The new one."""
        ...

    @property
    def last_seq(self) -> int:
        """The sequence number of the newest event on disk, 0 for none yet."""
        ...

    def last_snapshot(self) -> tuple[int, bytes] | None:
        """(sequence number of the last event folded into it, body) of the newest snapshot."""
        ...

    def replay(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """(sequence number, body) of every event after `after`, in order; StoreError at the first damaged or missing one."""
        ...

    def append(self, records: Sequence[Record], payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (), taken: int = 0) -> int:
        """Keep events, the payloads they name and the parcels they send, all or nothing, on disk when this returns; the last sequence number.

        Parcels up to number `taken` have arrived and are dropped.
        """
        ...

    def outbox(self, after: int, most: int, size: int) -> list[Parcel]:
        """At most `most` parcels behind number `after`, in order, ending with the one by which they exceed `size` bytes.

        Any thread may ask.
        """
        ...

    def outbox_kept(self) -> Kept:
        """Which parcels are kept. Any thread may ask."""
        ...

    def snapshot(self, seq: int, body: bytes) -> None:
        """Keep a snapshot up to event `seq`, then drop events that the snapshot before it covers, and older snapshots."""
        ...

    def payload(self, digest: Digest) -> bytes:
        """The content with this SHA-256; StoreError when it is not kept or damaged."""
        ...

    def sweep(self, live: set[Digest]) -> int:
        """Drop payloads that nothing names any more; how many."""
        ...

    def close(self) -> None:
        """Let go of the files; may be called twice."""
        ...
