"""What PrivateData of slurmdbd.conf keeps from whom, of policy: `users` others' records and associations, `accounts` accounts that one does
not coordinate."""

from __future__ import annotations

from collections.abc import Callable, Collection

import sqlalchemy as sa

from slurm.model.policy import Account, Association, PolicyRecord, User, Wckey
from slurm.slurmdbd.rights import Asker
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy.reading import lowered
from slurm.wire.policy_messages import Transaction

ACCOUNTS, USERS = "accounts", "users"


class Sight:
    """What of it somebody may see.

    `coordinated`: his accounts and all below them; `people`: himself and whoever has an association there.
    """

    def __init__(self, who: Asker, private: Collection[str], coordinated: Collection[str], people: Collection[str]) -> None:
        hidden = private if who.rank == 0 else ()
        self._me = who.user.lower()
        self._no_users, self._no_accounts = USERS in hidden, ACCOUNTS in hidden
        self._coordinated, self._people = coordinated, {self._me, *people}

    def of(self, record: PolicyRecord) -> bool:
        """Whether he may see this record."""
        match record:
            case User():
                return not self._no_users or record.name in self._people
            case Wckey():
                return not self._no_users or record.user in self._people
            case Account():
                return not self._no_accounts or record.name in self._coordinated
            case Association() if record.user:
                return not self._no_users or record.user == self._me or record.account in self._coordinated
            case Association():
                return not self._no_accounts or record.account in self._coordinated
        return True

    def told(self, one: Transaction) -> bool:
        """Whether he may see this change: of others', where nothing is private."""
        return not (self._no_users or self._no_accounts) or one.actor.lower() == self._me


def sight(connection: sa.Connection, who: Asker, private: Collection[str], below: Callable[[sa.Connection, Collection[str]],
        set[str]]) -> Sight:
    """What this asker may see now; `below` finds accounts that stand below others."""
    if who.rank or not {ACCOUNTS, USERS}.intersection(private):
        return Sight(who, private, (), ())
    coordinated = below(connection, who.accounts)
    columns = policy.associations.c
    people = set(connection.execute(sa.select(columns.user_name).distinct().where(
        columns.deleted == 0, columns.account.in_(lowered(coordinated)))).scalars()) if coordinated else set()
    return Sight(who, private, coordinated, people)
