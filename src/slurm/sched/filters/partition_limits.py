"""A job that asks for more time or nodes than its partition allows waits until either changes."""

from __future__ import annotations

from slurm.model.states import Reason
from slurm.notation import duration
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import Refusal


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    job, partition = gate.job, gate.partition
    asked = job.request.time_limit
    if partition.max_time >= 0 and asked is not None and (asked < 0 or asked > partition.max_time):
        return Refusal(
            Reason.PARTITION_TIME_LIMIT,
            f"it asks for {duration.show(asked)} and partition {partition.name} allows {duration.show(partition.max_time)}",
            (("asked", duration.show(asked)), ("allowed", duration.show(partition.max_time))), ("JobUpdated", "PartitionUpdated"))
    nodes = max(1, job.request.nodes_min)
    most = len(partition.nodes) if partition.max_nodes < 0 else min(partition.max_nodes, len(partition.nodes))
    if nodes > most:
        return Refusal(Reason.PARTITION_NODE_LIMIT, f"it asks for {nodes} nodes and partition {partition.name} allows {most}",
                       (("asked", str(nodes)), ("allowed", str(most))), ("JobUpdated", "PartitionUpdated"))
    if job.request.nodes_max and job.request.nodes_max < partition.min_nodes:
        return Refusal(Reason.PARTITION_NODE_LIMIT, f"partition {partition.name} wants jobs of at least {partition.min_nodes} nodes",
                       (("asked", str(nodes)), ("least", str(partition.min_nodes))), ("JobUpdated", "PartitionUpdated"))
    return None
