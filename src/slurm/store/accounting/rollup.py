"""Usage rolled up: hours from jobs, days from hours, months from days, in each cluster's time zone.

Some hours at a time, each bit a transaction of its own that also moves the mark up to which sums hold: it may be killed anywhere and goes
on from there. What came late made its hours dirty (`taking`); they are summed up again, with their days and months. Records of the same
cluster wait meanwhile: both hold the cluster's row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import sqlalchemy as sa

from slurm.store.accounting import periods, schema
from slurm.store.accounting.engine import writing
from slurm.store.accounting.periods import DAYS, HOURS, MONTHS
from slurm.store.accounting.storage import Storage
from slurm.store.accounting.tally import Hour, tallied

HOURS_AT_ONCE = 12
_TABLES = (
    (schema.association_usage, ("association_id", "account", "user_name", "tres"), ("seconds",)),
    (schema.wckey_usage, ("wckey", "user_name", "tres"), ("seconds",)),
    (schema.cluster_usage, ("tres",), ("total", "allocated", "down", "planned_down", "idle", "planned")))


class Rolled(NamedTuple):
    """How many hours, days and months were summed up."""

    hours: int
    days: int
    months: int


class RollUp:
    """The roll-up of one cluster (its id and time zone)."""

    def __init__(self, engine: sa.Engine, storage: Storage, cluster: int, zone: str, *, wckeys: bool = True) -> None:
        self._wckeys = wckeys
        self._engine = engine
        self._storage = storage
        self._cluster = cluster
        self._zone = zone

    def run(self, until: float) -> Iterator[Rolled]:
        """Sum up everything before `until` that is complete; one result a transaction, so that whoever calls may stop in between."""
        while (rolled := self._some(until)) is not None:
            yield rolled

    def _some(self, until: float) -> Rolled | None:
        """One transaction's worth; None when there is nothing left."""
        with writing(self._engine, self._storage) as connection:
            connection.execute(sa.select(schema.clusters.c.id).where(schema.clusters.c.id == self._cluster).with_for_update()).first()
            marks = self._marks(connection, until)
            hours = self._due(connection, marks[HOURS], until)
            if not hours:
                return None
            self._hours(connection, hours)
            marks[HOURS] = max(marks[HOURS], hours[-1][1])
            days = self._sum(connection, HOURS, DAYS, self._touched(hours, DAYS, marks, marks[HOURS]))
            months = self._sum(connection, DAYS, MONTHS, self._touched(hours, MONTHS, marks, marks[DAYS]))
            connection.execute(sa.update(schema.rollups).where(schema.rollups.c.cluster_id == self._cluster).values(
                hours_until=marks[HOURS], days_until=marks[DAYS], months_until=marks[MONTHS]))
            return Rolled(len(hours), days, months)

    def _marks(self, connection: sa.Connection, until: float) -> dict[str, float]:
        """Up to when each kind of period is summed up; a cluster without marks begins with its first record."""
        columns = schema.rollups.c
        found = connection.execute(sa.select(columns.hours_until, columns.days_until,
            columns.months_until).where(columns.cluster_id == self._cluster)).first()
        if found is not None:
            return dict(zip((HOURS, DAYS, MONTHS), found, strict=True))
        firsts = [connection.execute(sa.select(sa.func.min(column)).where(table.c.cluster_id == self._cluster, column > 0)).scalar()
            for table, column in (
            (schema.jobs, schema.jobs.c.time_submit), (schema.cluster_events, schema.cluster_events.c.time_start),
            (schema.node_events, schema.node_events.c.time_start))]
        first = min([float(each) for each in firsts if each], default=until)
        begin = float(periods.hour_of(self._zone, min(first, until)))
        marks = {HOURS: begin, DAYS: float(periods.day_of(self._zone, begin)), MONTHS: float(periods.month_of(self._zone, begin))}
        connection.execute(sa.insert(schema.rollups).values(
            cluster_id=self._cluster, hours_until=begin, days_until=marks[DAYS], months_until=marks[MONTHS]))
        return marks

    def _due(self, connection: sa.Connection, mark: float, until: float) -> list[Hour]:
        """The next hours to sum up, without gaps: dirty ones first."""
        columns = schema.dirty_hours.c
        dirty = [int(row[0]) for row in connection.execute(
            sa.select(columns.start).where(columns.cluster_id == self._cluster).order_by(columns.start).limit(HOURS_AT_ONCE))]
        found: list[Hour] = []
        if dirty:
            for start in dirty:
                if found and found[-1][1] != start:
                    break
                found.append((start, periods.next_hour(self._zone, start)))
            return found
        at = int(mark)
        while len(found) < HOURS_AT_ONCE and (after := periods.next_hour(self._zone, at)) <= until:
            found.append((at, after))
            at = after
        return found

    def _hours(self, connection: sa.Connection, hours: Sequence[Hour]) -> None:
        tally = tallied(connection, self._cluster, hours)
        same = {"cluster_id": self._cluster, "period": HOURS}
        found = (
            [{**same, "start": start, "association_id": association, "account": account, "user_name": user, "tres": tres,
            "seconds": seconds}
             for (start, association, account, user, tres), seconds in tally.associations.items() if seconds],
            [{**same, "start": start, "wckey": wckey, "user_name": user, "tres": tres, "seconds": seconds}
             for (start, wckey, user, tres), seconds in tally.wckeys.items() if seconds and self._wckeys],
            [{**same, **row} for row in tally.clusters()])
        for (table, _, _), made in zip(_TABLES, found, strict=True):
            self._clear(connection, table, HOURS, hours[0][0], hours[-1][1])
            if made:
                connection.execute(sa.insert(table), made)
        dirty = schema.dirty_hours.c
        connection.execute(sa.delete(schema.dirty_hours).where(
            dirty.cluster_id == self._cluster, dirty.start >= hours[0][0], dirty.start < hours[-1][1]))

    def _clear(self, connection: sa.Connection, table: sa.Table, kind: str, start: int, end: int) -> None:
        connection.execute(sa.delete(table).where(
            table.c.cluster_id == self._cluster, table.c.period == kind, table.c.start >= start, table.c.start < end))

    def _touched(self, hours: Sequence[Hour], kind: str, marks: dict[str, float], upto: float) -> list[Hour]:
        """The days (months) that must be summed up: those with one of these hours in them, and those that are complete now.

        Moves their mark.
        """
        begin, after = (periods.day_of, periods.next_day) if kind == DAYS else (periods.month_of, periods.next_month)
        starts = [begin(self._zone, hour[0]) for hour in hours if hour[0] < marks[kind]]
        found = [(start, after(self._zone, start)) for start, _ in groupby(starts)]
        while (end := after(self._zone, marks[kind])) <= upto:
            found.append((int(marks[kind]), end))
            marks[kind] = float(end)
        return found

    def _sum(self, connection: sa.Connection, of: str, into: str, found: Sequence[Hour]) -> int:
        """Sum up what is inside each of these periods."""
        for start, end in found:
            for table, key, sums in _TABLES:
                self._clear(connection, table, into, start, end)
                columns = table.c
                connection.execute(sa.insert(table).from_select(
                    ["cluster_id", "period", "start", *key, *sums],
                    sa.select(
                        columns.cluster_id, sa.literal(into), sa.literal(start, sa.BigInteger), *(columns[name] for name in key),
                        *(sa.func.sum(columns[name]) for name in sums)).where(
                            columns.cluster_id == self._cluster, columns.period == of, columns.start >= start,
                            columns.start < end).group_by(
                                columns.cluster_id, *(columns[name] for name in key))))
        return len(found)
