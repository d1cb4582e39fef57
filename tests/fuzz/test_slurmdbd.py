"""Whatever users and controllers send to slurmdbd: no traceback, nothing changed by who has no right to, others are answered, controllers can follow."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.core.policy.book import Book
from slurm.core.policy.bounds import bounds
from slurm.model.errors import SlurmError
from slurm.model.policy_change import PolicySettings
from slurm.net.peer import Peer
from slurm.slurmdbd.dispatch import Dispatch, Question
from slurm.slurmdbd.maintenance import Maintenance
from slurm.wire import frames
from slurm.wire.accounting_messages import FindJobs
from slurm.wire.credentials import Identity
from slurm.wire.dbd_messages import AskFor, FollowPolicy, PolicyTaken, RegisterCluster
from slurm.wire.policy_messages import ListPolicy
from slurm.wire.sacctmgr_messages import SumUsage
from tests.fuzz.seeds import fuzzed
from tests.fuzz.surprises import nothing_stays, nothing_surprises
from tests.fuzz.values import fields_of, messages
from tests.unit.slurmdbd.test_dispatch import ANNA, BERT, OTHER, Daemon, Wire, names

__all__ = ["names"]

WithSeed = Callable[[Callable[[], None]], None]
ORDERLY = frozenset({"StopDatabaseDaemon", "ReconfigureDatabaseDaemon", "ArchiveDump"})
SOME_NAMES = st.lists(st.sampled_from(["anna", "bert", "physics", "chemistry", "debug", "high", "lab", "new", "a/b", "", "ANNA"]), min_size=1, max_size=2)
SETTINGS = st.one_of(fields_of(PolicySettings), st.sampled_from([
    {}, {"admin_level": "Administrator"}, {"shares": 7}, {"limits": {"MaxJobs": {"": 1}}}, {"limits": {"bogus": {"cpu": 1}}}, {"limits": {"MaxJobs": {"cpu": 2}}},
    {"parent": "physics"}, {}, {}, {"default_account": "debug"}, {"qos": {"operation": "+=", "names": ["high"]}}, {"description": "x"}, {"default_qos": "high"}]))
CHANGES = st.builds(
    lambda verb, entity, which, settings, trial: {
        "type": "ChangePolicy", "trial": trial, "change": {"verb": verb, "entity": entity, "which": which, "settings": settings}},
    st.sampled_from(["add", "modify", "remove"]), st.sampled_from(["account", "user", "qos", "cluster", "coordinator", "association", "wckey"]),
    st.fixed_dictionaries({"names": SOME_NAMES}, optional={
        "accounts": SOME_NAMES, "users": SOME_NAMES, "partitions": SOME_NAMES, "clusters": st.just(["lab"])}), SETTINGS, st.sampled_from([False, False, True]))
WHO = st.sampled_from([ANNA, BERT, OTHER, 0])
ASKED = st.lists(st.tuples(WHO, st.one_of(messages(Question, ORDERLY), messages(FindJobs | SumUsage | ListPolicy))), min_size=3, max_size=15)
CHANGED = st.lists(st.tuples(WHO, CHANGES), min_size=10, max_size=30)
PLAIN = frozenset({"FindJobs", "SumUsage", "ListPolicy", "PingDatabase", "FetchPayload", "Ping"})
TOLD = st.lists(messages(RegisterCluster | FollowPolicy | PolicyTaken | AskFor), min_size=1, max_size=10)


@pytest.fixture
def folder(tmp_path: Path, names: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where databases lie; nobody waits for controllers here."""
    monkeypatch.setattr("slurm.slurmdbd.policy.SETTLE_SECONDS", 0.0)
    return tmp_path


