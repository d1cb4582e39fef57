"""Access: who may use a reservation.

Users or groups on the one hand, accounts on the other, and QOS: a job must match each that is given.
"""

from __future__ import annotations

from collections.abc import Iterable

from slurm.core import rights
from slurm.core.events import Caller
from slurm.core.policy.state import Policy
from slurm.core.state import ClusterState
from slurm.model.job import Job
from slurm.model.reservation import Reservation


def may_use(of: Reservation, job: Job, policy: Policy) -> bool:
    """Whether a job may run in a reservation, whenever that is."""
    return admits(of, job.owner.user, (job.owner.group,), job.request.account, job.request.qos, policy)


def admits(of: Reservation, user: str, groups: Iterable[str], account: str, qos: str, policy: Policy) -> bool:
    """The same for a job of this user, account and QOS."""
    return _person(of, user, *groups) and _account(of, account, policy) and _among(of, "qos", of.qos, {qos.lower()})


def may_delete(of: Reservation, user: str, groups: tuple[str, ...], accounts: list[str]) -> bool:
    """Whether somebody may use it in one of his accounts, for USER_DELETE."""
    if not _person(of, user, *groups):
        return False
    return not of.accounts or any(_among(of, "accounts", of.accounts, {account.lower()}) for account in accounts)


def hidden(state: ClusterState, caller: Caller) -> frozenset[str]:
    """The reservations that a caller may not see: with PrivateData=reservations those that he may not use."""
    if not rights.is_private(state, caller, "reservations"):
        return frozenset()
    accounts = state.policy.book.accounts_of(caller.user)
    return frozenset(of.name for of in state.reservations.values() if not may_delete(of, caller.user, (caller.group, *caller.groups),
        accounts))


def _person(of: Reservation, user: str, *groups: str) -> bool:
    if of.groups:
        return user in of.members or not set(groups).isdisjoint(of.groups)
    return _among(of, "users", of.users, {user})


def _account(of: Reservation, account: str, policy: Policy) -> bool:
    """An account counts with those below it."""
    if not of.accounts:
        return True
    return _among(of, "accounts", of.accounts, {account.lower(), *_above(account, policy)})


def _among(of: Reservation, what: str, listed: list[str], mine: set[str]) -> bool:
    if not listed:
        return True
    return mine.isdisjoint(listed) == (what in of.denied)


def _above(account: str, policy: Policy) -> set[str]:
    found = policy.book.account(account)
    return {policy.book.associations[one].account.lower() for one in policy.book.standing(found.id).lineage} if found is not None else set()
