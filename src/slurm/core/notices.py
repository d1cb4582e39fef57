"""Notices: whom outside the cluster an event concerns: the owner who asked for mail, and whoever is told of ended jobs.

Who changes a job so says it here while the event is folded; `recording.take` hands them out. They go to the disk with their event, as
records do, and a replay makes none: those of events that are on disk lie there already.
"""

from __future__ import annotations

from msgspec.structs import replace

from slurm.core import records
from slurm.core.arrays import Ledger, Run
from slurm.core.effects import Tell
from slurm.core.state import ClusterState
from slurm.model.job import Job
from slurm.model.notice import JOBCOMP, MAIL, ArraySummary, Notice, wishes
from slurm.model.states import JobState
from slurm.notation import array
from slurm.notation.taskset import TaskSet

_WELL = frozenset({JobState.COMPLETED, JobState.CANCELLED})
"""States of which Slurm writes Ended, not Failed."""


def began(state: ClusterState, job: Job) -> None:
    """A job, or the first task of an array, started."""
    if _wants(state, job, "BEGIN") and (_each(job) or _is_first(state, job)):
        _tell(state, job, "BEGIN", whole=not _each(job))


def ended(state: ClusterState, job: Job) -> None:
    """A job ended for good, or with it its array; the array's ledger knows it."""
    if state.recording.silent:
        return
    if state.recording.completions:
        _complete(state, job)
    _mail_end(state, job)


def dropped(state: ClusterState, job: Job, gone: list[Run], at: float) -> None:
    """Some tasks of an array ended without a start, while others wait on."""
    if state.recording.silent:
        return
    if state.recording.completions and job.array_part is not None:
        record = replace(
            records.job_record(state, job), array_tasks=array.show(TaskSet(gone), job.array_part.limit, 0), state=JobState.CANCELLED,
            end_time=at,
            start_time=at)
        state.recording.notices.append(Tell(destination=JOBCOMP, notice=Notice(what="END", record=record)))


def requeued(state: ClusterState, job: Job) -> None:
    """A job is about to go back to the queue."""
    if state.recording.silent:
        return
    if state.recording.completions and not job.state.finished:
        _complete(state, job)
    if _wants(state, job, "REQUEUE"):
        _tell(state, job, "REQUEUE", whole=False)


def limit_reached(state: ClusterState, job: Job) -> None:
    """A job is ended for its time limit."""
    if _wants(state, job, "TIME_LIMIT"):
        _tell(state, job, "TIME_LIMIT", whole=False)


def never_satisfied(state: ClusterState, job: Job) -> None:
    """A job waits for what cannot come any more."""
    if _wants(state, job, "INVALID_DEPEND"):
        _tell(state, job, "INVALID_DEPEND", whole=job.array_part is not None)


def of_limit(state: ClusterState, job: Job, what: str) -> Notice:
    """The notice that a part of a running job's time limit is over; that time alone brings it about, whoever has the clock asks for it."""
    return _notice(state, job, what, None)


def _wants(state: ClusterState, job: Job, word: str) -> bool:
    """Whether its owner wants mail of this; cheap where he wants none."""
    return bool(job.request.mail_type) and state.recording.mail and not state.recording.silent and word in wishes(job.request.mail_type)


def _each(job: Job) -> bool:
    """Whether mail is about this record alone: no array, or one of whose tasks its owner wants to hear."""
    return not job.array_job or "ARRAY_TASKS" in wishes(job.request.mail_type)


def _mail_end(state: ClusterState, job: Job) -> None:
    if not job.request.mail_type or not state.recording.mail:
        return
    wanted = wishes(job.request.mail_type)
    if _each(job):
        if "END" in wanted or ("FAIL" in wanted and job.state not in _WELL):
            _tell(state, job, "END", whole=False)
        return
    ledger = state.arrays[job.array_job]
    if ledger.finished and ("END" in wanted or ("FAIL" in wanted and ledger.done_badly)):
        _tell(state, job, "END", whole=True)


def _complete(state: ClusterState, job: Job) -> None:
    notice = Notice(what="END", record=records.job_record(state, job), dependency=job.request.dependency)
    state.recording.notices.append(Tell(destination=JOBCOMP, notice=notice))


def _tell(state: ClusterState, job: Job, what: str, *, whole: bool) -> None:
    ledger = state.arrays.get(job.array_job) if whole and job.array_job else None
    state.recording.notices.append(Tell(destination=MAIL, notice=_notice(state, job, what, ledger)))


def _notice(state: ClusterState, job: Job, what: str, ledger: Ledger | None) -> Notice:
    return Notice(
        what=what, record=records.job_record(state, job), receiver=job.request.mail_user,
        array=_summary(state, ledger) if ledger is not None else None)


def _summary(state: ClusterState, ledger: Ledger) -> ArraySummary:
    known = [state.jobs[job_id] for job_id in ledger.records.values() if job_id in state.jobs]
    states = {job.state.name for job in known if job.state.finished}
    if ledger.done_badly and ledger.done_well:
        states |= {JobState.COMPLETED.name, JobState.FAILED.name}
    statuses = [job.exit_status for job in known] + ([0] if ledger.done_well else [])
    return ArraySummary(
        tasks=ledger.shape.count, state=next(iter(states)) if len(states) == 1 else "Mixed",
        least_status=min(statuses, default=0), highest_status=max(statuses, default=0))


def _is_first(state: ClusterState, job: Job) -> bool:
    """Whether no other task of its array started before."""
    ledger = state.arrays[job.array_job]
    if job.attempt != 1 or job.restarts or ledger.running != 1 or ledger.done_well or ledger.started - 1 > len(ledger.done_badly):
        return False
    others = (state.jobs.get(job_id) for job_id in ledger.records.values() if job_id != job.id)
    return not any(other is None or other.attempt for other in others)
