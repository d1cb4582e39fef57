"""Jobs out: a filter as one indexed question, read in pieces, each piece with its steps; what SQL cannot say is sorted out here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa

from slurm.model.accounting import JobFilter, JobRecord, JobRow, StepRecord
from slurm.model.ids import JobId, StepId
from slurm.model.states import JobState
from slurm.notation import array, hostlist
from slurm.notation.errors import NotationError
from slurm.store.accounting import rows, schema
from slurm.store.accounting.engine import reading
from slurm.store.accounting.storage import Storage

PIECE = 500
_LATER = 1e11
_PARTITIONS_IN_SQL = 30
"""A job may name several partitions, so that each name that is wanted is a comparison of its own: more of them are sorted out after
reading."""
Place = tuple[str, int, int]
"""Where a row stands in the order of an answer: its cluster's name, job id, own id."""
Where = sa.ColumnElement[bool]
_jobs = schema.jobs.c
_clusters = schema.clusters.c


class Visible(NamedTuple):
    """Who may see only his own jobs, and those of accounts that he coordinates."""

    uid: int
    accounts: tuple[str, ...]


def jobs(engine: sa.Engine, storage: Storage, wanted: JobFilter, cluster: str, visible: Visible | None = None,
        after: Place | None = None) -> Iterator[JobRow]:
    """The jobs that are wanted, by cluster and job id, those behind `after`; with `visible` what that user may see."""
    question = sa.select(
        _clusters.name, _jobs.id, _jobs.cluster_id, _jobs.job_id, _jobs.restarts, _jobs.reused, _jobs.record).join_from(
            schema.jobs, schema.clusters, _clusters.id == _jobs.cluster_id).where(*conditions(wanted, cluster)).order_by(
                _clusters.name, _ordered(wanted), _jobs.id)
    if visible is not None:
        question = question.where(sa.or_(_jobs.uid == visible.uid, _jobs.account.in_(visible.accounts)))
    if after is not None:
        question = question.where(_behind(after))
    fits = _remaining(wanted)
    selected = _StepChoice(wanted)
    with reading(engine, storage) as asking, reading(engine, storage) as beside:
        found = iter(asking.execution_options(stream_results=True, max_row_buffer=PIECE).execute(question))
        while piece := list(islice(found, PIECE)):
            records = [rows.job_of(row.record) for row in piece]
            kept = [(row, record) for row, record in zip(piece, records, strict=True) if fits(record)]
            steps = _steps(beside, [row for row, _ in kept]) if wanted.steps else {}
            for row, record in kept:
                yield JobRow(row.name, row.id, record, selected.of(record, steps.get((row.cluster_id, row.job_id, row.restarts, row.reused),
                    [])))


def _steps(connection: sa.Connection, piece: Sequence[Any]) -> dict[tuple[int, int, int, int], list[StepRecord]]:
    """The steps of these jobs by their key, each list in the order in which they began; batch and extern step come first."""
    columns = schema.steps.c
    found: dict[tuple[int, int, int, int], list[StepRecord]] = {}
    if not piece:
        return found
    for row in connection.execute(sa.select(columns.cluster_id, columns.job_id, columns.restarts, columns.reused, columns.record).where(
            columns.job_id.in_({row.job_id for row in piece}), columns.cluster_id.in_({row.cluster_id for row in piece}))):
        found.setdefault((row[0], row[1], row[2], row[3]), []).append(rows.step_of(row[4]))
    for steps in found.values():
        steps.sort(key=lambda step: (step.step >= 0, step.start_time if step.step >= 0 else 0.0, step.step))
    return found


def _ordered(wanted: JobFilter) -> sa.ColumnElement[int]:
    """The job's number, as an expression that no index gives where a window is asked for: few are sorted sooner than all are read in
    order."""
    return _jobs.job_id + 0 if wanted.since or wanted.until else _jobs.job_id


def _behind(after: Place) -> Where:
    name, job, row = after
    return sa.or_(_clusters.name > name, sa.and_(_clusters.name == name, sa.or_(_jobs.job_id > job,
        sa.and_(_jobs.job_id == job, _jobs.id > row))))


def may_read(connection: sa.Connection, digest: str, visible: Visible) -> bool:
    """Whether a script or environment is that of a job which this user may see."""
    return connection.execute(sa.select(_jobs.id).where(
        sa.or_(_jobs.uid == visible.uid, _jobs.account.in_(visible.accounts)),
        sa.or_(_jobs.script == digest, _jobs.environment == digest)).limit(1)).first() is not None