def started(folder: Path) -> Daemon:
    """A slurmdbd with a small tree, the same for each example: anna coordinates physics."""
    for old in folder.glob("a.db*"):
        old.unlink()
    kept = folder / "kept.db"
    if kept.exists():
        shutil.copy(kept, folder / "a.db")
        return Daemon(folder, "PrivateData=jobs", feed=False)
    daemon = Daemon(folder, "PrivateData=jobs")
    for verb, entity, which in (
            ("add", "account", {"names": ["physics", "chemistry", "debug"]}), ("add", "user", {"names": ["anna"], "accounts": ["physics"]}),
            ("add", "user", {"names": ["bert"], "accounts": ["chemistry"]}), ("add", "coordinator", {"users": ["anna"], "accounts": ["physics"]}),
            ("add", "qos", {"names": ["high"]})):
        daemon.ask(0, {"type": "ChangePolicy", "change": {"verb": verb, "entity": entity, "which": which}})
    daemon.database.close()
    shutil.copy(folder / "a.db", kept)
    return started(folder)


def followed(daemon: Daemon) -> None:
    """A slurmctld can work with the policy as it is now: every association has its limits."""
    book = Book()
    book.take(daemon.database.policy.whole("lab")[1])
    for identity, one in book.associations.items():
        for qos in (None, *book.qos.values()):
            bounds(book, identity, one.account, one.user, qos, None)


@pytest.mark.parametrize("strategy", [ASKED, CHANGED], ids=["questions", "changes"])
def test_what_users_ask(with_seed: WithSeed, folder: Path, strategy: st.SearchStrategy[list[tuple[int, dict[str, Any]]]]) -> None:
    @fuzzed(15)
    @given(strategy)
    def attack(asked: list[tuple[int, dict[str, Any]]]) -> None:
        daemon = started(folder)

        async def use(dispatch: Dispatch, _: Maintenance) -> None:
            for uid, message in asked:
                wire = Wire()
                peer = Peer(wire, Identity(uid=uid, gid=uid, host="h", issued=0.0), local=True)
                try:
                    payload = msgspec.json.encode(message)
                except (UnicodeEncodeError, OverflowError):
                    continue
                before = _rights(daemon)
                began = time.process_time()
                await asyncio.wait_for(dispatch.on_message(peer, frames.JSON, payload), 10)
                assert time.process_time() - began < 1.5, f"{message!r:.300}"
                (reply,) = (msgspec.json.decode(each) for each in wire.sent)
                assert reply.get("message") != "slurmdbd failed on this request", f"{message!r:.500}"
                if uid in (BERT, OTHER) and message["type"] not in PLAIN:
                    assert _rights(daemon) == before, f"uid {uid} changed what it may not: {message!r:.500}"

        daemon._run(use)
        followed(daemon)
        assert sorted(daemon.jobs_of(0, clusters=["lab"])) == [1, 2]
        daemon.database.close()

    with nothing_surprises(), nothing_stays():
        with_seed(attack)


def _rights(daemon: Daemon) -> tuple[list[str], list[object]]:
    """Who administrates, and every association with its limits, without default accounts, which everybody chooses for himself."""
    _, records = daemon.database.policy.whole("lab")
    return [str(each) for each in records if not hasattr(each, "is_default")], [
        (each.id, each.account, each.user, str(each.limits), each.shares, str(each.qos), each.parent) for each in records if hasattr(each, "account")]


def test_what_controllers_say(with_seed: WithSeed, folder: Path) -> None:
    @fuzzed(15)
    @given(TOLD)
    def attack(told: list[dict[str, Any]]) -> None:
        daemon = started(folder)

        async def use(dispatch: Dispatch, _: Maintenance) -> None:
            wire = Wire()
            peer = Peer(wire, Identity(uid=0, gid=0, host="h", issued=0.0), local=True)
            for message in told:
                try:
                    payload = msgspec.msgpack.encode(message)
                except (UnicodeEncodeError, OverflowError):
                    continue
                try:
                    await asyncio.wait_for(dispatch.on_message(peer, frames.MSGPACK, payload), 10)
                except SlurmError:
                    continue  # told to the controller
                except Exception as error:
                    raise AssertionError(f"{message!r:.500}: {error!r}") from error
            await asyncio.sleep(0)
            for goodbye in peer._goodbyes:
                goodbye()

        daemon._run(use)
        assert sorted(daemon.jobs_of(0, clusters=["lab"])) == [1, 2]
        daemon.database.close()

    with nothing_surprises(), nothing_stays():
        with_seed(attack)
