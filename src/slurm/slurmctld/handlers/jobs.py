"""Submitting, cancelling, holding, releasing, requeuing and updating jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from slurm.core import admission, cancel, hold, requeue, resizing, rights, selection, suspend, top, update
from slurm.core import changes as changing
from slurm.core.effects import Signal
from slurm.core.events import Caller, Cancelled, Event, JobUpdated
from slurm.model.errors import NotFound, NotPermitted, StoreError
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.request import PayloadRef
from slurm.notation import hostlist
from slurm.sched.feasible import check_request, check_submitted
from slurm.sched.plan import plan_one
from slurm.sched.priority import Scale
from slurm.slurmctld import portions
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.environment import repeated
from slurm.slurmctld.reading import StoredPayload
from slurm.slurmctld.session import Session, caller_as
from slurm.wire import messages as m
from slurm.wire.operation_messages import MoveToTop, ResumeJobs, SuspendJobs

SIGNAL_SECONDS = 5.0
"""So long scancel waits for nodes to say that a signal was sent."""
JOBS_AT_ONCE = 200
PLANNED_BESIDE = 200
"""Nodes and running jobs from which on a plan takes longer than others should have to wait."""
LATER = "it is done as soon as there is space, unless slurmctld ends before"


async def on_submit(ctl: Controller, session: Session, message: m.SubmitJob, payload: StoredPayload) -> m.Submitted:
    """Admit, write, answer: the id is only told once the job is on disk. `payload` is that of the message, as it is kept."""
    caller = _submitter(session, message)
    made = ctl.cluster.keys.find(caller.uid, message.key)
    if made is not None:
        return await _made_before(ctl, made)
    if ctl.submit_plugins:
        script = payload.blobs[0].decode(errors="replace") if payload.blobs else ""
        message.request, *message.components = [
            await ctl.submit_plugins.submitted(one, script, caller, ctl.cluster.settings) for one in (message.request, *message.components)]
        # Somebody may have handed the same in meanwhile.
        made = ctl.cluster.keys.find(caller.uid, message.key)
        if made is not None:
            return await _made_before(ctl, made)
    admitted = admission.admit(ctl.cluster, message.request, payload.ref, caller, ctl.now(), message.components)
    warnings = [*admitted.warnings, *check_submitted(ctl.planner.terrain(), admitted.event), *ctl.mail_warnings(message.request.mail_type)]
    admitted.event.job.key = message.key
    durable = ctl.engine.record(admitted.event, payloads=payload.blobs)
    try:
        await ctl.engine.promised(durable, "the job was not submitted; submit it again when there is space")
    except StoreError:
        # Nobody learns its id: it must not run when the disk takes it after all.
        ctl.engine.record(Cancelled(at=ctl.now(), job=admitted.event.job.id, by=caller.uid))
        raise
    return m.Submitted(job_id=admitted.event.job.id, warnings=warnings)


def _submitter(session: Session, message: m.SubmitJob) -> Caller:
    """As whom a job is submitted: only root does it for others."""
    if not (message.user or message.group):
        return session.caller
    if session.caller.uid != 0 or session.peer.unelevated:
        raise NotPermitted("ESLURM_USER_ID_MISSING", hints=["--uid and --gid are for root"])
    return caller_as(session.caller, message.user, message.group)


async def _made_before(ctl: Controller, made: JobId) -> m.Submitted:
    """The reply to a request that comes again: its job is on disk, whatever has become of it."""
    await ctl.engine.settled()
    job = ctl.cluster.jobs.get(made)
    ended = job is not None and job.state.finished and not job.attempt
    return m.Submitted(job_id=made, warnings=[f"job {made} was cancelled meanwhile"] if ended else [])


async def on_test(ctl: Controller, session: Session, message: m.TestJob) -> m.Message | bytes:
    """When would this job start? Nothing is written."""
    if ctl.submit_plugins:
        message.request = await ctl.submit_plugins.submitted(message.request, "", session.caller, ctl.cluster.settings)
    now = ctl.now()
    admitted = admission.admit(ctl.cluster, message.request, PayloadRef(), session.caller, now)
    check_request(ctl.planner.terrain(), admitted.event.job)
    job = admitted.event.job

    def planned() -> m.WillRun:
        found = plan_one(ctl.planner.terrain(), job, now)
        if found is None or found.allocation is None:
            raise NotFound("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=["no time at which it could start is in sight"])
        return m.WillRun(
            job_id=job.id, start=found.start, processors=found.allocation.cpu_count,
            nodes=hostlist.compress(found.allocation.nodes), partition=found.allocation.partition)

    return await ctl.looked_beside(planned, len(ctl.cluster.nodes) + len(ctl.cluster.active) > PLANNED_BESIDE, session)


async def on_cancel(ctl: Controller, session: Session, message: m.CancelJobs) -> m.Cancelled:
    """End or signal the jobs that match; what the caller may not touch comes back by name."""
    breath = portions.Breath()
    found = cancel.Outcome([], [], [], [], [])
    for part in _parts(ctl, message.filter):
        cancel.cancel(
            ctl.cluster, part.filter, session.caller, ctl.now(), signal=message.signal, batch=message.batch, full=message.full,
            cron=message.cron,
            among=part.among, outcome=found)
        await breath.taken()
    events = _remarked(ctl, session, found.events, message.admin_comment)
    await portions.record(ctl.engine, events, LATER)
    late = await _signal(ctl, [effect for effect in found.effects if isinstance(effect, Signal)])
    return m.Cancelled(done=found.done, refused=[*found.refused, *late], unknown=found.unknown)


def _remarked(ctl: Controller, session: Session, events: list[Event], remark: str) -> list[Event]:
    """With an administrator's comment on each job that is cancelled, before that."""
    if not remark:
        return events
    if not rights.is_operator(ctl.cluster, session.caller):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["only operators write administrators' comments"])
    changes = changing.encode({"admin_comment": remark})
    found: list[Event] = []
    for event in events:
        if isinstance(event, Cancelled) and event.tasks is None:
            found.append(JobUpdated(at=event.at, job=event.job, changes=changes))
        found.append(event)
    return found