def conditions(wanted: JobFilter, cluster: str) -> list[Where]:
    """What SQL can say of a filter."""
    found: list[Where] = []
    if not wanted.all_clusters:
        found.append(_clusters.name.in_(wanted.clusters or [cluster]))
    if wanted.jobs:
        found.append(_among(wanted))
    lists = (
        (_jobs.user_name, wanted.users), (_jobs.uid, wanted.uids), (_jobs.gid, wanted.gids), (_jobs.account, wanted.accounts),
        (_jobs.association_id, wanted.associations), (_jobs.qos, wanted.qos),
        (_jobs.wckey, [one for name in wanted.wckeys for one in (name, f"*{name}")]), (_jobs.job_name, wanted.names),
        (_jobs.reason, wanted.reasons))
    found.extend(column.in_(values) for column, values in lists if values)
    if 0 < len(wanted.partitions) <= _PARTITIONS_IN_SQL:
        found.append(sa.or_(_jobs.partition.in_(wanted.partitions), *(_jobs.partition.contains(name, autoescape=True)
            for name in wanted.partitions)))
    for column, bounds in ((_jobs.cpus, wanted.cpus), (_jobs.node_count, wanted.node_counts), (_jobs.time_limit, wanted.time_limits)):
        if bounds is not None:
            found.append(column.between(*bounds))
    found.extend(_when(wanted))
    if not wanted.duplicates:
        found.append(_jobs.latest == 1)
    return found


def _among(wanted: JobFilter) -> Where:
    whole = sorted({job for job, task, _ in wanted.jobs if task is None})
    tasks = sorted({job for job, task, _ in wanted.jobs if task is not None})
    either: list[Where] = [_jobs.job_id.in_(whole), _jobs.set_id.in_([*whole, *tasks])]
    return sa.or_(*either)


def _when(wanted: JobFilter) -> Iterator[Where]:
    """The window: in which a job was in one of the states, or, without states, waited or ran.

    Every clause bounds `time_over`, which is indexed.
    """
    since, until = wanted.since, wanted.until or _LATER
    if not wanted.states:
        if since or wanted.until:
            yield _jobs.time_over >= since
            yield _jobs.time_submit <= until
        return
    if not (since or wanted.until):
        yield _jobs.state.in_([int(state) for state in wanted.states])
        return
    yield _jobs.time_over >= since
    yield sa.or_(*(_was(state, since, until) for state in wanted.states))


def _was(state: JobState, since: float, until: float) -> Where:
    if state.finished:
        return sa.and_(_jobs.state == int(state), _jobs.time_end >= since, _jobs.time_end <= until)
    if state == JobState.PENDING:
        began = sa.case((_jobs.time_start > 0, _jobs.time_start), else_=_jobs.time_over)
        return sa.and_(_jobs.time_submit <= until, began >= since)
    if state == JobState.RUNNING:
        return sa.and_(_jobs.time_start > 0, _jobs.time_start <= until, _jobs.time_over >= since)
    columns = schema.suspensions.c
    return sa.exists().where(
        columns.job_id == _jobs.job_id, columns.cluster_id == _jobs.cluster_id, columns.restarts == _jobs.restarts,
        columns.reused == _jobs.reused,
        columns.time_start <= until, columns.time_over >= since)


def _remaining(wanted: JobFilter) -> Callable[[JobRecord], bool]:
    """What is sorted out after reading: tasks, words of lists, nodes."""
    tests: list[Callable[[JobRecord], bool]] = []
    if any(task is not None for _, task, _ in wanted.jobs):
        whole = {job for job, task, _ in wanted.jobs if task is None}
        tasks = {(job, task) for job, task, _ in wanted.jobs if task is not None}
        tests.append(lambda record: record.id in whole or record.array_job in whole or record.het_job in whole or _is_task(record, tasks))
    if wanted.partitions:
        partitions = set(wanted.partitions)
        tests.append(lambda record: not partitions.isdisjoint(record.partition.split(",")))
    if wanted.flags:
        flags = {flag.lower() for flag in wanted.flags}
        tests.append(lambda record: not flags.isdisjoint(flag.lower() for flag in record.flags))
    if wanted.constraints:
        constraints = set(wanted.constraints)
        tests.append(lambda record: record.constraints in constraints or not constraints.isdisjoint(record.constraints.replace("&",
            ",").split(",")))
    if wanted.nodes:
        nodes = set(wanted.nodes)
        tests.append(lambda record: bool(record.nodes) and not nodes.isdisjoint(_expanded(record.nodes)))
    return lambda record: all(test(record) for test in tests)


def _expanded(nodes: str) -> list[str]:
    try:
        return hostlist.expand(nodes)
    except NotationError:
        return [nodes]


def _is_task(record: JobRecord, tasks: set[tuple[JobId, int]]) -> bool:
    if record.array_task is not None:
        return (record.array_job, record.array_task) in tasks
    if not record.array_tasks:
        return any(record.het_job == job and record.het_offset == offset for job, offset in tasks) if record.het_job else False
    try:
        waiting = array.parse(record.array_tasks).tasks
    except NotationError:
        return False
    return any(job == record.array_job and task in waiting for job, task in tasks)


class _StepChoice:
    """Which steps of a job were asked for by name: those of a job without such a name all."""

    def __init__(self, wanted: JobFilter) -> None:
        self._wanted = [(job, task, step) for job, task, step in wanted.jobs if step is not None] if all(
            step is not None for _, _, step in wanted.jobs) else []

    def of(self, record: JobRecord, steps: list[StepRecord]) -> list[StepRecord]:
        """The steps of this job that were asked for."""
        if not self._wanted:
            return steps
        names: set[StepId] = {
            step for job, task, step in self._wanted
            if step is not None and job in (record.id, record.array_job, record.het_job)
            and task in (None, record.array_task, record.het_offset)}
        return [step for step in steps if step.step in names]
