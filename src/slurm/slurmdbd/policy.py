"""Changes and lists of policy that commands ask for: who may ask for what, and the answer once every controller has taken the change."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from slurm.model.policy_change import CLUSTER, TRANSACTION, Change, Which
from slurm.slurmdbd import privacy
from slurm.slurmdbd.controllers import Controllers
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.policy_rights import below, require_right
from slurm.slurmdbd.rights import Asker
from slurm.store.accounting import schema
from slurm.store.accounting.engine import reading as connected
from slurm.store.accounting.policy.editing import Rules
from slurm.store.accounting.policy.reading import lowered
from slurm.wire.policy_messages import PART_RECORDS, ChangePolicy, ClusterLine, ListPolicy, PolicyChangeDone, PolicyListed

log = logging.getLogger("slurmdbd.policy")
SETTLE_SECONDS = 5.0
"""How long the answer to a change waits for controllers."""


async def on_change(state: DaemonState, controllers: Controllers, who: Asker, asking: str, message: ChangePolicy) -> PolicyChangeDone:
    """Change it, tell the controllers, and wait until they have it."""
    database, change = state.database, message.change

    def permit(connection: sa.Connection, wanted: Change) -> None:
        require_right(connection, who, wanted, coordinators=not state.conf.flag("DisableCoordDBD"))

    conf = state.conf
    rules = Rules(conf.flag("AllowNoDefAcct"), conf.text("DefaultQOS").lower(), conf.flag("AllResourcesAbsolute"))
    report, delta = await state.work.write(lambda: database.policy.change(change, who.user, permit=permit, trial=message.trial,
        rules=rules))
    if message.trial or report.is_empty:
        return PolicyChangeDone(report=report)
    log.info("%s: %s %s: %d records, change %d", who.user, change.verb, change.entity, len(report.names) + len(report.places),
        delta.version)
    controllers.spread(delta)
    late = await controllers.settle(delta, SETTLE_SECONDS)
    clusters = await state.work.ask(database.clusters)
    for cluster in clusters:
        if cluster.registered and cluster.name not in controllers.clusters and any(delta.of(cluster.name)):
            late.setdefault(cluster.name, "its slurmctld is not connected: it takes the change when it comes")
    return PolicyChangeDone(report=report, late=sorted(late.items()))


async def on_list(state: DaemonState, controllers: Controllers, who: Asker, asking: str, message: ListPolicy) -> PolicyListed:
    """Records that are meant, as far as this asker may see them."""
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
