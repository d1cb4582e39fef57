"""Fair share factors, against what a real Slurm's sshare printed, and usage in closed form."""

from __future__ import annotations

import math

import pytest

from slurm.core.policy.book import Book
from slurm.core.policy.fairshare import CLASSIC, DEPTH_OBLIVIOUS, Share, algorithm, shares
from slurm.core.policy.state import Policy
from slurm.core.policy.usage import Counter, Usage
from slurm.model.policy import SHARES_OF_PARENT, Association


def book(*, research: int = 10) -> Book:
    """root with user root; research (alice 5, root 1); students (bob)."""
    made = Book()
    made.take([
        Association(id=1, cluster="lab", account="root"), Association(id=2, cluster="lab", account="root", user="root", parent=1),
        Association(id=3, cluster="lab", account="research", parent=1, shares=research),
        Association(id=4, cluster="lab", account="research", user="alice", parent=3, shares=5),
        Association(id=5, cluster="lab", account="research", user="root", parent=3),
        Association(id=6, cluster="lab", account="students", parent=1, shares=2),
        Association(id=7, cluster="lab", account="students", user="bob", parent=6)])
    return made


def used(**seconds: float) -> Usage:
    """Billing seconds by association id, written a1=…"""
    made = Usage()
    made.counters = {int(key[1:]): {"billing": Counter(value)} for key, value in seconds.items()}
    return made


def transcript() -> Usage:
    """Usage as a real Slurm told it; each test has its own."""
    return used(a1=5220.0, a2=324.0, a3=130.0, a4=130.0, a6=4766.0, a7=4766.0)


def of(found: dict[int, Share], account: str, user: str = "") -> Share:
    return next(one for one in found.values() if (one.association.account, one.association.user) == (account, user))


def test_fair_tree_ranks_users_as_sshare_of_the_transcript_does() -> None:
    found = shares(book(), transcript(), 0.0)
    assert {(one.association.account, one.association.user): one.factor for one in found.values() if one.association.user} == {
        ("root", "root"): 0.5, ("research", "alice"): 0.75, ("research", "root"): 1.0, ("students", "bob"): 0.25}
    assert round(of(found, "research").shares, 6) == 0.769231
    assert round(of(found, "research", "alice").level, 6) == 0.833333
    assert of(found, "research", "root").level == math.inf
    assert of(found, "students", "bob").effective_usage == 1.0


def test_classic_fair_share_blends_in_the_usage_of_the_account() -> None:
    found = shares(book(), transcript(), 0.0, by=CLASSIC)
    alice, bob = of(found, "research", "alice"), of(found, "students", "bob")
    assert alice.factor is not None and bob.factor is not None and alice.factor > bob.factor
    assert shares(book(), used(), 0.0, by=CLASSIC)[4].factor == 1.0
    damped = shares(book(), transcript(), 0.0, by=CLASSIC, dampening=10)[7].factor
    assert damped is not None and damped > bob.factor


def test_users_of_an_account_with_the_shares_of_its_parent_compete_with_its_siblings() -> None:
    found = shares(book(research=SHARES_OF_PARENT), transcript(), 0.0)
    level = [of(found, "root", "root"), of(found, "research", "alice"), of(found, "research", "root"), of(found, "students")]
    assert round(sum(one.shares for one in level), 9) == 1.0


def test_a_counter_read_often_is_the_counter_read_once() -> None:
    counter = Counter(100.0, 0.0, 2.0)
    once = counter.at(5000.0, 1234.0)
    for moment in range(0, 5000, 250):
        counter.settle(float(moment), 1234.0)
    assert counter.at(5000.0, 1234.0) == pytest.approx(once, rel=1e-12)
    assert Counter(100.0, 0.0, 0.0).at(1234.0, 1234.0) == pytest.approx(50.0)
    assert Counter(100.0, 0.0, 2.0).at(50.0, 0.0) == 200.0
    assert Counter(100.0, 10.0, 2.0).at(5.0, 60.0) == 100.0, "time never goes back"


