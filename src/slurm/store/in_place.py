"""Whether the journal's files still are where they were opened. What was removed goes on being written, and is nobody's after a restart.

Not here: what is done about it (`sqlite_journal`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum


class Place(Enum):
    """Where a set of open files is."""

    KEPT = "kept"
    GONE = "gone"
    REPLACED = "replaced"


class Files:
    """The files of one open journal: the database first, then what must lie beside it.

    They are known from the first `look` at which they exist.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._known: dict[str, tuple[int, int]] = {}

    def look(self) -> Place:
        """KEPT; GONE when one was removed; REPLACED when another file has the database's name."""
        place = Place.KEPT
        for path in self._paths:
            known = self._known.get(path)
            try:
                facts = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                if known is not None:
                    place = Place.GONE
                continue
            here = (facts.st_dev, facts.st_ino)
            if known is None:
                self._known[path] = here
            elif known != here:
                if path == self._paths[0]:
                    return Place.REPLACED
                place = Place.GONE
        return place
