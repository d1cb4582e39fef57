"""Questions about the cluster: rows for squeue and sinfo, text for scontrol show, JSON, event streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from slurm.config import show as config_show
from slurm.core import rights
from slurm.model.errors import NotFound
from slurm.model.explanation import Explanation, Other
from slurm.model.ids import JobId
from slurm.model.states import JobState
from slurm.render import describe, job_list, job_values, node_list
from slurm.sched import priority_words
from slurm.sched.explain import explain, most_telling
from slurm.sched.priority import Scale
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import messages as m

MICROSECONDS = 8_000
"""What an answer may take of the loop; a longer one is made in a process beside. The numbers below were measured, µs each."""
A_CELL = 1.0
A_JOB = 2.0
A_JOB_IN_FULL = 60.0
A_NODE = 12.0
A_NODE_IN_FULL = 30.0
A_NODE_AS_JSON = 250.0
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
            and not jobs[JobId(int(text))].array_job for text in ids):
        return len(ids)
    tasks = sum(ledger.shape.count for ledger in ctl.cluster.arrays.values()) if expand_arrays else 0
    return len(jobs) + tasks


async def _answered(ctl: Controller, session: Session, microseconds: float, work: Callable[[], m.Message]) -> m.Message | bytes:
    """The answer of `work`, made in a process beside when it takes long."""
    return await ctl.looked_beside(work, microseconds > MICROSECONDS, session)


async def on_list_jobs(ctl: Controller, session: Session, message: m.ListJobs) -> m.Message | bytes:
    """squeue."""
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
        return A_JOB_IN_FULL * (min(len(message.names), len(ctl.cluster.jobs)) or len(ctl.cluster.jobs)) + len(message.names
            and ctl.cluster.jobs)
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
    if message.what in CHANGED_BY_EVENTS and 0 < max(ctl.engine.changed, view.last_planned, ctl.started) <= message.since:
        return m.Text(unchanged=True)
    return await _answered(ctl, session, _cost(ctl, message), lambda: describe.describe(view, message, session.caller, now))


async def on_explain(ctl: Controller, session: Session, message: m.ExplainJob) -> m.Message | bytes:
    """Why a job waits, from the same verdicts as squeue's reasons."""
    started = ctl.cluster.tasks_of(int(message.job_id)) if message.job_id.isdecimal() else []
    job, planner, now = most_telling(started) if started and not started[0].het else ctl.find_job(message.job_id), ctl.planner, ctl.now()
    view, caller, cluster = ctl.view(session.caller), session.caller, ctl.cluster
    if not rights.may_see(cluster, caller, job):
        raise NotFound("ESLURM_INVALID_JOB_ID")

    def explained() -> m.Explained:
        found = explain(cluster, job, now, refusal=planner.verdicts.get(job.id), forecast=planner.forecasts.get(job.id),
            queue=planner.waiting(),
                        sees=lambda other: rights.may_see(cluster, caller, other))
        if job.state.finished and job.state is not JobState.COMPLETED:
            found.error_file = job_values.stderr(job, view) or job_values.stdout(job, view)
        _hide_others(ctl, session, found)
        if message.priority and job.state is JobState.PENDING:
            found.priority = priority_words.told(Scale(ctl.cluster, now), job)
        return m.Explained(explanation=found)

    return await _answered(ctl, session, A_JOB * len(ctl.cluster.pending) / 4, explained)


def _hide_others(ctl: Controller, session: Session, found: Explanation) -> None:
    """Leave out of an explanation what the asker may not know of other jobs."""
    def seen(other: Other) -> Other:
        job = ctl.cluster.find(other.job.partition("_[")[0])
        if job is not None and rights.may_see(ctl.cluster, session.caller, job):
            return other
        return Other(job="another", name="", user="somebody else", state=other.state, end=other.end)

    if rights.is_private(ctl.cluster, session.caller, rights.JOBS):
        found.first = seen(found.first) if found.first is not None else None
        found.waits_for, found.holders = [seen(one) for one in found.waits_for], [seen(one) for one in found.holders]


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
