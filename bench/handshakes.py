"""`python -m bench.handshakes`: what slurmd's connections cost slurmctld: processor time a full handshake with registration, a resumed one, and after a
restart of slurmctld, when none resumes and all nodes come back at once. As root, since a node's daemon calls from a port that only root has.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop

from slurm.net.authority import Authority
from slurm.net.framing import FrameBuffer
from slurm.net.tls import Tls, Trust
from slurm.wire import frames
from slurm.wire import node_messages as n

PORT = 16817
ROOTS_PORT = 1000
KEY = b"k" * 64
CONF = """ClusterName=bench
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/slurm
SlurmUser=root
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdParameters=config_overrides
ReturnToService=2
{nodes}
PartitionName=p Nodes=ALL Default=YES
"""


class Cost(NamedTuple):
    """Milliseconds of slurmctld's processor time a node, seconds until the last node was registered, how many resumed, how many tries more there were."""

    milliseconds: float
    seconds: float
    resumed: int
    again: int


def address(number: int) -> str:
    """Where node `number` is."""
    return f"127.1.{number >> 8}.{number & 255}"


class Node(asyncio.Protocol):
    """A slurmd's connection from its address."""

    def __init__(self, number: int, trust: Trust, session: ssl.SSLSession | None) -> None:
        self.number, self.trust, self.session, self.tries = number, trust, session, 0

    async def run(self) -> None:
        """Connect, prove, register; again when it is hung up on, as a slurmd does: ten thousand of them in one process are late with their answers."""
        while True:
            try:
                await self._try()
                return
            except OSError:
                await asyncio.sleep(random.uniform(0.5, 1.5))

    async def _try(self) -> None:
        loop = asyncio.get_running_loop()
        self.tries += 1
        self.registered: asyncio.Future[None] = loop.create_future()
        self.tls = Tls(self.trust, server=False, session=self.session)
        self._buffer = FrameBuffer()
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.setblocking(False)
        stream.bind((address(self.number), ROOTS_PORT))
        await loop.sock_connect(stream, ("127.0.0.1", PORT))
        await loop.create_connection(lambda: self, sock=stream)
        await self.registered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = transport
        self._shake()

    def _shake(self) -> None:
        if self.tls.handshake():
            self.tls.write(frames.pack(frames.MSGPACK, msgspec.msgpack.encode(n.RegisterNode(
                node=f"n{self.number}", cpus=2, boards=1, sockets=1, cores_per_socket=2, threads_per_core=1, memory=1000, tmp_disk=0, arch="x86_64",
                os="Linux", version="x", boot_time=1.0, slurmd_start_time=1.0, endpoint=f"tcp://{address(self.number)}:6818", hostname="x", port=6818))))
        self.transport.write(self.tls.outgoing())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self.tls.feed(data)
        if not self.tls.finished:
            self._shake()
        self._buffer.feed(self.tls.read())
        if self._buffer.take() is not None and not self.registered.done():
            self.registered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        if not self.registered.done():
            self.registered.set_exception(error or ConnectionResetError())

    def close(self) -> None:
        """Hang up."""
        self.transport.abort()  # type: ignore[attr-defined]


class Bench:
    """A slurmctld below `folder` with so many nodes."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder, self.count = folder, nodes
        lines = "\n".join(f"NodeName=n{number} NodeAddr={address(number)} CPUs=2 RealMemory=1000" for number in range(1, nodes + 1))
        (folder / "slurm.conf").write_text(CONF.format(port=PORT, folder=folder, nodes=lines))
        (folder / "slurm.key").write_bytes(KEY)
        (folder / "slurm.key").chmod(0o600)
        authority = Authority(KEY, "bench")
        self.trusts = [Trust(authority.credentials("slurmd", f"n{number}")) for number in range(1, nodes + 1)]
        self.sessions: list[ssl.SSLSession | None] = [None] * nodes
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start slurmctld; returns when it answers on its port."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slurm.slurmctld", "-D", "-f", str(self.folder / "slurm.conf")], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def processor_seconds(self) -> float:
        """What slurmctld has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def all_come(self) -> tuple[Cost, list[Node]]:
        """Every node connects at once and registers."""
        nodes = [Node(number + 1, self.trusts[number], self.sessions[number]) for number in range(self.count)]
        before, began = self.processor_seconds(), time.monotonic()
        await asyncio.gather(*(node.run() for node in nodes))
        took = time.monotonic() - began
        cost = Cost(1000 * (self.processor_seconds() - before) / self.count, took, sum(node.tls.resumed for node in nodes), sum(node.tries for node in nodes) - self.count)
        self.sessions = [node.tls.session for node in nodes]
        return cost, nodes

    async def _cycle(self) -> dict[str, Cost]:
        found: dict[str, Cost] = {}
        for title in ("full handshake and registration", "resumed, and registration"):
            found[title], nodes = await self.all_come()
            for node in nodes:
                node.close()
            await asyncio.sleep(2.0)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start()
        found["after kill -9, all at once"], nodes = await self.all_come()
        for node in nodes:
            node.close()
        return found

    def run(self) -> dict[str, Cost]:
        """All measurements."""
        self.start()
        try:
            return uvloop.run(self._cycle())
        finally:
            self.process.kill()
            self.process.wait()


def handshake_alone(count: int = 500) -> tuple[float, float]:
    """Milliseconds of a server's processor time for a full and for a resumed handshake, without sockets and registration."""
    authority = Authority(KEY, "bench")
    server, client = Trust(authority.credentials("slurmctld", "x")), Trust(authority.credentials("slurmd", "y"))
    session: ssl.SSLSession | None = None
    found = []
    for _ in range(2):
        spent = 0.0
        for _ in range(count):
            ends = Tls(server, server=True), Tls(client, server=False, session=session)
            while not (ends[0].finished and ends[1].finished):
                ends[1].handshake()
                hello = ends[1].outgoing()
                began = time.thread_time()
                ends[0].feed(hello)
                ends[0].handshake()
                answer = ends[0].outgoing()
                spent += time.thread_time() - began
                ends[1].feed(answer)
        ends[1].read()
        session = ends[1].session
        found.append(1000 * spent / count)
    return found[0], found[1]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.handshakes", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2000)
    count = parser.parse_args().nodes
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    full, resumed = handshake_alone()
    print(f"handshake alone: full {full:.2f} ms, resumed {resumed:.2f} ms of the server's processor time")
    with tempfile.TemporaryDirectory(prefix="slurm-bench-") as folder:
        for title, cost in Bench(Path(folder), count).run().items():
            print(f"{title}: {cost.milliseconds:.2f} ms of slurmctld a node, {count} nodes in {cost.seconds:.1f} s, {cost.resumed} resumed, {cost.again} tried again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
