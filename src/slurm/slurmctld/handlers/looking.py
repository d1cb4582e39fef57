"""Questions about the cluster: rows for squeue and sinfo, text for scontrol show, JSON, event streams."""

from __future__ import annotations

import asyncio

from slurm.config import show as config_show
from slurm.model.ids import JobId
from slurm.render import describe, job_list, node_list
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import messages as m


async def on_list_jobs(ctl: Controller, session: Session, message: m.ListJobs) -> m.Rows:
    """squeue."""
    return m.Rows(rows=job_list.list_jobs(ctl.view(), message, session.caller, ctl.now()))


async def on_list_nodes(ctl: Controller, session: Session, message: m.ListNodes) -> m.Rows:
    """sinfo."""
    return m.Rows(rows=node_list.list_nodes(ctl.view(), message, ctl.now()))


async def on_describe(ctl: Controller, session: Session, message: m.Describe) -> m.Text:
    """scontrol show and --json."""
    if message.what == "config":
        return m.Text(text=config_show.show(ctl.config, ctl.dynamic_values()))
    return describe.describe(ctl.view(), message, session.caller, ctl.now())


async def on_watch(ctl: Controller, session: Session, message: m.WatchEvents) -> m.Done:
    """Changed messages until the caller goes. One who does not read is sent away: he would miss changes without knowing."""
    wanted = {JobId(job) for job in message.jobs}

    def wake(job_id: JobId) -> None:
        job = ctl.cluster.jobs.get(job_id)
        if job is not None and (not wanted or job_id in wanted or job.array_job in wanted):
            session.send(m.Changed(job_id=job.id, shown_id=job.shown_id, state=job.state.name, exit_status=job.exit_status))

    stop = ctl.watchers.watch_all(wake)
    gone = asyncio.Event()
    session.waiting.add(gone)
    try:
        if not session.closed:
            await gone.wait()
    finally:
        stop()
        session.waiting.discard(gone)
    return m.Done()
