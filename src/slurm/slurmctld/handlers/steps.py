"""Steps: what srun inside an allocation asks for."""

from __future__ import annotations

import asyncio

from slurm.core import steps
from slurm.core.events import StepCreated, StepExited
from slurm.model.errors import NotFound, NotNow, Unsupported
from slurm.model.ids import StepId
from slurm.model.job import Job, Step
from slurm.model.states import JobState
from slurm.slurmctld import launch, script_variables
from slurm.slurmctld.certifying import USER_SECONDS
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.environment import step_variables
from slurm.slurmctld.session import Session, group_ids
from slurm.wire import messages as m
from slurm.wire.step_credential import StepCredential, seal
from slurm.wire.step_layout import FindStep, StepFound

REPORT_SECONDS = 2.0
"""So long a node may take to report the end of a step of which its srun has heard."""


async def on_create(ctl: Controller, session: Session, message: m.CreateStep) -> m.StepGranted:
    """Give a running job's resources to a step and sign the credential for its nodes."""
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    if job.state.finished or job.completing:
        raise NotFound("ESLURM_ALREADY_DONE")
    if job.lost is not None:
        raise NotNow("ESLURM_NODES_BUSY", hints=[f"its nodes were lost and are coming back: {','.join(job.nodes_left)}"])
    if job.state is not JobState.RUNNING or job.allocation is None:
        raise NotNow("ESLURM_JOB_PENDING")
    missing = [name for name in job.allocation.nodes if name not in ctl.links.endpoints]
    if missing:
        raise NotNow("ESLURM_NODES_BUSY", hints=[f"node {missing[0]} has not registered yet"])
    now = ctl.now()
    step = steps.asked_before(job, message.request)
    if step is not None:
        await ctl.engine.settled()
    else:
        step = steps.plan_step(ctl.cluster, job, message.request, now)
        await ctl.engine.record(StepCreated(at=now, job=job.id, step=step))
    owner = job.owner
    on_nodes = {share.node for share in step.shares}
    credential = StepCredential(
        cluster=ctl.cluster.settings.cluster_name, job=job.id, attempt=job.attempt, step=step.id, uid=owner.uid, gid=owner.gid, user=owner.user,
        groups=list(group_ids(owner.user, owner.gid)), job_shown=job.shown_id, shares=step.shares, issued=now,
        expires=now + ctl.credential_lifetime, time_limit=message.request.time_limit or -1, time_left=ctl.time_left(job), lease=job.lease,
        sampling=launch.sampling(message.request.sample_seconds, job.request.sample_seconds),
        job_memory={share.node: share.memory for share in job.allocation.shares if share.memory and share.node in on_nodes},
        devices={share.node: launch.device_files(ctl.cluster.nodes[share.node], share) for share in step.shares if share.gres})
    if ctl.cluster.settings.node_prolog:
        credential.prolog = script_variables.of_nodes(job, ctl.cluster.settings, ctl.conf_path)
        credential.prolog_nodes = {share.node: script_variables.of_node(share) for share in job.allocation.shares if share.node in step.nodes}
    return m.StepGranted(
        job_id=job.id, attempt=job.attempt, step_id=step.id, layout=_layout(ctl, step), credential=seal(credential, ctl.signer.sign),
        environment=step_variables(job, ctl.shape_of(job), step, ctl.cluster.settings, ctl.conf_path), time_limit=job.time_limit,
        kill_wait=ctl.cluster.settings.kill_wait)


async def on_find(ctl: Controller, session: Session, message: FindStep) -> StepFound:
    """Where the tasks of a running step are, for who wants to look at it."""
    job = ctl.find_job(message.job_id)
    ctl.require_owner(session, job)
    step = job.steps.get(StepId(message.step_id))
    if step is None or step.end_time or job.state is not JobState.RUNNING:
        running = [str(number) for number, one in job.steps.items() if number >= 0 and not one.end_time]
        raise NotFound(hints=[f"steps of job {job.shown_id} that run: {', '.join(running) or 'none'}"])
    return StepFound(job_id=job.id, attempt=job.attempt, step_id=step.id, layout=_layout(ctl, step))


def _layout(ctl: Controller, step: Step) -> list[m.TaskLayout]:
    return [
        m.TaskLayout(node=share.node, address=ctl.links.endpoints.get(share.node, ""), ranks=ranks, cpus=share.cpu_count, beside=ctl.links.beside.get(share.node, ""))
        for share, ranks in zip(step.shares, steps.ranks(step), strict=True)
    ]


async def _reported(ctl: Controller, job: Job, number: StepId) -> None:
    """Wait until all nodes that are connected have reported the end of a step, but not for long."""
    changed = asyncio.Event()
    stop = ctl.watchers.watch(job.id, lambda _: changed.set())
    try:
        async with asyncio.timeout(REPORT_SECONDS):
            while (step := job.steps.get(number)) is not None and any(ctl.links.is_connected(node) for node in step.nodes_left):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        return
    finally:
        stop()


async def on_certify(ctl: Controller, session: Session, message: m.CertifyUser) -> m.Certified:
    """Vouch for the caller to the machines of his job."""
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    if job.state is not JobState.RUNNING:
        raise NotFound("ESLURM_ALREADY_DONE")
    if ctl.certifier is None:
        raise Unsupported(message="this slurmctld cannot vouch for users on other machines", hints=[
            "it needs slurm.key (AuthType=auth/slurm) or munged (AuthType=auth/munge)"])
    return ctl.certifier.certify("user", str(session.caller.uid), USER_SECONDS)


async def on_finish(ctl: Controller, session: Session, message: m.FinishStep) -> m.Done:
    """srun says its step is over: nodes that never get to report (it could not start there) are counted as done.

    Those that do, report a moment after srun has heard of the end; only they know what the step used.
    """
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    step = job.steps.get(message.step_id)
    if step is None or step.end_time:
        return m.Done()
    await _reported(ctl, job, StepId(step.id))
    step = job.steps.get(message.step_id)
    if step is None:
        return m.Done()
    now = ctl.now()
    await ctl.engine.record(*(
        StepExited(at=now, job=job.id, attempt=job.attempt, step=StepId(step.id), node=node, status=message.status)
        for node in list(step.nodes_left)))
    return m.Done()


