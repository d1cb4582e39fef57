"""Suspending and resuming by people: what `scontrol suspend` and `resume` ask, as events. What becomes of the job is in `suspending`."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.core import events as e
from slurm.core import selection
from slurm.core.rights import is_operator
from slurm.core.state import ClusterState
from slurm.model.errors import NotNow, NotPermitted
from slurm.model.job import Job
from slurm.model.states import JobState

_OPERATORS = "only operators suspend and resume jobs; scancel --signal=STOP and CONT are for a job's owner: it keeps its CPUs then"


def suspend(state: ClusterState, ids: Iterable[str], caller: e.Caller, now: float) -> list[e.Event]:
    """Have running jobs hold still and leave their CPUs to others; of an array those tasks that run.

    NotPermitted for anybody but an operator; NotNow when none of what an id means runs.
    """
    return [
        e.Suspended(at=now, job=job.id, attempt=job.attempt, by=caller.uid)
        for job in _chosen(state, ids, caller, "suspend")]


def resume(state: ClusterState, ids: Iterable[str], caller: e.Caller, now: float) -> list[e.Event]:
    """Have suspended jobs go on. Errors as of `suspend`."""
    return [
        e.Resumed(at=now, job=job.id, attempt=job.attempt, by=caller.uid)
        for job in _chosen(state, ids, caller, "resume")]


def _chosen(state: ClusterState, ids: Iterable[str], caller: e.Caller, word: str) -> list[Job]:
    if not is_operator(state, caller):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[_OPERATORS])
    chosen: list[Job] = []
    for text in ids:
        found = [one.job for one in selection.by_ids(state, [text])]
        able = [job for job in found if _why_not(job, word) is None]
        if not able:
            raise _why_not(found[0], word) or NotNow("ESLURM_DISABLED")
        chosen += able
    return list({job.id: job for job in chosen}.values())


def _why_not(job: Job, word: str) -> NotNow | None:
    """What keeps a job from being suspended or resumed, None when nothing does."""
    shown = f"job {job.shown_id}"
    if job.lost is not None:
        return NotNow("ESLURM_DISABLED", hints=[f"nobody hears of {','.join(job.nodes_left)}, where {shown} may still run"])
    if job.state.finished or job.completing:
        return NotNow("ESLURM_ALREADY_DONE", hints=[f"{shown} is {job.state.name}"])
    if job.state is JobState.PENDING:
        return NotNow("ESLURM_JOB_PENDING", hints=[f"{shown} has not started: scontrol hold {job.shown_id} keeps it from it"])
    if word == "suspend":
        if job.state is JobState.SUSPENDED and job.suspended_by == "operator":
            return NotNow("ESLURM_JOB_SUSPENDED", hints=[f"{shown} is suspended already"])
        if job.preempt_mode:
            return NotNow("ESLURM_DISABLED", hints=[f"{shown} is about to end for job {job.preempted_for}"])
        return None
    if job.state is not JobState.SUSPENDED:
        return NotNow("ESLURM_JOB_NOT_SUSPENDED", hints=[f"{shown} is {job.state.name}"])
    return None
