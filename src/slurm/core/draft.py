"""Draft: a submission on its way through admission."""

from __future__ import annotations

import msgspec

from slurm.core.events import Caller
from slurm.core.state import ClusterState
from slurm.model.job import ArrayPart, DependencyClause
from slurm.model.partition import Partition
from slurm.model.request import JobRequest


class Draft:
    """The request as completed so far, and what was made of its texts; `warnings` are lines for the submitter."""

    __slots__ = (
        "array", "association", "caller", "clauses", "dependency_any", "not_before", "now", "partitions", "request", "state", "time_limit",
        "user", "warnings")

    def __init__(self, state: ClusterState, request: JobRequest, caller: Caller, now: float, *, user: str = "") -> None:
        self.state = state
        self.request = msgspec.structs.replace(request)
        self.caller = caller
        self.user = user or caller.user  # whose job it is
        self.association = 0
        self.now = now
        self.partitions: list[Partition] = []
        self.array: ArrayPart | None = None
        self.clauses: list[DependencyClause] = []
        self.dependency_any = False
        self.time_limit = -1
        self.not_before = 0.0
        self.warnings: list[str] = []