class _Part(NamedTuple):
    """Some of the ids of a filter, or for one without ids some of the jobs that are to be looked at."""

    filter: m.JobFilter
    among: list[Job]


def _parts(ctl: Controller, wanted: m.JobFilter) -> Iterator[_Part]:
    if wanted.ids:
        for text in dict.fromkeys(wanted.ids):
            yield _Part(msgspec.structs.replace(wanted, ids=[text]), [])
        return
    numbers = [job.id for job in selection.alive(ctl.cluster)]
    for start in range(0, len(numbers), JOBS_AT_ONCE):
        present = (ctl.cluster.jobs.get(number) for number in numbers[start:start + JOBS_AT_ONCE])
        yield _Part(wanted, [job for job in present if job is not None and not job.state.finished])


async def _signal(ctl: Controller, wanted: list[Signal]) -> list[tuple[str, str, str]]:
    """Send signals; (job, error name, sentence) for those that a node has not taken. They are sent again, which the sentence says."""
    sent = [(effect, ctl.links.carry_out(effect)) for effect in wanted]
    away = {name for effect in wanted for name in effect.nodes if not ctl.links.is_connected(name)}
    waiting = [taken for effect, nodes in sent for name, taken in zip(effect.nodes, nodes, strict=True) if name not in away]
    if waiting:
        await asyncio.wait(waiting, timeout=SIGNAL_SECONDS)
    late: list[tuple[str, str, str]] = []
    for effect, nodes in sent:
        names = [name for name, taken in zip(effect.nodes, nodes, strict=True) if not taken.done()]
        if names:
            job = ctl.cluster.jobs.get(effect.job)
            where = hostlist.compress(names)
            late.append((job.shown_id if job is not None else str(effect.job), "ESLURM_TRANSITION_STATE_NO_UPDATE", (
                f"signal {effect.signal} has not reached {where} yet ({'not connected' if away.issuperset(names) else 'no answer'}); "
                "it is sent as soon as it can be, unless slurmctld ends before")))
    return late


