"""Purging: finished jobs leave memory after MinJobAge; an array's ledger goes with its last record."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition, story
from slurm.core.state import ClusterState


def on_purged(state: ClusterState, event: e.Purged) -> list[Effect]:
    """Forget these jobs; a job that has not ended cannot be forgotten."""
    jobs = [state.jobs[job_id] for job_id in event.jobs if job_id in state.jobs]
    for job in jobs:
        if not job.state.finished or job.completing:
            raise IllegalTransition(f"Purged names a job that has not ended: {story(job)}")
    for job in jobs:
        state.drop_job(job)
        ledger = state.arrays.get(job.array_job) if job.array_job else None
        if ledger is None:
            state.keys.retire(job.owner.uid, job.key, event.at)
            continue
        if job.array_task is not None:
            ledger.records.pop(job.array_task, None)
        if not ledger.records and job.array_job not in state.jobs:
            del state.arrays[job.array_job]
            state.keys.retire(job.owner.uid, job.key, event.at)
    if jobs and state.in_use(state.next_job_id):
        state.allocate_id()
    return []
