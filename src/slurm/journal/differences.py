"""Differences: structs that look otherwise in memory than in the journal, with the steps that make one out of the other.

There are none now. Where the shapes agree, memory's structs are written and read as they are, which costs nothing; where they do not, a
record goes through plain fields, some ten times as slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.journal.upgrades import Step


class Difference(NamedTuple):
    """What is done to a record's plain fields before they are written, and after they were read."""

    written: Sequence[Step]
    read: Sequence[Step]


DIFFERENCES: Mapping[str, Difference] = {}
"""Struct → its difference."""
