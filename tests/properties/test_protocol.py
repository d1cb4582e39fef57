"""The protocol of lease, epoch, append, order and answer, searched through; and the code held to the table that the search takes its steps from."""

from __future__ import annotations

import itertools

import pytest

from slurm.store.memory import MemoryDisk, MemoryState
from slurm.store.state import State
from tests.lease_suite import ACTIONS, check_random_walks, check_walk
from tests.protocol_model import TABLE, Rules, Search

WORLDS = [
    {"epochs": 2, "positions": 2, "compaction": True},
    {"epochs": 2, "positions": 2, "failover": True},
    {"epochs": 3, "positions": 1, "failover": True, "compaction": True},
]


@pytest.mark.parametrize("bounds", WORLDS, ids=str)
def test_no_interleaving_breaks_a_promise(bounds: dict[str, int]) -> None:
    search = Search(Rules(), **bounds)  # type: ignore[arg-type]
    assert search.counterexample() == []
    assert search.visited > 1000


@pytest.mark.parametrize(("rules", "bounds", "promise"), [
    (Rules(held=False), {"epochs": 2, "positions": 1, "compaction": True}, "position 1 is acknowledged twice"),
    (Rules(held=False, looked=False), {"epochs": 2, "positions": 1, "compaction": True}, "position 1 is acknowledged twice"),
    (Rules(claims_by_comparison=False), {"epochs": 2, "positions": 1, "compaction": True}, "position 1 is acknowledged twice"),
    (Rules(confirmed=False), {"epochs": 1, "positions": 1, "failover": True}, "position 1, acknowledged by a, is lost"),
    (Rules(claims_confirmed=False), {"epochs": 2, "positions": 2, "failover": True}, "two controllers acknowledge in epoch 1"),
    (Rules(orders=False), {"epochs": 2, "positions": 2}, "an order of epoch 1 is obeyed after one of 2"),
], ids=["the row is looked at and not held", "the key of the position alone", "claims that compare nothing", "commits that no replica confirmed",
        "claims that no replica confirmed", "orders without their epoch"])
def test_without_this_step_the_search_finds_how_the_promise_breaks(rules: Rules, bounds: dict[str, int], promise: str) -> None:
    steps = Search(rules, **bounds).counterexample()  # type: ignore[arg-type]
    assert steps and steps[-1] == promise, steps


def test_the_key_alone_is_enough_only_while_nothing_is_compacted() -> None:
    assert Search(Rules(held=False, looked=False), epochs=2, positions=1).counterexample() == []


def pair() -> tuple[State, State]:
    disk = MemoryDisk()
    return MemoryState(disk), MemoryState(disk)


def test_state_in_memory_does_what_the_model_does_in_every_order_of_four_steps() -> None:
    steps = list(itertools.product((0, 1), ACTIONS))
    for following in itertools.product(steps, repeat=3):
        check_walk(*pair(), [(0, "claim"), *following])


def test_state_in_memory_does_what_the_model_does_on_long_walks() -> None:
    check_random_walks(pair, seed=20, count=200, length=30)


def test_the_table_knows_every_action_in_every_situation() -> None:
    situations = {"mine", "released", "another's"}
    assert TABLE.keys() == {(whose, action) for whose in situations for action in ACTIONS if action != "read"} | {("none", "claim")}
