"""Who may change policy and see it, attacked: by coordinators who reach for more than their accounts, by the names of things, from compute nodes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slurm.net.peer import Peer
from slurm.slurmdbd.dispatch import Dispatch
from slurm.slurmdbd.maintenance import Maintenance
from slurm.slurmdbd.turns import MOST_WAITING, Turns
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.dbd_messages import AskFor
from tests.unit.slurmdbd.test_dispatch import ANNA, BERT, OTHER, Daemon, Message, Wire, names

__all__ = ["names"]


def change(verb: str, entity: str, which: dict[str, Any], **settings: Any) -> Message:
    """A ChangePolicy as sacctmgr sends it."""
    return {"type": "ChangePolicy", "change": {"verb": verb, "entity": entity, "which": which, "settings": settings}}


def changed(daemon: Daemon, uid: int, message: Message) -> bool:
    """Whether it was carried out; that it was refused for want of rights otherwise."""
    (answer,) = daemon.ask(uid, message)
    assert answer["type"] == "PolicyChangeDone" or answer["kind"] == "NotPermitted", answer
    return bool(answer["type"] == "PolicyChangeDone")


@pytest.fixture
def daemon(tmp_path: Path, names: None) -> Iterator[Daemon]:
    """Clusters lab and far; in both chem with chem's organic below it, in lab phys and its sub; anna coordinates phys, bert is a user of sub and chem."""
    made = Daemon(tmp_path, "PrivateData=accounts,users")
    for message in (
            change("add", "cluster", {"names": ["far"]}), change("add", "qos", {"names": ["urgent"]}), change("add", "account", {"names": ["chem"]}),
            change("add", "account", {"names": ["organic"]}, parent="chem"), change("add", "account", {"names": ["phys"], "clusters": ["lab"]}),
            change("add", "account", {"names": ["sub"], "clusters": ["lab"]}, parent="phys"),
            change("add", "user", {"names": ["anna"], "accounts": ["phys"]}, limits={"MaxJobs": {"": 3}}),
            change("add", "user", {"names": ["bert"], "accounts": ["chem", "sub"]}),
            change("add", "coordinator", {"users": ["anna"], "accounts": ["phys"]})):
        (answer,) = made.ask(0, message)
        assert answer["type"] == "PolicyChangeDone", answer
    yield made
    made.database.close()


ADMITTED = [
    change("add", "user", {"names": ["carl"], "accounts": ["sub"]}), change("modify", "user", {"names": ["bert"], "accounts": ["sub"]}, limits={"MaxJobs": {"": 2}}),
    change("add", "account", {"names": ["new"], "clusters": ["lab"]}, parent="sub"), change("modify", "account", {"names": ["sub"]}, description="below"),
    change("modify", "user", {"names": ["bert"], "accounts": ["sub"]}, qos={"operation": "=", "names": ["normal"]}),
    change("add", "coordinator", {"users": ["bert"], "accounts": ["sub"]}), change("remove", "account", {"names": ["sub"]})]
REFUSED = [
    change("modify", "user", {"names": ["anna"], "accounts": ["phys"]}, limits={"MaxJobs": {"": 99}}),
    change("modify", "user", {"names": ["ANNA"], "accounts": ["phys"]}, limits={"MaxJobs": {"": 99}}),
    change("modify", "user", {"accounts": ["phys"]}, limits={"MaxJobs": {"": 99}}),  # all users, who asks among them
    change("modify", "user", {"accounts": ["phys"], "ids": [*range(1, 50)]}, limits={"MaxJobs": {"": 99}}),
    change("modify", "user", {"names": ["bert"], "accounts": ["sub"]}, qos={"operation": "=", "names": ["urgent"]}),
    change("modify", "user", {"names": ["bert"], "accounts": ["sub"]}, qos={"operation": "+=", "names": ["normal", "+urgent"]}),
    change("modify", "user", {"names": ["bert"], "accounts": ["sub"]}, default_qos="urgent"),
    change("add", "account", {"names": ["new"], "clusters": ["lab"]}, parent="phys", qos={"operation": "=", "names": ["urgent"]}),
    change("modify", "account", {"names": ["phys"]}, qos={"operation": "+=", "names": ["urgent"]}),
    change("modify", "account", {"names": ["chem"]}, limits={"MaxJobs": {"": 0}}), change("modify", "account", {"names": ["sub", "chem"]}, description="x"),
    change("modify", "account", {"names": ["chem"]}, parent="phys"), change("modify", "account", {"names": ["sub"]}, parent="chem"),
    change("remove", "account", {"names": ["phys"]}), change("remove", "user", {"names": ["bert"]}), change("add", "qos", {"names": ["mine"]}),
    change("add", "coordinator", {"users": ["anna"], "accounts": ["chem"]}), change("modify", "user", {"names": ["bert"]}, admin_level="Operator"),
    change("add", "user", {"names": ["x"], "accounts": ["phys"]}, admin_level="Administrator"), change("modify", "cluster", {"names": ["lab"]}, shares=5)]


