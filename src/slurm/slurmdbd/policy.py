"""Changes and lists of policy that commands ask for: who may ask for what, and the answer once every controller has taken the change."""

from __future__ import annotations

import logging
from functools import cache

import sqlalchemy as sa

from slurm.model import bounds
from slurm.model.errors import NotPermitted
from slurm.model.policy import ADMINISTRATOR
from slurm.model.policy_change import ACCOUNT, ADD, CLUSTER, COORDINATOR, MODIFY, REMOVE, TRANSACTION, USER, Change, PolicySettings, Which
from slurm.model.settings import Settings
from slurm.slurmdbd import privacy
from slurm.slurmdbd.controllers import Controllers
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.rights import ADMINISTRATOR as ADMINISTRATORS
from slurm.slurmdbd.rights import OPERATOR, Asker
from slurm.store.accounting import schema
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.engine import reading as connected
from slurm.store.accounting.policy.editing import ROOT
from slurm.store.accounting.policy.reading import lowered
from slurm.wire.policy_messages import PART_RECORDS, ChangePolicy, ClusterLine, ListPolicy, PolicyChangeDone, PolicyListed

log = logging.getLogger("slurmdbd.policy")
SETTLE_SECONDS = 5.0
"""How long the answer to a change waits for controllers."""


@cache
def _settings() -> Settings:
    return Settings()


async def on_change(state: DaemonState, controllers: Controllers, who: Asker, asking: str, message: ChangePolicy) -> PolicyChangeDone:
    """Change it, tell the controllers, and wait until they have it."""
    bounds.check(message, _settings())
    database, change = state.database, message.change

    def permit(connection: sa.Connection, wanted: Change) -> None:
        require_right(connection, who, wanted, coordinators=not state.conf.flag("DisableCoordDBD"))

    report, delta = await state.work.write(lambda: database.policy.change(change, who.user, permit=permit, trial=message.trial))
    if message.trial or report.is_empty:
        return PolicyChangeDone(report=report)
    log.info("%s: %s %s: %d records, change %d", who.user, change.verb, change.entity, len(report.names) + len(report.places), delta.version)
    controllers.spread(delta)
    late = await controllers.settle(delta, SETTLE_SECONDS)
    clusters = await state.work.ask(database.clusters)
    for cluster in clusters:
        if cluster.registered and cluster.name not in controllers.clusters and any(delta.of(cluster.name)):
            late.setdefault(cluster.name, "its slurmctld is not connected: it takes the change when it comes")
    return PolicyChangeDone(report=report, late=sorted(late.items()))


async def on_list(state: DaemonState, controllers: Controllers, who: Asker, asking: str, message: ListPolicy) -> PolicyListed:
    """Records that are meant, as far as this asker may see them."""
    bounds.check(message, _settings())
    database, tables = state.database, state.database.policy

    def looked() -> privacy.Sight:
        with connected(database.engine, database.storage) as connection:
            return privacy.sight(connection, who, state.conf.private, below)

    sees = await state.work.ask(looked)
    if message.entity == TRANSACTION:
        told, following = await state.work.ask(lambda: tables.transactions(message.which, message.after, PART_RECORDS))
        return PolicyListed(cluster=asking, transactions=[one for one in told if sees.told(one)], next=following)
    if message.entity == CLUSTER:
        return await _clusters(state, controllers, asking, message.which)
    records, following = await state.work.ask(lambda: tables.listed(message.entity, message.which, message.after, PART_RECORDS))
    return PolicyListed(cluster=asking, records=[record for record in records if sees.of(record)], next=following)


