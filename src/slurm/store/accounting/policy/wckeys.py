"""Wckeys: which ones a user has in a cluster, and which of them is the default one there. A user whom nobody gave one has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from slurm.model.errors import InvalidRequest
from slurm.model.policy_change import WCKEY, PolicySettings, WckeyPlace, Which
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import reading
from slurm.store.accounting.policy.checking import require_names
from slurm.store.accounting.policy.editing import Editing
from slurm.store.accounting.policy.reading import lowered

_columns = policy.wckeys.c


def add_wckeys(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """Wckeys of users that are there: `which.names` or `which.wckeys`, of `which.users`."""
    users = lowered(which.users)
    if not users:
        raise InvalidRequest(message="a wckey is a user's: name the user", hints=["sacctmgr add wckey NAME user=USER"])
    for user in users:
        if editing.row(policy.users, user) is None:
            raise InvalidRequest(message=f"You specified a user that doesn't exist: {user}",
                hints=[f"sacctmgr add user {user} account=ACCOUNT wckey=NAME"])
        give(editing, user, [*which.names, *which.wckeys], which.clusters, (settings.default_wckey or "").lower())


def give(editing: Editing, user: str, names: Sequence[str], clusters: Sequence[str], default: str) -> None:
    """A user has these wckeys; the first one that he ever has in a cluster, or the one that is meant, becomes his default there."""
    wanted = list(dict.fromkeys([*lowered(names), *([default] if default else [])]))
    require_names("a wckey", wanted)
    for name in wanted:
        if name.startswith("*"):
            raise InvalidRequest(message=f"{name!r} is no name for a wckey",
                hints=["a * before a wckey says that the job was given its user's default one"])
    for cluster in editing.cluster_of(clusters) if wanted else ():
        identity = editing.clusters[cluster]
        there = {row.name: row for row in rows_of(editing, identity, user)}
        has_default = any(row.is_default for row in there.values())
        for name in wanted:
            if name not in there:
                editing.insert(policy.wckeys, cluster_id=identity, name=name, user_name=user,
                    is_default=int(not has_default and not default), deleted=0)
                has_default = has_default or not default
                editing.log("Add WCKey", f"name='{name}'", f"user='{user}'", cluster=cluster)
                editing.report.wckeys.append(WckeyPlace(cluster=cluster, user=user, wckey=name))
        if default:
            _prefer(editing, identity, user, default)
        _note_default(editing, user)


def take(editing: Editing, which: Which) -> None:
    """Wckeys of users go; a default one leaves its user without."""
    wanted = Which(names=[*which.names, *which.wckeys], users=which.users, clusters=which.clusters, ids=which.ids)
    found = editing.connection.execute(sa.select(policy.wckeys).where(
        *reading.conditions(policy.wckeys, WCKEY, wanted, editing.names)).order_by(_columns.id)).all()
    editing.remove(policy.wckeys, [row.id for row in found])
    for row in found:
        cluster = editing.names[row.cluster_id]
        editing.log("Remove WCKey", f"name='{row.name}'", f"user='{row.user_name}'", cluster=cluster)
        editing.report.wckeys.append(WckeyPlace(cluster=cluster, user=row.user_name, wckey=row.name))
    for user in dict.fromkeys(row.user_name for row in found):
        _note_default(editing, user)


def choose(editing: Editing, users: Sequence[str], clusters: Sequence[str], default: str) -> None:
    """Another wckey that users have becomes their default one; InvalidRequest where somebody has it not."""
    for user in users:
        there = [(name, rows) for name in editing.cluster_of(clusters) if (rows := rows_of(editing, editing.clusters[name], user))]
        for cluster, rows in there or [(name, []) for name in editing.cluster_of(clusters)]:
            if default and default not in [row.name for row in rows]:
                raise InvalidRequest(message=f" Can't modify because these users aren't associated with new default wckey '{default}'...\n"
                                     f"  U = {user:<9} C = {cluster}", hints=[f"sacctmgr add user {user} wckey={default}"])
            _prefer(editing, editing.clusters[cluster], user, default)
            editing.log("Modify Users", user, f"default_wckey='{default}'", cluster=cluster)
        _note_default(editing, user)


def rows_of(editing: Editing, cluster: int, user: str) -> list[Any]:
    """The rows of a user's wckeys in a cluster."""
    return list(editing.connection.execute(sa.select(policy.wckeys).where(
        _columns.deleted == 0, _columns.cluster_id == cluster, _columns.user_name == user).order_by(_columns.id)))


def _prefer(editing: Editing, cluster: int, user: str, name: str) -> None:
    """This one is the default of a user in a cluster, no other; "": none is."""
    for row in rows_of(editing, cluster, user):
        wanted = int(row.name == name)
        if wanted != row.is_default:
            editing.update(policy.wckeys, row.id, is_default=wanted)


def _note_default(editing: Editing, user: str) -> None:
    """The user's own row says what the default is, of the first cluster that has one: that is what lists of users show."""
    row = editing.row(policy.users, user)
    default = editing.connection.execute(sa.select(_columns.name).where(
        _columns.deleted == 0, _columns.user_name == user, _columns.is_default == 1).order_by(_columns.id).limit(1)).scalar() or ""
    if row is not None and row.default_wckey != default:
        editing.update(policy.users, row.id, default_wckey=default)
