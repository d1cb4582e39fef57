"""The extern step of a job on this node (PrologFlags=Contain): how it is begun, and what its slurmstepd is told.

It holds, until the job ends, what comes from outside of the job's steps: a login that was admitted for the job (`slurm adopt`). Its one
task does nothing; whoever ends that ends nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from slurm.model.cpu_set import CpuSet
from slurm.model.errors import SlurmError
from slurm.slurmd.roster import Roster
from slurm.slurmd.settings import NodeSettings
from slurm.slurmd.stepd.folder import EXTERN, StepKey, StepRecord
from slurm.slurmd.stepd.timekeeping import boot_clock
from slurm.slurmd.stepd.user import can_become
from slurm.slurmd.steps import Prepared, Steps
from slurm.wire import node_messages as n

HOLDER = ["sleep", "100000000"]
"""As ps shows it for Slurm's; three years, and it is not missed."""
_PATH = "/usr/bin:/bin"


class Node(Protocol):
    """What of a node is needed to begin a step."""

    roster: Roster
    steps: Steps
    settings: NodeSettings

    def binding(self, cpus: CpuSet) -> list[int]: ...
    def completed(self, record: StepRecord, job_memory: int, cpus: CpuSet, devices: Sequence[str]) -> StepRecord: ...
    def prepare(self, record: StepRecord) -> Prepared: ...
    def not_begun(self, key: StepKey) -> None: ...


async def begin(node: Node, job: int, attempt: int, order: n.ExternStep) -> str:
    """Begin the extern step of an attempt, once, unless that was ended meanwhile; why it cannot be, "" when it is there."""
    key = StepKey(job, attempt, EXTERN)
    if node.roster.is_past(job, attempt) or node.roster.has_seen(key):
        return ""
    if not can_become(order.uid):
        return f"slurmd runs as uid {os.geteuid()} and cannot run jobs of uid {order.uid}"
    record = record_of(job, attempt, order, node.settings, node.binding(order.cpus))
    record = node.completed(record, order.memory, order.cpus, order.devices)
    try:
        await node.steps.launch(node.prepare(record._replace(plugins=(), task_prologs=(), task_epilogs=())))
    except (OSError, SlurmError) as error:
        node.not_begun(key)
        return f"the extern step cannot be begun: {error.strerror if isinstance(error, OSError) else error.message}"
    return ""


def record_of(job: int, attempt: int, order: n.ExternStep, settings: NodeSettings, cpus: Sequence[int]) -> StepRecord:
    """The record, without what is the same for every step of the node; `cpus` are those to bind to."""
    return StepRecord(
        job=job, attempt=attempt, step=EXTERN, node=settings.node, uid=order.uid, gid=order.gid, user=order.user, argv=HOLDER,
        environment={"PATH": _PATH, "SLURM_JOB_ID": str(job), "SLURM_CONF": settings.conf}, work_dir="/", rlimits={}, cpus=cpus, memory=order.memory,
        kill_wait=order.kill_wait, deadline=boot_clock() + order.time_left if order.time_left >= 0 else 0.0, lease=order.lease,
        sample_seconds=order.sampling, gpus=bool(order.devices), wait_for_children=True)
