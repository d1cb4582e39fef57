"""Changes: carrying `scontrol update jobid=` out on a record. What may be changed, by whom and to what is decided in `update`.

A change is a field of JobRequest with its new value, or one of the keys of OTHER; values travel as MessagePack.
"""

from __future__ import annotations

from typing import Any

import msgspec

from slurm.core import dependencies, standing, starting
from slurm.core import events as e
from slurm.core.effects import Effect, SetLimit
from slurm.core.policy import state as counting
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.job import DependencyClause, Job
from slurm.model.request import JobRequest
from slurm.model.states import JobState

OTHER: dict[str, Any] = {"clauses": list[DependencyClause], "dependency_any": bool, "array_limit": int, "held": str, "association": int}
"""Keys that are no field of JobRequest: the resolved clauses of a new dependency, the % limit of an array, a hold as Job.held has it, whom
it counts for."""

_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(JobRequest)} | OTHER


def encode(changes: dict[str, object]) -> dict[str, msgspec.Raw]:
    """Changes as the event carries them; KeyError for a key that is neither a field of JobRequest nor in OTHER."""
    unknown = changes.keys() - _TYPES.keys()
    if unknown:
        raise KeyError(f"no such field of a job: {', '.join(sorted(unknown))}")
    return {key: msgspec.Raw(msgspec.msgpack.encode(value)) for key, value in changes.items()}


def decode(changes: dict[str, msgspec.Raw]) -> dict[str, Any]:
    """The values of an event's changes."""
    return {key: msgspec.msgpack.decode(raw, type=_TYPES[key]) for key, raw in changes.items()}


def set_request(job: Job, **values: object) -> None:
    """Give a job a request of its own with these fields; other jobs that share the old one keep it."""
    job.request = msgspec.structs.replace(job.request, **values)


def apply(state: ClusterState, job: Job, event: e.JobUpdated, effects: list[Effect]) -> None:
    """Carry out the changes of one event."""
    values = decode(event.changes)
    waits = job.id in state.pending
    asked = {key: value for key, value in values.items() if key not in OTHER}
    renamed = "name" in asked and asked["name"] != job.request.name
    if renamed:
        state.unindex_name(job)
        dependencies.namesake_changed(state, job, event.at, effects)
    if "clauses" in values:
        state.forget_targets(job)
    if not waits:
        _reorder_started(job, asked)
    set_request(job, **asked)
    if renamed:
        state.index_name(job)
    if asked.get("time_limit") is not None:
        job.time_limit = asked["time_limit"]
        if job.state in (JobState.RUNNING, JobState.SUSPENDED):
            counting.retimed(state, job)
            starting.set_limit_timer(state, job)
            effects.append(SetLimit(job=job.id, attempt=job.attempt, nodes=tuple(job.nodes_left)))
    if job.state is JobState.RUNNING and ("time_limit" in asked or "signal" in asked):
        starting.set_warning_timer(state, job)
    if "array_limit" in values and job.array_job:
        state.arrays[job.array_job].shape.limit = values["array_limit"]
        if job.array_part is not None:
            job.array_part.limit = values["array_limit"]
    if waits:
        _apply_waiting(state, job, values, event.at)
        counting.waits(state, job)
        if "clauses" in values:
            dependencies.watch(state, job, event.at, effects)
        if renamed:
            dependencies.look_for_namesakes(state, job, event.at, effects)
        if job.id in state.pending:
            standing.refresh(job, event.at, anew="held" in values, ages=state.policy.ages)


def _reorder_started(job: Job, asked: dict[str, Any]) -> None:
    """The priority of a job that has started, as it is shown: the one that is set, or lower by what --nice is more."""
    if asked.get("priority") is not None:
        job.priority = asked["priority"]
    elif "nice" in asked and job.request.priority is None:
        job.priority = max(1, job.priority - (asked["nice"] - job.request.nice))


def _apply_waiting(state: ClusterState, job: Job, values: dict[str, Any], at: float) -> None:
    if "partition" in values:
        job.partition = values["partition"]
    if "begin" in values:
        job.not_before = values["begin"] if values["begin"] > at else 0.0
        if job.not_before:
            state.timers.set(job.not_before, Timer.BEGIN, job.id)
    if "held" in values:
        job.held = values["held"]
    if values.get("reservation") and "resv_del_hold" in job.flags:
        # It was held since it had none.
        job.flags = [flag for flag in job.flags if flag != "resv_del_hold"]
        job.held = values.get("held", "")
    job.association = values.get("association", job.association)
    if "clauses" in values:
        job.dependency = values["clauses"]
        job.dependency_any = values.get("dependency_any", False)
    if "deadline" in values or "time_limit" in values:
        state.set_deadline_timer(job)
