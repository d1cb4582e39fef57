"""scontrol notify: a line for whoever watches a running job, in the error file of its batch script or at its salloc or srun."""

from __future__ import annotations

from slurm.core import rights, selection
from slurm.model.errors import NotNow
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire import node_messages as n
from slurm.wire.operation_messages import NotifyJob


async def on_notify(ctl: Controller, session: Session, message: NotifyJob) -> m.Done:
    """Say it to each job that is meant and runs; refused where none of them does, or somebody else owns one."""
    jobs = [chosen.job for chosen in selection.by_ids(ctl.cluster, [message.job])]
    for job in jobs:
        rights.require_owner(ctl.cluster, session.caller, job)
    running = [job for job in jobs if job.state is JobState.RUNNING and job.allocation is not None]
    if not running:
        raise NotNow("ESLURM_JOB_PENDING" if jobs[0].state is JobState.PENDING else "ESLURM_ALREADY_DONE", hints=[
            f"job {jobs[0].shown_id} is {jobs[0].state.name}: nobody would read it"])
    for job in running:
        _tell(ctl, job, message.text)
    return m.Done()


def _tell(ctl: Controller, job: Job, text: str) -> None:
    holder = ctl.holders.holder(job.id)
    if job.runs_script:
        node = job.batch_host
        if not ctl.links.send(node, n.NotifyJob(job=job.id, attempt=job.attempt, text=text)):
            raise NotNow("ESLURM_NODES_BUSY", hints=[f"node {node}, where job {job.shown_id} runs, is not connected now: try again"])
    elif holder is not None:
        holder.send(m.Notified(text=text))
    else:
        raise NotNow("ESLURM_DISABLED", hints=[f"job {job.shown_id} has neither a script nor a salloc or srun that waits for it"])
