"""What a pass asks for a job right now: for how long it is patient, whom it waits with, what a shortened limit is."""

from __future__ import annotations

from slurm.model.cpu_set import CpuSet
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.sched.need import Need
from slurm.sched.reserved import Entry
from slurm.sched.timeline import Placement


def patient(need: Need, job: Job, settings: Settings, now: float) -> Need:
    """The need of a job that does not wait any longer for a place under so few switches."""
    if not need.switches:
        return need
    asked = job.request.switch_wait
    wait = settings.max_switch_wait if asked is None else min(asked, settings.max_switch_wait)
    return need._replace(switches=0) if now >= (job.eligible_time or job.submit_time) + wait else need


def in_minutes(seconds: int, job: Job) -> int:
    """A shortened limit in whole minutes as far as the shortest one that the job allows lets it."""
    return max(seconds // 60 * 60, job.request.time_min or 0)


def queue_of(partition: Partition, entry: Entry) -> str:
    """Whom a job waits with: those of the partition, or of it those in the same reservation."""
    return f"{partition.name} in {entry.reservation}" if entry.kept_apart else partition.name


def counted(placement: Placement, partition: str) -> Allocation:
    """A placement as an allocation whose CPUs are right in number only."""
    usage = placement.usage
    shares = [
        NodeShare(node=one.node.name, cpus=CpuSet.run(int(cpus)), memory=int(memory), tasks=tasks)
        for (one, tasks), cpus, memory in zip(placement.rooms, usage.cpus, usage.memory, strict=True)]
    return Allocation(shares=shares, partition=partition)
