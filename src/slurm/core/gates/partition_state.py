"""A partition that is down or inactive starts nothing."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether jobs may only wait there."""
    return partition.state not in ("UP", "DRAIN")


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """In which state it is."""
    reason = Reason.PARTITION_INACTIVE if partition.state == "INACTIVE" else Reason.PARTITION_DOWN
    return Refusal(reason, f"partition {partition.name} is {partition.state}", ((partition.name, partition.state),), ("PartitionUpdated",))
