"""Holding and releasing jobs, waiting ones and, for when they are put back, running ones: what `scontrol hold`, `uhold`, `release` ask."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.core import events as e
from slurm.core import selection
from slurm.core.rights import is_operator, require_owner
from slurm.core.selection import Chosen
from slurm.core.state import ClusterState
from slurm.model.errors import NotNow, NotPermitted
from slurm.model.ids import JobId


def hold(state: ClusterState, ids: Iterable[str], caller: e.Caller, now: float, *, user: bool = False) -> list[e.Event]:
    """Keep jobs from starting, running ones from starting again. An operator's hold is an administrator's, which only operators lift,
    unless `user`."""
    events: list[e.Event] = []
    operator = is_operator(state, caller)
    for chosen in _not_ended(state, ids, caller):
        job = chosen.job
        admin = not user and (operator or job.owner.uid != caller.uid)
        if chosen.tasks is None:
            events.append(e.Held(at=now, job=job.id, admin=admin))
        else:
            events += [e.Held(at=now, job=job.id, admin=admin, task=task) for task in selection.each_task(chosen)]
    return events


def release(state: ClusterState, ids: Iterable[str], caller: e.Caller, now: float) -> list[e.Event]:
    """Let held jobs start; a requeue delay ends too."""
    events: list[e.Event] = []
    for chosen in _not_ended(state, ids, caller):
        job = chosen.job
        if job.held == "admin" and not is_operator(state, caller):
            raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"job {chosen.shown} was held by an administrator"])
        events += [e.Released(at=now, job=job.id, task=task) for task in selection.each_task(chosen)]
    return events


def _not_ended(state: ClusterState, ids: Iterable[str], caller: e.Caller) -> list[Chosen]:
    """The chosen jobs that have not ended. NotNow when all that there was of a job has ended."""
    found = selection.by_ids(state, ids)
    operator = is_operator(state, caller)
    meant: list[Chosen] = []
    others: list[Chosen] = []
    for chosen in found:
        job = chosen.job
        if not operator and job.owner.uid != caller.uid:
            require_owner(state, caller, job)
        waits = job.id in state.pending or job.lost is not None
        (meant if waits or not (job.state.finished or job.completing) else others).append(chosen)
    if others:
        going_on = {chosen.job.array_job or chosen.job.id for chosen in found if not chosen.job.state.finished}
        for chosen in others:
            group: JobId = chosen.job.array_job or chosen.job.id
            if group not in going_on:
                raise NotNow("ESLURM_ALREADY_DONE", hints=[f"job {chosen.shown} is {chosen.job.state.name}"])
    return meant
