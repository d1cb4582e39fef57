"""Steps: what srun inside an allocation asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from slurm.core import components, steps
from slurm.core.events import StepCreated, StepExited
from slurm.model.errors import InvalidRequest, NotFound, NotNow, Unsupported
from slurm.model.ids import StepId
from slurm.model.job import Job, Step
from slurm.model.request import StepRequest
from slurm.model.states import JobState
from slurm.slurmctld import launch, script_variables
from slurm.slurmctld.certifying import USER_SECONDS
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.environment import component_variables, spanning_variables, step_variables
from slurm.slurmctld.session import Session, group_ids
from slurm.wire import messages as m
from slurm.wire.step_credential import AttachCredential, StepCredential, seal
from slurm.wire.step_layout import FindStep, StepFound

REPORT_SECONDS = 2.0
"""So long a node may take to report the end of a step of which its srun has heard."""


async def on_create(ctl: Controller, session: Session, message: m.CreateStep) -> m.StepGranted:
    """Give a running job's resources to a step and sign the credential for its nodes; of a heterogeneous job those of several
    components."""
    first = ctl.find_job(str(message.job_id))
    groups = [group for group in (message.het_group, *(part.het_group for part in message.components)) if group is not None]
    _require_components(first, max(groups, default=0))
    wanted = [(_component(ctl, first, message.het_group), message.request)]
    wanted += [(_component(ctl, first, part.het_group), part.request) for part in message.components]
    if len({job.id for job, _ in wanted}) < len(wanted):
        raise InvalidRequest("ESLURM_DUPLICATE_STEP_ID", hints=["one step is made on a component at a time"])
    for job, _ in wanted:
        _require_usable(ctl, session, job)
    now = ctl.now()
    made = [steps.asked_before(job, request) for job, request in wanted]
    found = [step for step in made if step is not None]
    if len(found) == len(wanted):
        await ctl.engine.settled()
    else:
        found = steps.plan_steps(ctl.cluster, wanted, now)
        await ctl.engine.record(*(StepCreated(at=now, job=job.id, step=step) for (job, _), step in zip(wanted, found, strict=True)))
    parts = [(job, step) for (job, _), step in zip(wanted, found, strict=True)]
    granted: list[m.StepGranted] = []
    for (job, request), step in zip(wanted, found, strict=True):
        rank = sum(len(place.ranks) for one in granted for place in one.layout)
        granted.append(_granted(ctl, job, request, step, now, rank, _environment(ctl, job, step, parts)))
    granted[0].components = granted[1:]
    return granted[0]


def _require_components(job: Job, group: int) -> None:
    """InvalidRequest when a job has no component of this number."""
    last = max(0, len(job.het) - 1)
    if group > last:
        raise InvalidRequest("ESLURM_NOT_HET_JOB", (
            f"Attempt to run a job step with het group value of {group}, but the job allocation has maximum value of {last}"))


def _component(ctl: Controller, job: Job, group: int | None) -> Job:
    """The component of a heterogeneous job that is meant."""
    if group is None:
        return job
    found = ctl.cluster.component(job.het_job, group) if job.het else job
    if found is None:
        raise NotFound("ESLURM_ALREADY_DONE", hints=[f"component {group} of job {job.het_job} ended long ago"])
    return found


def _require_usable(ctl: Controller, session: Session, job: Job) -> None:
    """The job runs, is the caller's, and its nodes are there."""
    ctl.require_owner(session, job)
    if job.state.finished or job.completing:
        raise NotFound("ESLURM_ALREADY_DONE")
    if job.lost is not None:
        raise NotNow("ESLURM_NODES_BUSY", hints=[f"its nodes were lost and are coming back: {','.join(job.nodes_left)}"])
    if job.state is JobState.SUSPENDED:
        raise NotNow("ESLURM_JOB_SUSPENDED")
    if job.state is not JobState.RUNNING or job.allocation is None:
        raise NotNow("ESLURM_JOB_PENDING")
    missing = [name for name in job.allocation.nodes if name not in ctl.links.endpoints]
    if missing:
        raise NotNow("ESLURM_NODES_BUSY", hints=[f"node {missing[0]} has not registered yet"])


