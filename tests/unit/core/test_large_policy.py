"""A policy of a hundred thousand associations: no part of it, and not the moment at which it holds, keeps others waiting long."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from slurm.core import events as e
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.policy import Account, Association, PolicyRecord, Qos, User
from slurm.testing import builders as b
from tests.unit.core.test_policy import ALL, book, cluster

PART = 500
SECONDS = 0.06
"""Of the thread's own time; alone on a machine it takes a tenth of that."""


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collection of all that the test holds; slurmctld freezes it as well."""
    gc.disable()
    yield
    gc.enable()


def large(accounts: int = 1000, users: int = 10_000, associations: int = 100_000) -> list[PolicyRecord]:
    """root, accounts below it, and users in them, some in a partition only."""
    return [
        Account(name="root"), *(Account(name=f"a{number}") for number in range(accounts)), *(User(name=f"u{number}") for number in range(users)),
        *(Qos(id=1 + number, name="normal" if not number else f"q{number}", limits={"MaxJobsPerUser": {"": number}}) for number in range(500)),
        Association(id=1, cluster="c", account="root", qos=["normal"]),
        *(Association(id=10 + number, cluster="c", account=f"a{number}", parent=1) for number in range(accounts)),
        *(Association(id=10_000 + number, cluster="c", account=f"a{number % accounts}", user=f"u{number % users}", parent=10 + number % accounts,
                      partition="" if number < users else f"p{number // users}", limits={"MaxJobs": {"": 5}}) for number in range(associations))]


def test_a_whole_policy_of_a_hundred_thousand_associations_holds_without_a_long_turn(uncollected: None) -> None:
    c = b.cluster(accounting_enforce=ALL)
    records = large()
    longest = 0.0
    for start in range(0, len(records) + PART, PART):
        event = e.PolicyChanged(at=b.T0, records=records[start:start + PART], staged=start < len(records), whole=start >= len(records))
        began = time.thread_time()
        c.apply(event)
        longest = max(longest, time.thread_time() - began)
    assert len(c.policy.book.associations) == 101_001
    assert c.policy.book.standing(10_005).limits == {"MaxJobs": {"": 5}} and c.policy.book.standing(10_005).qos == {"normal"}
    assert longest < SECONDS
    began = time.thread_time()
    c.apply(e.PolicyChanged(at=b.T0, records=[Association(id=10_005, cluster="c", account="a5", user="u5", parent=15, limits={"MaxJobs": {"": 6}})]))
    assert time.thread_time() - began < SECONDS
    assert c.policy.book.standing(10_005).limits == {"MaxJobs": {"": 6}}


def test_parts_that_came_before_a_restart_are_there_after_it() -> None:
    c = cluster(book())
    records = book(assoc={"MaxJobs": {"": 7}})
    c.apply(e.PolicyChanged(at=b.T0, records=records[:4], staged=True))
    again = restored(rows.whole(c).values(), Reader({}))
    assert again is not None
    for one in (c, again):
        one.apply(e.PolicyChanged(at=b.T0, records=records[4:], whole=True))
        assert one.policy.book.standing(3).limits == {"MaxJobs": {"": 7}}
        assert sorted(map(repr, one.policy.book.records())) == sorted(map(repr, records))
        assert one.policy.book.names() <= one.unsaved.policy
