"""The process that answers a question about the past: folds the history, plans as the planner would have, and writes the reply.

The question comes on standard input, the reply goes to standard output, both JSON.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

import msgspec

from slurm.core import events as e
from slurm.core import rights
from slurm.core.cluster import Cluster
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.errors import NotFound, SlurmError, StoreError
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.notation import jobref
from slurm.render import job_list
from slurm.sched.plan import plan
from slurm.sched.proposal import Forecast, Plan
from slurm.sched.queue import Queue
from slurm.slurmctld import chronicle, explaining, finding
from slurm.slurmctld.lookback import Question
from slurm.store.history import History, Stretch
from slurm.store.state import history_source
from slurm.wire import messages as m
from slurm.wire.history_messages import Happened, HistoryRead, ReadHistory

ABOUT_TO_START = Refusal("", "there was room for it: it was about to start")
NICE = 10


def folded(stretch: Stretch, reader: Reader) -> Cluster:
    """The cluster after all events of a stretch."""
    cluster = restored(stretch.rows, reader) or Cluster()
    for _ in _told(cluster, stretch, reader):
        pass
    return cluster


def _told(cluster: Cluster, stretch: Stretch, reader: Reader) -> Iterator[e.Event]:
    """Each event, after it was applied."""
    cluster.recording.silent = True
    for _, entry in stretch.events:
        event = reader.event(entry.version, entry.kind, entry.body)
        cluster.apply(event)
        yield event


def answer(question: Question, now: float) -> m.Message:
    """The reply; SlurmError."""
    history = History(question.journal, seconds=question.history_seconds, most=sys.maxsize, source=history_source(question.state))
    message = question.message
    try:
        if isinstance(message, ReadHistory):
            return _history(history, question, message, now)
        stretch = history.stretch(message.at)
        cluster = folded(stretch, Reader(stretch.shapes))
    except msgspec.MsgspecError as error:
        raise StoreError(message=f"the history cannot be read: {error}") from error
    caller = _as_today(cluster, question)
    queue = Queue()
    found = plan(cluster, message.at, backfill=cluster.settings.scheduler == "backfill", queue=queue)
    verdicts, forecasts = _as_shown(found, message.at)
    if isinstance(message, m.ListJobs):
        view = finding.view(cluster, caller, message.at, verdicts, forecasts, message.at)
        return m.Rows(rows=job_list.list_jobs(view, message, caller, message.at))
    job = explaining.meant(cluster, caller, message.job_id)
    return explaining.explained(cluster, job, message, caller, message.at, verdicts, forecasts, queue.first(cluster, message.at), None)


def _as_shown(found: Plan, at: float) -> tuple[dict[JobId, Refusal], dict[JobId, Forecast]]:
    """Verdicts and forecasts, with what was to start at that very moment."""
    verdicts, forecasts = dict(found.verdicts), dict(found.forecasts)
    for proposal in found.proposals:
        for job_id, allocation in proposal.parts:
            verdicts[job_id] = ABOUT_TO_START
            forecasts[job_id] = Forecast(at, [str(name) for name in allocation.nodes], allocation)
    return verdicts, forecasts


def _as_today(cluster: Cluster, question: Question) -> e.Caller:
    """Who asks, with the rights of today over what was then."""
    caller = msgspec.structs.replace(question.caller, unelevated=True)
    cluster.settings = msgspec.structs.replace(
        cluster.settings, private_data=question.private_data, operators=[caller.uid] if question.all_seeing else [], slurm_user="")
    return caller


# --- the life of one job -------------------------------------------------------------------------------------------------


def _history(history: History, question: Question, message: ReadHistory, now: float) -> HistoryRead:
    """Everything that happened to a job and is kept, by folding all of it."""
    ref = jobref.parse(message.job_id)
    kept = history.segments()
    found = HistoryRead(since=kept[0].began if kept else 0.0)
    seen: Job | None = None
    cluster = Cluster()
    for number, segment in enumerate(kept or [None]):
        until = kept[number + 1].began if number + 1 < len(kept) else now
        stretch = history.stretch(until if segment is None or number + 1 == len(kept) else min(until, now))
        reader = Reader(stretch.shapes)
        cluster = restored(stretch.rows, reader) or Cluster()
        before = _states(cluster, ref)
        for event in _told(cluster, stretch, reader):
            after = _states(cluster, ref)
            seen = cluster.jobs.get(JobId(ref.job)) or next(iter(cluster.tasks_of(ref.job)), seen)
            if _is_about(event, before, after, ref):
                found.happened.append(_happened(cluster, event, before, after, seen))
            before = after
    caller = _as_today(cluster, question)
    if seen is None or not found.happened or not rights.may_see(cluster, caller, seen):
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=["nothing that is kept happened to it"])
    return found


_States = dict[JobId, tuple[str, str, str]]


def _states(cluster: Cluster, ref: jobref.JobRef) -> _States:
    """The records that are meant, with what people see of each."""
    task = next(iter(ref.tasks), None) if ref.tasks is not None else None
    jobs: Iterable[Job] = cluster.tasks_of(ref.job) if ref.het is None else filter(None, [cluster.component(ref.job, ref.het)])
    return {job.id: (job.shown_id, job.state.name, ",".join(job.flags) + job.held) for job in jobs
            if task is None or job.array_task == task or job.array_part is not None}


def _is_about(event: e.Event, before: _States, after: _States, ref: jobref.JobRef) -> bool:
    """Whether it changed what people see of the job, or is told of it in the log."""
    if before != after:
        return True
    job = getattr(event, "job", None)
    return type(event) in chronicle.SENTENCES and isinstance(job, int) and job in after


def _happened(cluster: Cluster, event: e.Event, before: _States, after: _States, seen: Job | None) -> Happened:
    changed = [shown for job_id, shown in after.items() if before.get(job_id) != shown] or list(after.values()) or list(before.values())
    shown, state, _ = changed[0]
    gone = not after and bool(before)
    return Happened(event.at, shown, chronicle.sentence(cluster, event) or _said(event), "forgotten" if gone else state)


def _said(event: e.Event) -> str:
    """Of events that the log has no line for: what happened, and where."""
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in type(event).__name__).strip()
    node = getattr(event, "node", "")
    return _WORDS.get(type(event), words) + (f" ({node})" if node else "")


_WORDS: dict[type[e.Event], str] = {
    e.NodeFreed: "the node is free of it", e.Launched: "its script began", e.NodeLost: "the node was given up", e.Eligible: "its time came"}


def main() -> int:
    """Answers one question; exit status."""
    os.nice(NICE)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    import time  # only here: what is folded knows no clock

    try:
        reply: m.Message = answer(question, time.time())
    except SlurmError as error:
        reply = m.failure(error)
    sys.stdout.buffer.write(msgspec.json.encode(reply))
    return 0


if __name__ == "__main__":
    sys.exit(main())
