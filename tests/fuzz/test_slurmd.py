"""Whatever slurmctld orders of slurmd, and whatever anybody sends to its step server: nothing fails, nothing stays, the next job runs."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model import msgpack
from slurm.wire import frames, step_io
from slurm.wire import node_messages as n
from tests.fuzz.seeds import fuzzed
from tests.fuzz.slurmd_stage import Stage
from tests.fuzz.surprises import nothing_stays, nothing_surprises
from tests.fuzz.values import fields_of, messages

WithSeed = Callable[[Callable[[], None]], None]
TERMS = {"epoch", "state"}
ORDERS = st.lists(
    st.tuples(messages(n.ToNode), st.integers(0, 11)).map(
        lambda drawn: drawn[0] if drawn[1] == 0 else {name: value for name, value in drawn[0].items() if name not in TERMS}),
    min_size=1, max_size=20)
"""Mostly of the slurmctld that leads: after one order of a later term, all others are refused for that alone."""
ANSWER_SECONDS = 5.0
FRESH = 1_000_000


@pytest.fixture
def staged(tmp_path: Path) -> Callable[..., None]:
    """Plays a scene on a slurmd of its own; the next one finds an empty folder."""
    def run(scene: Callable[[Stage], Coroutine[None, None, None]], *, secured: bool = False) -> None:
        async def main() -> None:
            stage = Stage(tmp_path / "s", secured=secured)
            try:
                await stage.open()
                await asyncio.wait_for(scene(stage), 60)
            finally:
                await stage.close()

        try:
            with nothing_surprises():
                asyncio.run(main())
        finally:
            shutil.rmtree(tmp_path / "s", ignore_errors=True)

    return run


async def unharmed(stage: Stage, job: int = FRESH) -> None:
    """A sound job is launched, ended and gone as if nothing had been."""
    stage.tell(n.NodeAccepted(kill_wait=2, heartbeat=5.0, step_key=b"", now=time.time(), cluster_name="test"))
    before = stage.zygote.launched
    stage.zygote.launched = 0
    stage.tell(stage.batch(job))
    await stage.until(lambda: any(isinstance(one, n.BatchLaunched) and one.job == job for one in stage.heard))
    stage.tell(n.TerminateJob(job=job, attempt=1, why="", kill_wait=0))
    await stage.until(lambda: any(isinstance(one, n.JobGone) and one.job == job for one in stage.heard))
    stage.zygote.launched = before
    assert job not in [key[0] for key in stage.node.roster.jobs]


def test_orders_of_every_kind(with_seed: WithSeed, staged: Callable[..., None]) -> None:
    @fuzzed(25)
    @given(ORDERS)
    def attack(orders: list[dict[str, Any]]) -> None:
        async def scene(s: Stage) -> None:
            s.tell(s.batch(1))
            await s.until(lambda: any(isinstance(one, n.BatchLaunched) for one in s.heard))
            for order in orders:
                try:
                    payload = msgspec.msgpack.encode(order)
                except OverflowError:
                    continue  # MessagePack has no such number: nobody can send it
                began = time.thread_time()
                s.give(payload)
                assert time.thread_time() - began < 0.25, f"{order!r:.300}"
                await asyncio.sleep(0)
            await unharmed(s)

        staged(scene)

    with nothing_stays():
        with_seed(attack)


def test_launches_with_many_fields_at_once(with_seed: WithSeed, staged: Callable[..., None]) -> None:
    @fuzzed(20)
    @given(st.lists(fields_of(n.LaunchBatch), min_size=1, max_size=10))
    def attack(launches: list[dict[str, Any]]) -> None:
        async def scene(s: Stage) -> None:
            given: set[tuple[int, int]] = set()
            for changes in launches:
                sound = msgpack.decode(msgpack.encode(s.batch(7)), type=dict[str, Any])
                for name in list(changes)[:3]:
                    sound[name] = changes[name]
                try:
                    payload = msgspec.msgpack.encode(sound)
                    order = msgpack.decode(payload, type=n.LaunchBatch)
                except (OverflowError, msgspec.DecodeError):
                    continue
                s.give(payload)
                if 0 <= order.job < 2**31 and 0 <= order.attempt < 2**31:
                    given.add((order.job, order.attempt))
            # Whatever else an order holds, its attempt is answered: launched or refused.
            await s.until(lambda: given <= {
                (one.job, one.attempt) for one in s.heard if isinstance(one, n.BatchLaunched | n.LaunchRefused)})
            await unharmed(s)

        staged(scene)

    with nothing_stays():
        with_seed(attack)


async def call(stage: Stage, *payloads: bytes) -> bytes:
    """What the step server answers on its socket until it closes; it does within a bound."""
    reader, writer = await asyncio.open_unix_connection(stage.node.settings.listen[0].path)
    for payload in payloads:
        writer.write(payload)
    answer = await asyncio.wait_for(reader.read(), ANSWER_SECONDS)
    writer.close()
    return answer


def launch(stage: Stage, step: int, **changes: Any) -> bytes:
    """The frame of a launch."""
    fields = {"type": "LaunchStep", "credential": stage.credential(1, step), "ranks": [0], "node_rank": 0, "ntasks": 1, "argv": ["true"],
              "environment": {"A": "b"}, "work_dir": "/", **changes}
    return frames.pack(frames.JSON, json.dumps(fields).encode())


async def steps_still_begin(stage: Stage, step: int) -> None:
    """A sound launch reaches a slurmstepd."""
    stage.zygote.launched = 0
    answer = await call(stage, launch(stage, step))
    assert not answer and stage.zygote.launched == 1, answer


def test_launches_of_steps(with_seed: WithSeed, staged: Callable[..., None]) -> None:
    @fuzzed(20)
    @given(st.lists(st.tuples(fields_of(n.LaunchStep), st.booleans()), min_size=1, max_size=12))
    def attack(launches: list[tuple[dict[str, Any], bool]]) -> None:
        async def scene(s: Stage) -> None:
            for number, (changes, good) in enumerate(launches):
                if good:
                    changes.pop("credential", None)
                    changes = dict(list(changes.items())[-3:])
                answer = await call(s, launch(s, number, **changes))
                assert not answer or answer[3] == frames.STEP_IO, answer[:200]
                if answer:
                    told = json.loads(answer[frames.HEADER_SIZE + step_io.PREFIX.size:])
                    assert told["message"] and all(len(line) < 10_000 for line in told.get("hints", ())), told
            await steps_still_begin(s, 1000)

        staged(scene)

    with nothing_stays():
        with_seed(attack)


def test_credentials_that_are_nearly_good(with_seed: WithSeed, staged: Callable[..., None]) -> None:
    @fuzzed(20)
    @given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from(["flip", "cut", "insert", "double", "empty"])), min_size=1, max_size=8))
    def attack(edits: list[tuple[int, int, str]]) -> None:
        async def scene(s: Stage) -> None:
            good = s.credential(1, 0)
            for place, value, how in edits:
                at = place % len(good)
                text = {"flip": good[:at] + chr(33 + value % 90) + good[at + 1:], "cut": good[:at], "insert": good[:at] + "=\u20ac" + good[at:],
                        "double": good + good, "empty": ""}[how]
                answer = await call(s, launch(s, 0, credential=text))
                if text != good:
                    assert b"ESLURMD_" in answer or b"SLURM_" in answer, answer
            await steps_still_begin(s, 1)

        staged(scene)

    with_seed(attack)


def test_bytes_at_the_step_port(with_seed: WithSeed, staged: Callable[..., None]) -> None:
    hello = bytes.fromhex("160301002f0100002b0303") + b"\x07" * 32 + bytes.fromhex("0000021301010000")

    @fuzzed(12)
    @given(st.lists(st.one_of(
        st.binary(max_size=80), st.binary(max_size=80).map(lambda junk: step_io.TICKET_MARK + junk), st.integers(0, len(hello)).map(lambda cut: hello[:cut] + b"\xff" * 40_000),
        st.just(step_io.ticket(b"x" * 32)), st.just(launch_plain()), st.sampled_from([b"T", b"TK", b"TKT1" * 2000])), min_size=1, max_size=10))
    def attack(pieces: list[bytes]) -> None:
        async def scene(s: Stage) -> None:
            host, _, port = s.node.endpoint.removeprefix("tcp://").rpartition(":")
            for piece in pieces:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(piece)
                writer.close()
            slow = socket.create_connection((host, int(port)))  # and one that says nothing holds up nobody
            await steps_still_begin(s, 1000)
            slow.close()
            await s.until(lambda: s.server._server.connections == 0)

        staged(scene, secured=True)

    with nothing_stays():
        with_seed(attack)


def launch_plain() -> bytes:
    """A launch without TLS."""
    return frames.pack(frames.JSON, b'{"type":"LaunchStep"}')
