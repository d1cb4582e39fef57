"""The relay: commands reach slurmctld over another daemon's one connection as they would over its own socket, and nobody holds up anybody."""

import asyncio
import gc
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from slurm.model import bounds
from slurm.model.errors import InvalidRequest, NotPermitted, ProtocolError
from slurm.model.settings import Settings
from slurm.net.channels import Channel, Channels
from slurm.net.endpoint import unix
from slurm.net.framing import FrameBuffer
from slurm.net.gate import Limits
from slurm.net.link import SocketLink
from slurm.net.peer import Peer
from slurm.net.relay import Relay
from slurm.net.server import Server
from slurm.net.stream import Relayed
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.messages import Message, Ping, Pong
from slurm.wire.relay_messages import CHUNK, WINDOW, ChannelData, ChannelGrant, CloseChannel, OfChannel, OpenChannel

MEGABYTE = 1 << 20
log = logging.getLogger("test.relay")


def packed(message: Message) -> bytes:
    return frames.pack(frames.MSGPACK, msgspec.msgpack.encode(message))


class Controller:
    """Answers as slurmctld: {"echo": …} with itself, {"size": N} with N bytes, {"wait": 1} never."""

    def __init__(self, limits: Limits | None) -> None:
        self.server = Server(self._on_message, log=log, limits=limits)
        self.channels: Channels | None = None
        self.relay_peer: Peer | None = None
        self.peers: list[Peer] = []
        self.ended: list[bool] = []
        self.allowed = True

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        if codec == frames.MSGPACK:
            self._of_relay(peer, payload)
            return
        if peer not in self.peers:
            self.peers.append(peer)
            peer.on_close(lambda: self.ended.append(peer.left))
        request = json.loads(payload)
        if "wait" in request:
            await asyncio.sleep(3600)
        size = request.get("size", 0)
        reply = {**request, "uid": peer.identity.uid, "pid": peer.pid, "via": peer.via, "data": "x" * size}
        peer.send(frames.pack(frames.JSON, json.dumps(reply).encode()))

    def _of_relay(self, peer: Peer, payload: bytes) -> None:
        message = msgspec.msgpack.decode(payload, type=OpenChannel | OfChannel | Ping)
        if isinstance(message, Ping):
            peer.send(packed(Pong(host="c")))
            return
        if self.relay_peer is not peer:
            self.relay_peer = peer
            channels = self.channels = Channels(lambda message: peer.send(packed(message)), peer.drained)
            peer.on_close(channels.broken)
        assert self.channels is not None
        if not isinstance(message, OpenChannel):
            self.channels.on_message(message)
            return

        def require() -> None:
            if not self.allowed:
                raise NotPermitted(hints=["not for him"])

        identity = Identity(uid=message.uid, gid=message.gid, host="nd1", issued=0.0)
        self.server.adopt(self.channels, message.channel, Relayed(identity, message.pid, "slurmd of nd1", require))


class Daemon:
    """The daemon beside the commands: its link, its relay."""

    def __init__(self, controller: str, path: str, limits: Limits | None) -> None:
        self.relay = Relay(path, log=log, limits=limits)
        self.link = SocketLink([unix(controller)], self, log=log)
        self.pongs = 0

    def on_up(self) -> None:
        self.relay.up(Channels(lambda message: self.link.send(packed(message)), self.link.drained))

    def on_message(self, codec: int, payload: bytes) -> None:
        message = msgspec.msgpack.decode(payload, type=OfChannel | Pong)
        if isinstance(message, Pong):
            self.pongs += 1
        elif self.relay.channels is not None:
            self.relay.channels.on_message(message)

    def on_down(self, why: str) -> None:
        self.relay.down(why)


