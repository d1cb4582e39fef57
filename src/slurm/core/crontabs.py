"""Crontabs: which one a user has, and what becomes of the jobs of the one before.

The runs of a job are in `concluding`, their times in `timers`.
"""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import waiting
from slurm.core.effects import Announce, Effect
from slurm.core.state import ClusterState
from slurm.model.crontab import Crontab
from slurm.model.states import JobState, Reason


def on_replaced(state: ClusterState, event: e.CrontabReplaced) -> list[Effect]:
    """Jobs of the crontab before that run go on and do not run again; those that wait are cancelled."""
    before = state.crontabs.pop(event.uid, None)
    if event.text:
        state.crontabs[event.uid] = Crontab(uid=event.uid, user=event.user, text=event.text, jobs=list(event.jobs))
    state.unsaved.crontabs.add(event.uid)
    effects: list[Effect] = []
    for job_id in before.jobs if before is not None else ():
        job = state.jobs.get(job_id)
        if job is None or job_id in event.jobs:
            continue
        job.cron = None
        state.changed(job)
        if job_id in state.pending:
            job.reason_text = str(event.by)
            effects.append(Announce(job=job_id))
            waiting.drop(state, job, JobState.CANCELLED, Reason.NONE, event.at, effects)
    return effects
