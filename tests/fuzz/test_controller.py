"""Whatever users and nodes send to slurmctld: no traceback, no broken state, nobody else notices, and a restart reads all of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.core import invariants
from slurm.wire import frames
from slurm.wire import messages as m
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Client, FakeNode, Stage
from tests.fuzz.seeds import fuzzed
from tests.fuzz.surprises import nothing_surprises
from tests.fuzz.values import messages

ORDERLY = frozenset({"Shutdown"})
WAITING = frozenset({"AllocateJob", "AttachAllocation", "WaitJob", "WaitReady", "WatchEvents", "Follow"})
SOME = st.lists(st.tuples(st.sampled_from([ALICE, ALICE, BOB, ROOT]), messages(m.Request, ORDERLY)), min_size=1, max_size=25)
FROM_NODES = st.lists(messages(n.FromNode), min_size=1, max_size=15)
REPORTS = frozenset({"BatchLaunched", "LaunchRefused", "StepEnded", "JobGone"})
WithSeed = Callable[[Callable[[], None]], None]


def staged(scene: Callable[[Stage], Any]) -> None:
    """A scene on a stage of its own, after which nothing may have surprised the controller."""
    async def main() -> None:
        stage = Stage()
        try:
            await asyncio.wait_for(scene(stage), 120)
        finally:
            await stage.close()

    with nothing_surprises():
        asyncio.run(main())


async def ask(client: Client, message: dict[str, Any]) -> None:
    """Send one message; those that wait are left alone after a moment, as by somebody who goes."""
    kind = message["type"]
    payload = {key: value for key, value in message.items() if key != "type"}
    if kind in WAITING:
        task = client.begin(kind, **payload)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        client.hang_up()
        reply = await asyncio.wait_for(task, 10)
    else:
        began = time.thread_time()
        reply = await asyncio.wait_for(client.ask(kind, **payload), 10)
        took = time.thread_time() - began
        assert took < 0.25, f"{took:.2f} s for {message!r:.300}"
    assert reply.get("name") != "ESLURM_ERROR_ON_DESC_TO_RECORD_COPY", f"the controller failed on {message!r:.500}"
    for line in (*reply.get("hints", ()), reply.get("message", ""), *reply.get("preface", ())):
        assert len(line) < 200_000


async def unharmed(stage: Stage) -> None:
    """Somebody else is answered as if nothing had been, the state holds together, no request is left over."""
    client = stage.client(BOB)
    for kind, fields in (("Ping", {}), ("ListJobs", {"fields": ["jobid", "name", "starttime", "reason"], "filter": {"all_states": True}}),
                         ("Describe", {"what": "job", "detail": True}), ("Describe", {"what": "jobs_json", "format": "json"}),
                         ("Describe", {"what": "step"}), ("Describe", {"what": "node"}), ("Describe", {"what": "partition"}),
                         ("ListNodes", {"fields": ["nodelist", "statecompact"]})):
        reply = await client.ask(kind, **fields)
        assert reply["type"] != "Failure", (kind, reply)
        assert "\x1b" not in reply.get("text", "") and "\0" not in reply.get("text", "")
    await stage.ctl.engine.settled()
    assert not invariants.check(stage.ctl.cluster)
    assert all(node.memory_used >= 0 for node in stage.ctl.cluster.nodes.values())
    assert not len(stage.ctl.watchers)


def test_requests_of_every_kind(with_seed: WithSeed) -> None:
    @fuzzed(60)
    @given(SOME)
    def attack(requests: list[tuple[int, dict[str, Any]]]) -> None:
        async def scene(s: Stage) -> None:
            node = await s.node("cn01")
            await s.client(ALICE).submit(name="first")
            await s.client(BOB).submit(name="array", array="1-3", hold=True)
            await s.until(lambda: node.of(n.LaunchBatch))
            for uid, message in requests:
                await ask(s.client(uid), message)
            await unharmed(s)
            jobs = len(s.ctl.cluster.jobs)
            await s.restart()
            assert len(s.ctl.cluster.jobs) == jobs
            await unharmed(s)

        staged(scene)

    with_seed(attack)


def test_submissions_alone_many_fields_at_once(with_seed: WithSeed) -> None:
    @fuzzed(60)
    @given(st.lists(messages(m.SubmitJob | m.AllocateJob | m.CreateStep | m.TestJob | m.UpdateJob), min_size=1, max_size=25))
    def attack(requests: list[dict[str, Any]]) -> None:
        async def scene(s: Stage) -> None:
            node = await s.node("cn01")
            allocation = s.client(ALICE).begin("AllocateJob", request={"kind": "alloc", "name": "a", "ntasks": 2})
            await s.until(lambda: s.ctl.cluster.active)
            for message in requests:
                await ask(s.client(ALICE), message)
            await unharmed_with(s)
            allocation.cancel()
            assert node.link.up

        staged(scene)

    async def unharmed_with(s: Stage) -> None:
        await s.ctl.engine.settled()
        assert not invariants.check(s.ctl.cluster)

    with_seed(attack)


def test_reports_of_nodes(with_seed: WithSeed) -> None:
    @fuzzed(40)
    @given(FROM_NODES)
    def attack(reports: list[dict[str, Any]]) -> None:
        async def scene(s: Stage) -> None:
            node = await s.node("cn01")
            await s.client(ALICE).submit()
            await s.until(lambda: node.of(n.LaunchBatch))
            sent = [report for report in reports if await _tell(s, node, report)]
            await unharmed(s)
            if node.of(n.NodeAccepted) and node.link.up:
                # None is left without an answer: its slurmd would repeat it for ever.
                wanted = {serial for report in sent if report["type"] in REPORTS and isinstance(serial := report.get("serial"), int)
                          and not isinstance(serial, bool) and 0 <= serial <= 2**53}
                await s.until(lambda: wanted <= {one.serial for one in node.of(n.Acknowledged)} or len(node.of(n.NodeAccepted)) > 1, 5)

        staged(scene)

    with_seed(attack)


async def _tell(stage: Stage, node: FakeNode, report: dict[str, Any]) -> bool:
    """Whether anybody can send it."""
    try:
        payload = msgspec.msgpack.encode(report)
    except OverflowError:
        return False  # MessagePack has no such number
    node.link.send(frames.pack(frames.MSGPACK, payload))
    await asyncio.sleep(0.001)
    errors, stage.network.errors[:] = list(stage.network.errors), []
    for error in errors:
        # What is no valid report closes the connection, with one line; anything else is a fault of ours.
        assert isinstance(error, (msgspec.DecodeError, UnicodeDecodeError, RecursionError)) or type(error).__name__ in (
            "InvalidRequest", "ProtocolError"), repr(error)
    return True


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_bytes_that_are_nearly_messages(with_seed: WithSeed, codec: str) -> None:
    whole = json.dumps({"type": "SubmitJob", "request": {"name": "j", "rlimits": {"nofile": 1}, "time_limit": 60}, "payload": {"script": "#!/bin/sh\n"}}).encode()

    @fuzzed(150)
    @given(st.binary(max_size=60), st.integers(0, len(whole)), st.integers(0, 20), st.sampled_from([b"", b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"\xff"]))
    def attack(junk: bytes, place: int, cut: int, more: bytes) -> None:
        payload = whole[:place] + junk + more + whole[place + cut:]

        async def scene(s: Stage) -> None:
            from slurm.slurmctld.dispatch import answer

            client = s.client()
            if codec == "json":
                reply = await answer(s.ctl, client.session, payload)
                assert getattr(reply, "name", "") != "ESLURM_ERROR_ON_DESC_TO_RECORD_COPY"
                return
            try:
                await s.ctl.links.on_message(client.peer, payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return

        staged(scene)

    with_seed(attack)
