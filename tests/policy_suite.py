"""What the policy tables must do, whichever server keeps them: run on SQLite by tests/unit, on PostgreSQL and MariaDB by tests/system.

Whoever runs it gives the fixture `database`: one that was opened and is empty.
"""

from __future__ import annotations

from typing import Any

import pytest

from slurm.model.accounting import ClusterRecord, EventFilter, NodeEventRecord
from slurm.model.errors import InvalidRequest
from slurm.model.ids import NodeName
from slurm.model.policy import Account, Association, Qos, Resource, User, Wckey
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    ASSOCIATION,
    COORDINATOR,
    MODIFY,
    QOS,
    REMOVE,
    RESOURCE,
    USER,
    WCKEY,
    Change,
    ChangeReport,
    ListChange,
    PolicySettings,
    Which,
)
from slurm.store.accounting.database import Database
from tests.accounting_suite import NOON, Feeding


def change(database: Database, verb: str, entity: str, which: Which, **settings: Any) -> ChangeReport:
    return database.policy.change(Change(verb=verb, entity=entity, which=which, settings=PolicySettings(**settings)), "root")[0]


def listed(database: Database, entity: str, **which: Any) -> list[Any]:
    return database.policy.listed(entity, Which(**which), 0, 1000)[0]


def test_accounts_users_and_qos_are_added_changed_told_and_removed(database: Database) -> None:
    Feeding(database)
    change(database, ADD, QOS, Which(names=["high"]), priority=7, limits={"MaxJobsPerUser": {"": 3}})
    change(database, ADD, ACCOUNT, Which(names=["physics"]), description='50% "light" \\ dark', shares=10)
    change(database, ADD, ACCOUNT, Which(names=["lasers"]), parent="physics")
    change(database, ADD, USER, Which(names=["anna"], accounts=["lasers"]), limits={"GrpTRES": {"cpu": 4}}, qos=ListChange(operation="+=", names=["high"]))
    change(database, ADD, COORDINATOR, Which(users=["anna"], accounts=["physics"]))
    version, records = database.policy.whole("c")
    anna = next(one for one in records if isinstance(one, Association) and one.user == "anna")
    assert version and (anna.account, anna.limits, anna.qos_changes, anna.is_default) == ("lasers", {"GrpTRES": {"cpu": 4}}, ["+high"], True)
    assert next(one for one in records if isinstance(one, Account) and one.name == "physics").coordinators == ["anna"]
    assert next(one for one in records if isinstance(one, Qos) and one.name == "high").limits == {"MaxJobsPerUser": {"": 3}}
    assert [one.user for one in listed(database, ASSOCIATION, accounts=["lasers"])] == ["", "anna"]
    change(database, MODIFY, ACCOUNT, Which(names=["lasers"]), parent="root")
    change(database, REMOVE, QOS, Which(names=["high"]))
    change(database, REMOVE, ACCOUNT, Which(names=["physics"]))
    assert {one.account for one in listed(database, ASSOCIATION)} == {"root", "lasers"}
    assert [one.name for one in listed(database, QOS, with_deleted=True) if one.deleted] == ["high"]
    assert database.policy.transactions(Which(actions=["Remove QOS"]), 0, 10)[0][0].target == "name='high'"


def test_qos_do_not_preempt_each_other_in_a_circle(database: Database) -> None:
    """Their jobs would make way for each other for ever."""
    Feeding(database)
    for name, below in (("low", []), ("middle", ["low"]), ("high", ["low", "middle"])):
        change(database, ADD, QOS, Which(names=[name]), preempts=ListChange(operation="=", names=below))
    for name, others in (("low", ["high"]), ("low", ["normal", "middle"])):
        with pytest.raises(InvalidRequest, match="QOS preemption loop detected"):
            change(database, MODIFY, QOS, Which(names=[name]), preempts=ListChange(operation="+=", names=others))
    change(database, MODIFY, QOS, Which(names=["high"]), preempts=ListChange(operation="=", names=[]))
    change(database, MODIFY, QOS, Which(names=["low"]), preempts=ListChange(operation="=", names=["high"]))
    found = {one.name: one.preempts for one in database.policy.whole("c")[1] if isinstance(one, Qos)}
    assert (found["low"], found["middle"], found["high"]) == (["high"], ["low"], [])


def test_wckeys_of_users_come_and_go(database: Database) -> None:
    Feeding(database)
    change(database, ADD, ACCOUNT, Which(names=["physics"]))
    change(database, ADD, USER, Which(names=["anna"], accounts=["physics"], wckeys=["red", "blue"]))
    change(database, MODIFY, USER, Which(names=["anna"]), default_wckey="blue")
    keys = [one for one in database.policy.whole("c")[1] if isinstance(one, Wckey)]
    assert [(one.name, one.user, one.is_default) for one in keys] == [("red", "anna", False), ("blue", "anna", True)]
    assert [one.default_wckey for one in listed(database, USER) if isinstance(one, User) and one.name == "anna"] == ["blue"]
    change(database, REMOVE, WCKEY, Which(names=["blue"], users=["anna"]))
    assert [one.name for one in listed(database, WCKEY)] == ["red"]


def test_resources_are_shared_out_and_never_more_than_there_is(database: Database) -> None:
    Feeding(database)
    change(database, ADD, RESOURCE, Which(names=["matlab"], servers=["flex"], clusters=["c"]), resource_type="License", count=10, allowed=50)
    change(database, MODIFY, RESOURCE, Which(names=["matlab"], clusters=["c"]), allowed=60, last_consumed=4)
    with pytest.raises(InvalidRequest, match="more than 100%"):
        change(database, MODIFY, RESOURCE, Which(names=["matlab"], clusters=["c"]), allowed=101)
    (one,) = [record for record in database.policy.whole("c")[1] if isinstance(record, Resource)]
    assert (one.full_name, one.share("c"), one.last_consumed) == ("matlab@flex", 6, 4)
    change(database, REMOVE, RESOURCE, Which(names=["matlab"]))
    change(database, ADD, RESOURCE, Which(names=["matlab"], servers=["flex"]), resource_type="License", count=3)
    assert [(record.count, record.allowed) for record in listed(database, RESOURCE)] == [(3, {})]


def test_events_of_clusters_and_nodes_are_found(database: Database) -> None:
    Feeding(database).take(
        ClusterRecord(start_time=NOON, nodes="cn[1-2]", tres={"cpu": 8}),
        NodeEventRecord(node=NodeName("cn1"), start_time=NOON + 10, end_time=NOON + 20, state="DOWN*", reason="gone"),
        NodeEventRecord(node=NodeName("cn2"), start_time=NOON + 30, state="DRAIN", reason="disk"))
    found, following = database.events(EventFilter(), "c", 0, 100)
    assert ([one.node for one in found], following) == (["", "cn1", "cn2"], 0)
    assert [one.node for one in database.events(EventFilter(states=["drain"], open_only=True), "c", 0, 100)[0]] == ["cn2"]
