"""The tasks of an array wait when as many run as its % limit allows."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import ENDINGS, Refusal
from slurm.model.states import Reason

CURES = (*ENDINGS, "JobUpdated")
"""A task of it ends, by whatever, or its limit is changed."""


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether no further task may start."""
    left = tasks_left(scene, job)
    return left is not None and left <= 0


def tasks_left(scene: Scene, job: Job) -> int | None:
    """How many more tasks of its array may start now, None when any number may."""
    limit = scene.array_limit(job.array_job) if job.array_job else 0
    return limit - scene.running_tasks(job.array_job) if limit else None


def refusal(scene: Scene, job: Job, partition: Partition, now: float, *, starting: int = 0) -> Refusal:
    """How many run, with those that are about to start, and the limit."""
    limit, running = scene.array_limit(job.array_job), scene.running_tasks(job.array_job) + starting
    return Refusal(Reason.JOB_ARRAY_TASK_LIMIT, f"{running} tasks of the array run and its limit is {limit}",
                   (("running", str(running)), ("limit", str(limit))), CURES)
