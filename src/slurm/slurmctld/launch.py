"""Orders to nodes built from records: what slurmd needs to run a batch script, end a job, signal it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from slurm.core import concluding
from slurm.core.effects import Launch, Signal, Suspend, Terminate
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.ids import BATCH_STEP, EXTERN_STEP
from slurm.model.job import ArrayPart, Job, NodeShare
from slurm.model.node import Node
from slurm.model.settings import Settings
from slurm.model.states import JobState
from slurm.notation import filenames, gpu_bind
from slurm.slurmctld.environment import batch_variables
from slurm.wire import node_messages as n


def pattern_fields(job: Job, node: str) -> filenames.Fields:
    """What the % patterns of a batch job's file names stand for."""
    return filenames.Fields(
        job=job.id, job_name=job.request.name, user=job.owner.user, node_name=node, array_job=job.array_job or None,
        array_task=job.array_task)


def output_paths(job: Job, node: str) -> tuple[str, str, str]:
    """(stdin, stdout, stderr) of a batch job with patterns expanded, absolute."""
    request = job.request
    default = filenames.default(job.array_task)
    fields = pattern_fields(job, node)

    def path(pattern: str) -> str:
        return os.path.join(request.work_dir, filenames.expand(pattern, fields))

    out = path(request.stdout or default)
    return path(request.stdin or "/dev/null"), out, path(request.stderr) if request.stderr else out


def device_files(node: Node, share: NodeShare) -> list[str]:
    """Device files of the GRES that a job or step holds on a node, in index order; those that have none are left out."""
    files: list[str] = []
    for pool in node.gres:
        held = share.gres.get(pool.name, NOTHING) & CpuSet.run(min(pool.count, len(pool.files)), pool.first)
        files.extend(path for index in held if (path := pool.files[index - pool.first]))
    return files


def sampling(*asked: int | None) -> int:
    """Seconds from one look at usage to the next: the first that was asked for, -1 when none was."""
    return next((seconds for seconds in asked if seconds is not None), -1)


def batch_order(
    job: Job, shape: ArrayPart | None, effect: Launch, node: Node, settings: Settings, conf_path: str, script: str,
    environment: dict[str, str],
    time_left: float = -1.0, prolog: dict[str, str] | None = None, topology: str = "", members: Sequence[Job] = (),
) -> n.LaunchBatch:
    """The order that starts this attempt; script and environment as submitted. `time_left`: seconds to its time limit, negative: none.

    `members`: the components of a heterogeneous job.
    """
    assert job.allocation is not None
    share = job.allocation.shares[0]
    stdin, stdout, stderr = output_paths(job, share.node)
    request = job.request
    variables = batch_variables(job, shape, settings, conf_path, topology, members)
    if "SLURM_SUBMIT_DIR" in environment:
        del variables["SLURM_SUBMIT_DIR"]  # sbatch knows where it was called; the job may run elsewhere (--chdir)
    if "gpu" in settings.gres_types:
        environment = {name: value for name, value in environment.items() if name not in gpu_bind.OF_A_JOB}
    append = request.open_mode == "append" or (not request.open_mode and (settings.job_file_append or job.restarts > 0))
    return n.LaunchBatch(
        job=job.id, attempt=effect.attempt, shown_id=job.shown_id, uid=job.owner.uid, gid=job.owner.gid, user=job.owner.user,
        script=script, argv=job.payload.argv, environment={"SLURM_PRIO_PROCESS": "0", **environment, **variables},
        work_dir=request.work_dir, stdin=stdin, stdout=stdout, stderr=stderr, append=append, umask=request.umask,
        rlimits=request.rlimits, cpus=share.cpus, memory=share.memory if settings.select_memory else 0,
        devices=device_files(node, share), job_nodes=list(job.allocation.nodes), kill_wait=settings.kill_wait,
        time_left=time_left, lease=settings.fence_timeout if concluding.may_run_again(settings, job) else 0,
        sampling=sampling(request.sample_seconds), prolog=prolog or {})


def extern_step(job: Job, node: Node, settings: Settings, time_left: float) -> n.ExternStep | None:
    """What a node needs for the extern step of this attempt; None where the job has none there."""
    step = job.steps.get(EXTERN_STEP)
    share = next((share for share in step.shares if share.node == node.name), None) if step is not None else None
    if share is None:
        return None
    return n.ExternStep(
        uid=job.owner.uid, gid=job.owner.gid, user=job.owner.user, cpus=share.cpus, memory=share.memory if settings.select_memory else 0,
        devices=device_files(node, share), kill_wait=settings.kill_wait, time_left=time_left,
        lease=settings.fence_timeout if concluding.may_run_again(settings, job) else 0, sampling=sampling(job.request.sample_seconds))


def terminate_order(effect: Terminate, settings: Settings, epilog: dict[str, str]) -> n.TerminateJob:
    """The order that ends every process of an attempt."""
    return n.TerminateJob(job=effect.job, attempt=effect.attempt, why=effect.why, kill_wait=settings.kill_wait, at=effect.at, epilog=epilog)


def suspend_order(job: Job | None, effect: Suspend, settings: Settings) -> n.SuspendJob | None:
    """The order to hold still or to go on, as is right now; None for an attempt that is over."""
    if job is None or job.attempt != effect.attempt or job.completing or job.lost is not None:
        return None
    return n.SuspendJob(job=job.id, attempt=job.attempt, suspended=job.state is JobState.SUSPENDED, grace=settings.suspend_grace_time)


def signal_order(effect: Signal) -> n.SignalJob:
    """The order that sends a signal."""
    return n.SignalJob(
        job=effect.job, attempt=effect.attempt, signal=effect.signal,
        step=None if effect.step == BATCH_STEP else effect.step, batch=effect.batch or effect.step == BATCH_STEP, full=effect.full)
