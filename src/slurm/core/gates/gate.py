"""What a gate is, and what of the cluster it may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from slurm.core.licenses import Licenses
from slurm.core.policy.state import Policy
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings


class Scene(Protocol):
    """What gates see of a cluster; `core.state.ClusterState` is one."""

    @property
    def settings(self) -> Settings: ...
    @property
    def partitions(self) -> Mapping[str, Partition]: ...
    @property
    def nodes(self) -> Mapping[NodeName, Node]: ...
    @property
    def reservations(self) -> Mapping[str, Reservation]: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def licenses(self) -> Licenses: ...
    @property
    def generation(self) -> int: ...
    def running_tasks(self, array: JobId) -> int: ...
    def array_limit(self, array: JobId) -> int: ...


class Gate(NamedTuple):
    """`closed` is asked of every waiting job and must be cheap; `now` is in seconds since the epoch; `refusal` tells of one that is closed,
    for people.

    `own`: closed or not follows from the job's record alone, and every event that opens it is about the job; such jobs are not in the
    planner's queue.
    """

    closed: Callable[[Scene, Job, Partition, float], bool]
    refusal: Callable[[Scene, Job, Partition, float], Refusal]
    own: bool = False
