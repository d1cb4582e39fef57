"""PayloadUses: how many jobs name each script and environment, so that one that nobody names any more can be dropped from the store."""

from __future__ import annotations

from slurm.model.ids import Digest
from slurm.model.request import PayloadRef


class PayloadUses:
    """Digests and the number of records that name them."""

    __slots__ = ("_counts", "_unused")

    def __init__(self) -> None:
        self._counts: dict[Digest, int] = {}
        self._unused: set[Digest] = set()

    def add(self, payload: PayloadRef) -> None:
        """One more record names it."""
        for name in (payload.script, payload.environment):
            if name:
                self._counts[name] = self._counts.get(name, 0) + 1

    def drop(self, payload: PayloadRef) -> None:
        """One record less names it."""
        for name in (payload.script, payload.environment):
            left = self._counts.pop(name, 0) - 1
            if left > 0:
                self._counts[name] = left
            elif name:
                self._unused.add(name)

    def live(self) -> set[Digest]:
        """What is named now."""
        return set(self._counts)

    def take_unused(self) -> list[Digest]:
        """What was named since this was last asked, and is not now."""
        gone = [name for name in self._unused if name not in self._counts]
        self._unused.clear()
        return gone
