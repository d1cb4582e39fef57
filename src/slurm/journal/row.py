"""Row: one record of a snapshot, as a store keeps it."""

from __future__ import annotations

from typing import NamedTuple

Name = tuple[str, int | str]
"""Kind and key of a record: ("job", 12), ("node", "cn01")."""


class Row(NamedTuple):
    """One record as it is kept, or, with no body, the news that it is gone. `version` is the one that its body was written with."""

    kind: str
    key: int | str
    version: int
    body: bytes | None

    @property
    def name(self) -> Name:
        """Kind and key."""
        return self.kind, self.key


CLUSTER = "cluster"
"""The kind of the row that makes a snapshot whole."""
