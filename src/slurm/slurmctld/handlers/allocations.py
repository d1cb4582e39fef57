"""Allocations without a script: what salloc, srun outside a job and `sbatch -W` wait for."""

from __future__ import annotations

import asyncio

from slurm.core import admission
from slurm.core.events import AllocationRelinquished, Cancelled
from slurm.model.errors import InvalidRequest, NotFound, NotNow
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.request import PayloadRef
from slurm.model.states import JobState
from slurm.notation import hostlist
from slurm.sched.feasible import check_request
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.environment import allocation_variables, repeated
from slurm.slurmctld.session import Session
from slurm.wire import messages as m


def granted(ctl: Controller, job: Job, *, waited: bool) -> m.Granted:
    """What the holder of a started allocation needs to know."""
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
    changed = asyncio.Event()
    stop = ctl.watchers.watch(job_id, lambda _: changed.set())
    if not ctl.cluster.jobs[job_id].request.no_shell:
        ctl.holders.attach(job_id, session)
    announced = False
    try:
        while True:
            job = ctl.cluster.jobs.get(job_id)
            if job is None:
                raise NotFound()
            if job.state.finished:
                return ended(job)
            if job.state is JobState.RUNNING and not announced:
                session.send(granted(ctl, job, waited=told))
                announced = True
            closed = asyncio.ensure_future(session.closed.wait())
            change = asyncio.ensure_future(changed.wait())
            await asyncio.wait((closed, change), return_when=asyncio.FIRST_COMPLETED)
            closed.cancel()
            change.cancel()
            changed.clear()
            if session.closed.is_set():
                ctl.holders.detach(job_id, session)
                return m.Done()
    finally:
        stop()


async def on_allocate(ctl: Controller, session: Session, message: m.AllocateJob) -> m.Message:
    """Queue, tell at once whether it waits, then hold it for this connection."""
    ctl.engine.refuse_when_stalled()
    admitted = admission.admit(ctl.cluster, message.request, PayloadRef(), session.caller, ctl.now())
    job = admitted.event.job
    notes = [*admitted.warnings, *check_request(ctl.cluster, job)]
    await ctl.engine.record(admitted.event)
    await asyncio.sleep(0)
    present = ctl.cluster.jobs[job.id]
    waits = present.state is JobState.PENDING
    if waits and message.request.immediate and not await _started_within(ctl, job.id, message.request.immediate):
        await ctl.engine.record(Cancelled(at=ctl.now(), job=job.id, by=session.caller.uid))
        if message.request.immediate == 1 or notes:
            raise NotNow("ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE" if notes else "ESLURM_NODES_BUSY")
        raise NotNow("ESLURM_NODES_BUSY")
    if waits and not message.request.immediate:
        session.send(m.Pending(job_id=job.id, notes=notes))
    return await _hold_for(ctl, session, job.id, told=waits)


async def _started_within(ctl: Controller, job_id: JobId, seconds: float) -> bool:
    changed = asyncio.Event()
    stop = ctl.watchers.watch(job_id, lambda _: changed.set())
    try:
        async with asyncio.timeout(seconds):
            while (job := ctl.cluster.jobs.get(job_id)) is not None and job.state is JobState.PENDING:
                await changed.wait()
                changed.clear()
    except TimeoutError:
        return False
    finally:
        stop()
    return True


async def on_attach(ctl: Controller, session: Session, message: m.AttachAllocation) -> m.Message:
    """A client that lost us takes its allocation up again."""
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    if job.request.kind != "alloc":
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[f"job {job.id} is a batch job; nobody holds it"])
    return await _hold_for(ctl, session, job.id, told=True)


async def on_relinquish(ctl: Controller, session: Session, message: m.Relinquish) -> m.Done:
    """Give an allocation back."""
    job = ctl.find_job(str(message.job_id))
    ctl.require_owner(session, job)
    ctl.holders.release(job.id)
    if job.state is JobState.PENDING:
        await ctl.engine.record(Cancelled(at=ctl.now(), job=job.id, by=session.caller.uid))
    elif not job.state.finished:
        await ctl.engine.record(AllocationRelinquished(at=ctl.now(), job=job.id, status=message.status))
    return m.Done()


async def on_wait_job(ctl: Controller, session: Session, message: m.WaitJob) -> m.JobEnded:
    """The end of a job, or of all tasks of an array with the highest status among them."""
    target = JobId(message.job_id)
    tasks = ctl.cluster.tasks_of(target)
    if not tasks:
        raise NotFound()
    changed = asyncio.Event()
    stop = ctl.watchers.watch(target, lambda _: changed.set())
    outcome: dict[JobId, Job] = {}
    try:
        while not session.closed.is_set():
            tasks = ctl.cluster.tasks_of(target)
            outcome.update((job.id, job) for job in tasks if job.state.finished)
            if all(job.state.finished and not job.requeue_after for job in tasks):
                break
            await changed.wait()
            changed.clear()
    finally:
        stop()
    if not outcome:  # The caller hung up first, or MinJobAge is so short that the job was purged at once.
        raise NotFound()
    worst = max(outcome.values(), key=lambda job: (job.exit_status >> 8, job.exit_status, job.state is not JobState.COMPLETED))
    return ended(worst)


async def on_wait_ready(ctl: Controller, session: Session, message: m.WaitReady) -> m.Done:
    """scontrol wait_job: its nodes are ready as soon as it runs."""
    job = ctl.find_job(str(message.job_id))
    if job.state.finished:
        raise NotFound("ESLURM_ALREADY_DONE")
    changed = asyncio.Event()
    stop = ctl.watchers.watch(job.id, lambda _: changed.set())
    try:
        while (present := ctl.cluster.jobs.get(job.id)) is not None and present.state is JobState.PENDING and not session.closed.is_set():
            await changed.wait()
            changed.clear()
    finally:
        stop()
    if present is None or present.state.finished:
        raise NotFound("ESLURM_ALREADY_DONE")
    return m.Done()
