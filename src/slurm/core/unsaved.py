"""Unsaved: which records have changed since they were last put into a snapshot. Who changes a record says so here; `journal` takes it away."""

from __future__ import annotations

from slurm.core.keys import Key
from slurm.model.ids import JobId, NodeName


class Unsaved:
    """Names of changed, new and gone records, kind by kind. The cluster's own record (settings, counters) is in every snapshot."""

    __slots__ = ("arrays", "jobs", "keys", "nodes", "partitions")

    def __init__(self) -> None:
        self.jobs: set[JobId] = set()
        self.arrays: set[JobId] = set()
        self.nodes: set[NodeName] = set()
        self.partitions: set[str] = set()
        self.keys: set[Key] = set()  # of jobs that left memory

    def __len__(self) -> int:
        return len(self.jobs) + len(self.arrays) + len(self.nodes) + len(self.partitions) + len(self.keys)
