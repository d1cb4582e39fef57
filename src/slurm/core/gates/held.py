"""A held job waits for its release."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import Reason

BY_USER = Refusal(Reason.JOB_HELD_USER, "it is held by its owner", cures=("Released",))
BY_ADMIN = Refusal(Reason.JOB_HELD_ADMIN, "it is held by an administrator", cures=("Released",))
REQUEUED = Refusal(Reason.REQUEUED_HELD, "it was put back to the queue to be held there", cures=("Released",))


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether somebody, or its failure, put it on hold."""
    return bool(job.held)


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """By whom it is held."""
    if "resv_del_hold" in job.flags:
        return Refusal(job.reason, "the reservation that it asks for is no more", cures=("Released", "JobUpdated"))
    if job.reason == Reason.REQUEUED_HELD:
        return REQUEUED
    if job.reason not in ("", Reason.NONE, Reason.JOB_HELD_USER, Reason.JOB_HELD_ADMIN):
        return Refusal(job.reason, "it was put on hold after it failed", cures=("Released",))
    return BY_ADMIN if job.held == "admin" else BY_USER
