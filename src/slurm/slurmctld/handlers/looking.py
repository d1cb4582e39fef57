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
    """Changed messages until the caller goes."""
    wanted = {JobId(job) for job in message.jobs}
    queue: asyncio.Queue[JobId] = asyncio.Queue(maxsize=100_000)

    def wake(job: JobId) -> None:
        if (not wanted or job in wanted) and not queue.full():
            queue.put_nowait(job)

    stop = ctl.watchers.watch_all(wake)
    closed = asyncio.ensure_future(session.closed.wait())
    try:
        while not session.closed.is_set():
            change = asyncio.ensure_future(queue.get())
            await asyncio.wait((closed, change), return_when=asyncio.FIRST_COMPLETED)
            if not change.done():
                change.cancel()
                break
            job = ctl.cluster.jobs.get(change.result())
            if job is not None:
                session.send(m.Changed(job_id=job.id, shown_id=job.shown_id, state=job.state.name, exit_status=job.exit_status))
    finally:
        stop()
        closed.cancel()
    return m.Done()
