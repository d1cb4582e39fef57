"""Questions about the cluster: rows for squeue and sinfo, text for scontrol show, JSON, event streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from slurm.config import show as config_show
from slurm.core import rights
from slurm.model.errors import Unsupported
from slurm.model.ids import JobId
from slurm.render import describe, feed, job_list, node_list
from slurm.render.job_filter import select
from slurm.slurmctld import explaining
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import history_messages as h
from slurm.wire import messages as m
from slurm.wire.follow_messages import RecordsListed

_encode = msgspec.json.Encoder().encode
MICROSECONDS = 8_000
"""What an answer may take of the loop; a longer one is made in a process beside. The numbers below were measured, µs each."""
SUGGESTING_SECONDS = 20.0
"""So long it is sought what would let a job start sooner; what was found by then is told."""
A_CELL = 1.0
A_JOB = 2.0
A_JOB_IN_FULL = 60.0
A_NODE = 12.0
A_NODE_IN_FULL = 30.0
A_NODE_AS_JSON = 250.0
A_PASS = 400.0  # of suggestions, a waiting job or a node
SHOWN = {
    "node": (rights.NODES,), "nodes_json": (rights.NODES,), "sinfo_json": (rights.NODES, rights.PARTITIONS),
    "partition": (rights.PARTITIONS,),
    "partitions_json": (rights.PARTITIONS,)}
"""What a description shows beside jobs, in words of PrivateData."""

CHANGED_BY_EVENTS = ("job", "jobs_json", "partitions_json")
"""What is described the same until there is another event, or another plan.

