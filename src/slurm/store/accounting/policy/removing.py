"""Removal: soft, so that what happened keeps its names, and refused where jobs of it have not ended or a user would lose his default
account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.policy_change import ACCOUNT, ASSOCIATION, QOS, USER, Which
from slurm.store.accounting import schema
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import reading, wckeys
from slurm.store.accounting.policy.editing import ROOT, Editing
from slurm.store.accounting.policy.reading import lowered

_SHOWN = 20


def remove_accounts(editing: Editing, which: Which) -> None:
    """Accounts with everything below them, in the clusters that are meant; the account itself, where it is in none any more."""
    wanted = Which(names=[*which.names, *which.accounts], descriptions=which.descriptions, organizations=which.organizations)
    found = editing.connection.execute(sa.select(policy.accounts).where(
        *reading.conditions(policy.accounts, ACCOUNT, wanted, editing.names)).order_by(policy.accounts.c.id)).all()
    columns = policy.associations.c
    clusters = [editing.clusters[name] for name in editing.cluster_of(which.clusters)]
    for row in found:
        if row.name == ROOT:
            raise InvalidRequest(message=" You are not allowed to remove the root account.\n Use remove cluster instead.")
        gone: list[Any] = []
        for top in editing.associations(columns.account == row.name, columns.user_name == "", columns.cluster_id.in_(clusters)):
            gone += editing.associations(columns.cluster_id == top.cluster_id, columns.lineage.startswith(top.lineage, autoescape=True))
        _let_go(editing, gone)
        if not editing.associations(columns.account == row.name):
            editing.remove(policy.accounts, [row.id])
            editing.connection.execute(sa.delete(policy.coordinators).where(policy.coordinators.c.account == row.name))
        editing.log("Remove Accounts", row.name)
        editing.report.names.append(row.name)


def remove_users(editing: Editing, which: Which) -> None:
    """Users; with wckeys named only these, with accounts, partitions or clusters only their associations there."""
    users = lowered([*which.names, *which.users])
    columns = policy.associations.c
    if which.wckeys:
        wckeys.take(editing, Which(wckeys=which.wckeys, users=users, clusters=which.clusters))
        if not which.accounts and not which.partitions:
            return
    if which.accounts or which.partitions or which.clusters:
        wanted = Which(users=users, accounts=which.accounts, partitions=which.partitions, clusters=which.clusters)
        gone = editing.associations(*reading.conditions(policy.associations, ASSOCIATION, wanted, editing.names), columns.user_name != "")
        editing.report.places += [editing.place(row) for row in gone]
        _let_go(editing, gone)
        return
    wanted = Which(names=users, admin_levels=which.admin_levels)
    found = editing.connection.execute(sa.select(policy.users).where(
        *reading.conditions(policy.users, USER, wanted, editing.names)).order_by(policy.users.c.id)).all()
    for row in found:
        if row.name == ROOT:
            raise InvalidRequest(message="The user root can not be removed")
        gone = editing.associations(columns.user_name == row.name)
        _let_go(editing, gone, whole_users=True)
        editing.remove(policy.wckeys, [key.id for identity in editing.names for key in wckeys.rows_of(editing, identity, row.name)])
        editing.remove(policy.users, [row.id])
        _remove_coordinator(editing, row.name, [])
        editing.log("Remove Users", row.name)
        editing.report.names.append(row.name)


def remove_qos(editing: Editing, which: Which) -> None:
    """QOS, and what names them."""
    found = editing.connection.execute(sa.select(policy.qos).where(
        *reading.conditions(policy.qos, QOS, which, editing.names)).order_by(policy.qos.c.id)).all()
    for row in found:
        _refuse_jobs(editing, schema.jobs.c.qos == row.name)
        columns = policy.associations.c
        for one in editing.associations(sa.or_(columns.default_qos == row.name, columns.qos.contains(f'{row.name}"', autoescape=True))):
            names = reading.qos_names(one.qos)
            kept = [name for name in names or () if name.lstrip("+-") != row.name]
            editing.update(policy.associations, one.id, default_qos="" if one.default_qos == row.name else one.default_qos,
                           qos="" if not kept else msgspec.json.encode(kept).decode())
        for other in editing.connection.execute(sa.select(policy.qos).where(policy.qos.c.deleted == 0,
                policy.qos.c.preempt.contains(row.name))).all():
            editing.update(policy.qos, other.id, preempt=",".join(name for name in other.preempt.split(",") if name != row.name))
        editing.remove(policy.qos, [row.id])
        editing.log("Remove QOS", f"name='{row.name}'")
        editing.report.names.append(row.name)


def remove_clusters(editing: Editing, which: Which) -> None:
    """Clusters with their associations; what was recorded of them stays."""
    for name in lowered([*which.names, *which.clusters]):
        identity = editing.clusters.get(name)
        if identity is None:
            continue
        _refuse_jobs(editing, schema.jobs.c.cluster_id == identity)
        rows = editing.associations(policy.associations.c.cluster_id == identity)
        editing.remove(policy.associations, [row.id for row in rows])
        editing.connection.execute(sa.update(schema.clusters).where(schema.clusters.c.id == identity).values(deleted=1))
        editing.log("Remove Clusters", name, cluster=name)
        editing.report.names.append(name)


def remove_coordinators(editing: Editing, which: Which) -> None:
    """Users who coordinate no longer: these accounts, or any."""
    for user in lowered(which.users or which.names):
        if _remove_coordinator(editing, user, lowered(which.accounts)):
            editing.report.names.append(user)


def _remove_coordinator(editing: Editing, user: str, accounts: Sequence[str]) -> bool:
    columns = policy.coordinators.c
    conditions = [columns.user_name == user, *([columns.account.in_(accounts)] if accounts else [])]
    gone = list(editing.connection.execute(sa.select(columns.account).where(*conditions)).scalars())
    if gone:
        editing.connection.execute(sa.delete(policy.coordinators).where(*conditions))
        for account in gone:
            row = editing.row(policy.accounts, account)
            if row is not None:
                editing.touch(policy.accounts, row.id)
            editing.log("Remove Account Coord", account, user)
    return bool(gone)


def _let_go(editing: Editing, rows: Sequence[Any], *, whole_users: bool = False) -> None:
    """Remove associations, unless something still needs them."""
    identities = [row.id for row in rows]
    for part in reading.in_parts([str(identity) for identity in identities]):
        _refuse_jobs(editing, schema.jobs.c.association_id.in_([int(one) for one in part]))
    if not whole_users and not editing.rules.no_default_account:
        _refuse_defaults(editing, rows, set(identities))
    editing.remove(policy.associations, identities)
    for row in rows:
        editing.log("Remove Associations", f"id_assoc={row.id}", f"account='{row.account}', user='{row.user_name}'",
            cluster=editing.names[row.cluster_id])


def _refuse_defaults(editing: Editing, rows: Sequence[Any], gone: set[int]) -> None:
    """A user who keeps other accounts must not lose the default one."""
    columns = policy.associations.c
    kept = []
    for row in rows:
        if row.user_name and row.is_default:
            others = editing.associations(columns.cluster_id == row.cluster_id, columns.user_name == row.user_name)
            if any(other.id not in gone for other in others):
                kept.append(f"  C = {editing.names[row.cluster_id]:<10} A = {row.account:<10} U = {row.user_name:<9}")
    if kept:
        raise InvalidRequest(message="\n".join([" Error with request: You can not remove the default account of a user", *kept[:_SHOWN]]),
            hints=[
            "sacctmgr modify user NAME set defaultaccount=OTHER gives them another one first"])


def _refuse_jobs(editing: Editing, condition: sa.ColumnElement[bool]) -> None:
    columns = schema.jobs.c
    rows = editing.connection.execute(sa.select(columns.job_id, columns.cluster_id, columns.account, columns.user_name).where(
        condition, columns.time_end == 0, columns.latest == 1).order_by(columns.job_id).limit(_SHOWN)).all()
    if rows:
        raise NotNow(message="\n".join([" Error with request: Job(s) active, cancel job(s) before remove", *(
            f"  JobID = {row.job_id:<10} C = {editing.names.get(row.cluster_id, ''):<10} A = {row.account:<10} U = {row.user_name:<9}"
            for row in rows)]))