def test_a_coordinator_changes_what_is_below_his_accounts(daemon: Daemon) -> None:
    for message in ADMITTED:
        assert not changed(daemon, OTHER, message), message
        assert changed(daemon, ANNA, message), message


def test_a_coordinator_reaches_for_nothing_else(daemon: Daemon) -> None:
    before = daemon.database.policy.whole("lab"), daemon.database.policy.whole("far")
    for message in REFUSED:
        assert not changed(daemon, ANNA, message), message
    assert (daemon.database.policy.whole("lab"), daemon.database.policy.whole("far")) == before


def test_an_account_put_below_ones_own_in_one_cluster_opens_it_in_no_other(daemon: Daemon) -> None:
    daemon.ask(0, change("add", "account", {"names": ["phys"], "clusters": ["far"]}), change("add", "account", {"names": ["math"], "clusters": ["lab"]}))
    assert changed(daemon, ANNA, change("add", "account", {"names": ["math"], "clusters": ["far"]}, parent="phys"))
    assert changed(daemon, ANNA, change("modify", "account", {"names": ["math"], "clusters": ["far"]}, shares=2))
    for mine in (change("modify", "account", {"names": ["math"], "clusters": ["lab"]}, shares=2), change("modify", "account", {"names": ["math"]}, shares=2),
                 change("modify", "account", {"names": ["math"], "clusters": ["far"]}, description="everywhere"),
                 change("add", "coordinator", {"users": ["anna"], "accounts": ["math"], "clusters": ["far"]})):
        assert not changed(daemon, ANNA, mine), mine


@pytest.mark.parametrize("kind", ["account", "user", "qos", "cluster", "partition"])
def test_no_name_divides_the_tree_or_ends_a_list(daemon: Daemon, kind: str) -> None:
    for name in ("chem/organic", *([] if kind == "partition" else [""]), " ", "a b", "a,b", 'q"q', "it's", "+plus", "-minus", "a=b", "\u202etxt", "a\nb"):
        which = {"names": ["carl"], "partitions": [name], "accounts": ["phys"]} if kind == "partition" else {
            "names": [name], **({"accounts": ["phys"]} if kind == "user" else {})}
        (answer,) = daemon.ask(0, change("add", "user" if kind == "partition" else kind, which))
        assert answer["type"] == "Failure" and answer["kind"] == "InvalidRequest" and "slurmdbd failed" not in answer["message"], answer


STRANGE = [
    ("account", {"limits": {"bogus": {"cpu": 1}}}), ("account", {"limits": {"MaxJobs": {"cpu": 1}}}), ("account", {"limits": {"MaxTRESPerJob": {"": 1}}}),
    ("account", {"limits": {"GrpTRES": {"cpu,mem": 1}}}), ("account", {"limits": {"GrpTRES": {"cpu": 2**60}}}), ("qos", {"limits": {"MaxJobs": {"": 1}}}),
    ("qos", {"flags": {"names": ["Bogus"]}}), ("qos", {"flags": {"names": ["DenyOnLimit,NoDecay"]}}), ("qos", {"preempt_mode": "eat"})]


def test_limits_flags_and_modes_that_there_are_not_are_refused(daemon: Daemon) -> None:
    for entity, settings in STRANGE:
        (answer,) = daemon.ask(0, change("modify", entity, {"names": ["phys" if entity == "account" else "urgent"]}, **settings))
        assert answer["type"] == "Failure" and answer["kind"] == "InvalidRequest", (settings, answer)


def listed(daemon: Daemon, uid: int, entity: str) -> list[str]:
    (answer,) = daemon.ask(uid, {"type": "ListPolicy", "entity": entity})
    return [f"{record.get('account', '')}/{record.get('user', '')}" if entity == "association" else record["name"] for record in answer.get("records", [])]


def test_private_accounts_and_users_are_seen_by_whom_they_concern(daemon: Daemon) -> None:
    assert listed(daemon, OTHER, "account") == listed(daemon, OTHER, "user") == listed(daemon, OTHER, "association") == []
    assert listed(daemon, BERT, "user") == ["bert"] and set(listed(daemon, BERT, "association")) == {"sub/bert", "chem/bert"}
    assert set(listed(daemon, ANNA, "account")) == {"phys", "sub"} and "sub/bert" in listed(daemon, ANNA, "association")
    assert set(listed(daemon, 0, "account")) == {"root", "chem", "organic", "phys", "sub"} and "urgent" in listed(daemon, OTHER, "qos")
    assert daemon.ask(OTHER, {"type": "ListPolicy", "entity": "transaction"}) == [{"type": "PolicyListed"}]
    daemon.make_admin("other", "Operator")
    assert len(listed(daemon, OTHER, "user")) == 4


