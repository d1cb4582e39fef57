"""Records in: many at once, each exactly once, and which hours of the sums must be made again because of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from slurm.model.accounting import (
    AccountingRecord,
    ClusterRecord,
    JobRecord,
    NodeEventRecord,
    Outgoing,
    PayloadRecord,
    ReservationRecord,
    StepRecord,
    SuspensionRecord,
)
from slurm.model.errors import StoreError
from slurm.store.accounting import reservations, rows, schema
from slurm.store.accounting.periods import hour_of, next_hour
from slurm.store.accounting.upsert import insert_missing, upsert

CHUNK = 500
LAST_SLURMS_TRES = 1000
"""Numbers up to this are of resources that every cluster has, as in Slurm."""
_OPEN = float("inf")
JobKey = tuple[int, int]
"""(job id, restarts)"""
Completed = Callable[[JobRecord], JobRecord]
"""What the database knows of a job beyond its record: the account by which its user is entitled."""


def fresh(last: int, outgoing: Sequence[Outgoing]) -> list[AccountingRecord]:
    """The records that have not come before; StoreError when one is missing in between."""
    found: list[AccountingRecord] = []
    for each in outgoing:
        if each.sequence <= last:
            continue
        if each.sequence != last + 1:
            raise StoreError(message=f"record {each.sequence} came after record {last}: those between are missing", hints=[
                "the controller sends again from there; a database restored from a backup lacks what was acknowledged after the backup"])
        last = each.sequence
        found.append(each.record)
    return found


class _Known(NamedTuple):
    """What a row of `jobs` said before a new record came."""

    submit: float
    eligible: float
    start: float
    end: float
    tasks: int
    allocated: str
    whose: tuple[int, str, str, str]


class Taking:
    """One transaction's records of one cluster; `complete` fills in a job's account."""

    def __init__(self, connection: sa.Connection, cluster: int, zone: str, complete: Completed, now: float) -> None:
        self._connection = connection
        self._cluster = cluster
        rollups = schema.rollups.c
        marks = connection.execute(sa.select(rollups.fixed_until, rollups.hours_until).where(rollups.cluster_id == cluster)).first()
        self._fixed_until: float = marks[0] if marks is not None else 0.0
        self._hours_until: float = marks[1] if marks is not None else 0.0
        self._zone = zone
        self._complete = complete
        self._now = now
        self._dirty: set[int] = set()
        self.highest_job = 0
        self._clear()

    def _clear(self) -> None:
        self._jobs: dict[JobKey, JobRecord] = {}
        self._steps: dict[tuple[int, int, int], StepRecord] = {}
        self._suspensions: dict[tuple[int, int, float], SuspensionRecord] = {}
        self._node_events: dict[tuple[str, float], NodeEventRecord] = {}
        self._cluster_events: dict[float, ClusterRecord] = {}
        self._payloads: dict[str, PayloadRecord] = {}

    def take(self, records: Iterable[AccountingRecord]) -> None:
        """Keep them; of several of one key the last."""
        for record in records:
            match record:
                case JobRecord():
                    before = self._jobs.get((record.id, record.restarts))
                    if before is not None and _is_another(before.end_time, record.submit_time):
                        self._write()
                    self._jobs[(record.id, record.restarts)] = record
                case StepRecord():
                    self._steps[(record.job, record.restarts, record.step)] = record
                case SuspensionRecord():
                    self._suspensions[(record.job, record.restarts, record.start_time)] = record
                case NodeEventRecord():
                    self._node_events[(record.node, record.start_time)] = record
                case ClusterRecord():
                    self._cluster_events[record.start_time] = record
                case ReservationRecord():
                    reservations.take(self._connection, self._cluster, record)
                case PayloadRecord():
                    self._payloads[record.digest] = record
        self._write()
        if self._dirty:
            insert_missing(self._connection, schema.dirty_hours, [{"cluster_id": self._cluster, "start": start}
                for start in sorted(self._dirty)])

    def _write(self) -> None:
        self._write_jobs()
        cluster = self._cluster
        key = ("job_id", "cluster_id", "restarts", "reused")
        upsert(self._connection, schema.steps, (*key, "step_id"), [rows.step_row(cluster, record) for record in self._steps.values()])
        for suspension in self._suspensions.values():
            self._touch(suspension.start_time, suspension.end_time or _OPEN)
        upsert(self._connection, schema.suspensions, (*key, "time_start"), [rows.suspension_row(cluster, record)
            for record in self._suspensions.values()])
        for node_event in self._node_events.values():
            self._touch(node_event.start_time, node_event.end_time or _OPEN)
        upsert(self._connection, schema.node_events, ("cluster_id", "node", "time_start"), [
            rows.node_event_row(cluster, record) for record in self._node_events.values()])
        for cluster_event in self._cluster_events.values():
            self._touch(cluster_event.start_time, _OPEN)
        upsert(self._connection, schema.cluster_events, ("cluster_id", "time_start"), [
            {"cluster_id": cluster, "time_start": record.start_time, "nodes": record.nodes, "tres": rows.tres_text(record.tres)}
            for record in self._cluster_events.values()])
        register_tres(self._connection, {name for record in self._cluster_events.values() for name in record.tres})
        insert_missing(self._connection, schema.payloads, [
            {"digest": record.digest, "what": record.what, "arrived": self._now, "content": record.content}
            for record in self._payloads.values()])
        self._clear()

    def _write_jobs(self) -> None:
        records = [self._complete(record) for record in self._jobs.values()]
        known, newest = self._known(sorted({record.id for record in records}))
        found = []
        older: list[JobKey] = []
        another: list[int] = []
        for record in records:
            row = rows.job_row(self._cluster, record)
            before = known.get((record.id, record.restarts))
            if before is not None and _is_another(before.end, record.submit_time):
                another.append(record.id)
                before = None
            elif record.restarts < newest.get(record.id, 0):
                row["latest"] = 0
            elif record.restarts:
                older.append((record.id, record.restarts))
                newest[record.id] = record.restarts
            found.append(row)
            self.highest_job = max(self.highest_job, record.id)
            for start, end in _changed(before, row):
                self._touch(start, end)
        self._set_aside(another)
        upsert(self._connection, schema.jobs, ("job_id", "cluster_id", "restarts", "reused"), found, keep=("latest",))
        for job, restarts in older:
            jobs = schema.jobs.c
            self._connection.execute(sa.update(schema.jobs).where(
                jobs.cluster_id == self._cluster, jobs.job_id == job, jobs.restarts < restarts, jobs.latest == 1).values(latest=0))

    def _known(self, ids: Sequence[int]) -> tuple[dict[JobKey, _Known], dict[int, int]]:
        """What is there of these jobs, by key; and the last life of each."""
        jobs = schema.jobs.c
        known: dict[JobKey, _Known] = {}
        newest: dict[int, int] = {}
        for begin in range(0, len(ids), CHUNK):
            for row in self._connection.execute(sa.select(
                    jobs.job_id, jobs.restarts, jobs.time_submit, jobs.time_eligible, jobs.time_start, jobs.time_end, jobs.tasks,
                    jobs.allocated,
                    jobs.association_id, jobs.account, jobs.user_name, jobs.wckey).where(
                        jobs.job_id.in_(ids[begin:begin + CHUNK]), jobs.cluster_id == self._cluster, jobs.reused == 0)):
                known[(row[0], row[1])] = _Known(row[2], row[3], row[4], row[5], row[6], row[7], (row[8], row[9], row[10], row[11]))
                newest[row[0]] = max(newest.get(row[0], 0), row[1])
        return known, newest

    def _set_aside(self, ids: Collection[int]) -> None:
        """Other jobs have got these numbers: what is there of the earlier ones keeps its own row's id as a mark."""
        for job in ids:
            mark = self._connection.execute(sa.select(sa.func.max(schema.jobs.c.id)).where(
                schema.jobs.c.job_id == job, schema.jobs.c.cluster_id == self._cluster, schema.jobs.c.reused == 0)).scalar()
            for table in (schema.jobs, schema.steps, schema.suspensions):
                values = {"reused": mark, "latest": 0} if table is schema.jobs else {"reused": mark}
                self._connection.execute(sa.update(table).where(
                    table.c.job_id == job, table.c.cluster_id == self._cluster, table.c.reused == 0).values(**values))

    def _touch(self, start: float, end: float) -> None:
        """What was summed up between these moments is to be summed up again."""
        start, end = max(start, self._fixed_until), min(end, self._hours_until)
        if start >= end:
            return
        at = hour_of(self._zone, start)
        while at < end:
            self._dirty.add(at)
            at = next_hour(self._zone, at)


