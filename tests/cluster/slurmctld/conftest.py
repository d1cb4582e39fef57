"""A controller in this process: a journal in memory, callers that the test says who they are, nodes that the test plays."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from slurm.config.config import Config, parse
from slurm.core.cluster import Cluster
from slurm.model import msgpack
from slurm.model.errors import StoreError
from slurm.net.channels import Channel, Channels
from slurm.net.framing import FrameBuffer
from slurm.net.memory import MemoryNetwork
from slurm.net.peer import Peer
from slurm.net.server import Server
from slurm.net.signing import Signer
from slurm.net.tls import Party
from slurm.slurmctld import setup
from slurm.slurmctld.clock import Clock
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.dispatch import answer
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.session import Session
from slurm.store.group_commit import GroupCommit
from slurm.store.memory import MemoryDisk, MemoryJournal
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.credentials import Identity
from slurm.wire.messages import Failure, Message
from slurm.wire.relay_messages import OfChannel, OpenChannel, SackdAccepted

CONF = """
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/local
StateSaveLocation=/nowhere
ReturnToService=2
KillWait=1
SlurmdTimeout=300
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=10
NodeName=cn[01-02] CPUs=4 RealMemory=4000 NodeHostname=localhost
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE
"""
ALICE, BOB, ROOT = 1001, 1002, 0


class Line:
    """The end of a connection that only keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.peer: Peer | None = None

    def write(self, frame: bytes) -> None:
        """Keep a message."""
        self.frames.append(json.loads(frame[frames.HEADER_SIZE:]))

    def count_for(self, uid: int) -> None:
        """Nobody's connections are counted here."""

    def hang_up(self) -> None:
        """The controller closes."""
        if self.peer is not None and not self.peer.closed:
            self.peer.ended()

    async def drained(self) -> None:
        """Nothing queues."""

    def detach(self) -> tuple[socket.socket, bytes]:
        """Never asked of a controller."""
        raise AssertionError("a controller gives no connection away")


class Client:
    """A command of the user `uid`; `said` are the messages pushed to it."""

    def __init__(self, ctl: Controller, uid: int, *, local: bool = True) -> None:
        self._ctl = ctl
        self._line = Line()
        self.peer = self._line.peer = Peer(self._line, Identity(uid=uid, gid=uid, host="login1", issued=0.0), local=local)
        self.session = Session(self.peer)
        self.said = self._line.frames

    async def ask(self, kind: str, **fields: object) -> dict[str, Any]:
        """The reply to a request."""
        reply = await answer(self._ctl, self.session, json.dumps({"type": kind, **fields}).encode())
        decoded: dict[str, Any] = json.loads(reply if isinstance(reply, bytes) else msgspec.json.encode(reply))
        return decoded

    def begin(self, kind: str, **fields: object) -> asyncio.Task[dict[str, Any]]:
        """Ask and go on."""
        return asyncio.get_running_loop().create_task(self.ask(kind, **fields))

    def hang_up(self) -> None:
        """The program ended."""
        self.peer.ended()

    async def submit(self, **request: object) -> int:
        """A batch job's id."""
        fields = {"name": "job", "work_dir": "/tmp", **request}
        reply = await self.ask("SubmitJob", request=fields, payload={"script": "#!/bin/sh\n", "argv": [], "environment": {"A": "b"}})
        assert reply["type"] == "Submitted", reply
        return int(reply["job_id"])


class Relayed:
    """A command on a node's machine, at the node's end of its channel (net.channels.Holder). `gone`: slurmctld hung up."""

    def __init__(self) -> None:
        self.channel: Channel
        self.heard: list[dict[str, Any]] = []
        self.gone = False
        self._buffer = FrameBuffer()

    def on_data(self, data: bytes) -> None:
        """An answer, or a part of it."""
        self._buffer.feed(data)
        self.channel.taken(len(data))
        while (frame := self._buffer.take()) is not None:
            self.heard.append(json.loads(frame[1]))

    def on_progress(self) -> None:
        """Nothing waits for that."""

    def on_closed(self, by_other: bool) -> None:
        """slurmctld hung up."""
        self.gone = True

    def say(self, kind: str, **fields: object) -> None:
        """Ask."""
        self.channel.write(frames.pack(frames.JSON, json.dumps({"type": kind, **fields}).encode()))