def _environment(ctl: Controller, job: Job, step: Step, parts: Sequence[tuple[Job, Step]]) -> dict[str, str]:
    settings, conf = ctl.cluster.settings, ctl.conf_path
    found = step_variables(job, ctl.shape_of(job), step, settings, conf)
    if not job.het:
        return found
    return found | spanning_variables(parts) | component_variables(components.members(ctl.cluster.jobs, job), settings, conf)


def _granted(ctl: Controller, job: Job, request: StepRequest, step: Step, now: float, rank: int,
        environment: dict[str, str]) -> m.StepGranted:
    """The reply for one job, whose first task has this rank."""
    assert job.allocation is not None
    owner = job.owner
    on_nodes = {share.node for share in step.shares}
    credential = StepCredential(
        cluster=ctl.cluster.settings.cluster_name, job=job.id, attempt=job.attempt, step=step.id, uid=owner.uid, gid=owner.gid,
        user=owner.user,
        groups=list(group_ids(owner.user, owner.gid)), job_shown=job.shown_id, shares=step.shares, issued=now,
        expires=now + ctl.credential_lifetime, time_limit=request.time_limit or -1, time_left=ctl.time_left(job), lease=job.lease,
        sampling=launch.sampling(request.sample_seconds, job.request.sample_seconds),
        job_memory={share.node: share.memory for share in job.allocation.shares if share.memory and share.node in on_nodes},
        devices={share.node: launch.device_files(ctl.cluster.nodes[share.node], share) for share in step.shares if share.gres})
    if ctl.cluster.settings.node_prolog:
        credential.prolog = script_variables.of_nodes(job, ctl.cluster.settings, ctl.conf_path)
        credential.prolog_nodes = {share.node: script_variables.of_node(share) for share in job.allocation.shares
            if share.node in step.nodes}
    return m.StepGranted(
        job_id=job.id, attempt=job.attempt, step_id=step.id, layout=_layout(ctl, step, rank), credential=seal(credential, ctl.signer.sign),
        environment=environment, time_limit=job.time_limit, kill_wait=ctl.cluster.settings.kill_wait)


async def on_find(ctl: Controller, session: Session, message: FindStep) -> StepFound:
    """Where the tasks of a running step are, for who wants to look at it."""
    job = ctl.find_job(message.job_id)
    ctl.require_owner(session, job)
    step = job.steps.get(StepId(message.step_id))
    if step is None or step.end_time or job.state not in (JobState.RUNNING, JobState.SUSPENDED):
        running = [str(number) for number, one in job.steps.items() if number >= 0 and not one.end_time]
        raise NotFound(hints=[f"steps of job {job.shown_id} that run: {', '.join(running) or 'none'}"])
    now = ctl.now()
    credential = AttachCredential(cluster=ctl.cluster.settings.cluster_name, job=job.id, attempt=job.attempt, step=step.id,
                                  uid=session.caller.uid, issued=now, expires=now + ctl.credential_lifetime)
    return StepFound(job_id=job.id, attempt=job.attempt, step_id=step.id, layout=_layout(ctl, step, _ranks_before(ctl, job, step)),
                     credential=seal(credential, ctl.signer.sign))


def _ranks_before(ctl: Controller, job: Job, step: Step) -> int:
    """How many tasks a step over several components has on those before this one."""
    before = [one.steps.get(step.id) for one in components.members(ctl.cluster.jobs, job) if job.het and one.het_offset < job.het_offset]
    return sum(one.ntasks for one in before if one is not None and one.request.key and one.request.key == step.request.key)


def _layout(ctl: Controller, step: Step, first: int) -> list[m.TaskLayout]:
    """Where its tasks are; `first` is the rank of the first one."""
    return [
        m.TaskLayout(
            node=share.node, address=ctl.links.endpoints.get(share.node, ""), ranks=[first + rank for rank in ranks], cpus=share.cpu_count,
            beside=ctl.links.beside.get(share.node, ""))
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
    if job.state not in (JobState.RUNNING, JobState.SUSPENDED):
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