def _is_another(end: float, submit: float) -> bool:
    """Whether a record is of another job than one that ended then: Slurm's job ids begin again at FirstJobId after MaxJobId."""
    return bool(end) and submit > end


def _changed(before: _Known | None, row: rows.Row) -> list[tuple[float, float]]:
    """The times whose sums this row changes."""
    times = (row["time_eligible"], row["time_start"], row["time_end"])
    first = row["time_eligible"] or row["time_start"]
    if before is None:
        return [(first, row["time_end"] or _OPEN)] if first else []
    former = (before.eligible, before.start, before.end)
    if former == times and (before.tasks, before.allocated) == (row["tasks"], row["allocated"]) and before.whose == _whose(row):
        return []
    start = min((time for time in (before.eligible or before.start, first) if time), default=0.0)
    if before.whose == _whose(row) and (before.start == row["time_start"] or not before.start):
        # What was counted up to the first time that differs stays as it is.
        start = min((time for old, new in zip(former, times, strict=True) if old != new for time in (old, new) if time), default=start)
    end = max(before.end, row["time_end"]) if before.end and row["time_end"] else _OPEN
    return [(start, end)] if start else []


def _whose(row: rows.Row) -> tuple[int, str, str, str]:
    return row["association_id"], row["account"], row["user_name"], row["wckey"]


def register_tres(connection: sa.Connection, names: Collection[str]) -> None:
    """Give every trackable resource of these names its number."""
    if not names:
        return
    known = {(row.type, row.name): int(row.id) for row in connection.execute(sa.select(schema.tres.c.type, schema.tres.c.name,
        schema.tres.c.id))}
    new = [(kind, name) for kind, _, name in (each.partition("/") for each in sorted(names)) if (kind, name) not in known]
    following = max([LAST_SLURMS_TRES, *known.values()]) + 1
    if new:
        connection.execute(sa.insert(schema.tres), [
            {"id": number, "type": kind, "name": name} for number, (kind, name) in enumerate(new, following)])


def with_account(record: JobRecord, account: str, association: int) -> JobRecord:
    """The record as the database keeps it."""
    if record.account == account and record.association == association:
        return record
    return msgspec.structs.replace(record, account=account, association=association)
