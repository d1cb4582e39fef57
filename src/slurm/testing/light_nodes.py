"""Many light nodes: thousands of slurmds in one process. They speak the real protocol and start nothing: a job is over when its time is.

For claims about size: what a thousand registrations, heartbeats or starts cost the controller can be seen on one machine. What a light node
does not have: programs, prologs, steps of srun (nobody listens on its port), a memory beyond its process.

    python -m slurm.testing.light_nodes -f slurm.conf 'cn[0001-1000]' --seconds 0.5
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from slurm.config.config import Config, load
from slurm.config.nodes import NodeConf
from slurm.model import msgpack
from slurm.model.version import SLURM_VERSION
from slurm.net.discovery import read_site
from slurm.net.link import Link, SocketLink, Wanted
from slurm.net.tls import Trust
from slurm.notation import hostlist
from slurm.slurmd.outbox import Outbox
from slurm.slurmd.stepd.folder import BATCH
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.messages import Failure, Message
from slurm.wire.output_messages import FileRead, ReadFile

log = logging.getLogger("light_nodes")
_decode = msgpack.decoder(n.ToNode).decode
KILLED = 15


class LightNode:
    """A slurmd without programs, for a link to slurmctld. A batch script takes `seconds_of(order)` and ends with status 0.

    It keeps what a slurmd keeps: what it runs over a lost connection, and reports until they are acknowledged.
    """

    link: Link

    def __init__(self, conf: NodeConf, seconds_of: Callable[[n.LaunchBatch], float] = lambda order: 0.0) -> None:
        self.name = conf.name
        self.accepted = asyncio.Event()
        self.refused: list[str] = []
        """Why slurmctld does not want this node."""
        self.launched = 0
        """Batch scripts that were begun here."""
        self._conf = conf
        self._seconds_of = seconds_of
        self._began = time.time()
        self._outbox = Outbox(int(self._began * 1000))
        self._running: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._over: set[tuple[int, int]] = set()
        self._beat: asyncio.TimerHandle | None = None
        self._heartbeat = 0.0
        self._orders: dict[type[Message], Callable[..., None]] = {
            n.NodeAccepted: self._on_accepted, n.Acknowledged: self._on_acknowledged, n.LaunchBatch: self._on_launch,
            n.TerminateJob: self._on_terminate,
            n.PrepareJob: self._on_prepare, n.SignalJob: self._on_signal, n.TerminateStep: self._on_terminate_step,
            n.AskUsage: self._on_ask_usage, ReadFile: self._on_read_file,
            n.ReconfigureNode: self._on_reconfigure, n.ShutdownNode: self._on_shutdown, Failure: self._on_failure,
        }

    @property
    def running(self) -> int:
        """Batch scripts that are not over."""
        return len(self._running)

    # --- the link's listener ------------------------------------------------------------------------------------------

    def on_up(self) -> None:
        """Register with the hardware that slurm.conf says, and what runs here."""
        conf = self._conf
        self._send(n.RegisterNode(
            node=conf.name, cpus=conf.cpus, boards=conf.boards, sockets=conf.sockets, cores_per_socket=conf.cores_per_socket,
            threads_per_core=conf.threads_per_core, memory=conf.real_memory, tmp_disk=conf.tmp_disk, arch="x86_64", os="Linux",
            version=SLURM_VERSION,
            boot_time=self._began, slurmd_start_time=self._began, endpoint=f"tcp://{conf.addr}:{conf.port}", hostname=conf.name,
            port=conf.port,
            holdings=[n.Holding(job=job, attempt=attempt, step=BATCH) for job, attempt in self._running]))

    def on_message(self, codec: int, payload: bytes) -> None:
        """An order; what a light node has no use for (checks of health, time limits, channels of commands) is passed over."""
        message = _decode(payload)
        carry_out = self._orders.get(type(message))
        if carry_out is not None:
            carry_out(message)

    def on_down(self, why: str) -> None:
        """It connects again by itself; reports wait."""
        self._outbox.shut()
        self.accepted.clear()
        if self._beat is not None:
            self._beat.cancel()

    def _send(self, message: Message) -> None:
        self.link.send(frames.pack(frames.MSGPACK, msgpack.encode(message)))

    # --- orders -------------------------------------------------------------------------------------------------------

    def _on_accepted(self, message: n.NodeAccepted) -> None:
        for attempt in message.unknown:
            self._forget(attempt)
            self._outbox.withdraw(*attempt)
        self._heartbeat = message.heartbeat
        # Those that registered together do not all beat together.
        self._beat = asyncio.get_running_loop().call_later(message.heartbeat * (hash(self.name) % 1000) / 1000, self._next_beat)
        self.accepted.set()
        self._outbox.open(self._send)

    def _on_reconfigure(self, message: n.ReconfigureNode) -> None:
        self._heartbeat = message.heartbeat

    def _next_beat(self) -> None:
        self._send(n.Heartbeat(load=float(len(self._running)), free_memory=self._conf.real_memory // 2))
        self._beat = asyncio.get_running_loop().call_later(self._heartbeat, self._next_beat)

    def _on_acknowledged(self, message: n.Acknowledged) -> None:
        self._outbox.acknowledge(message.serial)

    def _on_launch(self, order: n.LaunchBatch) -> None:
        attempt = order.job, order.attempt
        if attempt in self._running or attempt in self._over:
            return  # an order that came twice: its report waits or is on its way
        self.launched += 1
        self._running[attempt] = asyncio.get_running_loop().call_later(self._seconds_of(order),
            partial(self._end, order.job, order.attempt, 0))
        self._outbox.put(n.BatchLaunched(serial=0, job=order.job, attempt=order.attempt, lease=order.lease))

    def _end(self, job: int, attempt: int, status: int) -> None:
        self._forget((job, attempt))
        self._over.add((job, attempt))
        self._outbox.put(n.StepEnded(serial=0, job=job, attempt=attempt, step=BATCH, status=status))
        self._gone(job, attempt)

    def _gone(self, job: int, attempt: int) -> None:
        self._outbox.put(n.JobGone(serial=0, job=job, attempt=attempt), partial(self._over.discard, (job, attempt)))

    def _forget(self, attempt: tuple[int, int]) -> None:
        timer = self._running.pop(attempt, None)
        if timer is not None:
            timer.cancel()

    def _on_terminate(self, order: n.TerminateJob) -> None:
        if (order.job, order.attempt) in self._running:
            self._end(order.job, order.attempt, KILLED)
        else:
            self._gone(order.job, order.attempt)

    def _on_prepare(self, order: n.PrepareJob) -> None:
        self._outbox.put(n.JobPrepared(serial=0, job=order.job, attempt=order.attempt))

    def _on_signal(self, order: n.SignalJob) -> None:
        self._send(n.SignalTaken(number=order.number))

    def _on_terminate_step(self, order: n.TerminateStep) -> None:
        if order.step == BATCH and (order.job, order.attempt) in self._running:
            self._end(order.job, order.attempt, KILLED)

    def _on_read_file(self, order: ReadFile) -> None:
        self._send(FileRead(number=order.number, error="nothing is written here"))

    def _on_ask_usage(self, order: n.AskUsage) -> None:
        self._send(n.UsageTold(number=order.number))

    def _on_shutdown(self, order: n.ShutdownNode) -> None:
        self.close()

    def _on_failure(self, message: Failure) -> None:
        self.refused.append("; ".join([message.message, *message.hints]))
        log.error("node %s is refused: %s", self.name, self.refused[-1])

    def close(self) -> asyncio.Task[None]:
        """Hang up for good; the task is done when that is."""
        for attempt in list(self._running):
            self._forget(attempt)
        if self._beat is not None:
            self._beat.cancel()
        return asyncio.get_running_loop().create_task(self.link.close())


class LightNodes:
    """The slurmds of these nodes of a cluster (all of them by default), to be used by SlurmUser or root on the controller's machine.

    They come by slurmctld's unix socket; with `trust_of`, which gives each node its certificate, by its port and TLS as from machines of
    their own.
    """

    def __init__(self, conf: str, names: Iterable[str] | None = None, *, seconds_of: Callable[[n.LaunchBatch], float] = lambda order: 0.0,
                 trust_of: Callable[[str], Trust] | None = None) -> None:
        config: Config = load(conf)
        site = read_site(conf, os.environ)
        known = config.nodes_by_name
        self.nodes = [LightNode(known[name], seconds_of) for name in (known if names is None else names)]
        endpoints = [endpoint for endpoint in site.endpoints if endpoint.is_unix is (trust_of is None)]
        for node in self.nodes:
            node.link = SocketLink(
                endpoints, node, log=log, trust=None if trust_of is None else trust_of(node.name), wanted=Wanted(owners={0, os.geteuid()}))

    def start(self) -> None:
        """Begin to connect, all at once."""
        for node in self.nodes:
            node.link.start()

    async def registered(self) -> None:
        """Wait until slurmctld has accepted every one."""
        await asyncio.gather(*(node.accepted.wait() for node in self.nodes))

    async def close(self) -> None:
        """Hang up; what runs is forgotten."""
        await asyncio.gather(*(node.close() for node in self.nodes))


async def _serve(nodes: LightNodes) -> None:
    began = time.monotonic()
    nodes.start()
    await nodes.registered()
    print(f"{len(nodes.nodes)} nodes have registered within {time.monotonic() - began:.1f} s; interrupt to end them", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await nodes.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve nodes until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m slurm.testing.light_nodes",
        description="Thousands of slurmds in one process, which start nothing.")
    parser.add_argument("-f", dest="conf", default=os.environ.get("SLURM_CONF", "/etc/slurm/slurm.conf"), metavar="FILE", help="slurm.conf")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each batch script takes")
    parser.add_argument("nodes", nargs="?", help="which nodes, as a host list; all of slurm.conf by default")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    names = hostlist.expand(given.nodes, 1_000_000) if given.nodes else None

    async def serve() -> None:
        await _serve(LightNodes(given.conf, names, seconds_of=lambda order: given.seconds))

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
