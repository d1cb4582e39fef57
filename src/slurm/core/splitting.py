"""Splitting one task off its array's record."""

from __future__ import annotations

import msgspec

from slurm.core import arrays, recording
from slurm.core.illegal import IllegalTransition, story
from slurm.core.policy import state as counting
from slurm.core.state import ClusterState
from slurm.model.ids import JobId
from slurm.model.job import Job


def split(state: ClusterState, record: Job, task: int, wanted: JobId | None = None) -> Job:
    """Give one waiting task of an array its own record; the last one takes over the array's own record and id."""
    part = record.array_part
    if part is None:
        raise IllegalTransition(f"there is no task to split: {story(record)}")
    ledger = state.arrays[record.id]
    if arrays.is_last(part):
        recording.job(state, record)
        record.array_part = None
        record.array_task = task
        ledger.records[task] = record.id
        return record
    recording.fewer(state, record)
    arrays.take(part.ranges, task)
    counting.waits(state, record)
    job = msgspec.structs.replace(
        record, id=state.allocate_id(wanted), array_task=task, array_part=None, flags=[], nodes_left=[], steps={},
        dependency=[msgspec.structs.replace(clause) for clause in record.dependency])
    ledger.records[task] = job.id
    state.add_job(job)
    recording.job(state, job)
    return job
