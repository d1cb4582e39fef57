"""Nodes call in: one connection a slurmd; registration, heartbeats, reports in, orders out.

A report is acknowledged once its event is on disk; slurmd repeats what was not. An order follows from state: it is sent again when the node
registers (core.recovery), and until state says that it was carried out (`unconfirmed`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable

from slurm.core import recovery
from slurm.core.effects import Effect, Launch, SetLimit, Signal, Suspend
from slurm.core.events import (
    BatchExited,
    Event,
    Launched,
    LaunchFailed,
    NodeFreed,
    NodeLost,
    NodeRegistered,
    NodeSilent,
    NodeUpdated,
    PreparationFailed,
    Prepared,
    StepEnding,
    StepExited,
)
from slurm.core.illegal import IllegalTransition, story
from slurm.daemon.logs import Seldom
from slurm.model import bounds, msgpack
from slurm.model.accounting import told_by
from slurm.model.errors import InvalidRequest, NotFound, NotPermitted, SlurmError, StoreError
from slurm.model.ids import BATCH_STEP, JobId, NodeName, StepId, Uid
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import JobState
from slurm.net.server import Peer
from slurm.slurmctld import faultpoints, malformed
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.file_reads import FileReads
from slurm.slurmctld.live_usage import LiveUsage
from slurm.slurmctld.lost_devices import LostDevices
from slurm.slurmctld.relays import SLURMD, Relayer, Relays
from slurm.slurmctld.silence import Silence
from slurm.slurmctld.unconfirmed import Order, Unconfirmed
from slurm.wire import frames
from slurm.wire import node_messages as n
from slurm.wire.messages import UNREADABLE, Message, failure
from slurm.wire.output_messages import FileRead
from slurm.wire.relay_messages import FromRelay, RegisterSackd, SackdAccepted, SackdAlive
from slurm.wire.standby_messages import FromStandby

log = logging.getLogger("slurmctld.nodes")
HEARTBEAT_SECONDS = 10.0
CONFIRM_SECONDS = 10.0
"""A node that has not confirmed an order for so long is sent it again; a launch, for BatchStartTimeout."""
COME_BACK_SECONDS = 8.0
"""A slurmd whose connection was lost tries again in less."""


class Links:
    """The connected slurmds. `order_for(effect, node)` builds the message of an effect."""

    def __init__(
        self, engine: Engine, now: Callable[[], float], order_for: Callable[[Effect, Node], Message | None], cluster_name: str,
        step_key: bytes,
        relays: Relays, *, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._now = now
        self._clock = clock  # nobody sets it
        self.silence = Silence(clock)
        self._order_for = order_for
        self._cluster_name = cluster_name
        self._step_key = step_key
        self._peers: dict[NodeName, Peer] = {}
        self._names: dict[Peer, NodeName] = {}
        self._decode = msgpack.decoder(n.FromNode).decode
        self.endpoints: dict[NodeName, str] = {}
        self.relays = relays
        self._refusals = Seldom(log)
        self._missed: set[NodeName] = set()  # those that were connected and are to come back, as after a restart of this daemon
        self._ending = False
        self._unconfirmed = Unconfirmed(int(now() * 1000))
        self.beside: dict[NodeName, str] = {}
        self.make: Callable[[NodeName, str], list[Event]] = lambda name, line: []  # the events that make the node of a slurmd -Z
        self.usage = LiveUsage(self.send)
        self.files = FileReads(self.send)
        self._lost = LostDevices(lambda: engine.cluster, now, self.send)
        self.epoch = 0  # of the term in which orders are given, 0: terms are not counted
        self.state = ""  # the name of the journal
        self.standby_seconds = 0.0  # after so much silence a standby takes over; 0: there is none
        self.of_standby: Callable[[Peer, FromStandby], None] = lambda peer, message: peer.close()  # there is one slurmctld
        self.overruled: Callable[[NodeName, n.Overruled], None] = lambda name, message: None  # a node knows a later term

    # --- messages in -----------------------------------------------------------------------------------------------------

    async def on_message(self, peer: Peer, payload: bytes) -> None:
        """Take one MessagePack message from a slurmd; the connection is closed when it is not allowed or not understood."""
        settings = self._engine.cluster.settings
        try:
            message = self._decode(payload)
            bounds.check(message, settings)
        except (InvalidRequest, *UNREADABLE):
            if not self._take_malformed(peer, payload):
                raise
            return
        if isinstance(message, n.RegisterNode):
            await self._register(peer, message)
            return
        if isinstance(message, FromRelay):
            self._of_relay(peer, message)
            return
        if isinstance(message, FromStandby):
            self.of_standby(peer, message)
            return
        name = self._names.get(peer)
        if name is None:
            peer.close()
            return
        self.silence.heard(name)
        if isinstance(message, n.Heartbeat):
            node = self._engine.cluster.nodes[name]
            node.cpu_load, node.free_memory = message.load, message.free_memory
            self.send(name, n.Alive(now=self._now()))
            return
        if isinstance(message, n.Overruled):
            self.overruled(name, message)
            return
        if isinstance(message, n.SignalTaken):
            self._unconfirmed.confirm(message.number)
            return
        if isinstance(message, n.UsageTold):
            self.usage.told(name, message)
            return
        if isinstance(message, FileRead):
            self.files.told(name, message)
            return
        if isinstance(message, n.DevicesLost):
            for event in self._lost.told(name, message):
                self._engine.record(event)
            return
        self._report(name, message)

    def _take_malformed(self, peer: Peer, payload: bytes) -> bool:
        """Take what is sound of a registered node's report, and answer it: it would be repeated for ever. Whether it was a report."""
        name = self._names.get(peer)
        found = malformed.salvage(payload, self._engine.cluster.settings) if name is not None else None
        if name is None or found is None:
            return False
        self.silence.heard(name)
        told = "; ".join(found.wrong)
        if found.report is None:
            self._refusals.warning(f"node {name}", f"a report that cannot be is passed over: {told}")
            self.send(name, n.Acknowledged(serial=found.serial))
        else:
            self._refusals.warning(f"node {name}", f"{type(found.report).__name__} of job {found.report.job} is taken as far as it can "
                                                   f"be: {told}")
            self._report(name, found.report)
        return True

    def _refused(self, peer: Peer, what: str, error: SlurmError) -> None:
        """Say who wanted to be what; anybody may ask, so only a few lines a second."""
        who = str(peer.party) if peer.party else f"uid {peer.identity.uid}"
        self._refusals.warning(who, f"registration as {what} refused: {'; '.join(error.lines())}")

    def _of_relay(self, peer: Peer, message: FromRelay) -> None:
        """From a sackd, or about a channel of a slurmd."""
        if isinstance(message, RegisterSackd):
            try:
                self.relays.register(peer, message)
            except SlurmError as error:
                self._refused(peer, f"sackd of {message.host}", error)
                peer.send(frames.pack(frames.MSGPACK, msgpack.encode(failure(error))))
                peer.close()
                return
            beat = min(HEARTBEAT_SECONDS, self.standby_seconds / 4 or HEARTBEAT_SECONDS)
            answer: Message = SackdAccepted(heartbeat=max(0.2, beat), cluster_name=self._cluster_name)
        elif isinstance(message, SackdAlive):
            answer = n.Alive(now=self._now())
        else:
            self.relays.on_message(peer, message)
            return
        peer.send(frames.pack(frames.MSGPACK, msgpack.encode(answer)))

    def _report(self, name: NodeName, message: malformed.Report) -> None:
        if isinstance(message, n.StepEnded):
            faultpoints.reached("on-completion")
            message.usage = message.usage and told_by(message.usage, name)
        job = self._engine.cluster.jobs.get(JobId(message.job))
        if job is not None and job.attempt == message.attempt and not _may_speak(name, job, message) and not self._is_over(name, message):
            log.error("node %s reports %s of job %s, which is not its own: passed over", name, type(message).__name__, job.shown_id)
            self.send(name, n.Acknowledged(serial=message.serial))
            return
        try:
            durable = self._engine.record(*self._events(name, message))
        except IllegalTransition as error:
            # It will not become possible by being repeated: the node is told that it was heard, the log why nothing came of it.
            log.error("node %s reports what cannot be: %s", name, error)
            self.send(name, n.Acknowledged(serial=message.serial))
            return

        def acknowledge(done: asyncio.Future[None]) -> None:
            if not done.cancelled():
                self.send(name, n.Acknowledged(serial=message.serial))

        durable.add_done_callback(acknowledge)

    def _events(self, name: NodeName, message: malformed.Report) -> list[Event]:
        at, job, attempt = self._now(), JobId(message.job), message.attempt
        if isinstance(message, n.BatchLaunched):
            return [Launched(at=at, job=job, attempt=attempt, lease=message.lease)]
        if isinstance(message, n.JobPrepared):
            return self._prepared(name, message)
        if isinstance(message, n.JobGone):
            freed: list[Event] = [NodeFreed(at=at, job=job, attempt=attempt, node=name)]
            return [*freed, _drained(at, name, message.drain)] if message.drain and self._holds(name, message) else freed
        if isinstance(message, n.StepEnded):
            drained: list[Event] = [_drained(at, name, message.drain)] if message.drain else []
            if message.step == BATCH_STEP:
                return [BatchExited(at=at, job=job, attempt=attempt, status=message.status, oom=message.oom, why=message.why,
                                    began=message.began, limit=message.limit, usage=message.usage), *drained]
            step = StepId(message.step)
            own = message.limit == "timeout"
            ended: list[Event] = [StepEnding(at=at, job=job, attempt=attempt, step=step, why=message.limit)] if own else []
            return [*ended, StepExited(at=at, job=job, attempt=attempt, step=step, node=name, status=message.status,
                                      oom=message.oom, usage=message.usage), *drained]
        log.error("node %s cannot start job %s: %s", name, job, message.why)
        events: list[Event] = [LaunchFailed(at=at, job=job, attempt=attempt, node=name, why=message.why)]
        if message.drain:
            events.append(_drained(at, name, message.why))
        return events

    def _prepared(self, name: NodeName, message: n.JobPrepared) -> list[Event]:
        """A failed Prolog drains its node; told again, after a restart of slurmd, it does not."""
        at, job, attempt = self._now(), JobId(message.job), message.attempt
        if not message.failed:
            return [Prepared(at=at, job=job, attempt=attempt, node=name)]
        log.error("node %s: the Prolog of job %s failed: %s", name, job, message.failed)
        failed: list[Event] = [PreparationFailed(at=at, job=job, attempt=attempt, node=name, why=message.failed)]
        found = self._engine.cluster.jobs.get(job)
        fresh = found is not None and not found.completing and self._holds(name, message)
        return [*failed, _drained(at, name, "Prolog error")] if fresh else failed

    def _holds(self, name: NodeName, message: malformed.Report) -> bool:
        """Whether the attempt that a report is about is the present one of its job, and not over on this node."""
        job = self._engine.cluster.jobs.get(JobId(message.job))
        return job is not None and job.attempt == message.attempt and name in job.nodes_left

    def _is_over(self, name: NodeName, message: malformed.Report) -> bool:
        """Whether a node says that nothing is left there of an attempt which goes on without it (--no-kill)."""
        node = self._engine.cluster.nodes.get(name)
        return isinstance(message, n.JobGone) and node is not None and any(
            (each.job, each.attempt) == (message.job, message.attempt) for each in node.remains)

    async def _register(self, peer: Peer, message: n.RegisterNode) -> None:
        try:
            node = await self._known(peer, message)
        except SlurmError as error:
            self._refused(peer, f"node {message.node}", error)
            peer.send(frames.pack(frames.MSGPACK, msgpack.encode(failure(error))))
            peer.close()
            return
        name = node.name
        now = self._now()
        former = self._peers.get(name)
        if former is not None and former is not peer:
            log.info("%s registered anew, its former connection is closed", name)
            self._names.pop(former, None)
            former.close()
        self._peers[name] = peer
        self._names[peer] = name
        self.silence.heard(name)
        self.endpoints[name] = message.endpoint
        self.beside[name] = message.beside
        peer.on_close(lambda: self._closed(peer))
        cluster = self._engine.cluster
        events: list[Event] = [NodeRegistered(
            at=now, node=name, cpus=message.cpus, boards=message.boards, sockets=message.sockets, cores_per_socket=message.cores_per_socket,
            threads_per_core=message.threads_per_core, memory=message.memory, tmp_disk=message.tmp_disk, arch=message.arch, os=message.os,
            version=message.version, boot_time=message.boot_time, boot_id=message.boot_id, slurmd_start_time=message.slurmd_start_time,
            hostname=message.hostname, port=message.port, gres=message.gres, rebooted=_is_rebooted(node, message))]
        await self._engine.record(*events)
        if self._peers.get(name) is not peer:
            return  # it went, or registered anew, meanwhile: what it held then is old news
        holdings = [recovery.Held(job=JobId(h.job), attempt=h.attempt, step=StepId(h.step), running=h.running) for h in message.holdings]
        found = recovery.reconcile(cluster, name, holdings, now)
        if found.events:
            await self._engine.record(*found.events)
        self.send(name, n.NodeAccepted(
            kill_wait=cluster.settings.kill_wait, heartbeat=self._heartbeat(), step_key=self._step_key, now=self._now(),
            unknown=[(job, attempt) for job, attempt in found.unknown], cluster_name=self._cluster_name, state=self.state))
        for effect in found.effects:
            if isinstance(effect, Order):
                self.carry_out(effect)
        self._tell_limits(name)
        self.relays.attach(peer, Relayer(SLURMD, name))
        log.info("node %s registered with %d steps", name, len(message.holdings))
        self._missed.discard(name)
        if self._ending:
            self.send(name, n.ShutdownNode())

    def _tell_limits(self, name: NodeName) -> None:
        """The time limits of what runs on a node may have changed while it was away."""
        cluster = self._engine.cluster
        for job_id in sorted(cluster.nodes[name].jobs):
            job = cluster.jobs[job_id]
            if job.state in (JobState.RUNNING, JobState.SUSPENDED) and not job.completing:
                self.carry_out(SetLimit(job=job.id, attempt=job.attempt, nodes=(name,)))
                if job.suspend_time:
                    self.carry_out(Suspend(job=job.id, attempt=job.attempt, nodes=(name,)))

    def _heartbeat(self) -> float:
        settings = self._engine.cluster.settings
        # 0: nodes are never given up; no lease
        bounds = [seconds / 4 for seconds in (settings.slurmd_timeout, settings.fence_timeout, self.standby_seconds) if seconds]
        return max(0.2, min(HEARTBEAT_SECONDS, *bounds)) if bounds else HEARTBEAT_SECONDS

    async def _known(self, peer: Peer, message: n.RegisterNode) -> Node:
        if peer.party is not None:
            peer.party.require("slurmd", message.node)
        elif not peer.local or not peer.trusted:
            raise NotPermitted(hints=[f"uid {peer.identity.uid} may not speak for a node"])
        name = NodeName(message.node)
        made = self.make(name, message.line) if message.line else []
        if made:
            await self._engine.record(*made)
            self.expect_all()
            log.info("node %s is made as its slurmd -Z says: %s", name, message.line)
        node = self._engine.cluster.nodes.get(name)
        if node is None:
            raise NotFound("ESLURM_INVALID_NODE_NAME", hints=[f"node {name} is not in the controller's slurm.conf"])
        return node

    def _closed(self, peer: Peer) -> None:
        name = self._names.pop(peer, None)
        if name is None or self._peers.get(name) is not peer:
            return
        del self._peers[name]
        log.info("connection of node %s closed", name)
        self._missed.add(name)
        if name in self._engine.cluster.nodes:
            self._engine.record(NodeSilent(at=self._now(), node=name))

    # --- orders out ------------------------------------------------------------------------------------------------------

    @property
    def orders_waiting(self) -> int:
        """Orders that no node has carried out yet."""
        return sum(recovery.still_due(self._engine.cluster, order) for order in self._unconfirmed.orders())

    def is_connected(self, name: NodeName) -> bool:
        """Whether a node's slurmd can be told something now."""
        return name in self._peers

    def send(self, name: NodeName, message: Message) -> bool:
        """Send to a node; False when it is not connected."""
        peer = self._peers.get(name)
        if peer is None:
            return False
        if isinstance(message, n.Order):
            message.epoch = self.epoch
        peer.send(frames.pack(frames.MSGPACK, msgpack.encode(message)))
        return True

    def carry_out(self, effect: Order) -> list[asyncio.Future[None]]:
        """Order the nodes of an effect to do their part, again until state says that they have. One that fails keeps no other from its
        order.

        For signals, which are in no state: a future for each node, done when it has taken it.
        """
        confirmed: list[asyncio.Future[None]] = []
        for name in (effect.node,) if isinstance(effect, Launch) else effect.nodes:
            number = 0
            if isinstance(effect, Signal):
                number, taken = self._unconfirmed.signal(effect, name, self._clock(), CONFIRM_SECONDS)
                confirmed.append(taken)
            elif not isinstance(effect, SetLimit | Suspend):
                # Of a limit or a suspension, a node that did not hear it is told when it registers; meanwhile the controller counts too.
                wait = self._engine.cluster.settings.batch_start_timeout if isinstance(effect, Launch) else CONFIRM_SECONDS
                self._unconfirmed.note(effect, name, self._clock(), wait)
            self._give(effect, name, number)
        return confirmed

    def _give(self, effect: Order, name: NodeName, number: int) -> None:
        node = self._engine.cluster.nodes.get(name)
        if node is None:
            return
        if isinstance(effect, Launch):
            faultpoints.reached("before-launch")
        try:
            order = self._order_for(effect, node)
        except StoreError as error:
            self._cannot_launch(effect, name, error)
            return
        except Exception as error:
            job = self._engine.cluster.jobs.get(effect.job)
            log.exception("%s for %s cannot be made, it is tried again: %s; %s", type(effect).__name__, name, error,
                story(job) if job else "")
            return
        if isinstance(order, n.SignalJob):
            order.number = number
        if order is not None and not self.send(name, order):
            log.debug("%s is not connected: %s waits for its registration", name, type(effect).__name__)
        if isinstance(effect, Launch):
            faultpoints.reached("after-launch")

    def repeat(self, seconds: float = math.inf) -> bool:
        """Send again what was not confirmed in time and is still wanted; whether some are left after so many seconds."""
        until = time.thread_time() + seconds
        for effect, name, number in self._unconfirmed.due(self._clock()):
            if not recovery.still_due(self._engine.cluster, effect):
                self._unconfirmed.forget(effect, name, number)
            elif name in self._peers:
                log.info("node %s has not confirmed %s of job %s: it is sent again", name, type(effect).__name__, effect.job)
                self._give(effect, name, number)
                if time.thread_time() > until:
                    return True
        return False

    def _cannot_launch(self, effect: Order, name: NodeName, error: StoreError) -> None:
        log.error("job %s cannot be sent to %s: %s", effect.job, name, "; ".join(error.lines()))
        if isinstance(effect, Launch):
            self._engine.record(LaunchFailed(at=self._now(), job=effect.job, attempt=effect.attempt, node=name, why=error.message))

    def leaving(self, staying: Iterable[NodeName]) -> dict[NodeName, list[n.TerminateJob]]:
        """What connected nodes that a new configuration leaves out must be told to end; asked before that configuration holds."""
        cluster = self._engine.cluster
        orders: dict[NodeName, list[n.TerminateJob]] = {}
        for name in self._peers.keys() - set(staying):
            jobs = [cluster.jobs[job_id] for job_id in sorted(cluster.nodes[name].jobs)]
            orders[name] = [
                n.TerminateJob(job=job.id, attempt=job.attempt, why="node_fail", kill_wait=cluster.settings.kill_wait, at=self._now())
                for job in jobs]
        return orders

    def send_away(self, names: Iterable[NodeName]) -> None:
        """Close the connections of nodes."""
        for name in names:
            self._missed.discard(name)
            peer = self._peers.get(name)
            if peer is not None:
                peer.close()

    def reconfigured(self, leaving: dict[NodeName, list[n.TerminateJob]]) -> None:
        """Have every connected node take up the new configuration; those of `leaving` end what they run and are sent away."""
        nodes = self._engine.cluster.nodes
        for name, orders in leaving.items():
            log.info("node %s is not in the configuration any more", name)
            for order in orders:
                self.send(name, order)
            if name in self._peers:
                self._peers[name].close()
        for name in [name for name in self.endpoints if name not in nodes]:
            del self.endpoints[name]
        self.expect_all()
        self.broadcast(n.ReconfigureNode(kill_wait=self._engine.cluster.settings.kill_wait, heartbeat=self._heartbeat()))
        for name in self._peers:
            if name in nodes:
                self._tell_limits(name)

    def miss(self, names: Iterable[NodeName]) -> None:
        """These were connected when this daemon ended last, and will be again soon."""
        self._missed.update(names)

    async def shut_down(self, seconds: float = COME_BACK_SECONDS) -> None:
        """Have every slurmd end, also those that come back within `seconds` from a lost connection; returns when all were told."""
        self._ending = True
        self.broadcast(n.ShutdownNode())
        deadline = self._clock() + seconds
        if self._missed:
            log.info("before this daemon ends, %s are to register once more and be told to end", ",".join(sorted(self._missed)))
        while self._missed and self._clock() < deadline:
            await asyncio.sleep(0.05)
        for name in sorted(self._missed):
            log.warning("node %s did not come back in time: its slurmd was not told to end", name)

    def broadcast(self, message: Message) -> None:
        """Send to every connected node."""
        for name in list(self._peers):
            self.send(name, message)

    # --- silence ---------------------------------------------------------------------------------------------------------

    def expect_all(self) -> None:
        """Start counting SlurmdTimeout for the nodes of which nothing was heard yet."""
        self.silence.expect(self._engine.cluster.nodes)

    def check_silence(self) -> list[NodeName]:
        """Nodes that became lost because nothing was heard of them for SlurmdTimeout."""
        cluster = self._engine.cluster
        limit = cluster.settings.slurmd_timeout
        lost = self.silence.look(
            cluster.nodes, limit, self._heartbeat(), holds=lambda node: any(cluster.jobs[job].lost is None for job in node.jobs))
        for name in lost:
            log.error("node %s has not been heard of for %d s: down", name, limit)
        if lost:
            self._engine.record(*(NodeLost(at=self._now(), node=name, may_run=True, together=lost) for name in lost))
        for name in lost:
            self._missed.discard(name)
            peer = self._peers.get(name)
            if peer is not None:
                peer.close()
        return lost

    async def close(self) -> None:
        """Close every connection after what was sent has left."""
        for peer in list(self._peers.values()):
            peer.close()
        await asyncio.sleep(0)


def _drained(at: float, name: NodeName, reason: str) -> Event:
    return NodeUpdated(at=at, node=name, by=Uid(0), by_name="slurm", state="drain", reason=reason)


def _is_rebooted(node: Node, message: n.RegisterNode) -> bool:
    """Whether the machine was started anew since it registered last. The time of the boot moves with the clock, the id does not."""
    if node.boot_id and message.boot_id:
        return node.boot_id != message.boot_id
    return bool(node.boot_time) and message.boot_time > node.boot_time + 1


def _may_speak(name: NodeName, job: Job, message: malformed.Report) -> bool:
    """Whether a report about the present attempt of a job comes from a node that has a part in it."""
    if isinstance(message, n.BatchLaunched) or (isinstance(message, n.StepEnded) and message.step == BATCH_STEP):
        return name == job.batch_host or not job.batch_host
    return job.allocation is None or name in job.allocation.nodes
