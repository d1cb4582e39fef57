"""Unsaved: which records have changed since they were last put into a snapshot.

Who changes a record says so here; `journal` takes it away.
"""

from __future__ import annotations

from slurm.core.keys import Key
from slurm.model.ids import JobId, NodeName, Uid


class Unsaved:
    """Names of changed, new and gone records, kind by kind. The cluster's own record (settings, counters) is in every snapshot."""

    __slots__ = ("arrays", "charges", "crontabs", "jobs", "keys", "nodes", "partitions", "policy", "reservations", "triggers", "usage")

    def __init__(self) -> None:
        self.jobs: set[JobId] = set()
        self.arrays: set[JobId] = set()
        self.nodes: set[NodeName] = set()
        self.partitions: set[str] = set()
        self.reservations: set[str] = set()
        self.crontabs: set[Uid] = set()
        self.triggers: set[int] = set()
        self.keys: set[Key] = set()  # of jobs that left memory
        self.policy: set[str] = set()  # as Book.name_of has them
        self.usage: set[int | str] = set()
        self.charges: set[JobId] = set()

    def __len__(self) -> int:
        return sum(len(getattr(self, kind)) for kind in self.__slots__)
