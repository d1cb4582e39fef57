"""Events asked for: times in which nodes were out of service, and what clusters had from when to when."""

from __future__ import annotations

import re

import sqlalchemy as sa

from slurm.model.accounting import EventFilter, EventRow
from slurm.store.accounting import rows, schema

CLUSTER, NODE = "cluster", "node"
REGISTERED = "Cluster Registered TRES"
"""Slurm's reason of a cluster's event."""
_clusters = schema.clusters.c


def of_clusters(connection: sa.Connection, wanted: EventFilter, asking: str) -> list[EventRow]:
    """What clusters had, each until they had something else."""
    if wanted.kind == NODE or wanted.nodes or wanted.states or wanted.users or (wanted.reasons and REGISTERED not in wanted.reasons):
        return []
    columns = schema.cluster_events.c
    found: list[EventRow] = []
    for identity, name in _named(connection, wanted, asking).items():
        changes = connection.execute(sa.select(columns.time_start, columns.nodes, columns.tres).where(
            columns.cluster_id == identity).order_by(columns.time_start)).all()
        ends = [*(change.time_start for change in changes[1:]), *([0.0] if changes else [])]
        found += [
            EventRow(cluster=name, start=change.time_start, end=end, reason=REGISTERED, tres=rows.tres_of(change.tres), nodes=change.nodes)
            for change, end in zip(changes, ends, strict=True)
            if (not end or (end > wanted.since and not wanted.open_only)) and (not wanted.until or change.time_start < wanted.until)]
    return found


def of_nodes(connection: sa.Connection, wanted: EventFilter, asking: str, after: int, most: int) -> tuple[list[EventRow], int]:
    """At most so many times in which a node was out of service, behind a row; and the row behind which the next part begins, 0: there are
    no more."""
    if wanted.kind == CLUSTER:
        return [], 0
    names = _named(connection, wanted, asking)
    columns = schema.node_events.c
    conditions = [columns.id > after, columns.cluster_id.in_(list(names))]
    if wanted.nodes:
        conditions.append(columns.node.in_(wanted.nodes))
    if wanted.since:
        conditions.append(columns.time_over > wanted.since)
    if wanted.until:
        conditions.append(columns.time_start < wanted.until)
    if wanted.open_only:
        conditions.append(columns.time_end == 0)
    found = connection.execute(sa.select(columns.id, columns.cluster_id, columns.record).where(*conditions).order_by(columns.id).limit(
        most)).all()
    states = {word.upper() for word in wanted.states}
    events = []
    for row in found:
        record = rows.node_event_of(row.record)
        if wanted.reasons and record.reason not in wanted.reasons:
            continue
        if states and states.isdisjoint(re.split(r"[+*~#!%$@^-]+", record.state.upper())):
            continue
        events.append(EventRow(
            cluster=names[row.cluster_id], node=record.node, start=record.start_time, end=record.end_time, state=record.state,
            reason=record.reason,
            uid=record.reason_uid, tres=record.tres))
    return events, found[-1].id if len(found) == most else 0


def _named(connection: sa.Connection, wanted: EventFilter, asking: str) -> dict[int, str]:
    """The clusters that are meant, by id."""
    statement = sa.select(_clusters.id, _clusters.name).where(_clusters.deleted == 0).order_by(_clusters.name)
    if not wanted.all_clusters:
        statement = statement.where(_clusters.name.in_(wanted.clusters or [asking]))
    return {row.id: row.name for row in connection.execute(statement)}
