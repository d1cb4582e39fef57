"""The extern step of a job on this node (PrologFlags=Contain): how it is begun, what its slurmstepd is told, and Epilog within it (RunInJob).

It holds, until the job ends, what comes from outside of the job's steps: a login that was admitted for the job (`slurm adopt`). Its one
task does nothing; whoever ends that ends nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from slurm.model.cpu_set import CpuSet
from slurm.model.errors import SlurmError
from slurm.slurmd import control
from slurm.slurmd.job_scripts import JobScripts
from slurm.slurmd.roster import JobHere, Roster, StepHere
from slurm.slurmd.settings import NodeSettings
from slurm.slurmd.stepd.confinement import group_of
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
    scripts: JobScripts
    kill_wait: int
    settings: NodeSettings

    def binding(self, cpus: CpuSet) -> list[int]: ...
    def completed(self, record: StepRecord, job_memory: int, cpus: CpuSet, devices: Sequence[str]) -> StepRecord: ...
    def prepare(self, record: StepRecord) -> Prepared: ...
    def not_begun(self, key: StepKey) -> None: ...


async def begin(node: Node, job: int, attempt: int, order: n.ExternStep) -> str:
    """Begin the extern step of an attempt, once, unless that was ended meanwhile; why it cannot be, "" when it is there."""
    key = StepKey(job, attempt, EXTERN)
    if node.roster.is_past(job, attempt):
        return ""
    if node.roster.has_seen(key):
        step = _running(node.roster.find(job, attempt))
        if step is not None:
            await _is_set_up(step)
        return ""
    if not can_become(order.uid):
        return f"slurmd runs as uid {os.geteuid()} and cannot run jobs of uid {order.uid}"
    record = record_of(job, attempt, order, node.settings, node.binding(order.cpus))
    record = node.completed(record, order.memory, order.cpus, order.devices)
    try:
        prepared = node.prepare(record._replace(plugins=(), task_prologs=(), task_epilogs=()))
        await node.steps.launch(prepared)
        await _is_set_up(prepared.step)
    except (OSError, SlurmError) as error:
        node.not_begun(key)
        return f"the extern step cannot be begun: {error.strerror if isinstance(error, OSError) else error.message}"
    return ""


async def _is_set_up(step: StepHere) -> None:
    """Wait until its slurmstepd answers, which it does when it has its cgroups; not for ever."""
    await control.ask(step.path, {"op": "status"})


def of_batch(order: n.LaunchBatch) -> n.ExternStep:
    """The same of the order to start its script, which may come first."""
    return n.ExternStep(
        uid=order.uid, gid=order.gid, user=order.user, cpus=order.cpus, memory=order.memory, devices=order.devices,
        kill_wait=order.kill_wait, time_left=order.time_left, lease=order.lease, sampling=order.sampling)


def doors(here: JobHere | None) -> list[str]:
    """The files by which a process enters the cgroups of an attempt's extern step; none where it has none."""
    step = _running(here)
    if step is None or step.record is None or not step.record.cgroup:
        return []
    return [os.path.join(path, "cgroup.procs") for path in group_of(step.record).folders]


def keep(node: Node, here: JobHere) -> StepHere | None:
    """The extern step of an attempt that is being ended, where it is to stay for Epilog: the job's time may be over, Epilog's is not."""
    step = _running(here) if node.scripts.in_job and node.scripts.has("epilog") and doors(here) else None
    if step is not None:
        node.steps.orders.limit(step, 0.0)
    return step


async def epilog(node: Node, here: JobHere, step: StepHere, told: Mapping[str, str]) -> None:
    """Run Epilog within the extern step, and end that. How it went is told when all is over."""
    node.steps.orders.suspend(step, False, 0)
    try:
        await node.scripts.epilog(here.job, here.attempt, told)
    finally:
        node.steps.orders.terminate(step, "", node.kill_wait, time.time())


def _running(here: JobHere | None) -> StepHere | None:
    step = here.steps.get(EXTERN) if here is not None else None
    return step if step is not None and step.ended is None else None


def record_of(job: int, attempt: int, order: n.ExternStep, settings: NodeSettings, cpus: Sequence[int]) -> StepRecord:
    """The record, without what is the same for every step of the node; `cpus` are those to bind to."""
    return StepRecord(
        job=job, attempt=attempt, step=EXTERN, node=settings.node, uid=order.uid, gid=order.gid, user=order.user, argv=HOLDER,
        environment={"PATH": _PATH, "SLURM_JOB_ID": str(job), "SLURM_CONF": settings.conf}, work_dir="/", rlimits={}, cpus=cpus, memory=order.memory,
        kill_wait=order.kill_wait, deadline=boot_clock() + order.time_left if order.time_left >= 0 else 0.0, lease=order.lease,
        sample_seconds=order.sampling, gpus=bool(order.devices), wait_for_children=True)
