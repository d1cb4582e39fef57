"""A partition that is down or inactive starts nothing."""

from __future__ import annotations

from slurm.model.states import Reason
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import Refusal


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    partition = gate.partition
    if partition.state in ("UP", "DRAIN"):
        return None
    reason = Reason.PARTITION_INACTIVE if partition.state == "INACTIVE" else Reason.PARTITION_DOWN
    return Refusal(reason, f"partition {partition.name} is {partition.state}", ((partition.name, partition.state),), ("PartitionUpdated",))
