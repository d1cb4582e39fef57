"""Allocations without a script: what salloc, srun outside a job and `sbatch -W` wait for.

What is told here was decided by events that are on disk: memory is asked only after `engine.settled`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from slurm.core import admission, components, rights
from slurm.core.events import AllocationRelinquished, Cancelled
from slurm.model.errors import InvalidRequest, NotFound, NotNow, StoreError
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.request import PayloadRef
from slurm.model.states import JobState
from slurm.notation import hostlist
from slurm.sched.feasible import check_submitted
from slurm.slurmctld import environment
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.environment import allocation_variables, repeated
from slurm.slurmctld.session import Session
from slurm.slurmctld.waiting import Waiting
from slurm.wire import messages as m


def granted(ctl: Controller, job: Job, *, waited: bool) -> m.Granted:
    """What the holder of a started allocation needs to know; of a heterogeneous job of each component too."""
    found = _granted(ctl, job, waited=waited)
    if job.het:
        members = components.members(ctl.cluster.jobs, job)
        found.components = [_granted(ctl, one, waited=waited) for one in members if one.allocation is not None]
        found.environment = environment.allocations_variables(members, ctl.cluster.settings, ctl.conf_path)
    return found


def _granted(ctl: Controller, job: Job, *, waited: bool) -> m.Granted:
    allocation = job.allocation
    assert allocation is not None
    return m.Granted(
        job_id=job.id, nodes=hostlist.compress(allocation.nodes), node_names=list(allocation.nodes),
        cpus_per_node=repeated([share.cpu_count for share in allocation.shares]),
        tasks_per_node=repeated([share.tasks for share in allocation.shares]), partition=allocation.partition,
        environment=allocation_variables(job, ctl.cluster.settings, ctl.conf_path), time_limit=job.time_limit, waited=waited)


def ended(job: Job) -> m.JobEnded:
    """How a job ended, for whoever waits."""
    return m.JobEnded(
        job_id=job.id, state=job.state.name, exit_status=job.exit_status, derived_status=job.derived_status, reason=job.reason)


async def _hold_for(ctl: Controller, session: Session, job_id: JobId, *, told: bool) -> m.Message:
    """Keep an allocation for a connection: tell of its start, then of its end; give it up when the connection stays away."""
    announced = False
    with Waiting(ctl.watchers, session, job_id) as waiting:
        job = ctl.cluster.job(job_id)
        if not job.request.no_shell:
            ctl.holders.attach(job_id, session)
        while True:
            await ctl.engine.settled()
            if job.state.finished:
                ctl.holders.release(job_id)
                return ended(job)
            if not announced and _is_ready(ctl, job):
                session.send(granted(ctl, job, waited=told))
                announced = True
            if not await waiting.changed():
                ctl.holders.detach(job_id, session)
                return m.Done()


def _is_ready(ctl: Controller, job: Job) -> bool:
    """Whether it, and every other component that has not ended, may be used."""
    return all(one.state is JobState.RUNNING and "configuring" not in one.flags for one in (job, *components.beside(ctl.cluster.jobs, job)))


async def on_allocate(ctl: Controller, session: Session, message: m.AllocateJob) -> m.Message:
    """Queue, tell at once whether it waits, then hold it for this connection."""
    made = ctl.cluster.keys.find(session.caller.uid, message.key)
    if made is not None:
        await ctl.engine.settled()
        return await _hold_again(ctl, session, made)
    if ctl.submit_plugins:
        message.request, *message.components = [
            await ctl.submit_plugins.submitted(one, "", session.caller, ctl.cluster.settings)
            for one in (message.request, *message.components)]
        made = ctl.cluster.keys.find(session.caller.uid, message.key)
        if made is not None:
            await ctl.engine.settled()
            return await _hold_again(ctl, session, made)
    admitted = admission.admit(ctl.cluster, message.request, PayloadRef(), session.caller, ctl.now(), message.components)
    admitted.event.job.key = message.key
    job_id = admitted.event.job.id
    notes = [*admitted.warnings, *check_submitted(ctl.planner.terrain(), admitted.event), *ctl.mail_warnings(message.request.mail_type)]
    durable = ctl.engine.record(admitted.event)
    try:
        await ctl.engine.promised(durable, "nothing was allocated; ask again when there is space")
    except StoreError:
        ctl.engine.record(Cancelled(at=ctl.now(), job=job_id, by=session.caller.uid))
        raise
    await ctl.engine.settled()  # the plan that this job called for, if it was made at once
    job = ctl.cluster.job(job_id)
    patience = message.request.immediate
    waits = job.state is JobState.PENDING
    if waits and patience:
        if not notes:
            await _start_within(ctl, session, job, patience)
        if job.state is JobState.PENDING:
            await ctl.engine.record(Cancelled(at=ctl.now(), job=job_id, by=session.caller.uid))
            raise NotNow("ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE" if notes else "ESLURM_NODES_BUSY")
    elif waits:
        session.send(m.Pending(job_id=job_id, notes=notes))
    return await _hold_for(ctl, session, job_id, told=waits)


async def _hold_again(ctl: Controller, session: Session, job_id: JobId) -> m.Message:
    """A request that comes again: its allocation is held for this connection from now on."""
    job = ctl.cluster.job(job_id)
    if job.state is JobState.PENDING:
        session.send(m.Pending(job_id=job_id))
    return await _hold_for(ctl, session, job_id, told=job.state is JobState.PENDING)


async def _start_within(ctl: Controller, session: Session, job: Job, seconds: float) -> None:
    """Wait until a job does not wait any more, its caller has gone, or the time is over."""
    with Waiting(ctl.watchers, session, job.id) as waiting:
        try:
            async with asyncio.timeout(seconds):
                while job.state is JobState.PENDING and await waiting.changed():
                    continue
        except TimeoutError:
            return


async def on_attach(ctl: Controller, session: Session, message: m.AttachAllocation) -> m.Message:
    """A client that lost us takes its allocation up again."""
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    if job.request.kind != "alloc" or job.het_job not in (0, job.id):
        raise InvalidRequest("ESLURM_INVALID_JOB_ID",
            hints=[f"job {job.id} is {'a component' if job.het else 'a batch job'}; nobody holds it"])
    return await _hold_for(ctl, session, job.id, told=True)


async def on_relinquish(ctl: Controller, session: Session, message: m.Relinquish) -> m.Done:
    """Give an allocation back."""
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    if job.request.kind != "alloc":
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[f"job {job.id} is a batch job; nobody holds it"])
    ctl.holders.release(job.id)
    if job.state is JobState.PENDING:
        await ctl.engine.record(Cancelled(at=ctl.now(), job=job.id, by=session.caller.uid))
    elif not job.state.finished:
        await ctl.engine.record(AllocationRelinquished(at=ctl.now(), job=job.id, status=message.status))
    return m.Done()


async def on_wait_job(ctl: Controller, session: Session, message: m.WaitJob) -> m.JobEnded:
    """The end of a job, or of all tasks of an array with the highest status among them. Jobs that run again are waited for again."""
    target = JobId(message.job_id)
    _require_seen(ctl, session, ctl.cluster.tasks_of(target))
    jobs = ctl.cluster.jobs
    seen: dict[JobId, Job] = {}  # records that leave memory stay here as they were
    lasting: set[JobId] = set()
    with Waiting(ctl.watchers, session, target) as waiting:
        while True:
            await ctl.engine.settled()
            # Only what changed is looked at, and everything once more before the end: an array may have 100,000 tasks.
            news = [jobs[job_id] for job_id in waiting.news if job_id in jobs] if lasting else ctl.cluster.tasks_of(target)
            waiting.news.clear()
            seen.update((job.id, job) for job in news)
            lasting = {job_id for job_id in lasting.union(job.id for job in news) if not _is_over(seen[job_id])}
            if not lasting and all(_is_over(job) for job in ctl.cluster.tasks_of(target)):
                break
            if not await waiting.changed():
                break
    if not seen:
        raise NotFound(hints=[f"no job {target} is known: it never was, or it ended long ago"])
    return ended(max(seen.values(), key=lambda job: (job.exit_status >> 8, job.exit_status, job.state is not JobState.COMPLETED)))


def _require_seen(ctl: Controller, session: Session, jobs: Iterable[Job]) -> None:
    """NotFound for jobs that PrivateData keeps from the caller."""
    if any(not rights.may_see(ctl.cluster, session.caller, job) for job in jobs):
        raise NotFound("ESLURM_INVALID_JOB_ID")


def _is_over(job: Job) -> bool:
    return job.state.finished and not job.requeue_after


async def on_wait_ready(ctl: Controller, session: Session, message: m.WaitReady) -> m.Done:
    """scontrol wait_job: its nodes are ready as soon as it runs."""
    job = ctl.find_job(str(message.job_id))
    _require_seen(ctl, session, [job])
    with Waiting(ctl.watchers, session, job.id) as waiting:
        await ctl.engine.settled()
        while (job.state is JobState.PENDING or "configuring" in job.flags) and await waiting.changed():
            await ctl.engine.settled()
    if job.state.finished:
        raise NotFound("ESLURM_ALREADY_DONE")
    return m.Done()