async def on_hold(ctl: Controller, session: Session, message: m.HoldJobs) -> m.Done:
    """Keep pending jobs from starting."""
    events = await portions.found_for(ctl.cluster, message.ids, lambda one: hold.hold(ctl.cluster, [one], session.caller, ctl.now(), user=message.user))
    await portions.record(ctl.engine, events, LATER)
    return m.Done()


async def on_release(ctl: Controller, session: Session, message: m.ReleaseJobs) -> m.Done:
    """Let held jobs start."""
    events = await portions.found_for(ctl.cluster, message.ids, lambda one: hold.release(ctl.cluster, [one], session.caller, ctl.now()))
    await portions.record(ctl.engine, events, LATER)
    return m.Done()


async def on_requeue(ctl: Controller, session: Session, message: m.RequeueJobs) -> m.Done:
    """Put running or ended jobs back into the queue."""
    events = await portions.found_for(ctl.cluster, message.ids, lambda one: requeue.requeue(ctl.cluster, [one], session.caller, ctl.now(),
        hold=message.hold, special=message.special))
    await portions.record(ctl.engine, events, LATER)
    return m.Done()


async def on_top(ctl: Controller, session: Session, message: MoveToTop) -> m.Done:
    """Put some of a user's waiting jobs before his others."""
    now = ctl.now()
    by_users = "enable_user_top" in ctl.config.options("SchedulerParameters")
    events = top.move(ctl.cluster, message.ids, session.caller, now, priority=Scale(ctl.cluster, now).value, by_users=by_users)
    await portions.record(ctl.engine, list(events), LATER)
    return m.Done()


async def on_suspend(ctl: Controller, session: Session, message: SuspendJobs) -> m.Done:
    """Have running jobs hold still."""
    events = await portions.found_for(ctl.cluster, message.ids, lambda one: suspend.suspend(ctl.cluster, [one], session.caller, ctl.now()))
    await portions.record(ctl.engine, events, LATER)
    return m.Done()


async def on_resume(ctl: Controller, session: Session, message: ResumeJobs) -> m.Done:
    """Have suspended jobs go on."""
    events = await portions.found_for(ctl.cluster, message.ids, lambda one: suspend.resume(ctl.cluster, [one], session.caller, ctl.now()))
    await portions.record(ctl.engine, events, LATER)
    return m.Done()


async def on_update(ctl: Controller, session: Session, message: m.UpdateJob) -> m.Done:
    """scontrol update jobid=."""
    changes = await ctl.submit_plugins.modified(message.ids, message.changes, session.caller) if ctl.submit_plugins else message.changes
    events = await portions.found_for(ctl.cluster, [message.ids], lambda one: update.update_job(
        ctl.cluster, one, changes, session.caller, ctl.now()))
    await portions.record(ctl.engine, events, LATER)
    return m.Done(sizes=_sizes(ctl, message.ids) if resizing.KEYS & {key.lower() for key in changes} else {})


def _sizes(ctl: Controller, ids: str) -> dict[str, str]:
    """What the variables of a job that runs say of its size."""
    job = ctl.cluster.find(ids)
    if job is None or job.allocation is None:
        return {}
    nodes, count = hostlist.compress(job.allocation.nodes), str(len(job.allocation.shares))
    return {
        "SLURM_NODELIST": nodes, "SLURM_JOB_NODELIST": nodes, "SLURM_NNODES": count, "SLURM_JOB_NUM_NODES": count,
        "SLURM_JOB_CPUS_PER_NODE": repeated([share.cpu_count for share in job.allocation.shares])}


async def on_batch_script(ctl: Controller, session: Session, message: m.BatchScript) -> m.Text:
    """The script as submitted; its owner and operators may read it."""
    job = ctl.find_job(message.job_id)
    ctl.require_owner(session, job)
    if not job.payload.script:
        raise NotFound("ESLURM_JOB_SCRIPT_MISSING")
    return m.Text(text=ctl.payload(job.payload.script).decode(errors="replace"))