def test_usage_without_decay_is_the_sum_over_jobs() -> None:
    usage = Usage()
    usage.begin((1, "normal"), {"cpu": 4.0}, 10.0)
    usage.begin((1,), {"cpu": 2.0}, 20.0)
    usage.end((1, "normal"), {"cpu": 4.0}, 30.0)
    assert (usage.of(1, "cpu", 40.0), usage.of("normal", "cpu", 40.0), usage.of(2, "cpu", 40.0)) == (4 * 20 + 2 * 20, 80.0, 0.0)
    usage.reset(1, 40.0)
    assert usage.of(1, "cpu", 50.0) == 20.0


def test_depth_oblivious_is_classic_at_the_first_level_and_weakens_what_points_another_way_than_the_account_above() -> None:
    assert algorithm(["DEPTH_OBLIVIOUS", "NO_FAIR_TREE"]) == DEPTH_OBLIVIOUS
    usage = used(a1=1000.0, a2=100.0, a3=300.0, a4=300.0, a6=600.0, a7=600.0)
    found, classic = (shares(book(), usage, 0.0, by=by) for by in (DEPTH_OBLIVIOUS, CLASSIC))
    assert of(found, "root", "root").factor == of(classic, "root", "root").factor == 2 ** -(0.1 * 13)
    over = 0.6 / (2 / 13)
    assert of(found, "students", "bob").factor == pytest.approx(2 ** -over), "an only child uses what its account uses"
    under = 0.3 / (10 / 13)
    k = 1 / (1 + (5 * math.log(under)) ** 2)
    assert of(found, "research", "alice").factor == pytest.approx(2 ** -(under * (6 / 5) ** k)), "alice is over her share of an account that is under its own"
    assert of(found, "research", "root").factor == 1.0


def large(accounts: int = 300, users: int = 10) -> Policy:
    """A tree of some thousand associations, of which some users used something."""
    policy = Policy()
    policy.book.take([Association(id=1, cluster="lab", account="root")])
    policy.book.take(Association(id=10 * n, cluster="lab", account=f"a{n}", parent=1, shares=1 + n % 3) for n in range(1, accounts + 1))
    policy.book.take(
        Association(id=100_000 + users * n + k, cluster="lab", account=f"a{n}", user=f"u{k}", parent=10 * n)
        for n in range(1, accounts + 1) for k in range(users))
    policy.usage.counters = {one: {"billing": Counter(float(one % 97))} for one in (1, 10, 20, 70, 100_011, 100_012, 100_070)}
    return policy


@pytest.mark.parametrize("flags", [[], ["NO_FAIR_TREE"], ["DEPTH_OBLIVIOUS"]])
def test_shares_of_a_large_tree_are_worked_out_in_small_parts_and_the_old_ones_hold_meanwhile(flags: list[str]) -> None:
    policy = large()
    before = policy.shares(1000.0, flags, 1)
    policy.usage.counters[100_500] = {"billing": Counter(5e6)}
    policy.book.take([Association(id=99, cluster="lab", account="new", parent=1)])
    parts = 0
    while policy.refresh(1001.0, flags, 1):
        parts += 1
        assert policy.shares(1001.0, flags, 1) is before
    assert parts > 25
    assert policy.shares(1001.0, flags, 1) == shares(policy.book, policy.usage, 1001.0, by=algorithm(flags))
    assert not policy.refresh(1002.0, flags, 1) and policy.refresh(1005.0, flags, 1)


def test_a_change_of_policy_while_shares_are_worked_out_begins_them_anew() -> None:
    policy = large()
    assert policy.refresh(1.0, [], 1)
    policy.book.take([Association(id=99, cluster="lab", account="new", parent=1)])
    while policy.refresh(2.0, [], 1):
        pass
    assert 99 in policy.shares(2.0, [], 1)


def test_shares_of_a_small_tree_are_worked_out_whenever_they_are_asked_for() -> None:
    policy = Policy()
    policy.book, policy.usage = book(), transcript()
    assert not policy.refresh(1.0, [], 1)
    first = policy.shares(1.0, [], 1)
    policy.usage.counters[4] = {"billing": Counter(1e6)}
    assert policy.shares(1.0, [], 1) != first
