"""squeue's rows: which jobs or steps, in which order, as texts. How a row becomes a line is in `format`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import msgspec

from slurm.core import tres as amounts
from slurm.core.events import Caller
from slurm.model.errors import InvalidRequest
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation import jobref
from slurm.notation.jobref import JobRef
from slurm.notation.taskset import TaskSet
from slurm.render import fields, job_facts, job_values, step_values
from slurm.render.fields import Table, known
from slurm.render.job_filter import select
from slurm.render.view import View
from slurm.wire.messages import ListJobs, Rows

T = TypeVar("T")
_LAST = float("inf")


def list_jobs(view: View, message: ListJobs, caller: Caller, now: float) -> list[list[str]]:
    """The rows that squeue asked for, sorted. An unknown field raises InvalidRequest, a single unknown job id NotFound."""
    return listed(view, message, caller, now).rows


def listed(view: View, message: ListJobs, caller: Caller, now: float) -> Rows:
    """The same, with how many rows there are where only some were asked for."""
    view = replace(view, now=now, array_length=message.array_length, time_format=message.time_format, convert=message.convert)
    _check_nodes(view, message.filter.nodes)
    jobs = asked_tasks(select(view, message.filter, caller), message.filter.ids)
    if message.steps:
        return _part(step_values.rows(view, jobs, message), message)
    if message.start:
        jobs = [job for job in jobs if job.state is JobState.PENDING]
    if message.expand_arrays:
        jobs = [task for job in jobs for task in _expanded(job)]
    if message.per_partition:
        jobs = [each for job in jobs for each in _by_partition(job)]
    in_order(jobs, message.sort or ("S" if message.start else ""), view)
    getters = [job_values.GETTERS[known(name, fields.JOB).name] for name in message.fields]
    total, jobs = len(jobs), _some(jobs, message)
    if not getters:
        return Rows(rows=[[] for _ in jobs], total=total)
    columns = [[getter(job, view) for job in jobs] for getter in getters]
    return Rows(rows=[list(row) for row in zip(*columns, strict=True)], total=total)


def _check_nodes(view: View, names: list[str]) -> None:
    for name in names:
        if NodeName(name) not in view.nodes and name:
            raise InvalidRequest(message=f"Invalid node name {name}")


def asked_tasks(jobs: list[Job], ids: list[str]) -> list[Job]:
    """The jobs, of arrays that still wait only the tasks that were asked for, where ids name tasks."""
    refs = [jobref.parse(text) for text in ids if "_" in text]
    return [_only_tasks(job, refs, ids) if job.array_part is not None else job for job in jobs] if refs else jobs


def _only_tasks(job: Job, refs: list[JobRef], ids: list[str]) -> Job:
    part = job.array_part
    named = [ref.tasks for ref in refs if ref.job in (job.id, job.array_job)]
    if part is None or not named or None in named or str(job.id) in ids or str(job.array_job) in ids:
        return job
    waiting = TaskSet(part.ranges)
    left = TaskSet.of(sorted({task for tasks in named if tasks is not None for task in waiting.intersection(tasks)}))
    if len(left) == 1:
        return msgspec.structs.replace(job, array_part=None, array_task=left.first)
    return msgspec.structs.replace(job, array_part=msgspec.structs.replace(part, ranges=list(left.runs), limit=0)) if left else job


def _part(rows: list[list[str]], message: ListJobs) -> Rows:
    return Rows(rows=_some(rows, message), total=len(rows))


def _some(found: list[T], message: ListJobs) -> list[T]:
    return found[message.first:message.first + message.most if message.most else None]


def in_order(jobs: list[Job], sort: str, view: View) -> None:
    """Sorts in place by squeue's -S: letters of -o, each with `-` for descending, commas between; "" is squeue's own order.

    That is partition, state, then priority from the highest; equals, and what no key tells apart, by id.
    """
    if not sort:
        jobs.sort(key=lambda job: _default_key(_first(job, view), job))
        return
    jobs.sort(key=_id_key)
    for descending, letter in reversed(sort_keys(sort, fields.JOB)):
        key = SORT_KEYS.get(letter)
        if key is None:
            getter = job_values.GETTERS[fields.JOB.by_letter[letter].name]
            jobs.sort(key=_text_key(getter, view), reverse=descending)
        else:
            jobs.sort(key=_view_key(key, view), reverse=descending)


def sort_keys(sort: str, table: Table) -> list[tuple[bool, str]]:
    """(descending, letter) for each key of -S, most important first.

    A letter that is no field raises InvalidRequest; of doubles the first counts.
    """
    keys: list[tuple[bool, str]] = []
    descending = False
    for char in sort:
        if char in "-+":
            descending = char == "-"
        elif char in table.by_letter:
            if char not in {letter for _, letter in keys}:
                keys.append((descending, char))
            descending = False
        elif char not in ", #":
            raise InvalidRequest(message=f"Invalid sort specification: {char}", hints=[
                "valid: the letters of --format, each with - before it for descending order, commas between"])
    return keys


def _first(job: Job, view: View) -> Job:
    """The leader of a heterogeneous job, in whose place its components are shown, in order; any other job itself."""
    return view.jobs.get(job.het_job, job) if job.het else job


def _default_key(first: Job, job: Job) -> tuple[str, int, int, int, float]:
    return first.partition, first.state, -first.priority, *_id_key(job)


def _id_key(job: Job) -> tuple[int, float]:
    if job.het:
        return job.het_job, job.het_offset
    return job.array_job or job.id, _LAST if job.array_task is None else job.array_task


def _start_key(job: Job, view: View) -> float:
    return job_facts.start_time(job, view) or _LAST


SORT_KEYS: dict[str, Callable[[Job, View], float | str | tuple[int, float]]] = {
    "i": lambda job, view: _id_key(job),
    "A": lambda job, view: job.id,
    "F": lambda job, view: job.array_job or job.id,
    "K": lambda job, view: -1 if job.array_task is None else job.array_task,
    "P": lambda job, view: job.partition,
    "t": lambda job, view: job.state,
    "T": lambda job, view: job.state,
    "p": lambda job, view: job.priority,
    "Q": lambda job, view: job.priority,
    "S": _start_key,
    "e": lambda job, view: job_facts.end_time(job, view) or _LAST,
    "V": lambda job, view: job.submit_time,
    "M": job_facts.time_used,
    "l": lambda job, view: _LAST if job.time_limit < 0 else job.time_limit,
    "L": lambda job, view: _LAST if job.time_limit < 0 else job.time_limit - job_facts.time_used(job, view),
    "D": lambda job, view: job_facts.node_count(job),
    "C": lambda job, view: job_facts.cpu_count(job),
    "c": lambda job, view: amounts.min_cpus(job),
    "m": lambda job, view: amounts.memory_rule(view, job)[0],
    "d": lambda job, view: job.request.tmp_disk,
    "y": lambda job, view: job.request.nice,
    "U": lambda job, view: job.owner.uid,
    "G": lambda job, view: job.owner.gid,
}
"""Letters of -S that sort by number; the others sort by the text they show."""


def _view_key(
    key: Callable[[Job, View], float | str | tuple[int, float]], view: View,
) -> Callable[[Job], float | str | tuple[int, float]]:
    return lambda job: key(job, view)


def _text_key(getter: job_values.Getter, view: View) -> Callable[[Job], str]:
    return lambda job: getter(job, view)


def _expanded(job: Job) -> list[Job]:
    """The tasks of an array record one by one, as records of their own; any other job as it is."""
    if job.array_part is None:
        return [job]
    return [msgspec.structs.replace(job, array_part=None, array_task=task) for task in TaskSet(job.array_part.ranges)]


def _by_partition(job: Job) -> list[Job]:
    """A pending job once for each partition it may start in."""
    names = job.request.partition.split(",")
    if job.state is not JobState.PENDING or len(names) < 2:
        return [job]
    return [msgspec.structs.replace(job, partition=name) for name in names]
