"""Reservations of the past: what a record changes in their table, and what reservations and the jobs in them held in a period.

A row is a stretch of time in which a reservation was the same; an occurrence has as many as it was changed while it lasted. What jobs had
in it is summed up from the jobs themselves when it is asked for: sums by the hour know nothing of reservations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from slurm.model.accounting import ReservationFilter, ReservationRecord, ReservationRow, Tres
from slurm.notation import hostlist
from slurm.notation.errors import NotationError
from slurm.store.accounting import rows, schema
from slurm.store.accounting.tally import overlap

_table = schema.reservations
_columns = schema.reservations.c


def take(connection: sa.Connection, cluster: int, record: ReservationRecord) -> None:
    """Keep a record: from `since` on it is as the record says, before that as it was."""
    occurrence = (
        _columns.cluster_id == cluster, _columns.reservation_id == record.id, _columns.occurrence == record.start_time)
    connection.execute(sa.delete(_table).where(*occurrence, _columns.time_start >= record.since))
    connection.execute(sa.update(_table).where(*occurrence, _columns.time_end > record.since).values(time_end=record.since))
    if record.end_time > record.since:
        connection.execute(sa.insert(_table).values(
            cluster_id=cluster, reservation_id=record.id, occurrence=record.start_time, time_start=record.since, time_end=record.end_time,
            name=record.name[:rows.NAME_LENGTH], record=msgspec.json.encode(record).decode()))


def found(connection: sa.Connection, wanted: ReservationFilter, asking: str, now: float) -> list[ReservationRow]:
    """The occurrences that touch the period that is wanted, by cluster, name and start; what each held in all, up to `now`."""
    clusters = schema.clusters.c
    conditions = [clusters.deleted == 0]
    if not wanted.all_clusters:
        conditions.append(clusters.name.in_(wanted.clusters or [asking]))
    conditions += [column.in_(values) for column, values in ((_columns.reservation_id, wanted.ids), (_columns.name, wanted.names))
        if values]
    touching = _table.alias()
    same = [touching.c[name] == _columns[name] for name in ("cluster_id", "reservation_id", "occurrence")]
    if wanted.since:
        conditions.append(sa.exists().where(*same, touching.c.time_end > wanted.since))
    if wanted.until:
        conditions.append(sa.exists().where(*same, touching.c.time_start < wanted.until))
    stretches: defaultdict[tuple[str, str, float, int], list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(
            clusters.name.label("cluster"), _columns.cluster_id, _columns.time_start, _columns.time_end, _columns.occurrence,
            _columns.reservation_id, _columns.name, _columns.record).join_from(
                _table, schema.clusters, clusters.id == _columns.cluster_id).where(*conditions).order_by(_columns.time_start)):
        stretches[(row.cluster, row.name, row.occurrence, row.reservation_id)].append(row)
    return [_occurrence(connection, parts, int(now)) for _, parts in sorted(stretches.items()) if _on(parts, wanted)]


def _on(parts: Sequence[Any], wanted: ReservationFilter) -> bool:
    """Whether one of these stretches had one of the nodes that are wanted."""
    return not wanted.nodes or any(not set(wanted.nodes).isdisjoint(_nodes(rows.reservation_of(part.record).nodes)) for part in parts)


def _nodes(text: str) -> list[str]:
    try:
        return hostlist.expand(text, 65_536) if text else []
    except NotationError:  # of a newer controller: its nodes are not told apart
        return []


def _occurrence(connection: sa.Connection, parts: Sequence[Any], now: int) -> ReservationRow:
    last = rows.reservation_of(parts[-1].record)
    reserved: defaultdict[str, int] = defaultdict(int)
    seconds = 0
    for part in parts:
        lasted = max(0, min(int(part.time_end), now) - int(part.time_start))
        seconds += lasted
        for name, count in rows.reservation_of(part.record).tres.items():
            reserved[name] += count * lasted
    begin, end = parts[0].time_start, parts[-1].time_end
    span = int(begin), min(int(end), now)
    return ReservationRow(
        cluster=parts[-1].cluster, id=last.id, name=last.name, start=begin, end=end, nodes=last.nodes, flags=last.flags, users=last.users,
        accounts=last.accounts, tres=last.tres, seconds=seconds, reserved=dict(reserved),
        allocated=_allocated(connection, parts[-1].cluster_id, last, span) if seconds else {})


def _allocated(connection: sa.Connection, cluster: int, of: ReservationRecord, span: tuple[int, int]) -> Tres:
    """TRES-seconds of the jobs that ran in a reservation, within a span of time; not those in which they were suspended."""
    jobs, pauses = schema.jobs.c, schema.suspensions.c
    sums: defaultdict[str, int] = defaultdict(int)
    for row in connection.execute(sa.select(
            jobs.job_id, jobs.restarts, jobs.reused, jobs.time_start, jobs.time_end, jobs.record).where(
                jobs.cluster_id == cluster, jobs.reservation == of.name[:rows.NAME_LENGTH], jobs.time_over > span[0],
                jobs.time_start > 0, jobs.time_start < span[1])).all():
        job = rows.job_of(row.record)
        if job.reservation_id != of.id:
            continue
        start, end = int(row.time_start), int(row.time_end) or span[1]
        seconds = overlap(start, end, span)
        for pause in connection.execute(sa.select(pauses.time_start, pauses.time_end).where(
                pauses.job_id == row.job_id, pauses.cluster_id == cluster, pauses.restarts == row.restarts, pauses.reused == row.reused)):
            seconds -= overlap(max(int(pause.time_start), start), min(int(pause.time_end) or end, end), span)
        for name, count in job.allocated.items():
            sums[name] += count * seconds
    return dict(sums)
