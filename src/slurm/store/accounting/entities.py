"""Who may use what, as far as recording needs it: what a fresh database and a fresh cluster begin with, and whose account a job is counted
for.

What sacctmgr changes is written elsewhere; every change there adds to `transactions`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from slurm.model.accounting import JobRecord
from slurm.store.accounting import schema
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.taking import with_account
from slurm.store.accounting.upsert import insert_missing

ROOT = "root"
NORMAL = "normal"
DEFAULT_ACCOUNT = "default"
TRES = (("cpu", ""), ("mem", ""), ("energy", ""), ("node", ""), ("billing", ""), ("fs", "disk"), ("vmem", ""), ("pages", ""))
"""Slurm's trackable resources in the order of their numbers."""


def begin(connection: sa.Connection, now: float) -> None:
    """Fill an empty database: Slurm's trackable resources by their numbers, the account and the user root, the QOS normal.

    Twice does no harm.
    """
    if connection.execute(sa.select(schema.tres.c.id).limit(1)).first() is not None:
        return
    connection.execute(sa.insert(schema.tres), [{"id": number, "type": kind, "name": name} for number, (kind, name) in enumerate(TRES, 1)])
    stamps = {"created": now, "modified": now}
    connection.execute(sa.insert(policy.accounts).values(name=ROOT, description="default root account", organization=ROOT, **stamps))
    connection.execute(sa.insert(policy.users).values(name=ROOT, admin_level="Administrator", **stamps))
    connection.execute(sa.insert(policy.qos).values(name=NORMAL, description="Normal QOS default", preempt="", limits="{}", **stamps))


def add_cluster(connection: sa.Connection, cluster: int, owner: str, now: float, *, qos: str = "") -> None:
    """What a new cluster has: the root account's association with this QOS (where there is none such, normal), and root's under it;
    `owner`, that of an embedded cluster, in the account `default`."""
    there = qos and connection.execute(sa.select(policy.qos.c.id).where(policy.qos.c.name == qos,
        policy.qos.c.deleted == 0)).first() is not None
    top = _associate(connection, cluster, ROOT, "", 0, "/", now, qos=qos if there else NORMAL)
    _associate(connection, cluster, ROOT, ROOT, top, f"/0-{ROOT}/", now)
    if owner:
        stamps = {"created": now, "modified": now}
        insert_missing(connection, policy.accounts, [
            {"name": DEFAULT_ACCOUNT, "description": "account of those who have no other", "organization": DEFAULT_ACCOUNT, "deleted": 0,
            **stamps}],
            by=("name", "deleted"))
        insert_missing(connection, policy.users, [{"name": owner, "admin_level": "Administrator", "deleted": 0, **stamps}],
            by=("name", "deleted"))
        default = _associate(connection, cluster, DEFAULT_ACCOUNT, "", top, f"/{DEFAULT_ACCOUNT}/", now)
        _associate(connection, cluster, DEFAULT_ACCOUNT, owner, default, f"/{DEFAULT_ACCOUNT}/0-{owner}/", now, default=owner != ROOT)


def _associate(
    connection: sa.Connection, cluster: int, account: str, user: str, parent: int, lineage: str, now: float, *, default: bool = True,
    qos: str = "",
) -> int:
    result = connection.execute(sa.insert(policy.associations).values(
        cluster_id=cluster, account=account, user_name=user, parent_id=parent, lineage=lineage, is_default=int(bool(user) and default),
        qos=f'["{qos}"]' if qos else "",
        limits="{}", comment="", created=now, modified=now))
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


class Entitled(NamedTuple):
    """The associations of one cluster: (account, user, partition) → id, and each user's default account."""

    associations: dict[tuple[str, str, str], int]
    accounts: dict[str, str]

    def complete(self, record: JobRecord) -> JobRecord:
        """The record with the account that it is counted for: its own, else its user's default one; and that association's id, where there
        is one."""
        account = record.account or self.accounts.get(record.user, "")
        if record.association or not account:
            return record
        found = self.associations
        return with_account(record, account, found.get((account, record.user, record.partition)) or found.get((account, record.user, ""))
            or 0)


class Completing:
    """Records completed by who is entitled in one cluster, which is asked when the first of them does not know."""

    def __init__(self, connection: sa.Connection, cluster: int) -> None:
        self._connection = connection
        self._cluster = cluster
        self._entitled: Entitled | None = None

    def complete(self, record: JobRecord) -> JobRecord:
        """As `Entitled.complete`."""
        if record.association:
            return record
        if self._entitled is None:
            self._entitled = entitled(self._connection, self._cluster)
        return self._entitled.complete(record)


def entitled(connection: sa.Connection, cluster: int) -> Entitled:
    """The associations of this cluster that are not removed."""
    columns = policy.associations.c
    associations: dict[tuple[str, str, str], int] = {}
    accounts: dict[str, str] = {}
    for row in connection.execute(sa.select(columns.id, columns.account, columns.user_name, columns.partition, columns.is_default).where(
            columns.cluster_id == cluster, columns.deleted == 0, columns.user_name != "")):
        associations[(row.account, row.user_name, row.partition)] = row.id
        if row.is_default:
            accounts[row.user_name] = row.account
    return Entitled(associations, accounts)


def admin_level(connection: sa.Connection, user: str) -> str:
    """What sacctmgr calls the user's AdminLevel: None, Operator, Administrator."""
    columns = policy.users.c
    found: Any = connection.execute(sa.select(columns.admin_level).where(columns.name == user, columns.deleted == 0)).scalar()
    return str(found or "None")


def coordinated(connection: sa.Connection, user: str) -> list[str]:
    """The accounts that this user coordinates, without those below them."""
    columns = policy.coordinators.c
    return [str(row[0]) for row in connection.execute(sa.select(columns.account).where(columns.user_name == user))]
