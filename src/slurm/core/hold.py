"""Holding and releasing pending jobs: what `scontrol hold`, `uhold` and `release` ask, as events."""

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
    """Keep pending jobs from starting. An operator's hold can only be lifted by operators, unless `user`, or the job is their own."""
    events: list[e.Event] = []
    for chosen in _waiting(state, ids, caller):
        job = chosen.job
        admin = job.owner.uid != caller.uid and not user
        events += [e.Held(at=now, job=job.id, admin=admin, task=task) for task in selection.each_task(chosen)]
    return events


def release(state: ClusterState, ids: Iterable[str], caller: e.Caller, now: float) -> list[e.Event]:
    """Let held jobs start; a requeue delay ends too."""
    events: list[e.Event] = []
    for chosen in _waiting(state, ids, caller):
        job = chosen.job
        if job.held == "admin" and not is_operator(state, caller):
            raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"job {chosen.shown} was held by an administrator"])
        events += [e.Released(at=now, job=job.id, task=task) for task in selection.each_task(chosen)]
    return events


def _waiting(state: ClusterState, ids: Iterable[str], caller: e.Caller) -> list[Chosen]:
    """The chosen jobs that wait: one that runs needs no hold and has none. NotNow when all that there was of a job has ended."""
    found = selection.by_ids(state, ids)
    waiting = []
    for chosen in found:
        require_owner(state, caller, chosen.job)
        if chosen.job.id in state.pending or chosen.job.lost is not None:
            waiting.append(chosen)
    groups = {chosen.job.array_job or chosen.job.id for chosen in found if not chosen.job.state.finished}
    for chosen in found:
        group: JobId = chosen.job.array_job or chosen.job.id
        if group not in groups:
            raise NotNow("ESLURM_ALREADY_DONE", hints=[f"job {chosen.shown} is {chosen.job.state.name}"])
    return waiting
