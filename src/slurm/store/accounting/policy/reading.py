"""Rows of the policy tables as the records of `model.policy`: of one cluster whole, or those that somebody asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from slurm.model.policy import Account, Association, Limits, PolicyRecord, Qos, Resource, User, Wckey
from slurm.model.policy_change import ACCOUNT, ASSOCIATION, QOS, RESOURCE, USER, WCKEY, Which
from slurm.store.accounting import schema
from slurm.store.accounting import schema_policy as policy

_decode_limits = msgspec.json.Decoder(Limits).decode
_names = msgspec.json.Decoder(list[str]).decode
MANY = 500
"""Names in one question, so that no database finds it too long."""


@lru_cache(maxsize=4096)
def _limits(text: str) -> Limits:
    """Limits of a column; one for all associations of the same text, none of which changes it."""
    return _decode_limits(text)


def version(connection: sa.Connection) -> int:
    """The number of the latest change, 0 before the first."""
    return int(connection.execute(sa.select(sa.func.max(policy.transactions.c.id))).scalar() or 0)


def cluster_ids(connection: sa.Connection) -> dict[str, int]:
    """The clusters that are there, by name."""
    columns = schema.clusters.c
    return {row.name: row.id for row in connection.execute(sa.select(columns.name,
        columns.id).where(columns.deleted == 0).order_by(columns.name))}


def qos_names(text: str) -> list[str] | None:
    """What stands in a `qos` column: names, some with + or -; None where nothing is set."""
    return _names(text) if text else None


_OF_ASSOCIATION = tuple(policy.associations.c[name] for name in (
    "id", "cluster_id", "account", "user_name", "partition", "parent_id", "shares", "is_default", "default_qos", "qos", "priority",
    "comment", "limits",
    "created", "deleted"))


def association_of(row: Any, cluster: str) -> Association:
    """The record of a row of `associations`."""
    return _association(tuple(getattr(row, column.name) for column in _OF_ASSOCIATION), cluster)


def _association(row: Sequence[Any], cluster: str) -> Association:
    """The record of the columns `_OF_ASSOCIATION`: there are a hundred thousand of them, and names of columns are looked up slowly."""
    identity, _, account, user, partition, parent, shares, is_default, default_qos, qos, priority, comment, limits, created, deleted = row
    names = _names(qos) if qos else None
    changes = [name for name in names if name[:1] in "+-"] if names else []
    return Association(
        id=identity, cluster=cluster, account=account, user=user, partition=partition, parent=parent, shares=shares,
        is_default=bool(is_default),
        default_qos=default_qos, qos=None if changes else names, qos_changes=changes, priority=priority, comment=comment,
        limits=_limits(limits or "{}"),
        created=created, deleted=bool(deleted))


def qos_of(row: Any) -> Qos:
    """The record of a row of `qos`."""
    return Qos(
        id=row.id, name=row.name, description=row.description, priority=row.priority, grace_time=row.grace_time,
        preempts=row.preempt.split(",") if row.preempt else [], preempt_mode=row.preempt_mode or "cluster",
        preempt_exempt_time=row.preempt_exempt_time,
        flags=row.flags.split(",") if row.flags else [], usage_threshold=row.usage_threshold, usage_factor=row.usage_factor,
        limit_factor=row.limit_factor,
        limits=_limits(row.limits or "{}"), deleted=bool(row.deleted))


def user_of(row: Any) -> User:
    """The record of a row of `users`."""
    return User(name=row.name, admin_level=row.admin_level, default_wckey=row.default_wckey, deleted=bool(row.deleted))


def accounts_of(connection: sa.Connection, rows: Iterable[Any]) -> list[Account]:
    """The records of rows of `accounts`, with who coordinates them."""
    coordinators: dict[str, list[str]] = {}
    columns = policy.coordinators.c
    for row in connection.execute(sa.select(columns.account, columns.user_name).order_by(columns.account, columns.user_name)):
        coordinators.setdefault(row.account, []).append(row.user_name)
    return [
        Account(name=row.name, description=row.description, organization=row.organization, coordinators=coordinators.get(row.name, []),
                deleted=bool(row.deleted)) for row in rows]


def whole(connection: sa.Connection, cluster: str) -> tuple[int, list[PolicyRecord]]:
    """Everything that a cluster's controller is to know, and the number of the latest change in it; nothing of a cluster that is not
    there."""
    number = version(connection)
    identity = cluster_ids(connection).get(cluster)
    if identity is None:
        return number, []
    found: list[PolicyRecord] = []
    found += accounts_of(connection, connection.execute(sa.select(policy.accounts).where(policy.accounts.c.deleted == 0).order_by(
        policy.accounts.c.id)))
    found += [user_of(row) for row in connection.execute(sa.select(policy.users).where(policy.users.c.deleted == 0).order_by(
        policy.users.c.id))]
    found += [qos_of(row) for row in connection.execute(sa.select(policy.qos).where(policy.qos.c.deleted == 0).order_by(policy.qos.c.id))]
    found += [wckey_of(row, cluster) for row in connection.execute(sa.select(policy.wckeys).where(
        policy.wckeys.c.deleted == 0, policy.wckeys.c.cluster_id == identity).order_by(policy.wckeys.c.id))]
    found += resources_of(connection, connection.execute(sa.select(policy.resources).where(
        policy.resources.c.deleted == 0).order_by(policy.resources.c.id)).all(), {identity: cluster})
    columns = policy.associations.c
    found += [_association(row, cluster) for row in connection.execute(sa.select(*_OF_ASSOCIATION).where(
        columns.cluster_id == identity, columns.deleted == 0).order_by(columns.id))]
    return number, found


def wckey_of(row: Any, cluster: str) -> Wckey:
    """The record of a row of `wckeys`."""
    return Wckey(id=row.id, name=row.name, user=row.user_name, cluster=cluster, is_default=bool(row.is_default), deleted=bool(row.deleted))


def resources_of(connection: sa.Connection, rows: Iterable[Any], names: dict[int, str]) -> list[Resource]:
    """The records of rows of `resources`, with what each cluster may use."""
    columns = policy.resource_clusters.c
    allowed: dict[int, dict[str, int]] = {}
    for row in connection.execute(sa.select(policy.resource_clusters).order_by(columns.cluster_id)):
        if row.cluster_id in names:
            allowed.setdefault(row.resource_id, {})[names[row.cluster_id]] = row.allowed
    return [
        Resource(id=row.id, name=row.name, server=row.server, kind=row.type, count=row.count, description=row.description,
        server_type=row.server_type,
                 flags=row.flags.split(",") if row.flags else [], last_consumed=row.last_consumed, last_update=row.last_update,
                 allowed=allowed.get(row.id, {}), deleted=bool(row.deleted)) for row in rows]


def listed(connection: sa.Connection, entity: str, which: Which, after: int, most: int) -> tuple[list[PolicyRecord], int]:
    """At most so many of the records that are meant, by their ids, behind `after`; and the id behind which the next part begins, 0: there
    are no more."""
    table = {ACCOUNT: policy.accounts, USER: policy.users, QOS: policy.qos, WCKEY: policy.wckeys, RESOURCE: policy.resources,
             ASSOCIATION: policy.associations}[entity]
    names = {identity: name for name, identity in cluster_ids(connection).items()}
    columns = _OF_ASSOCIATION if entity == ASSOCIATION else (table,)
    statement = sa.select(*columns).where(table.c.id > after, *conditions(table, entity, which, names)).order_by(table.c.id).limit(most)
    rows = connection.execute(statement).all()
    following = rows[-1][0] if len(rows) == most else 0  # the id is the first column of each table
    if entity == ASSOCIATION:
        return [_association(row, names.get(row[1], "")) for row in rows], following
    if entity == ACCOUNT:
        return list(accounts_of(connection, rows)), following
    if entity == USER:
        return [user_of(row) for row in rows], following
    if entity == QOS:
        return [qos_of(row) for row in rows], following
    if entity == RESOURCE:
        return list(resources_of(connection, rows, names)), following
    return [wckey_of(row, names.get(row.cluster_id, "")) for row in rows], following


def conditions(table: sa.Table, entity: str, which: Which, clusters: dict[int, str]) -> list[sa.ColumnElement[bool]]:
    """What a row must be for its record to be meant."""
    columns = table.c
    found: list[sa.ColumnElement[bool]] = []
    if not which.with_deleted:
        found.append(columns.deleted == 0)
    if which.ids:
        found.append(columns.id.in_(which.ids))
    if entity in (ACCOUNT, USER, QOS, WCKEY, RESOURCE) and which.names:
        found.append(columns.name.in_(lowered(which.names)))
    if entity == RESOURCE and which.servers:
        found.append(columns.server.in_(lowered(which.servers)))
    if entity == RESOURCE and which.server_types:
        found.append(columns.server_type.in_(which.server_types))
    if entity in (ACCOUNT, QOS, RESOURCE) and which.descriptions:
        found.append(columns.description.in_(which.descriptions))
    if entity == ACCOUNT and which.organizations:
        found.append(columns.organization.in_(which.organizations))
    if entity == USER and which.default_wckeys:
        found.append(columns.default_wckey.in_(lowered(which.default_wckeys)))
    if entity == USER and which.admin_levels:
        found.append(columns.admin_level.in_(which.admin_levels))
    if entity in (WCKEY, ASSOCIATION):
        wanted = [identity for identity, name in clusters.items() if name in lowered(which.clusters)] if which.clusters else list(clusters)
        # what is not removed is of a cluster that is there; by its index a part of a list would be sorted anew each time
        if which.clusters or which.with_deleted:
            found.append(columns.cluster_id.in_(wanted))
        if which.users:
            found.append(columns.user_name.in_(lowered(which.users)))
    if entity == ASSOCIATION:
        if which.accounts:
            found.append(columns.account.in_(lowered(which.accounts)))
        if which.partitions:
            found.append(columns.partition.in_(which.partitions))
        if which.default_qos:
            found.append(columns.default_qos.in_(lowered(which.default_qos)))
    return found


def lowered(names: Iterable[str]) -> list[str]:
    """Names as the database has them: in small letters."""
    return [name.lower() for name in names]


def in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Many names, so many at a time as one question may have."""
    for start in range(0, len(names), MANY):
        yield names[start:start + MANY]
