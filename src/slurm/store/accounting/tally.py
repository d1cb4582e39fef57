"""Who had what in given hours: jobs, suspensions, node events and the cluster's size as TRES-seconds. Reads rows, writes none.

All times are whole seconds, so that the hours of a job add up to its elapsed time exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from slurm.store.accounting import rows, schema

Hour = tuple[int, int]
"""When it begins and ends."""
Spans = list[tuple[int, int]]
_PLANNED_DOWN = ("MAINT", "POWERED_DOWN", "POWERING", "PLANNED", "FUTURE")


def overlap(start: int, end: int, hour: Hour) -> int:
    """How many seconds of [start, end) lie in an hour."""
    return max(0, min(end, hour[1]) - max(start, hour[0]))


class Tally:
    """The sums of one cluster in some hours without gaps, rising. `tallied` fills it."""

    def __init__(self, hours: Sequence[Hour]) -> None:
        self.hours = hours
        # By (hour's start, …, TRES)
        self.associations: defaultdict[tuple[int, int, str, str, str], int] = defaultdict(int)
        self.wckeys: defaultdict[tuple[int, str, str, str], int] = defaultdict(int)
        self._allocated: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._planned: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._total: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._down: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._planned_down: defaultdict[tuple[int, str], int] = defaultdict(int)

    def within(self, start: int, end: int) -> Iterable[Hour]:
        """The hours that [start, end) touches."""
        return (hour for hour in self.hours if hour[0] < end and hour[1] > start)

    def add_job(self, row: Any, suspended: Spans) -> None:
        """A job that waited or ran in these hours."""
        last = self.hours[-1][1]
        start, end = int(row.time_start), int(row.time_end) or last
        tres = rows.tres_of(row.allocated)
        if start:
            for hour in self.within(start, end):
                seconds = overlap(start, end, hour) - sum(overlap(max(first, start), min(after, end), hour) for first, after in suspended)
                for name, count in tres.items():
                    amount = count * seconds
                    self.associations[(hour[0], row.association_id, row.account, row.user_name, name)] += amount
                    if row.wckey:  # a * says only that nobody had to name it
                        self.wckeys[(hour[0], row.wckey.removeprefix("*"), row.user_name, name)] += amount
                    self._allocated[(hour[0], name)] += amount
        eligible = int(row.time_eligible)
        if eligible:
            began = start or end
            for hour in self.within(eligible, began):
                seconds = overlap(eligible, began, hour) * row.tasks
                for name, count in tres.items():
                    self._planned[(hour[0], name)] += count * seconds

    def add_node(self, start: int, end: int, state: str, tres: dict[str, int]) -> None:
        """A node that was out of service."""
        sums = self._planned_down if any(word in state.upper() for word in _PLANNED_DOWN) else self._down
        for hour in self.within(start, end):
            for name, count in tres.items():
                sums[(hour[0], name)] += count * overlap(start, end, hour)

    def add_size(self, start: int, end: int, tres: dict[str, int]) -> None:
        """What the cluster had."""
        for hour in self.within(start, end):
            for name, count in tres.items():
                self._total[(hour[0], name)] += count * overlap(start, end, hour)

    def clusters(self) -> Iterable[dict[str, Any]]:
        """Rows of cluster_usage: first what was allocated, of the rest what was down, of the rest what was kept for waiting jobs, else
        idle."""
        for key in sorted({*self._total, *self._allocated}):
            allocated = self._allocated[key]
            total = max(self._total[key], allocated)
            down = min(self._down[key], total - allocated)
            planned_down = min(self._planned_down[key], total - allocated - down)
            free = total - allocated - down - planned_down
            planned = min(self._planned[key], free)
            yield {"start": key[0], "tres": key[1], "total": total, "allocated": allocated, "down": down, "planned_down": planned_down,
                   "idle": free - planned, "planned": planned}


def tallied(connection: sa.Connection, cluster: int, hours: Sequence[Hour]) -> Tally:
    """The sums of these hours as the tables have them now."""
    tally = Tally(hours)
    first, last = hours[0][0], hours[-1][1]
    suspended = _suspended(connection, cluster, first, last)
    jobs = schema.jobs.c
    for row in connection.execute(sa.select(
            jobs.job_id, jobs.restarts, jobs.reused, jobs.association_id, jobs.account, jobs.user_name, jobs.wckey, jobs.tasks,
            jobs.time_eligible,
            jobs.time_start, jobs.time_end, jobs.allocated).where(
                jobs.cluster_id == cluster, jobs.time_over > first, jobs.time_submit < last)):
        tally.add_job(row, suspended.get((row.job_id, row.restarts, row.reused), []))
    events = schema.node_events.c
    for event in connection.execute(sa.select(events.time_start, events.time_end, events.state, events.record).where(
            events.cluster_id == cluster, events.time_over > first, events.time_start < last)):
        tally.add_node(int(event.time_start), int(event.time_end) or last, event.state, rows.node_event_of(event.record).tres)
    for start, end, tres in _sizes(connection, cluster, last):
        tally.add_size(start, end, tres)
    return tally


def _suspended(connection: sa.Connection, cluster: int, first: int, last: int) -> dict[tuple[int, int, int], Spans]:
    columns = schema.suspensions.c
    found: defaultdict[tuple[int, int, int], Spans] = defaultdict(list)
    for row in connection.execute(sa.select(columns.job_id, columns.restarts, columns.reused, columns.time_start, columns.time_end).where(
            columns.cluster_id == cluster, columns.time_over > first, columns.time_start < last)):
        found[(row.job_id, row.restarts, row.reused)].append((int(row.time_start), int(row.time_end) or last))
    return found


def _sizes(connection: sa.Connection, cluster: int, last: int) -> list[tuple[int, int, dict[str, int]]]:
    columns = schema.cluster_events.c
    changes = [(int(row.time_start), rows.tres_of(row.tres)) for row in connection.execute(
        sa.select(columns.time_start, columns.tres).where(columns.cluster_id == cluster,
        columns.time_start < last).order_by(columns.time_start))]
    ends = [*(start for start, _ in changes[1:]), last]
    return [(start, end, tres) for (start, tres), end in zip(changes, ends, strict=False)]
