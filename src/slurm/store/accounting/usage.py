"""Usage asked for: the fewest summed periods that cover the hours from one moment to another, added up."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from slurm.model.accounting import AssociationUsage, ClusterUsage, UsageFilter, WckeyUsage
from slurm.store.accounting import periods, schema

_clusters = schema.clusters.c
_rollups = schema.rollups.c


def _sums(connection: sa.Connection, wanted: UsageFilter, asking: str, table: sa.Table, key: Sequence[str], sums: Sequence[str],
          only: Sequence[sa.ColumnElement[bool]]) -> dict[tuple[Any, ...], list[int]]:
    """(cluster's name, *key) → sums."""
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(sums))
    columns = table.c
    clusters = sa.select(_clusters.id, _clusters.name, _clusters.time_zone, _rollups.hours_until, _rollups.days_until,
        _rollups.months_until).join_from(
        schema.clusters, schema.rollups, _rollups.cluster_id == _clusters.id).where(_clusters.deleted == 0).order_by(_clusters.name)
    if not wanted.all_clusters:
        clusters = clusters.where(_clusters.name.in_(wanted.clusters or [asking]))
    for cluster in connection.execute(clusters).all():
        # Only where something is summed up: who asks from 1970 to 9999 is not asked to wait for each hour of it.
        since, until = max(wanted.since, _first(connection, table, cluster.id)), min(wanted.until, cluster.hours_until)
        stretches = periods.between(cluster.time_zone, since, until, cluster.days_until, cluster.months_until) if since < until else []
        for kind, group in groupby(stretches, key=lambda period: period.kind):
            members = list(group)
            question = sa.select(*(columns[name] for name in key), *(sa.func.sum(columns[name]) for name in sums)).where(
                columns.cluster_id == cluster.id, columns.period == kind, columns.start >= members[0].start,
                columns.start < members[-1].end,
                *only).group_by(*(columns[name] for name in key))
            if wanted.tres:
                question = question.where(columns.tres.in_(wanted.tres))
            for row in connection.execute(question):
                place = found[(cluster.name, *row[:len(key)])]
                for number, value in enumerate(row[len(key):]):
                    place[number] += int(value)
    return found


def _first(connection: sa.Connection, table: sa.Table, cluster: int) -> float:
    """The start of the first period of a cluster that is summed up in this table."""
    starts = [connection.execute(sa.select(sa.func.min(table.c.start)).where(table.c.cluster_id == cluster,
        table.c.period == kind)).scalar()
              for kind in (periods.HOURS, periods.DAYS, periods.MONTHS)]
    return float(min((start for start in starts if start is not None), default=math.inf))


def of_clusters(connection: sa.Connection, wanted: UsageFilter, asking: str) -> list[ClusterUsage]:
    """What became of the clusters' TRES."""
    sums = ("total", "allocated", "down", "planned_down", "idle", "planned")
    return [ClusterUsage(*key, *found) for key, found in sorted(_sums(connection, wanted, asking, schema.cluster_usage, ("tres",), sums,
        ()).items())]


def of_associations(connection: sa.Connection, wanted: UsageFilter, asking: str) -> list[AssociationUsage]:
    """Who had what, by account and user."""
    columns = schema.association_usage.c
    only = _only((columns.account, wanted.accounts), (columns.user_name, wanted.users))
    key = ("association_id", "account", "user_name", "tres")
    return [AssociationUsage(*each, *found) for each, found in sorted(
        _sums(connection, wanted, asking, schema.association_usage, key, ("seconds",), only).items())]


def of_wckeys(connection: sa.Connection, wanted: UsageFilter, asking: str) -> list[WckeyUsage]:
    """Who had what, by wckey and user."""
    columns = schema.wckey_usage.c
    only = _only((columns.wckey, wanted.wckeys), (columns.user_name, wanted.users))
    return [WckeyUsage(*each, *found) for each, found in sorted(
        _sums(connection, wanted, asking, schema.wckey_usage, ("wckey", "user_name", "tres"), ("seconds",), only).items())]


def _only(*lists: tuple[sa.ColumnElement[str], list[str]]) -> list[sa.ColumnElement[bool]]:
    return [column.in_(values) for column, values in lists if values]
