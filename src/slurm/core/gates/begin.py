"""A job with --begin, or a requeued one, waits for its time."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.notation import moment


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether its time has not come: Eligible says when it has."""
    return bool(job.not_before)


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """When its time comes."""
    begin = moment.show(job.not_before)
    return Refusal(Reason.BEGIN_TIME, f"it may not start before {begin}", (("begin", begin),), ("Eligible",))
