"""A job with unfulfilled dependencies waits for other jobs."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.core.standing import NEVER, READY, verdict
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import ENDINGS, Refusal
from slurm.model.states import Reason

CURES = ("Started", *ENDINGS)
"""Another job starts or ends, by whatever."""


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether what it asks of other jobs has not come, or never will."""
    return bool(job.dependency) and verdict(job) != READY


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """Each of its conditions, and how it stands."""
    evidence = tuple((f"{clause.kind}:{clause.job}" if clause.job else clause.kind, clause.state) for clause in job.dependency)
    if verdict(job) == NEVER:
        return Refusal(Reason.DEPENDENCY_NEVER_SATISFIED, "a job that it depends on ended in a way that it does not accept", evidence,
                       ("JobUpdated", "Cancelled"))
    return Refusal(Reason.DEPENDENCY, "it waits for other jobs", evidence, CURES)
