"""A job that asks for more CPUs, time or nodes than its partition has or allows waits until either changes.

Reason codes as real Slurm gives them: PartitionConfig for more CPUs than the partition has, PartitionNodeLimit for more nodes.
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.notation import duration
from slurm.sched.need import Need

CURES = ("JobUpdated", "PartitionUpdated")


def refuse(job: Job, need: Need, partition: Partition, has_cpus: Callable[[Partition], int]) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it; `has_cpus` of a partition, in service or not."""
    cpus = need.total_cpus
    if cpus > len(partition.nodes) and cpus > (has := has_cpus(partition)):
        return _refusal(Reason.PARTITION_CONFIG, f"it asks for {cpus} CPUs and partition {partition.name} has {has}", str(cpus), str(has))
    most = len(partition.nodes) if partition.max_nodes < 0 else min(partition.max_nodes, len(partition.nodes))
    if need.nodes_min > most:
        return _refusal(Reason.PARTITION_NODE_LIMIT, f"it asks for {need.nodes_min} nodes and partition {partition.name} allows {most}",
                        str(need.nodes_min), str(most))
    if need.nodes_max and need.nodes_max < partition.min_nodes:
        return _refusal(Reason.PARTITION_NODE_LIMIT, f"partition {partition.name} wants jobs of at least {partition.min_nodes} nodes",
                        str(need.nodes_max), str(partition.min_nodes))
    asked = job.request.time_limit
    if asked is not None and partition.max_time >= 0 and not 0 < asked <= partition.max_time:
        shown, allowed = duration.show(asked if asked > 0 else -1), duration.show(partition.max_time)
        return _refusal(Reason.PARTITION_TIME_LIMIT, f"it asks for {shown} and partition {partition.name} allows {allowed}", shown, allowed)
    return None


def _refusal(reason: str, sentence: str, asked: str, allowed: str) -> Refusal:
    return Refusal(reason, sentence, (("asked", asked), ("allowed", allowed)), CURES)
