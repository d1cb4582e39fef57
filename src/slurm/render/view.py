"""View: what the reports read. The controller, a replica or a test makes one; nothing here changes anything.

Not here: how a record becomes text (`job_values`, `node_values` …).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from slurm.core.licenses import Licenses
from slurm.core.policy.state import Policy
from slurm.core.reserving import windows
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.notation import moment


class Verdict(Protocol):
    """Why a pending job waits, as the planner says it; `reason` is Slurm's word or sentence."""

    @property
    def reason(self) -> str:
        """What `squeue %r` prints."""
        ...


class Forecast(Protocol):
    """When and where a pending job is expected to start."""

    @property
    def start(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def nodes(self) -> Sequence[str]:
        """Node names in rank order."""
        ...


@dataclass
class View:
    """The cluster at one moment. `last_planned` is the time of the planner's last pass, 0: none yet.

    `array_length` is SLURM_BITSTR_LEN (longest list of array task ids, 0: whole) and `time_format` SLURM_TIME_FORMAT of whoever asks;
    `convert` False is --noconvert.
    """

    settings: Settings
    nodes: Mapping[NodeName, Node]
    partitions: Mapping[str, Partition]
    jobs: Mapping[JobId, Job]
    now: float
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    licenses: Licenses = field(default_factory=Licenses)
    sees: Callable[[str, str], bool] = lambda user, account: True  # whether whoever asks may know of this user and account
    uid_of: Callable[[str], int | None] = lambda user: None
    hidden_reservations: frozenset[str] = frozenset()  # that whoever asks may not see
    verdicts: Mapping[JobId, Verdict] = field(default_factory=dict)
    forecasts: Mapping[JobId, Forecast] = field(default_factory=dict)
    last_planned: float = 0.0
    array_length: int = 64
    time_format: str = ""
    convert: bool = True

    def moment(self, epoch: float, absent: str) -> str:
        """A point in time as text in the asker's style, `absent` for 0."""
        return moment.show_as(self.time_format, epoch, self.now) if epoch else absent

    @cached_property
    def planned(self) -> frozenset[str]:
        """Nodes that have room now, kept free because a pending job is expected to start on them: Slurm's PLANNED."""
        return frozenset(name for forecast in self.forecasts.values() for name in forecast.nodes)

    @cached_property
    def shown_reservations(self) -> dict[str, Reservation]:
        """The reservations that whoever asks may see."""
        return {name: of for name, of in self.reservations.items() if name not in self.hidden_reservations}

    @cached_property
    def reserved(self) -> dict[NodeName, Reservation]:
        """Nodes of reservations that run now; of several the one of maintenance, else the first."""
        found: dict[NodeName, Reservation] = {}
        for of in sorted(self.reservations.values(), key=lambda one: -one.rank):
            if windows.active(of, self.now):
                for name in of.nodes:
                    found.setdefault(name, of)
        return found

    @cached_property
    def partitions_in_order(self) -> list[Partition]:
        """Partitions as the configuration lists them."""
        return sorted(self.partitions.values(), key=lambda partition: partition.position)

    @cached_property
    def nodes_in_order(self) -> list[Node]:
        """Nodes as the configuration lists them."""
        return sorted(self.nodes.values(), key=lambda node: node.position)

    @cached_property
    def partitions_of(self) -> dict[NodeName, list[str]]:
        """Names of the partitions a node is in, in configuration order."""
        found: dict[NodeName, list[str]] = {}
        for partition in self.partitions_in_order:
            for name in partition.nodes:
                found.setdefault(name, []).append(partition.name)
        return found