class FakeNode:
    """A slurmd that keeps its orders; it runs nothing, the test reports for it."""

    def __init__(self, stage: Stage, name: str, *, uid: int | None = None, party: Party | None = None) -> None:
        self.name = name
        self.boot_id = "boot-1"
        self.orders: list[Message] = []
        self.holdings: list[n.Holding] = []
        self.refused: list[str] = []
        self.serial = 0
        self.started = time.time()
        self.boot_time = self.started - 1000
        self._stage = stage
        self.link = stage.network.link("slurmctld", self, uid=uid, party=party)
        self.channels = Channels(self.send, self.link.drained)
        self._opened = 0
        self.link.start()

    def on_up(self) -> None:
        """Register with what is configured; where that is another node's name, with that of the first."""
        nodes = self._stage.config.nodes
        conf = next((node for node in nodes if node.name == self.name), nodes[0])
        self.send(n.RegisterNode(
            node=self.name, cpus=conf.cpus, boards=1, sockets=conf.sockets, cores_per_socket=conf.cores_per_socket,
            threads_per_core=conf.threads_per_core, memory=conf.real_memory, tmp_disk=0, arch="x86_64",
            os="Linux", version="26.11", boot_time=self.boot_time, slurmd_start_time=self.started, endpoint=f"unix:/run/{self.name}.sock",
            hostname="localhost", port=6818, holdings=self.holdings, boot_id=self.boot_id))

    def on_message(self, codec: int, payload: bytes) -> None:
        """Keep an order."""
        message = msgpack.decode(payload, type=n.ToNode | SackdAccepted)
        if isinstance(message, Failure):
            self.refused.append("; ".join([message.message, *message.hints]))
        elif isinstance(message, OfChannel):
            self.channels.on_message(message)
        else:
            self.orders.append(message)

    def on_down(self, why: str) -> None:
        """It connects again by itself."""

    def send(self, message: Message) -> None:
        """Report."""
        self.link.send(frames.pack(frames.MSGPACK, msgpack.encode(message)))

    def relay(self, uid: int, gid: int | None = None) -> Relayed:
        """A command of this user on the node's machine."""
        command = Relayed()
        self._opened += 1
        self.send(OpenChannel(channel=self._opened, uid=uid, gid=uid if gid is None else gid, pid=4711))
        command.channel = self.channels.open(self._opened, command)
        return command

    async def relayed(self, uid: int, kind: str, gid: int | None = None, **fields: object) -> dict[str, Any]:
        """The answer to one request of this user on the node's machine."""
        command = self.relay(uid, gid)
        command.say(kind, **fields)
        await self._stage.until(lambda: command.heard)
        command.channel.close()
        return command.heard[0]

    def of(self, kind: type[Message]) -> list[Any]:
        """Orders of one kind."""
        return [order for order in self.orders if isinstance(order, kind)]

    def report(self, kind: type[Message], **fields: object) -> int:
        """Send a report; its serial."""
        self.serial += 1
        self.send(kind(serial=self.serial, **fields))
        return self.serial

    def finish(self, job: int, attempt: int = 1, status: int = 0) -> None:
        """The whole life of a batch job that was launched here."""
        self.report(n.BatchLaunched, job=job, attempt=attempt)
        self.report(n.StepEnded, job=job, attempt=attempt, step=-5, status=status)
        self.report(n.JobGone, job=job, attempt=attempt)


class Stage:
    """A controller and what is around it. `restart` plays kill -9 and a new start from the same disk."""

    def __init__(self, conf: str = CONF, gres: str | None = None, shift: float = 0.0, clock: Clock | None = None) -> None:
        self.config: Config = parse(conf, gres=gres)
        self.disk = MemoryDisk()
        self.network = MemoryNetwork()
        self.broken: list[StoreError] = []
        self.stops = 0
        self.shift = shift
        self.clock = clock
        self.nodes: list[FakeNode] = []
        self.sessions: dict[Peer, Session] = {}
        self.open()

    def open(self) -> None:
        """Start the controller on what the disk holds."""
        journal = MemoryJournal(self.disk)
        cluster: Cluster = restore(journal)
        self.commit = GroupCommit(journal, asyncio.get_running_loop())
        self.ctl = Controller(
            self.config, cluster, journal, self.commit, operators=[], signer=Signer(b"k" * 32), stop=self._stop, broken=self.broken.append,
            read=lambda path: self.config, now=self.now, clock=self.clock)
        self.ctl.engine.record(setup.configured(self.config, self.now(), []))
        self.ctl.relays.server = self.server = Server(self._on_message, log=logging.getLogger("test.relays"))
        self.network.serve("slurmctld", self._on_message)
        self.ctl.begin()

    def now(self) -> float:
        """The controller's clock: `shift` seconds from everybody else's."""
        return time.time() + self.shift

    def set_clock(self, moment: float) -> None:
        """It is another time for the controller from now on."""
        self.shift = moment - time.time()

    def _stop(self) -> None:
        self.stops += 1

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        if codec == frames.MSGPACK:
            await self.ctl.links.on_message(peer, payload)
            return
        session = self.sessions.setdefault(peer, Session(peer))
        session.send(await answer(self.ctl, session, payload))

    async def close(self) -> None:
        """End in order."""
        await self.ctl.close()
        for node in self.nodes:
            await node.link.close()
        await asyncio.sleep(0.01)
        await self.commit.close()
        assert not self.network.errors, self.network.errors

    async def restart(self) -> None:
        """Kill the controller and start another one from the disk."""
        await self.ctl.engine.settled()
        await self.ctl.close()
        self.network.stop("slurmctld")
        await asyncio.sleep(0.02)
        self.open()

    def client(self, uid: int = ALICE, *, local: bool = True) -> Client:
        """A connected command."""
        return Client(self.ctl, uid, local=local)

    async def node(self, name: str) -> FakeNode:
        """A registered node."""
        node = FakeNode(self, name)
        self.nodes.append(node)
        await self.until(lambda: node.of(n.NodeAccepted))
        return node

    async def until(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until `what` is true."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"it did not happen; jobs {self.ctl.cluster.jobs}"
            await asyncio.sleep(0.002)

    def state(self, job: int) -> str:
        """A job's state by name."""
        return self.ctl.cluster.job(job).state.name


Play = Callable[..., None]


@pytest.fixture
def play() -> Play:
    """Plays a scene on a stage of its own."""
    def run(scene: Callable[[Stage], Coroutine[None, None, None]], conf: str = CONF, gres: str | None = None, shift: float = 0.0,
            clock: Clock | None = None) -> None:
        async def main() -> None:
            stage = Stage(conf, gres, shift, clock)
            try:
                await asyncio.wait_for(scene(stage), 90)
            finally:
                await stage.close()

        asyncio.run(main())

    return run