class Command:
    """A command's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._buffer = FrameBuffer(frames.MAX_PAYLOAD)

    def say(self, **request: Any) -> None:
        self.writer.write(frames.pack(frames.JSON, json.dumps(request).encode()))

    async def hear(self) -> dict[str, Any]:
        while (frame := self._buffer.take()) is None:
            data = await self.reader.read(MEGABYTE)
            if not data:
                raise EOFError
            self._buffer.feed(data)
        decoded: dict[str, Any] = json.loads(frame[1])
        return decoded

    async def ask(self, **request: Any) -> dict[str, Any]:
        self.say(**request)
        return await asyncio.wait_for(self.hear(), 30)

    def hang_up(self) -> None:
        self.writer.close()


class Chain:
    """Controller, daemon beside the commands, and as many commands as are wanted."""

    def __init__(self, root: Path, limits: Limits | None, relay_limits: Limits | None) -> None:
        self.place = str(root / "slurmctld.sock")
        self.path = str(root / "slurmd.relay")
        self.controller = Controller(limits)
        self.daemon = Daemon(self.place, self.path, relay_limits)

    async def command(self) -> Command:
        return Command(*await asyncio.open_unix_connection(self.path, limit=64 * 1024))

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not what():
                await asyncio.sleep(0.005)


def play(root: Path, scene: Callable[[Chain], Awaitable[None]], *, limits: Limits | None = None, relay_limits: Limits | None = None) -> None:
    async def main() -> None:
        chain = Chain(root, limits, relay_limits)
        chain.daemon.relay.open()
        await chain.controller.server.listen(unix(chain.place))
        chain.daemon.link.start()
        await chain.until(lambda: chain.daemon.relay._server is not None)
        try:
            await asyncio.wait_for(scene(chain), 60)
        finally:
            await chain.daemon.link.close()
            chain.daemon.relay.close()
            await chain.controller.server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_command_is_answered_as_at_slurmctlds_own_socket_and_the_kernel_says_who_it_is(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        for number in range(3):
            reply = await command.ask(echo=number)
            assert (reply["echo"], reply["uid"], reply["pid"], reply["via"]) == (number, os.getuid(), os.getpid(), "slurmd of nd1")
        command.hang_up()

    play(tmp_path, scene)


def test_large_requests_and_answers_pass_whole(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        text = "".join(map(str, range(2_000_000)))
        assert (await command.ask(text=text))["text"] == text
        assert len((await command.ask(size=60 * 1000 * 1000))["data"]) == 60 * 1000 * 1000
        command.hang_up()

    play(tmp_path, scene)


def test_a_command_that_does_not_read_holds_up_neither_the_others_nor_the_heartbeat_nor_fills_memory(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        slow = [await chain.command() for _ in range(5)]
        for command in slow:
            command.say(size=20 * MEGABYTE)
        other = await chain.command()
        loop = asyncio.get_running_loop()
        for number in range(20):
            began = loop.time()
            chain.daemon.link.send(packed(Ping()))
            assert (await other.ask(echo=number))["echo"] == number
            await chain.until(lambda wanted=number: chain.daemon.pongs > wanted)
            assert loop.time() - began < 10.0
        held = sum(guest._transport.get_write_buffer_size() for guest in chain.daemon.relay.gate.guests)
        assert held <= 5 * (WINDOW + CHUNK)
        for command in slow:
            assert len((await asyncio.wait_for(command.hear(), 30))["data"]) == 20 * MEGABYTE

    play(tmp_path, scene)


def test_a_controller_that_does_not_take_what_is_asked_holds_the_command_back(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        command.say(wait=1)
        for _ in range(40):
            command.say(wait=1, text="x" * MEGABYTE)
        other = await chain.command()
        await other.ask(echo=1)
        await asyncio.sleep(0.3)
        held = sum(guest._channel.unsent for guest in chain.daemon.relay.gate.guests)
        assert 0 < held <= 3 * WINDOW, held
        assert (await other.ask(echo=2))["echo"] == 2

    play(tmp_path, scene, limits=Limits(requests=1))


def test_a_broken_link_ends_the_commands_and_the_socket_refuses_until_it_is_back(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        await command.ask(echo=1)
        chain.daemon.link.reconnect("for the test")
        with pytest.raises(EOFError):
            await asyncio.wait_for(command.hear(), 10)
        with pytest.raises(ConnectionRefusedError):
            await chain.command()
        await chain.until(lambda: chain.controller.ended)
        assert chain.controller.ended == [False], "the way broke: the caller may come back"
        await chain.until(lambda: chain.daemon.relay._server is not None)
        assert (await (await chain.command()).ask(echo=2))["echo"] == 2

    play(tmp_path, scene)


def test_a_command_that_goes_is_known_to_have_gone(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        await command.ask(echo=1)
        command.hang_up()
        await chain.until(lambda: chain.controller.ended)
        assert chain.controller.ended == [True]
        assert chain.controller.channels is not None and not len(chain.controller.channels)
        assert not len(chain.daemon.relay.channels or ())

    play(tmp_path, scene)


def test_the_controller_hangs_up_through_the_relay_after_what_it_said(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        command.writer.write(b"this is not a frame at all, and says so at once")
        reply = await asyncio.wait_for(command.hear(), 10)
        assert reply["type"] == "Failure"

    async def silent(chain: Chain) -> None:
        command = await chain.command()
        await command.ask(echo=1)
        command.writer.write(b"nor is this")
        assert (await asyncio.wait_for(command.hear(), 10))["type"] == "Failure"
        with pytest.raises(EOFError):
            await asyncio.wait_for(command.hear(), 10)

    play(tmp_path, silent)
    with pytest.raises(EOFError):
        play(tmp_path, scene)


def test_whoever_may_be_spoken_for_no_longer_is_refused_on_a_connection_that_stands(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        await command.ask(echo=1)
        chain.controller.allowed = False
        reply = await command.ask(echo=2)
        assert (reply["type"], reply["hints"]) == ("Failure", ["not for him"])

    play(tmp_path, scene)


def test_who_says_nothing_leaves_the_relay_and_never_bothers_the_controller(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        command = await chain.command()
        with pytest.raises(EOFError):
            await asyncio.wait_for(command.hear(), 10)
        assert chain.controller.channels is None

    play(tmp_path, scene, relay_limits=Limits(silent=0.1))


def test_a_relay_that_sends_more_than_was_granted_loses_its_connection(tmp_path: Path) -> None:
    async def scene(chain: Chain) -> None:
        link = chain.daemon.link
        link.send(packed(OpenChannel(channel=1, uid=0, gid=0)))
        for _ in range(64):
            link.send(packed(ChannelData(channel=1, data=frames.pack(frames.JSON, b'{"wait":1}') * 1000)))
        await chain.until(lambda: not link.up)

    play(tmp_path, scene, limits=Limits(requests=1))


@pytest.mark.parametrize("message", [
    {"type": "OpenChannel", "channel": 0, "uid": 1, "gid": 1}, {"type": "OpenChannel", "channel": 1, "uid": -1, "gid": 1},
    {"type": "OpenChannel", "channel": 1, "uid": (1 << 32) - 1, "gid": 1}, {"type": "ChannelGrant", "channel": 1, "size": 0},
    {"type": "ChannelGrant", "channel": 1, "size": WINDOW + 1}, {"type": "ChannelData", "channel": 1, "data": b"x" * (CHUNK + 1)},
    {"type": "CloseChannel", "channel": (1 << 63) - 1}])
def test_what_a_relay_says_has_bounds(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        bounds.check(msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=OpenChannel | OfChannel), Settings())


class Bucket:
    """A holder that keeps what comes and takes it when it is told to."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.waiting = 0
        self.closed: list[bool] = []
        self.channel: Channel

    def on_data(self, data: bytes) -> None:
        self.data += data
        self.waiting += len(data)

    def on_progress(self) -> None:
        pass

    def on_closed(self, by_other: bool) -> None:
        self.closed.append(by_other)

    def take(self) -> None:
        size, self.waiting = self.waiting, 0
        self.channel.taken(size)