Nodes tell their load between events; reservations go with time.
"""


def _jobs(ctl: Controller, ids: Sequence[str], *, expand_arrays: bool) -> int:
    """About how many jobs are looked at: of plain ids only these, of arrays all.

    Of many ids none is looked at here: they are answered beside anyway.
    """
    jobs = ctl.cluster.jobs
    if 0 < len(ids) * A_JOB < MICROSECONDS and all(text.isascii() and text.isdigit() and len(text) < 10 and int(text) in jobs
            and not jobs[JobId(int(text))].array_job and not jobs[JobId(int(text))].het for text in ids):
        return len(ids)
    tasks = sum(ledger.shape.count for ledger in ctl.cluster.arrays.values()) if expand_arrays else 0
    return len(jobs) + tasks


async def _answered(ctl: Controller, session: Session, microseconds: float, work: Callable[[], m.Message]) -> m.Message | bytes:
    """The answer of `work`, made in a process beside when it takes long."""
    return await ctl.looked_beside(work, microseconds > MICROSECONDS, session)


async def on_list_jobs(ctl: Controller, session: Session, message: m.ListJobs) -> m.Message | bytes:
    """squeue."""
    if message.at:
        return await _in_the_past(ctl, session, message)
    view, now = ctl.view(session.caller), ctl.now()
    rows = _jobs(ctl, message.filter.ids, expand_arrays=message.expand_arrays)
    cells = min(rows, message.most or rows) * len(message.fields) + rows * len(message.sort)
    return await _answered(ctl, session, A_JOB * rows + A_CELL * cells, lambda: job_list.listed(view, message, session.caller, now))


async def on_list_nodes(ctl: Controller, session: Session, message: m.ListNodes) -> m.Message | bytes:
    """sinfo."""
    rights.require_public(ctl.cluster, session.caller, rights.NODES, rights.PARTITIONS)
    view, now = ctl.view(session.caller), ctl.now()
    return await _answered(ctl, session, len(ctl.cluster.nodes) * (A_NODE + 4 * A_CELL * len(message.fields)), lambda: m.Rows(
        rows=node_list.list_nodes(view, message, now)))


def _cost(ctl: Controller, message: m.Describe) -> float:
    """What a description takes, in µs."""
    if message.what in ("job", "jobs_json", "step"):
        jobs = len(ctl.cluster.jobs)
        sought = jobs if message.what == "step" else _jobs(ctl, message.names, expand_arrays=False)
        return A_JOB_IN_FULL * (min(len(message.names), jobs) or jobs) + (sought if message.names else 0)
    if message.what == "assoc_mgr":
        return A_JOB_IN_FULL * (len(ctl.cluster.policy.book.associations) + len(ctl.cluster.policy.book.qos))
    if message.what in ("nodes_json", "sinfo_json") or (message.what == "node" and message.format):
        return A_NODE_AS_JSON * len(ctl.cluster.nodes)
    if message.what == "node" and message.names and all("[" not in name and "," not in name for name in message.names):
        return A_NODE_IN_FULL * len(message.names)
    return A_NODE_IN_FULL * len(ctl.cluster.nodes)


async def on_describe(ctl: Controller, session: Session, message: m.Describe) -> m.Message | bytes:
    """scontrol show and --json."""
    if message.what == "config":
        return m.Text(text=config_show.show(ctl.config, ctl.dynamic_values()))
    rights.require_public(ctl.cluster, session.caller, *SHOWN.get(message.what, ()))
    view, now = ctl.view(session.caller), ctl.now()
    version = _version(ctl, session) if message.what in CHANGED_BY_EVENTS else ""
    if version and (message.unless == version or 0 < max(ctl.engine.changed, view.last_planned, ctl.started) <= message.since):
        return m.Text(unchanged=True, version=version)

    def described() -> m.Text:
        found = describe.describe(view, message, session.caller, now)
        found.version = version
        return found

    return await _answered(ctl, session, _cost(ctl, message), described)


def _version(ctl: Controller, session: Session) -> str:
    """What is the same as long as nothing has changed that a caller sees of jobs and partitions."""
    return f"{ctl.started:.3f}-{ctl.engine.seq}-{ctl.planner.last_pass:.3f}-{session.caller.uid}"


async def on_list_records(ctl: Controller, session: Session, message: m.ListRecords) -> m.Message | bytes:
    """Some fields of jobs, for those who list thousands."""
    view, now, version = ctl.view(session.caller), ctl.now(), _version(ctl, session)
    if message.unless == version:
        return RecordsListed(version=version, unchanged=True)
    cost = _jobs(ctl, message.filter.ids, expand_arrays=False) * (A_JOB + A_CELL * len(message.fields))
    return await _answered(ctl, session, cost, lambda: RecordsListed(
        records=msgspec.Raw(_encode(feed.job_records(
            sorted(select(view, message.filter, session.caller), key=lambda job: job.id), view, message.fields))),
        version=version, at=now, last_planned=view.last_planned))


async def on_explain(ctl: Controller, session: Session, message: m.ExplainJob) -> m.Message | bytes:
    """Why a job waits, from the same verdicts as squeue's reasons; or why it did at a moment in the past."""
    if message.at:
        return await _in_the_past(ctl, session, message)
    cluster, planner, now, caller = ctl.cluster, ctl.planner, ctl.now(), session.caller
    job = explaining.meant(cluster, caller, message.job_id)
    script = ctl.payload(job.payload.script).decode(errors="replace") if job.state.finished and job.payload.script else ""
    return await _answered(ctl, session, A_PASS * (len(cluster.pending) + len(cluster.nodes)), lambda: explaining.explained(
        cluster, job, message, caller, now, planner.verdicts, planner.forecasts, planner.waiting(), _after(SUGGESTING_SECONDS), script))


async def on_history(ctl: Controller, session: Session, message: h.ReadHistory) -> m.Message | bytes:
    """What happened to a job, moment by moment."""
    return await _in_the_past(ctl, session, message)


async def _in_the_past(ctl: Controller, session: Session, message: m.Message) -> bytes:
    if ctl.lookback is None:
        raise Unsupported(message="no history is kept on this cluster", hints=[
            "SlurmctldParameters=history_time= says for how long it is kept"])
    return await ctl.lookback.ask(ctl.cluster, session.caller, message, ctl.now(), first=ctl.goes_first(session))


def _after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


async def on_watch(ctl: Controller, session: Session, message: m.WatchEvents) -> m.Done:
    """Changed messages until the caller goes. One who does not read is sent away: he would miss changes without knowing."""
    wanted = {JobId(job) for job in message.jobs}

    def wake(job_id: JobId) -> None:
        job = ctl.cluster.jobs.get(job_id)
        if job is not None and (not wanted or job_id in wanted or job.array_job in wanted) and rights.may_see(ctl.cluster, session.caller,
                job):
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
