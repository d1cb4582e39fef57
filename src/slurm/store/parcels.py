"""What a journal keeps beside its events: records on their way to somebody else, until they have arrived there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Parcel(NamedTuple):
    """One encoded record. Numbers rise by one, without gaps, for as long as the journal lives."""

    sequence: int
    body: bytes


class Kept(NamedTuple):
    """Which parcels are kept: the first and the last number, both 0 when there is none."""

    first: int = 0
    last: int = 0

    @property
    def waiting(self) -> int:
        """How many that are."""
        return self.last - self.first + 1 if self.last else 0


class Note(NamedTuple):
    """One encoded notice on its way to a destination. `key` is its alone: written twice, it is kept once."""

    destination: str
    key: str
    body: bytes


class KeptNote(NamedTuple):
    """A notice as it is kept: numbers rise in the order of writing, for as long as the journal lives."""

    number: int
    body: bytes


class Notes(NamedTuple):
    """What a write changes among the notices: `told` are numbers of those that have arrived, `clock` the moment up to which time brought
    some about."""

    kept: Sequence[Note] = ()
    told: Sequence[int] = ()
    clock: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.kept or self.told or self.clock)


NO_NOTES = Notes()