def test_a_compute_node_speaks_for_its_users_but_not_for_their_rights(daemon: Daemon) -> None:
    daemon.make_admin("other", "Administrator")
    for uid, message in ((0, change("modify", "user", {"names": ["bert"]}, admin_level="Administrator")), (0, {"type": "StopDatabaseDaemon"}),
                         (OTHER, change("add", "qos", {"names": ["x"]})), (ANNA, change("modify", "account", {"names": ["sub"]}, shares=9)),
                         (0, {"type": "FetchPayload", "digest": "a" * 64})):
        (told,) = daemon.say_as_controller(AskFor(number=1, uid=uid, cluster="lab", request=msgspec.json.encode(message), unelevated=True))
        answer = msgspec.json.decode(told["reply"])
        assert answer["type"] == "Failure" and answer["kind"] == "NotPermitted", (uid, message, answer)
    assert daemon.stopped == 0


def test_one_users_thousand_questions_keep_nobody_else_waiting(daemon: Daemon) -> None:
    async def use(dispatch: Dispatch, _: Maintenance) -> tuple[int, int, float]:
        loop = asyncio.get_running_loop()
        theirs, mine = Wire(), Wire()
        flood = Peer(theirs, Identity(uid=OTHER, gid=1, host="h", issued=0.0), local=True)
        costly = msgspec.json.encode({"type": "FindJobs", "wanted": {"partitions": [f"p{number}" for number in range(1000)], "names": ["x"] * 1000}})
        tasks = [asyncio.ensure_future(dispatch.on_message(flood, frames.JSON, costly)) for _ in range(1000)]
        await asyncio.sleep(0)
        began = loop.time()
        for uid in (BERT, 0):
            await dispatch.on_message(Peer(mine, Identity(uid=uid, gid=1, host="h", issued=0.0), local=True), frames.JSON, b'{"type":"FindJobs","wanted":{}}')
        took = loop.time() - began
        answered = len(theirs.sent)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return len(mine.sent), answered, took

    sent, answered, took = daemon._run(use)
    assert sent == 2 and took < 2.0, f"others waited {took:.1f} s"
    assert answered >= 1000 - MOST_WAITING - 20, "what is more than a user's share is refused at once"


def test_who_has_left_holds_no_turn() -> None:
    async def main() -> None:
        turns = Turns()
        async with turns.turn(1, first=False):
            waiting = [asyncio.ensure_future(_once(turns)) for _ in range(5)]
            await asyncio.sleep(0)
            for task in waiting[:4]:
                task.cancel()
            async with turns.turn(2, first=False), turns.turn(1, first=True):
                pass
        assert await asyncio.wait_for(waiting[4], 5)
        await asyncio.wait(waiting)
        assert not turns._users and not turns._waiting

    async def _once(turns: Turns) -> bool:
        async with turns.turn(1, first=False):
            return True

    asyncio.run(main())


def test_questions_over_all_time_and_many_partitions_are_answered_soon(daemon: Daemon) -> None:
    async def use(dispatch: Dispatch, maintenance: Maintenance) -> float:
        await maintenance.roll_up()
        wire = Wire()
        peer = Peer(wire, Identity(uid=0, gid=0, host="h", issued=0.0), local=True)
        began = asyncio.get_running_loop().time()
        for message in ({"type": "SumUsage", "kind": "association", "wanted": {"until": 253_370_764_800.0, "all_clusters": True}},
                        {"type": "SumUsage", "kind": "cluster", "wanted": {"since": 253_370_764_700.0, "until": 253_370_764_800.0, "all_clusters": True}},
                        {"type": "FindJobs", "wanted": {"clusters": ["lab"], "partitions": [f"p{number}" for number in range(999)]}}):
            await dispatch.on_message(peer, frames.JSON, msgspec.json.encode(message))
        assert [msgspec.json.decode(each)["type"] for each in wire.sent] == ["UsageSummed", "UsageSummed", "JobsFound"]
        assert msgspec.json.decode(wire.sent[0])["associations"]
        return asyncio.get_running_loop().time() - began

    assert daemon._run(use) < 2.0


def test_words_for_the_next_part_that_no_answer_gave_are_refused(daemon: Daemon) -> None:
    nought = "0" * 16
    for word in ("x 5 5 lab", f"{nought} --5 5 lab", f"{nought} 5 {'9' * 30} lab", f"{nought} 5 {'7' * 5000} lab", f"{nought} 5 \u00b2 lab", "0" * 1300):
        (answer,) = daemon.ask(OTHER, {"type": "FindJobs", "wanted": {"clusters": ["lab"]}, "after": word})
        assert answer["type"] == "Failure" and "slurmdbd failed" not in answer["message"], answer
