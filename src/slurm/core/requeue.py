"""Requeuing by people: what `scontrol requeue` and `requeuehold` ask, as events. What becomes of the job is in `requeuing`."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.core import concluding, selection
from slurm.core import events as e
from slurm.core.rights import require_owner
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.job import Job


def requeue(state: ClusterState, ids: Iterable[str], caller: e.Caller, now: float, *, hold: bool = False,
        special: bool = False) -> list[e.Event]:
    """Have running or ended jobs run again from the beginning; of an array those tasks that started."""
    found = selection.by_ids(state, ids)
    events: list[e.Event] = []
    refusal: NotNow | None = None
    for chosen in found:
        job = chosen.job
        require_owner(state, caller, job)
        if job.het and job.id != job.het_job:
            if not any(one.job.id == job.het_job for one in found):
                raise InvalidRequest("ESLURM_NOT_HET_JOB_LEADER",
                    hints=[f"{chosen.shown} is a component: requeue the whole job, {job.het_job}"])
            continue
        if job.id in state.pending:
            refusal = refusal or NotNow("ESLURM_JOB_PENDING", hints=[f"job {chosen.shown} has not started"])
            continue
        _check(state, job, chosen.shown)
        events.append(e.Requeued(at=now, job=job.id, by=caller.uid, hold=hold, why=e.SPECIAL_EXIT if special else ""))
    if not events and refusal is not None:
        raise refusal
    return events


def _check(state: ClusterState, job: Job, shown: str) -> None:
    if job.request.kind != "batch":
        raise InvalidRequest("ESLURM_BATCH_ONLY", hints=[f"job {shown} is an interactive allocation: there is no script to run again"])
    if job.array_part is not None:
        raise NotNow("ESLURM_ALREADY_DONE", hints=[f"the tasks of {shown} were cancelled before they started: submit them again"])
    if not concluding.may_run_again(state.settings, job):
        raise NotNow("ESLURM_DISABLED", hints=[f"job {shown} was submitted with --no-requeue, or JobRequeue=0"])
