"""The policy of a database: changed in one transaction at a time, listed in parts, told whole.

    policies = PolicyTables(database.engine, database.storage, database.clock)
    report, delta = policies.change(Change(verb=ADD, entity=QOS, which=Which(names=["high"])), "root")
    version, records = policies.whole("cluster")
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from slurm.model.errors import InvalidRequest
from slurm.model.policy import PolicyRecord
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    CLUSTER,
    COORDINATOR,
    MODIFY,
    QOS,
    REMOVE,
    RESOURCE,
    USER,
    WCKEY,
    Change,
    ChangeReport,
    PolicySettings,
    Which,
)
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.engine import Clock, reading, writing
from slurm.store.accounting.policy import adding, modifying, removing, resources, wckeys
from slurm.store.accounting.policy import reading as rows
from slurm.store.accounting.policy.editing import Delta, Editing, Rules
from slurm.store.accounting.storage import Storage
from slurm.wire.policy_messages import Transaction

_ADD: dict[str, Callable[[Editing, Which, PolicySettings], None]] = {
    ACCOUNT: adding.add_accounts, USER: adding.add_users, QOS: adding.add_qos, CLUSTER: adding.add_clusters,
    COORDINATOR: adding.add_coordinators,
    WCKEY: wckeys.add_wckeys, RESOURCE: resources.add_resources}
_MODIFY: dict[str, Callable[[Editing, Which, PolicySettings], None]] = {
    ACCOUNT: modifying.modify_accounts, USER: modifying.modify_users, QOS: modifying.modify_qos, CLUSTER: modifying.modify_clusters,
    RESOURCE: resources.modify_resources}
_REMOVE: dict[str, Callable[[Editing, Which], None]] = {
    ACCOUNT: removing.remove_accounts, USER: removing.remove_users, QOS: removing.remove_qos, CLUSTER: removing.remove_clusters,
    COORDINATOR: removing.remove_coordinators, WCKEY: wckeys.take, RESOURCE: resources.remove_resources}
_DONE = {ADD: "added", MODIFY: "modified", REMOVE: "removed"}
_USUAL = Rules()
Permit = Callable[[sa.Connection, Change], None]
"""NotPermitted where whoever asks has no right to the change; asked in its transaction."""


class PolicyTables:
    """Reads and changes the policy tables of one database.

    Every call blocks; StoreBusy and StoreError as in `store.accounting.database`.
    """

    def __init__(self, engine: sa.Engine, storage: Storage, clock: Clock) -> None:
        self._engine = engine
        self._storage = storage
        self._clock = clock

    def change(
        self, change: Change, actor: str, *, permit: Permit | None = None, trial: bool = False, rules: Rules = _USUAL,
    ) -> tuple[ChangeReport, Delta]:
        """Carry a change out as `rules` have it; with `trial` nothing of it stays.

        InvalidRequest, NotNow, NotPermitted: nothing was changed.
        """
        with writing(self._engine, self._storage) as connection:
            if permit is not None:
                permit(connection, change)
            editing = Editing(connection, actor, self._clock(), rules)
            _carry_out(editing, change)
            delta = editing.delta()
            if trial:
                connection.get_transaction().rollback()  # type: ignore[union-attr]
        return editing.report, delta

    def listed(self, entity: str, which: Which, after: int, most: int) -> tuple[list[PolicyRecord], int]:
        """Records that are meant, so many at most, and the number behind which the next part begins (0: none)."""
        with reading(self._engine, self._storage) as connection:
            return rows.listed(connection, entity, which, after, most)

    def whole(self, cluster: str) -> tuple[int, list[PolicyRecord]]:
        """The policy of one cluster, and the number of the latest change in it."""
        with reading(self._engine, self._storage) as connection:
            return rows.whole(connection, cluster)

    def transactions(self, which: Which, after: int, most: int) -> tuple[list[Transaction], int]:
        """Who changed what, in order."""
        columns = policy.transactions.c
        conditions = [columns.id > after]
        if which.actors:
            conditions.append(columns.actor.in_(which.actors))
        if which.actions:
            conditions.append(columns.action.in_(which.actions))
        if which.clusters:
            conditions.append(columns.cluster.in_(rows.lowered(which.clusters)))
        if which.ids:
            conditions.append(columns.id.in_(which.ids))
        if which.since:
            conditions.append(columns.time >= which.since)
        if which.until:
            conditions.append(columns.time < which.until)
        with reading(self._engine, self._storage) as connection:
            found = connection.execute(sa.select(policy.transactions).where(*conditions).order_by(columns.id).limit(most)).all()
        told = [Transaction(time=row.time, actor=row.actor, action=row.action, target=row.target, info=row.info, cluster=row.cluster)
            for row in found]
        return told, found[-1].id if len(found) == most else 0


def _carry_out(editing: Editing, change: Change) -> None:
    known: dict[str, tuple[str, ...]] = {ADD: tuple(_ADD), MODIFY: tuple(_MODIFY), REMOVE: tuple(_REMOVE)}
    if change.verb == ADD and change.entity in _ADD:
        _ADD[change.entity](editing, change.which, change.settings)
    elif change.verb == MODIFY and change.entity in _MODIFY:
        _MODIFY[change.entity](editing, change.which, change.settings)
    elif change.verb == REMOVE and change.entity in _REMOVE:
        _REMOVE[change.entity](editing, change.which)
    else:
        raise InvalidRequest(message=f"{change.entity}: nothing of this kind can be {_DONE[change.verb]}", hints=[
            f"valid: {', '.join(known[change.verb])}"])
