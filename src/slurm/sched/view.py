"""View: what the planner reads of a cluster. `core.state.ClusterState` is one; tests and simulators may bring their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from slurm.core.licenses import Licenses
from slurm.core.policy.state import Policy
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings


class View(Protocol):
    """A cluster at one moment; nothing here is changed by planning."""

    @property
    def settings(self) -> Settings: ...
    @property
    def nodes(self) -> Mapping[NodeName, Node]: ...
    @property
    def partitions(self) -> Mapping[str, Partition]: ...
    @property
    def generation(self) -> int:
        """Another number whenever nodes or partitions have changed, other than by what jobs hold."""
        ...
    @property
    def changes(self) -> int:
        """Another number with every event that may change who of those that wait may start, and when."""
        ...
    @property
    def reordered(self) -> int:
        """Another number with every event that may change the order of those that wait, other than that some join and leave."""
        ...
    @property
    def touched(self) -> set[NodeName]:
        """Nodes on which jobs have begun or ended since a `Terrain` last took their names away."""
        ...
    @property
    def reservations(self) -> Mapping[str, Reservation]: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def licenses(self) -> Licenses: ...
    @property
    def jobs(self) -> Mapping[JobId, Job]: ...
    @property
    def pending(self) -> Mapping[JobId, Job]:
        """Jobs that wait, in order of their arrival in the queue."""
        ...
    @property
    def active(self) -> Mapping[JobId, Job]:
        """Jobs that hold resources."""
        ...

    @property
    def suspended(self) -> Mapping[JobId, Job]:
        """Those of the active that hold still."""
        ...
    @property
    def promised(self) -> Mapping[JobId, Job]:
        """Those of the pending for which others give way."""
        ...

    def tasks_of(self, job_id: int) -> list[Job]:
        """Every record that belongs to an id: the job itself, or the waiting and the started elements of an array."""
        ...
    def running_tasks(self, array: JobId) -> int: ...
    def array_limit(self, array: JobId) -> int: ...
    def expected_end(self, job: Job) -> float | None: ...
