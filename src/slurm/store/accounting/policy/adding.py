"""Accounts, users, QOS, clusters and coordinators that are new, or new in a cluster."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from slurm.model.errors import InvalidRequest
from slurm.model.policy_change import PolicySettings, Which
from slurm.store.accounting import entities, schema
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import wckeys
from slurm.store.accounting.policy.checking import require_names
from slurm.store.accounting.policy.editing import ROOT, Editing, association_columns, qos_columns
from slurm.store.accounting.policy.reading import lowered

_NOTHING = {"qos": "", "limits": "{}", "comment": ""}


def add_accounts(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """Accounts, each with an association under its parent in every cluster that is meant."""
    require_names("an account", which.names)
    clusters = editing.cluster_of(which.clusters)
    parent = (settings.parent or ROOT).lower()
    for name in lowered(which.names):
        row = editing.row(policy.accounts, name)
        if row is None:
            above = editing.row(policy.accounts, parent)
            editing.insert(
                policy.accounts, name=name, description=settings.description if settings.description is not None else name,
                organization=settings.organization if settings.organization is not None
                else (above.name if above is not None and parent != ROOT else name),
                deleted=0)
            editing.log("Add Accounts", name, f"description='{settings.description or name}'")
            editing.report.names.append(name)
        for cluster in clusters:
            identity = editing.clusters[cluster]
            if editing.association(identity, name) is not None:
                continue
            above = editing.association(identity, parent)
            if above is None:
                raise InvalidRequest("ESLURM_INVALID_PARENT_ACCOUNT", f"No parent account '{parent}' on cluster {cluster}", hints=[
                    f"sacctmgr add account {parent} cluster={cluster}"])
            _associate(editing, identity, name, "", "", above.id, f"{above.lineage.rstrip('/')}/{name}/", settings)


def add_users(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """Users, each with an association in every account and cluster that is meant, and their wckeys.

    Accounts that are not there are told of.
    """
    require_names("a user", which.names)
    require_names("a partition", [name for name in which.partitions if name])
    accounts = lowered(which.accounts)
    default = (settings.default_account or "").lower()
    if default and default not in accounts:
        accounts = [default, *accounts]
    places: list[tuple[str, Any]] = []
    for account in accounts:
        found = [(cluster, row) for cluster in editing.cluster_of(which.clusters)
                 if (row := editing.association(editing.clusters[cluster], account)) is not None]
        places += found
        missing = [cluster for cluster in editing.cluster_of(which.clusters) if cluster not in {place[0] for place in found}]
        if which.clusters or not found:
            editing.report.unknown_accounts += [(account, cluster) for cluster in missing]
    if accounts and not places:
        return
    default_wckey = (settings.default_wckey or "").lower()
    for name in lowered(which.names) if places or which.wckeys or default_wckey else ():
        added: list[Any] = []
        for cluster, above in places:
            for partition in which.partitions or [""]:
                if editing.association(above.cluster_id, above.account, name, partition) is not None:
                    continue
                first = not _has_default(editing, above.cluster_id, name)
                wanted = above.account == default or (not default and first)
                if wanted and not first:
                    _no_default(editing, above.cluster_id, name)
                ending = f"0-{name}/{partition}/" if partition else f"0-{name}/"
                _associate(editing, above.cluster_id, above.account, name, partition, above.id, f"{above.lineage}{ending}", settings,
                    default=wanted)
                added.append((cluster, above.account))
        row = editing.row(policy.users, name)
        if row is None and (added or which.wckeys or default_wckey):
            editing.insert(policy.users, name=name, admin_level=settings.admin_level or "None", default_wckey="", deleted=0)
            editing.log("Add Users", name, f"admin_level='{settings.admin_level or 'None'}'")
            editing.report.names.append(name)
        elif row is not None and settings.admin_level is not None and settings.admin_level != row.admin_level:
            editing.update(policy.users, row.id, admin_level=settings.admin_level)
            editing.log("Modify Users", name, f"admin_level='{settings.admin_level}'")
            editing.report.names.append(name)
        wckeys.give(editing, name, which.wckeys, which.clusters, default_wckey)


def add_qos(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """QOS."""
    require_names("a QOS", which.names)
    for name in lowered(which.names):
        if editing.row(policy.qos, name) is not None:
            continue
        values: dict[str, object] = {"description": name, "preempt": "", "limits": "{}", "preempt_mode": "", "flags": "", "deleted": 0}
        editing.insert(policy.qos, name=name, **{**values, **qos_columns(editing, settings)})
        editing.log("Add QOS", name, {key: str(value) for key, value in qos_columns(editing, settings).items()})
        editing.report.names.append(name)


def add_clusters(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """Clusters, before their controllers come."""
    require_names("a cluster", which.names)
    for name in lowered(which.names):
        if name in editing.clusters:
            continue
        columns = schema.clusters.c
        gone = editing.connection.execute(sa.select(columns.id).where(columns.name == name)).scalar()
        if gone is not None:  # its records are still there, and its controller may come again
            editing.connection.execute(sa.update(schema.clusters).where(columns.id == gone).values(deleted=0))
            identity = int(gone)
        else:
            key = editing.connection.execute(sa.insert(schema.clusters).values(name=name, time_zone="UTC")).inserted_primary_key
            assert key is not None
            identity = int(key[0])
        editing.clusters[name], editing.names[identity] = identity, name
        entities.add_cluster(editing.connection, identity, "", editing.now, qos=editing.rules.default_qos)
        for row in editing.associations(policy.associations.c.cluster_id == identity):
            values = association_columns(editing, settings, row) if not row.parent_id else {}
            if values:
                editing.update(policy.associations, row.id, **values)
            editing.touch(policy.associations, row.id)
        editing.log("Add Clusters", name, cluster=name)
        editing.report.names.append(name)


def add_coordinators(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """Users that coordinate accounts."""
    for account in lowered(which.accounts):
        row = editing.row(policy.accounts, account)
        if row is None:
            editing.report.unknown_accounts.append((account, ""))
            continue
        for user in lowered(which.users or which.names):
            if editing.row(policy.users, user) is None:
                raise InvalidRequest(message=f"You specified a user that doesn't exist: {user}",
                    hints=[f"sacctmgr add user {user} account={account}"])
            columns = policy.coordinators.c
            there = editing.connection.execute(sa.select(columns.account).where(columns.account == account,
                columns.user_name == user)).first()
            if there is None:
                editing.connection.execute(sa.insert(policy.coordinators).values(account=account, user_name=user))
                editing.touch(policy.accounts, row.id)
                editing.log("Add Account Coord", account, user)
                editing.report.names.append(user)
    editing.report.names = list(dict.fromkeys(editing.report.names))


def _associate(
    editing: Editing, cluster: int, account: str, user: str, partition: str, parent: int, lineage: str, settings: PolicySettings, *,
    default: bool = False,
) -> None:
    values = {**_NOTHING, **association_columns(editing, settings)}
    identity = editing.insert(
        policy.associations, cluster_id=cluster, account=account, user_name=user, partition=partition, parent_id=parent, lineage=lineage,
        is_default=int(default), deleted=0, **values)
    editing.log("Add Associations", f"id_assoc={identity}", f"account='{account}', user='{user}'", cluster=editing.names[cluster])
    row = editing.association(cluster, account, user, partition)
    editing.report.places.append(editing.place(row))


def _has_default(editing: Editing, cluster: int, user: str) -> bool:
    columns = policy.associations.c
    return bool(editing.associations(columns.cluster_id == cluster, columns.user_name == user, columns.is_default == 1))


def _no_default(editing: Editing, cluster: int, user: str) -> None:
    columns = policy.associations.c
    for row in editing.associations(columns.cluster_id == cluster, columns.user_name == user, columns.is_default == 1):
        editing.update(policy.associations, row.id, is_default=0)
