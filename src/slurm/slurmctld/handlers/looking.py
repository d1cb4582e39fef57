"""Questions about the cluster: rows for squeue and sinfo, text for scontrol show, JSON, event streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from slurm.config import show as config_show
from slurm.model.errors import SlurmError
from slurm.model.ids import JobId
from slurm.model.states import JobState
from slurm.render import describe, job_list, job_values, node_list
from slurm.sched.explain import explain
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import messages as m

MANY = 20_000
"""Rows of which the answer takes longer than others should have to wait for theirs (about 2 µs a row)."""
LONG_ROW = 20
"""How many rows of squeue one job takes as long as, when all of it is told."""
_json = msgspec.json.Encoder()


def _rows(ctl: Controller, *, expand_arrays: bool) -> int:
    """About how many jobs a list of all of them has."""
    tasks = sum(ledger.shape.count for ledger in ctl.cluster.arrays.values()) if expand_arrays else 0
    return len(ctl.cluster.jobs) + tasks


async def _answered(ctl: Controller, rows: int, work: Callable[[], m.Message]) -> m.Message | bytes:
    """The answer of `work`, made in a process beside when it is large."""
    if rows <= MANY:
        return work()

    def encoded() -> bytes:
        try:
            return _json.encode(work())
        except SlurmError as error:
            return _json.encode(m.failure(error))

    return await ctl.beside.run(encoded)


async def on_list_jobs(ctl: Controller, session: Session, message: m.ListJobs) -> m.Message | bytes:
    """squeue."""
    view, now = ctl.view(), ctl.now()
    rows = 0 if message.filter.ids else _rows(ctl, expand_arrays=message.expand_arrays)
    return await _answered(ctl, rows, lambda: m.Rows(
        rows=job_list.list_jobs(view, message, session.caller, now)))


async def on_list_nodes(ctl: Controller, session: Session, message: m.ListNodes) -> m.Rows:
    """sinfo."""
    return m.Rows(rows=node_list.list_nodes(ctl.view(), message, ctl.now()))


async def on_describe(ctl: Controller, session: Session, message: m.Describe) -> m.Message | bytes:
    """scontrol show and --json."""
    if message.what == "config":
        return m.Text(text=config_show.show(ctl.config, ctl.dynamic_values()))
    view, now = ctl.view(), ctl.now()
    rows = _rows(ctl, expand_arrays=False) * LONG_ROW if message.what in ("job", "jobs_json") and not message.names else 0
    return await _answered(ctl, rows, lambda: describe.describe(view, message, session.caller, now))


async def on_explain(ctl: Controller, session: Session, message: m.ExplainJob) -> m.Message | bytes:
    """Why a job waits, from the same verdicts as squeue's reasons."""
    started = ctl.cluster.tasks_of(int(message.job_id)) if message.job_id.isdecimal() else []
    job, planner, now = started[-1] if started else ctl.find_job(message.job_id), ctl.planner, ctl.now()
    view = ctl.view()

    def explained() -> m.Explained:
        found = explain(ctl.cluster, job, now, refusal=planner.verdicts.get(job.id), forecast=planner.forecasts.get(job.id), queue=planner.waiting())
        if job.state.finished and job.state is not JobState.COMPLETED:
            found.error_file = job_values.stderr(job, view) or job_values.stdout(job, view)
        return m.Explained(explanation=found)

    return await _answered(ctl, len(ctl.cluster.pending), explained)


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
