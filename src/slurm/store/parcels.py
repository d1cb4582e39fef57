"""What a journal keeps beside its events: records on their way to somebody else, until they have arrived there."""

from __future__ import annotations

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
