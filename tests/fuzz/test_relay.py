"""Whatever a relay says of its channels, and slurmctld to a relay: no failure, no window overrun, no channel left over, others are served."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.errors import SlurmError
from slurm.net.channels import Channel, Channels
from slurm.net.relay import Relay
from slurm.sackd.kiosk import Kiosk
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.messages import UNREADABLE, Message
from slurm.wire.relay_messages import CHUNK, WINDOW, ChannelData, ChannelGrant, CloseChannel, OpenChannel
from tests.cluster.slurmctld.conftest import ALICE, BOB, Stage
from tests.fuzz.seeds import fuzzed
from tests.fuzz.surprises import nothing_stays, nothing_surprises
from tests.fuzz.values import messages

WithSeed = Callable[[Callable[[], None]], None]
NUMBERS = st.sampled_from([1, 2, 3, 4, 7])
REQUEST = frames.pack(frames.JSON, json.dumps({"type": "ListJobs", "fields": ["jobid"]}).encode())
PIECES = st.one_of(
    st.just(REQUEST), st.integers(0, len(REQUEST)).map(lambda cut: REQUEST[:cut]), st.binary(max_size=40), st.sampled_from([b"", b"x" * CHUNK, REQUEST * 50, frames.HEADER.pack(frames.MAGIC, 2, frames.JSON, 2**31)]))
FROM_RELAY = st.one_of(
    NUMBERS.map(lambda channel: {"type": "OpenChannel", "channel": channel, "uid": ALICE, "gid": ALICE}),
    st.tuples(NUMBERS, PIECES).map(lambda parts: {"type": "ChannelData", "channel": parts[0], "data": parts[1]}),
    st.tuples(NUMBERS, st.sampled_from([1, 1000, WINDOW])).map(lambda parts: {"type": "ChannelGrant", "channel": parts[0], "size": parts[1]}),
    NUMBERS.map(lambda channel: {"type": "CloseChannel", "channel": channel}), messages(OpenChannel | ChannelData | ChannelGrant | CloseChannel))


def test_what_a_relay_says(with_seed: WithSeed) -> None:
    @fuzzed(15)
    @given(st.lists(FROM_RELAY, min_size=1, max_size=25))
    def attack(said: list[dict[str, Any]]) -> None:
        async def main() -> None:
            stage = Stage()
            try:
                await asyncio.wait_for(scene(stage), 60)
            finally:
                await stage.close()

        async def scene(s: Stage) -> None:
            node = await s.node("cn01")
            other = await s.node("cn02")
            for uid in (ALICE, BOB):
                await s.client(uid).submit(name="here", exclusive="node")
            await s.until(lambda: len(node.of(n.LaunchBatch)) + len(other.of(n.LaunchBatch)) == 2)
            for message in said:
                try:
                    payload = msgspec.msgpack.encode(message)
                except OverflowError:
                    continue  # MessagePack has no such number
                node.link.send(frames.pack(frames.MSGPACK, payload))
                await asyncio.sleep(0)
                refused(s)
            await asyncio.sleep(0.02)
            refused(s)
            uid = ALICE if other.of(n.LaunchBatch)[0].uid == ALICE else BOB
            assert (await other.relayed(uid, "Ping"))["type"] == "Pong"
            node.link.reconnect("over")
            await s.until(lambda: not len(s.ctl.relays))

        with nothing_surprises():
            asyncio.run(main())

    def refused(s: Stage) -> None:
        """What breaks the rules breaks the connection, in one of the ways that are foreseen."""
        errors, s.network.errors[:] = list(s.network.errors), []
        for error in errors:
            assert isinstance(error, (SlurmError, *UNREADABLE)), repr(error)

    with nothing_stays():
        with_seed(attack)


class Command:
    """A command at the relaying end."""

    def __init__(self) -> None:
        self.channel: Channel
        self.heard = 0

    def on_data(self, data: bytes) -> None:
        """Every other piece is taken at once."""
        self.heard += len(data)
        if self.heard % 2:
            self.channel.taken(len(data))

    def on_progress(self) -> None:
        """Nothing waits."""

    def on_closed(self, by_other: bool) -> None:
        """It is over."""


TO_RELAY = st.one_of(
    st.tuples(NUMBERS, st.sampled_from([0, 1, CHUNK, WINDOW])).map(lambda parts: ChannelData(channel=parts[0], data=b"x" * parts[1])),
    st.tuples(NUMBERS, st.sampled_from([1, CHUNK, WINDOW, WINDOW + 1, 2**40])).map(lambda parts: ChannelGrant(channel=parts[0], size=parts[1])),
    NUMBERS.map(lambda channel: CloseChannel(channel=channel)), st.just(None))


def test_windows_hold_whatever_the_other_end_says(with_seed: WithSeed) -> None:
    @fuzzed(60)
    @given(st.lists(TO_RELAY, max_size=40))
    def attack(said: list[Any]) -> None:
        async def main() -> None:
            left: list[Message] = []
            channels = Channels(left.append, drained)
            commands = [Command() for _ in range(3)]
            for number, command in enumerate(commands, 1):
                command.channel = channels.open(number, command)
                command.channel.write(b"y" * (3 * WINDOW))
            granted = dict.fromkeys((1, 2, 3), WINDOW)
            for message in said:
                if message is not None:
                    try:
                        channels.on_message(message)
                    except SlurmError:
                        break
                    assert all(command.channel._room <= WINDOW for command in commands), message
                    if isinstance(message, ChannelGrant) and message.channel in granted:
                        granted[message.channel] += message.size
                await asyncio.sleep(0)
            for _ in range(200):
                await asyncio.sleep(0)
            sent = {number: sum(len(one.data) for one in left if isinstance(one, ChannelData) and one.channel == number) for number in granted}
            assert all(sent[number] <= granted[number] for number in granted), (sent, granted)
            for number, command in enumerate(commands, 1):
                allowed = WINDOW + sum(one.size for one in left if isinstance(one, ChannelGrant) and one.channel == number)
                assert command.heard <= allowed, (command.heard, allowed)
            channels.broken()
            assert not len(channels)

        asyncio.run(main())

    async def drained() -> None:
        await asyncio.sleep(0)

    with_seed(attack)


class Line:
    """A link that keeps nothing."""

    up = True

    def start(self) -> None:
        """It is there."""

    def send(self, frame: bytes) -> bool:
        """It went."""
        return True

    async def drained(self) -> None:
        """Nothing queues."""

    def reconnect(self, why: str) -> None:
        """It would be made anew."""

    def leave(self, why: str) -> None:
        """The same."""

    def elsewhere(self, why: str) -> None:
        """The same."""

    async def close(self) -> None:
        """It is over."""


def test_what_slurmctld_says_to_sackd(with_seed: WithSeed, tmp_path_factory: Any) -> None:
    place = str(tmp_path_factory.mktemp("s") / "slurmctld.sock")
    kinds = n.Alive | n.NodeAccepted | ChannelData | ChannelGrant | CloseChannel

    @fuzzed(15)
    @given(st.lists(st.one_of(
        messages(kinds), st.fixed_dictionaries({"type": st.just("SackdAccepted"), "heartbeat": st.sampled_from([0, 0.0, -1.0, 1e300, float("nan"), 5.0, 60.0, "x"]), "cluster_name": st.text(max_size=3)})), max_size=12))
    def attack(said: list[dict[str, Any]]) -> None:
        async def main() -> None:
            relay = Relay(place, log=logging.getLogger("test.sackd"))
            relay.open()
            kiosk = Kiosk("login", relay)
            kiosk.link = Line()
            kiosk.on_up()
            for message in said:
                try:
                    payload = msgspec.msgpack.encode(message)
                except OverflowError:
                    continue  # MessagePack has no such number
                try:
                    kiosk.on_message(frames.MSGPACK, payload)
                except (SlurmError, *UNREADABLE):
                    kiosk.on_down("it was not understood")
                    kiosk.on_up()
                await asyncio.sleep(0)
            kiosk.on_message(frames.MSGPACK, msgspec.msgpack.encode({"type": "SackdAccepted", "heartbeat": 5.0}))
            async with asyncio.timeout(5):
                while relay._server is None:
                    await asyncio.sleep(0.001)
            _, writer = await asyncio.open_unix_connection(place)  # a command of this machine is taken
            writer.write(REQUEST)
            async with asyncio.timeout(5):
                while not (relay.channels is not None and len(relay.channels)):
                    await asyncio.sleep(0.001)
            writer.close()
            kiosk.close()

        with nothing_surprises():
            asyncio.run(main())

    with nothing_stays():
        with_seed(attack)

