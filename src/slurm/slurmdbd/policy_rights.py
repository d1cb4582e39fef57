"""Who may change which policy: administrators, operators, coordinators of accounts, everybody.

Rights are looked up in the transaction of the change itself. Who somebody is, is `rights`'; what he may see, `privacy`'s; what a change
does,
`store.accounting.policy`'s.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from slurm.model.errors import NotPermitted
from slurm.model.policy import ADMINISTRATOR
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    CLUSTER,
    COORDINATOR,
    MINUS,
    MODIFY,
    REMOVE,
    USER,
    Change,
    PolicySettings,
)
from slurm.slurmdbd.rights import ADMINISTRATOR as ADMINISTRATORS
from slurm.slurmdbd.rights import OPERATOR, Asker
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import reading
from slurm.store.accounting.policy.editing import ROOT
from slurm.store.accounting.policy.reading import lowered

_columns = policy.associations.c


def require_right(connection: sa.Connection, who: Asker, change: Change, *, coordinators: bool = True) -> None:
    """NotPermitted where this user may not make this change.

    Administrators may do all; operators all but make administrators and add or remove clusters; coordinators what concerns users and
    accounts at and below their accounts, in the clusters where they are so, and with no QOS that these accounts do not have (`coordinators`
    False: nothing, DisableCoordDBD); everybody may choose another default account or wckey for himself.
    """
    if who.rank >= 2:
        return
    if who.rank == 1:
        _require_operators(change)
        return
    if change.entity == USER and change.verb == MODIFY and _is_own_default(who, change):
        return
    if change.entity not in (ACCOUNT, USER, COORDINATOR) or not (who.accounts and coordinators):
        raise _refused(change)
    if change.which.wckeys or change.settings.default_wckey is not None:
        raise _refused(change)  # they stand beside the accounts that he coordinates, not below them
    named = _accounts_of(change)
    meant = _clusters_of(connection, change)
    _require_reach(connection, who, change, named, meant)
    if change.verb == REMOVE and change.entity == ACCOUNT and any(name in lowered(who.accounts) for name in named):
        raise _refused(change)
    settings = change.settings
    if settings.admin_level not in (None, "None") or settings.raw_usage or settings.priority is not None:
        raise _refused(change)
    if change.verb == MODIFY and change.entity == USER:
        _require_others(who, change)
    _require_qos(connection, who, change, meant)


def reach(connection: sa.Connection, accounts: Collection[str]) -> dict[int, set[str]]:
    """Cluster (its id) → these accounts and all that stand below them in that cluster."""
    own = lowered(accounts)
    found: dict[int, set[str]] = {}
    for account in own:
        for row in connection.execute(sa.select(_columns.cluster_id, _columns.account).where(
                _columns.deleted == 0, _columns.user_name == "", _columns.lineage.contains(f"/{account}/", autoescape=True))):
            found.setdefault(row.cluster_id, set()).add(row.account)
    return found


def below(connection: sa.Connection, accounts: Collection[str]) -> set[str]:
    """These accounts and all that stand below them in some cluster."""
    return set(lowered(accounts)).union(*reach(connection, accounts).values())


def _accounts_of(change: Change) -> list[str]:
    """The accounts that a change is about."""
    settings, which = change.settings, change.which
    if change.entity == ACCOUNT and change.verb == ADD:
        return [(settings.parent or ROOT).lower()]
    named = [*which.names, *which.accounts] if change.entity == ACCOUNT else list(which.accounts)
    if change.entity == ACCOUNT and settings.parent is not None:
        named.append(settings.parent)
    if change.entity == USER and settings.default_account is not None:
        named.append(settings.default_account)
    return lowered(named)


def _clusters_of(connection: sa.Connection, change: Change) -> list[int]:
    """The clusters that a change is about: what an account is called, and who coordinates it, is so in all of them."""
    clusters = reading.cluster_ids(connection)
    everywhere = change.entity == COORDINATOR or (
        change.entity == ACCOUNT and change.verb == MODIFY and (change.settings.description, change.settings.organization) != (None, None))
    if everywhere or not change.which.clusters:
        return list(clusters.values())
    return [identity for name, identity in clusters.items() if name in lowered(change.which.clusters)]


def _require_reach(connection: sa.Connection, who: Asker, change: Change, named: Collection[str], meant: Collection[int]) -> None:
    """Each account, wherever it is there and meant, is one that he coordinates there."""
    reached = reach(connection, who.accounts)
    places: dict[str, list[int]] = {name: [] for name in named}
    for row in connection.execute(sa.select(_columns.cluster_id, _columns.account).where(
            _columns.deleted == 0, _columns.user_name == "", _columns.cluster_id.in_(meant),
            _columns.account.in_(list(places)[:reading.MANY]))):
        places[row.account].append(row.cluster_id)
    if not 0 < len(places) <= reading.MANY or not all(
            clusters and all(name in reached.get(cluster, ()) for cluster in clusters) for name, clusters in places.items()):
        raise _refused(change)


def _require_others(who: Asker, change: Change) -> None:
    """Nobody lifts the limits that stand over himself, neither by his name nor by naming nobody."""
    users = lowered([*change.which.names, *change.which.users])
    if not users:
        raise NotPermitted(hints=["a coordinator names the users that are meant: nobody changes what holds for himself"])
    if who.user.lower() in users:
        raise _refused(change)


def _require_qos(connection: sa.Connection, who: Asker, change: Change, meant: Collection[int]) -> None:
    """As in Slurm, a coordinator gives no QOS that the accounts which he coordinates do not have themselves."""
    settings = change.settings
    wanted = [] if settings.qos is None or settings.qos.operation == MINUS else [name.lstrip("+-") for name in settings.qos.names]
    wanted = [name for name in lowered([*wanted, settings.default_qos or ""]) if name]
    for cluster in meant if wanted else ():
        tops = connection.execute(sa.select(policy.associations).where(
            _columns.deleted == 0, _columns.user_name == "", _columns.cluster_id == cluster,
            _columns.account.in_(lowered(who.accounts)))).all()
        allowed = {name for top in tops for name in _qos_of(connection, top.id)}
        missing = [name for name in wanted if name not in allowed]
        if tops and missing:
            raise NotPermitted(hints=[
                f"the accounts that you coordinate have no QOS {missing[0]} themselves: an operator gives it to them first (Access to it "
                "is theirs to pass on then)"])


def _qos_of(connection: sa.Connection, association: int) -> set[str]:
    """The QOS that an association has, its own and those from above."""
    row = connection.execute(sa.select(_columns.parent_id, _columns.qos).where(_columns.id == association)).first()
    if row is None:
        return set()
    names = reading.qos_names(row.qos)
    if names and names[0][:1] not in "+-":
        return set(names)
    found = _qos_of(connection, row.parent_id) if row.parent_id else set()
    for name in names or ():
        (found.discard if name.startswith("-") else found.add)(name.lstrip("+-"))
    return found


def _require_operators(change: Change) -> None:
    if change.settings.admin_level == ADMINISTRATOR:
        raise NotPermitted(hints=[f"{ADMINISTRATORS}s are made by administrators"])
    if change.entity == CLUSTER and change.verb != MODIFY:
        raise NotPermitted(hints=["clusters are added and removed by administrators"])


def _is_own_default(who: Asker, change: Change) -> bool:
    """Whether somebody only chooses among the accounts and wckeys that he has."""
    which, settings = change.which, change.settings
    only = PolicySettings(default_account=settings.default_account, default_wckey=settings.default_wckey)
    return settings == only != PolicySettings() and lowered([*which.names, *which.users]) == [who.user.lower()]


def _refused(change: Change) -> NotPermitted:
    message = "Access/permission denied"
    if change.verb == ADD and change.entity in (ACCOUNT, USER):
        message += " (Only admins/operators/coordinators can add accounts)"
    return NotPermitted(message=message, hints=[
        f"this is for users whose AdminLevel is {OPERATOR} or {ADMINISTRATORS}, and for coordinators of the account"])
