"""A slurmd in this process whose steps run nothing: what is started is a socket that takes orders and ends when it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from slurm.config.cgroup import DISABLED, CgroupConf
from slurm.model import bounds, msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import InvalidRequest, NotNow, SlurmError
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.model.settings import Settings
from slurm.net.authority import Authority
from slurm.net.endpoint import short_path, tcp
from slurm.net.memory import MemoryNetwork
from slurm.net.peer import Peer
from slurm.net.signing import Signer
from slurm.net.tls import Trust
from slurm.slurmd import settings
from slurm.slurmd.cgroup_places import Places
from slurm.slurmd.confining import Confining
from slurm.slurmd.hardware import Hardware
from slurm.slurmd.node import Node
from slurm.slurmd.step_server import StepServer
from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.folder import Ended
from slurm.slurmd.zygote_client import ZygoteClient
from slurm.wire import node_messages as n
from slurm.wire.messages import UNREADABLE, Message
from slurm.wire.step_credential import StepCredential, seal

SIGNER = Signer(b"k" * 32)
AUTHORITY = Authority(b"k" * 32, "test")
MACHINE = Hardware(4, 1, 1, 4, 1, 1000, 0, "x86_64", "Linux", 1.0, "boot")
CONF = """
ClusterName=test
SlurmctldHost=localhost
AuthType=auth/local
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmdSpoolDir={root}/spool-%n
StateSaveLocation={root}/state
NodeName=cn01 CPUs=4 RealMemory=1000 NodeHostname=localhost
PartitionName=debug Nodes=ALL Default=YES
"""


class FakeZygote(ZygoteClient):
    """Forks nothing: each step is a socket in its folder. It refuses every seventh."""

    def __init__(self, on_gone: Callable[[str], None]) -> None:
        super().__init__(on_gone, lambda folder: None)
        self._gone = on_gone
        self.steps: dict[str, asyncio.AbstractServer] = {}
        self.launched = 0

    def start(self) -> None:
        """Nothing is started."""

    async def launch(self, folder: str, descriptors: Sequence[int], on_sent: Callable[[], None]) -> int:
        """Listen in the folder."""
        on_sent()
        self.launched += 1
        if self.launched % 7 == 0:
            raise NotNow(message="cannot start slurmstepd: no memory")
        with short_path(os.path.join(folder, "step.sock")) as path:
            self.steps[folder] = await asyncio.start_unix_server(lambda reader, writer: self._serve(folder, reader, writer), path)
        return 0

    async def _serve(self, folder: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        writer.write(b'{"ok": true}\n')
        writer.close()
        if line and json.loads(line).get("op") == "terminate":
            self.end(folder)

    def end(self, path: str) -> None:
        """The step has ended."""
        serving = self.steps.pop(path, None)
        if serving is None:
            return
        serving.close()
        journal = os.open(os.path.join(path, folder.JOURNAL), os.O_RDWR | os.O_APPEND)
        folder.append_ended(journal, Ended(0, at=time.time(), statuses={"0": 0}))
        os.close(journal)
        self._gone(path)


class Stage:
    """A registered slurmd in `root`; `heard` are its reports. `secured`: it is served on a TCP port too."""

    def __init__(self, root: Path, *, secured: bool = False) -> None:
        root.mkdir(exist_ok=True)
        conf = root / "slurm.conf"
        conf.write_text(CONF.format(root=root))
        read, _ = settings.read(str(conf), "cn01")
        if secured:
            read = read._replace(listen=[*read.listen, tcp("127.0.0.1", 0)])
        self.network = MemoryNetwork()
        self.heard: list[Message] = []
        self.asked = 0  # how often it was told to stop or to read its configuration
        self.node = node = Node(read, MACHINE, stop=self._asked, reread=self._asked)
        node._orders = {kind: self._within_bounds(carry_out) for kind, carry_out in node._orders.items()}
        self.zygote = FakeZygote(node.steps._on_gone)
        node.steps._zygote = self.zygote
        self.trust = Trust(AUTHORITY.credentials("slurmd", "cn01")) if secured else None
        self.server = StepServer(node, self.trust)
        self.root = root

    def _asked(self) -> None:
        self.asked += 1

    @staticmethod
    def _within_bounds(carry_out: Callable[..., None]) -> Callable[..., None]:
        """No order is carried out that has a value beyond its bounds, whether or not it does harm."""
        def checked(order: Message) -> None:
            try:
                bounds.check(order, Settings())
            except InvalidRequest as error:
                raise AssertionError(f"carried out: {order!r:.300}: {error.hints}") from error
            carry_out(order)

        return checked

    async def open(self) -> None:
        """Begin, without what belongs to a whole machine: cgroups, processes."""
        node = self.node
        os.makedirs(node.steps.root)
        node._confining = Confining(CgroupConf(), Places("none", CgroupConf(plugin=DISABLED)), 0, [])
        node.answers.open()
        node.heartbeats.open()
        node.credentials.open()
        self.network.serve("slurmctld", self._on_message)
        node.link = self.network.link("slurmctld", node)
        node.link.start()
        await self.server.open()
        await self.until(lambda: node.accepted.is_set())

    async def close(self) -> None:
        """End whatever runs, then everything."""
        for path in list(self.zygote.steps):
            self.zygote.end(path)
        await self.server.close()
        await self.node.link.close()
        await self.node.close()
        await asyncio.sleep(0.01)
        assert not self.network.errors, self.network.errors

    def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        message = msgpack.decode(payload, type=n.FromNode)
        if isinstance(message, n.RegisterNode):
            self.tell(n.NodeAccepted(kill_wait=2, heartbeat=5.0, step_key=SIGNER.public, now=time.time(), cluster_name="test"))
        elif isinstance(message, n.BatchLaunched | n.LaunchRefused | n.StepEnded | n.JobGone):
            self.heard.append(message)
            self.tell(n.Acknowledged(serial=message.serial))

    def tell(self, message: Message) -> None:
        """An order that is sound, of the latest epoch that the node has heard of."""
        if isinstance(message, n.Order):
            message.epoch = self.node.epochs.latest.epoch
        if isinstance(message, n.NodeAccepted):
            message.state = self.node.epochs.latest.state
        self.give(msgpack.encode(message))

    def give(self, payload: bytes) -> None:
        """Bytes from slurmctld, as the link hands them over: what breaks the connection does so in one of the ways that are foreseen."""
        try:
            self.node.on_message(0, payload)
        except (SlurmError, *UNREADABLE):
            return

    async def until(self, what: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until `what` is true."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"it did not happen; heard {self.heard[-5:]}, {self.node.doing()}"
            await asyncio.sleep(0.002)

    def batch(self, job: int) -> n.LaunchBatch:
        """The order for a script."""
        return n.LaunchBatch(
            job=job, attempt=1, shown_id=str(job), uid=os.getuid(), gid=os.getgid(), user="root", script="#!/bin/sh\n", argv=[], environment={"A": "b"},
            work_dir=str(self.root), stdin="/dev/null", stdout="out", stderr="", append=False, umask=0o022, cpus=CpuSet(1))

    def credential(self, job: int, step: int, tasks: int = 1, **changes: Any) -> str:
        """A step credential that is good."""
        now = time.time()
        credential = StepCredential(
            cluster="test", job=job, attempt=1, step=step, uid=os.getuid(), gid=os.getgid(), user="root", job_shown=str(job), issued=now,
            expires=now + 120.0, shares=[NodeShare(node=NodeName("cn01"), cpus=CpuSet(0b11), tasks=tasks)])
        return seal(msgspec.structs.replace(credential, **changes), SIGNER.sign)
