"""What a job's QOS exempts it from: limits of its partition, and the right to have resources kept for it."""

from __future__ import annotations

import msgspec

from slurm.core.policy.state import Rules, bounds_of
from slurm.model import limits as rows
from slurm.model.job import Job
from slurm.model.partition import Partition

_LIFTED: dict[str, dict[str, int]] = {
    "PartitionMaxNodes": {"max_nodes": -1}, "PartitionMinNodes": {"min_nodes": 0}, "PartitionTimeLimit": {"max_time": -1}}
"""Flag of a QOS → fields of the partition as its jobs meet them."""


def as_met(state: Rules, qos: str, partition: Partition) -> Partition:
    """The partition with the limits that a job of this QOS ("" for none) meets in it."""
    known = state.policy.book.qos.get(qos.lower()) if qos else None
    if known is None or not known.flags:
        return partition
    changes = {field: value for flag in known.flags for field, value in _LIFTED.get(flag, {}).items() if getattr(partition, field) != value}
    return msgspec.structs.replace(partition, **changes) if changes else partition


def reserves(state: Rules, job: Job, partition: Partition, priority: int) -> bool:
    """Whether resources are kept for a waiting job of this priority: not with NoReserve, nor below a MinPrioThreshold."""
    policy = state.policy
    if not policy.known:
        return True
    if any("NoReserve" in qos.flags for name in (job.request.qos, partition.qos) if (qos := policy.book.qos.get(name.lower())) is not None):
        return False
    if "limits" not in state.settings.accounting_enforce:
        return True
    return not any(bound.limit.quantity == rows.MIN_PRIORITY and priority < bound.value for bound in bounds_of(state, job, partition))