def test_a_window_bounds_what_is_under_way_and_turns_are_fair() -> None:
    async def main() -> None:
        sent: list[Message] = []

        async def drained() -> None:
            return

        near = Channels(sent.append, drained)
        buckets = [Bucket() for _ in range(3)]
        for number, bucket in enumerate(buckets, 1):
            bucket.channel = near.open(number, bucket)
            bucket.channel.write(bytes(10 * WINDOW))
        await asyncio.sleep(0.05)
        by_channel = [message.channel for message in sent if isinstance(message, ChannelData)]
        assert by_channel[:6] == [1, 2, 3, 1, 2, 3]
        assert len(by_channel) == 3 * WINDOW // CHUNK
        near.on_message(ChannelGrant(channel=2, size=CHUNK))
        await asyncio.sleep(0.01)
        assert isinstance(sent[-1], ChannelData) and sent[-1].channel == 2
        near.on_message(ChannelGrant(channel=2, size=WINDOW))
        with pytest.raises(ProtocolError, match="more was granted"):
            near.on_message(ChannelGrant(channel=2, size=1))
        buckets[0].channel.close()
        assert not any(isinstance(message, CloseChannel) for message in sent), "what was written leaves first"
        buckets[1].channel.abort()
        assert sent[-1] == CloseChannel(channel=2)
        near.broken()
        assert [bucket.closed for bucket in buckets] == [[False], [], [False]]

    asyncio.run(main())


def test_every_byte_arrives_in_order_however_slowly_it_is_taken() -> None:
    async def main() -> None:
        async def drained() -> None:
            await asyncio.sleep(0)

        ends: list[Channels] = []
        loop = asyncio.get_running_loop()
        near = Channels(lambda message: loop.call_soon(ends[1].on_message, message), drained)
        far = Channels(lambda message: loop.call_soon(ends[0].on_message, message), drained)
        ends += [near, far]
        here, there = Bucket(), Bucket()
        here.channel, there.channel = near.open(1, here), far.open(1, there)
        data = os.urandom(3 * MEGABYTE + 17)
        for start in range(0, len(data), 100_001):
            here.channel.write(data[start:start + 100_001])
        here.channel.close()
        while not there.closed:
            await asyncio.sleep(0.001)
            assert there.waiting <= WINDOW
            there.take()
        assert bytes(there.data) == data
        assert not len(near) and not len(far)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_relay_that_is_connected_twice_in_a_moment_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async def drained() -> None:
            return

        relay = Relay(str(tmp_path / "s.sock"), log=logging.getLogger("test"))
        relay.open()
        relay.up(Channels(lambda message: None, drained))
        await asyncio.sleep(0)
        relay.up(Channels(lambda message: None, drained))
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_unix_connection(relay.path)
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.001)
        writer.write(b"x")
        async with asyncio.timeout(10):
            while relay.channels is None or not len(relay.channels):
                await asyncio.sleep(0.001)
        writer.close()
        relay.close()

    asyncio.run(scene())
    gc.collect()
    assert not [record for record in caplog.records if record.exc_info]
