"""The gates in the order in which they are asked, by the planner's queue, by the planner and by the check of what it proposes alike.

The first that is closed is the one a user reads.
"""

from __future__ import annotations

from slurm.core.gates import (
    array_limit,
    begin,
    depends,
    held,
    licenses,
    partition_access,
    partition_state,
    policy_limits,
    policy_standing,
    reservation,
    unproven,
    usage_threshold,
)
from slurm.core.gates.gate import Gate, Scene
from slurm.core.standing import READY, verdict
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal

GATES: tuple[Gate, ...] = (
    Gate(held.closed, held.refusal, own=True),
    Gate(unproven.closed, unproven.refusal, own=True),
    Gate(depends.closed, depends.refusal, own=True),
    Gate(begin.closed, begin.refusal, own=True),
    Gate(array_limit.closed, array_limit.refusal),
    Gate(partition_state.closed, partition_state.refusal),
    Gate(partition_access.closed, partition_access.refusal),
    Gate(reservation.closed, reservation.refusal),
    Gate(policy_standing.closed, policy_standing.refusal),
    Gate(usage_threshold.closed, usage_threshold.refusal),
    Gate(policy_limits.closed, policy_limits.refusal),
    Gate(licenses.closed, licenses.refusal),
)


_OF_THE_CLUSTER = tuple(gate for gate in GATES if not gate.own)


def refuse(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal | None:
    """Why this job may not start in this partition, whatever is free there; None when nothing is against it."""
    for gate in _OF_THE_CLUSTER if eligible(job) else GATES:
        if gate.closed(scene, job, partition, now):
            return gate.refusal(scene, job, partition, now)
    return None


def eligible(job: Job) -> bool:
    """Whether every gate is open that is the job's own, so that it belongs into the planner's queue: the same as asking those, without the
    calls."""
    return not job.held and not job.not_before and job.lost is None and not job.unproven and (
        not job.dependency or verdict(job) == READY)