async def _clusters(state: DaemonState, controllers: Controllers, asking: str, which: Which) -> PolicyListed:
    there = {said.cluster: said for said in controllers.registered}
    database = state.database
    found = []
    for facts in await state.work.ask(database.clusters):
        if which.names and facts.name not in lowered(which.names):
            continue
        said = there.get(facts.name)
        found.append(ClusterLine(
            name=facts.name, control_host=said.control_host if said else "", control_port=said.control_port if said else 0,
            rpc_version=facts.rpc_version, flags=",".join(said.flags) if said else ""))

    def kinds() -> list[tuple[int, str, str]]:
        with connected(database.engine, database.storage) as connection:
            return [(row.id, row.type, row.name) for row in connection.execute(sa.select(schema.tres).order_by(schema.tres.c.id))]

    return PolicyListed(cluster=asking, clusters=found, tres=await state.work.ask(kinds))


# --- rights ----------------------------------------------------------------------------------------------------------


def require_right(connection: sa.Connection, who: Asker, change: Change, *, coordinators: bool = True) -> None:
    """NotPermitted where this user may not make this change: asked in the change's own transaction.

    Administrators may do all; operators all but make administrators and add or remove clusters; coordinators what concerns users and accounts at and
    below their accounts (`coordinators` False: nothing, DisableCoordDBD); everybody may choose another default account for himself.
    """
    if who.rank >= 2:
        return
    if who.rank == 1:
        _require_operators(change)
        return
    if change.entity == USER and change.verb == MODIFY and _is_own_default(who, change):
        return
    coordinated = below(connection, who.accounts) if coordinators else set()
    if change.entity not in (ACCOUNT, USER, COORDINATOR) or not coordinated:
        raise _refused(change)
    named = change.which.accounts if change.entity != ACCOUNT else [*change.which.names, *change.which.accounts]
    if change.entity == ACCOUNT and change.verb == ADD:
        named = [change.settings.parent or ROOT]
    elif change.entity == ACCOUNT and change.settings.parent is not None:
        named = [*named, change.settings.parent]
    if change.settings.default_account is not None and change.verb == ADD:
        named = [*named, change.settings.default_account]
    if not named or not all(name in coordinated for name in lowered(named)):
        raise _refused(change)
    if change.verb == REMOVE and change.entity == ACCOUNT and any(name in lowered(who.accounts) for name in lowered(named)):
        raise _refused(change)
    settings = change.settings
    if settings.admin_level not in (None, "None") or settings.raw_usage or settings.priority is not None:
        raise _refused(change)
    if change.verb == MODIFY and who.user in lowered([*change.which.names, *change.which.users]):
        raise _refused(change)  # nobody lifts the limits that stand over himself


def below(connection: sa.Connection, accounts: object) -> set[str]:
    """These accounts and all that stand below them in some cluster."""
    columns = policy.associations.c
    found = set(lowered(accounts))  # type: ignore[arg-type]
    for account in list(found):
        for row in connection.execute(sa.select(columns.account).where(
                columns.deleted == 0, columns.user_name == "", columns.lineage.contains(f"/{account}/", autoescape=True))):
            found.add(row.account)
    return found


def _require_operators(change: Change) -> None:
    if change.settings.admin_level == ADMINISTRATOR:
        raise NotPermitted(hints=[f"{ADMINISTRATORS}s are made by administrators"])
    if change.entity == CLUSTER and change.verb != MODIFY:
        raise NotPermitted(hints=["clusters are added and removed by administrators"])


def _is_own_default(who: Asker, change: Change) -> bool:
    """Whether somebody only chooses among the accounts that he has."""
    which, settings = change.which, change.settings
    only = PolicySettings(default_account=settings.default_account)
    return settings.default_account is not None and settings == only and lowered([*which.names, *which.users]) == [who.user]


def _refused(change: Change) -> NotPermitted:
    message = "Access/permission denied"
    if change.verb == ADD and change.entity in (ACCOUNT, USER):
        message += " (Only admins/operators/coordinators can add accounts)"
    return NotPermitted(message=message, hints=[
        f"this is for users whose AdminLevel is {OPERATOR} or {ADMINISTRATORS}, and for coordinators of the account"])
