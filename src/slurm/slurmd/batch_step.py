"""What the slurmstepd of a batch script is told, of the order that starts it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from slurm.model import bounds
from slurm.model.errors import InvalidRequest
from slurm.model.settings import Settings
from slurm.slurmd import environment
from slurm.slurmd.gpus.naming import Naming
from slurm.slurmd.stepd.folder import BATCH, StepRecord
from slurm.slurmd.stepd.timekeeping import boot_clock
from slurm.wire import node_messages as n


def record_of(order: n.LaunchBatch, node: str, script: str, cpus: Sequence[int], naming: Naming) -> StepRecord:
    """The record, without what is the same for every step of the node; `cpus` are those to bind to."""
    return StepRecord(
        job=order.job, attempt=order.attempt, step=BATCH, node=node, uid=order.uid, gid=order.gid, user=order.user,
        argv=[script, *order.argv], environment=environment.of_batch(order.environment, node, order.cpus, naming), work_dir=order.work_dir,
        rlimits=order.rlimits, stdin=order.stdin or os.devnull, stdout=order.stdout or os.devnull,
        stderr="" if order.stderr == order.stdout else order.stderr, append=order.append, umask=order.umask, cpus=cpus,
        memory=order.memory, login=order.environment.get("SLURM_EXPORT_ENV", ""), kill_wait=order.kill_wait,
        deadline=boot_clock() + order.time_left if order.time_left >= 0 else 0.0, lease=order.lease,
        sample_seconds=order.sampling, gpus=bool(order.devices))


def names_an_attempt(order: n.LaunchBatch, limits: Settings) -> bool:
    """Whether an order that is out of bounds elsewhere says at least which attempt it is about."""
    try:
        bounds.check_fields(n.LaunchBatch, {"job": order.job, "attempt": order.attempt}, limits)
    except InvalidRequest:
        return False
    return True
