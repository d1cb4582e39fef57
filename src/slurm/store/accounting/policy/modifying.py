"""Changes of what is there: accounts and their place in the tree, users and their default account, QOS, limits of associations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from slurm.model.errors import InvalidRequest
from slurm.model.policy import UsageReset
from slurm.model.policy_change import ACCOUNT, ASSOCIATION, QOS, USER, PolicySettings, Which
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import reading, wckeys
from slurm.store.accounting.policy.editing import ROOT, Editing, association_columns, qos_columns
from slurm.store.accounting.policy.reading import lowered


def modify_accounts(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """What accounts are called, and what their associations say."""
    own: dict[str, object] = {key: value for key in ("description", "organization") if (value := getattr(settings, key)) is not None}
    columns = policy.accounts.c
    if own:
        names = Which(names=[*which.names, *which.accounts], descriptions=which.descriptions, organizations=which.organizations)
        rows = editing.connection.execute(sa.select(policy.accounts).where(*reading.conditions(policy.accounts, ACCOUNT, names,
            editing.names)).order_by(columns.id))
        for row in rows.all():
            editing.update(policy.accounts, row.id, **own)
            editing.log("Modify Accounts", row.name, {key: str(value) for key, value in own.items()})
            editing.report.names.append(row.name)
    if _of_association(editing, settings) or settings.parent is not None:
        wanted = Which(accounts=[*which.names, *which.accounts], clusters=which.clusters, ids=which.ids, default_qos=which.default_qos)
        _modify(editing, wanted, which, settings, policy.associations.c.user_name == "")


def modify_users(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """What users are, and what their associations say."""
    users = lowered([*which.names, *which.users])
    if settings.admin_level is not None or settings.new_name is not None:
        wanted = Which(names=users, admin_levels=which.admin_levels)
        rows = editing.connection.execute(sa.select(policy.users).where(*reading.conditions(policy.users, USER, wanted,
            editing.names)).order_by(policy.users.c.id))
        for row in rows.all():
            _modify_user(editing, row, settings)
    if settings.default_account is not None:
        _default_account(editing, users, which, settings.default_account.lower())
    if settings.default_wckey is not None:
        wckeys.choose(editing, users, which.clusters, settings.default_wckey.lower())
        editing.report.names = list(dict.fromkeys([*editing.report.names, *users]))
    if _of_association(editing, settings):
        wanted = Which(users=users, accounts=which.accounts, clusters=which.clusters, partitions=which.partitions, ids=which.ids,
            default_qos=which.default_qos)
        _modify(editing, wanted, which, settings, policy.associations.c.user_name != "")


def modify_qos(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """What QOS say."""
    rows = editing.connection.execute(sa.select(policy.qos).where(*reading.conditions(policy.qos, QOS, which,
        editing.names)).order_by(policy.qos.c.id)).all()
    for row in rows:
        values = qos_columns(editing, settings, row)
        if settings.new_name is not None:
            raise InvalidRequest(message="a QOS keeps its name", hints=["add one of the new name and remove the old one"])
        if values:
            editing.update(policy.qos, row.id, **values)
            editing.log("Modify QOS", f"name='{row.name}'", {key: str(value) for key, value in values.items()})
        if settings.raw_usage:
            editing.resets.setdefault("", []).append(UsageReset(qos=row.id))
            editing.log("Reset Usage", f"name='{row.name}'")
        editing.report.names.append(row.name)


def modify_clusters(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """What holds for a whole cluster: the association of its root account."""
    clusters = editing.cluster_of([*which.names, *which.clusters])
    _modify(editing, Which(clusters=clusters, accounts=[ROOT]), which, settings, policy.associations.c.parent_id == 0)
    editing.report.names, editing.report.places = [place.cluster for place in editing.report.places], []


def _of_association(editing: Editing, settings: PolicySettings) -> bool:
    return settings.raw_usage or settings.limits != {} or any(
        value is not None for value in (settings.shares, settings.priority, settings.comment, settings.qos, settings.default_qos))


def _modify(editing: Editing, wanted: Which, which: Which, settings: PolicySettings, kind: sa.ColumnElement[bool]) -> None:
    """Change the associations that are meant."""
    conditions = reading.conditions(policy.associations, ASSOCIATION, wanted, editing.names)
    changed: list[int] = []
    for row in editing.associations(*conditions, kind):
        place = editing.place(row)
        if which.parents and place.parent not in lowered(which.parents):
            continue
        values = association_columns(editing, settings, row)
        if values:
            editing.update(policy.associations, row.id, **values)
            editing.log("Modify Associations", f"id_assoc={row.id}", {key: str(value) for key, value in values.items()},
                cluster=place.cluster)
            changed.append(row.id)
        if settings.raw_usage:
            editing.resets.setdefault(place.cluster, []).append(UsageReset(association=row.id))
            editing.log("Reset Usage", f"id_assoc={row.id}", cluster=place.cluster)
        if settings.parent is not None and not row.user_name:
            if not _move(editing, row, settings.parent.lower()):
                continue
            place = editing.place(editing.association(row.cluster_id, row.account))
        editing.report.places.append(place)
    if settings.qos is not None or settings.default_qos:
        _require_default_qos(editing, changed)


def _require_default_qos(editing: Editing, changed: list[int]) -> None:
    """InvalidRequest where one of these associations may not use what is its default QOS."""
    without = []
    for identity in changed:
        (row,) = editing.associations(policy.associations.c.id == identity)
        allowed = editing.allowed_qos(row) if row.default_qos else None
        if allowed is not None and row.default_qos not in allowed:
            place = editing.place(row)
            user = f" U = {place.user:<9.9}" if place.user else ""
            without.append(f"  DefQOS = {row.default_qos:<10.10} C = {place.cluster:<10.10} A = {place.account:<20.20}{user}"
                + (f" P = {place.partition:<10.10}" if place.partition else ""))
    if without:
        raise InvalidRequest("ESLURM_INVALID_QOS", "\n".join((
            " These associations don't have access to their default qos.",
            " Please give them access before they the default can be set to this.", *without)))


def _move(editing: Editing, row: Any, parent: str) -> bool:
    """Put an account under another one, with everything below it; whether it was not there already."""
    cluster = editing.names[row.cluster_id]
    above = editing.association(row.cluster_id, parent)
    if above is None:
        raise InvalidRequest("ESLURM_INVALID_PARENT_ACCOUNT", f"No parent account '{parent}' on cluster {cluster}")
    if not row.parent_id or above.lineage.startswith(row.lineage):
        raise InvalidRequest("ESLURM_INVALID_PARENT_ACCOUNT", hints=[f"{parent} is {row.account} itself or stands below it" if row.parent_id
            else "root has no parent"])
    if above.id == row.parent_id:
        return False
    new = f"{above.lineage.rstrip('/')}/{row.account}/"
    for below in editing.associations(policy.associations.c.cluster_id == row.cluster_id,
            policy.associations.c.lineage.startswith(row.lineage, autoescape=True)):
        changed: dict[str, object] = {"lineage": new + below.lineage[len(row.lineage):]}
        if below.id == row.id:
            changed["parent_id"] = above.id
        editing.update(policy.associations, below.id, **changed)
    editing.log("Modify Associations", f"id_assoc={row.id}", f"parent_acct='{parent}'", cluster=cluster)
    return True


def _modify_user(editing: Editing, row: Any, settings: PolicySettings) -> None:
    if settings.new_name is not None:
        raise InvalidRequest(message="a user keeps the name",
            hints=["add one of the new name and remove the old one: jobs of the past stay with the old name"])
    if settings.admin_level is not None and settings.admin_level != row.admin_level:
        editing.update(policy.users, row.id, admin_level=settings.admin_level)
        editing.log("Modify Users", row.name, f"admin_level='{settings.admin_level}'")
    editing.report.names.append(row.name)


def _default_account(editing: Editing, users: list[str], which: Which, account: str) -> None:
    """Another default account of users; "": none, where AllowNoDefAcct lets users be without."""
    columns = policy.associations.c
    if not account and not editing.rules.no_default_account:
        raise InvalidRequest(message=" You can't remove the default account of a user",
            hints=["name another one; AllowNoDefAcct in slurmdbd.conf lets users be without"])
    for cluster in editing.cluster_of(which.clusters):
        identity = editing.clusters[cluster]
        for user in users:
            rows = editing.associations(columns.cluster_id == identity, columns.user_name == user)
            if account and rows and not any(row.account == account for row in rows):
                raise InvalidRequest(message=" Can't modify because these users aren't associated with new default account "
                                             f"'{account}'...\n"
                                     f"  U = {user:<9} C = {cluster}", hints=[f"sacctmgr add user {user} account={account}"])
            for row in rows:
                wanted = int(row.account == account and not row.partition)
                if wanted != row.is_default:
                    editing.update(policy.associations, row.id, is_default=wanted)
            if rows:
                editing.log("Modify Users", user, f"default_acct='{account}'", cluster=cluster)
                editing.report.names.append(user)
    editing.report.names = list(dict.fromkeys(editing.report.names))
