"""The connection of a slurmctld that stands by to the one that leads: it is known there, is offered the lead, and carries commands."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from slurm.model import bounds
from slurm.model.settings import Settings
from slurm.model.version import SLURM_VERSION
from slurm.net.channels import Channels
from slurm.net.link import Link
from slurm.net.relay import Relay
from slurm.slurmctld.clock import JUMP_SECONDS, boottime
from slurm.slurmctld.seat import Seat
from slurm.wire import frames
from slurm.wire.message import Message
from slurm.wire.messages import Failure
from slurm.wire.node_messages import Alive
from slurm.wire.relay_messages import OfChannel, SackdAlive
from slurm.wire.standby_messages import AskLead, RegisterStandby, StandbyAccepted, StopStandby, TakeLead

log = logging.getLogger("slurmctld")
IN_STANDBY = "ESLURM_IN_STANDBY_MODE"
SILENT_HEARTBEATS = 4
QUICK_SECONDS = 1.0
"""An answer that took longer does not tell what the leader's clock shows now."""
_SETTINGS = Settings()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StandbyAccepted | TakeLead | StopStandby | Alive | Failure | OfChannel).decode


class LeadersClock(NamedTuple):
    """By the clock of `host` this machine started at `started`, in seconds since the epoch."""

    host: str
    started: float


class StandbyLink:
    """The listener of the link; `link` is set by its owner before the link starts. `offered`, `stop`: called when the leader says so.

    `conf`: the digest of this one's configuration. `leaders_clock`: what the leader said last, None before.
    """

    link: Link

    def __init__(self, seat: Seat, relay: Relay | None, *, offered: Callable[[], None], stop: Callable[[], None], conf: str = "",
                 clock: Callable[[], float] = time.monotonic, boot: Callable[[], float] = boottime,
                 wall: Callable[[], float] = time.time) -> None:
        self._seat = seat
        self._relay = relay
        self._offered = offered
        self._stop = stop
        self._clock = clock
        self._heard = clock()
        self._refused = ""
        self._conf = conf
        self._boot = boot
        self._wall = wall
        self._leader = ""
        self._asked = 0.0  # when the leader was last told that this one lives, by `boot`
        self.leaders_clock: LeadersClock | None = None
        self._warned = False
        self._heartbeat: asyncio.Task[None] | None = None

    def ask(self, *, wished: bool) -> bool:
        """Ask the leader to hand over; False when none is connected."""
        if self._heartbeat is None:
            return False
        self._send(AskLead(wished=wished))
        return True

    def on_up(self) -> None:
        """Connected: register."""
        self._heard = self._clock()
        self._send(RegisterStandby(host=self._seat.host, rank=self._seat.rank, version=SLURM_VERSION, conf=self._conf))

    def on_message(self, codec: int, payload: bytes) -> None:
        """From the leader, or one that stands by as well; what is not understood breaks the connection (the link does it)."""
        message = _decode(payload)
        bounds.check(message, _SETTINGS)
        self._heard = self._clock()
        if isinstance(message, OfChannel):
            if self._relay is not None and self._relay.channels is not None:
                self._relay.channels.on_message(message)
        elif isinstance(message, StandbyAccepted):
            self._refused, self._leader, self._warned = "", message.host, False
            log.info("connected to %s, which leads", message.host)
            if message.conf not in ("", self._conf):
                log.warning("slurm.conf here, or a file beside it, is another one than that of %s, which leads: this slurmctld would lead "
                            "by its own", message.host)
            if self._relay is not None:
                self._relay.up(Channels(self._send, self.link.drained))
            self._stop_beating()
            self._heartbeat = asyncio.get_running_loop().create_task(self._beat(message.heartbeat))
        elif isinstance(message, Alive):
            self._told_time(message.now)
        elif isinstance(message, TakeLead):
            self._offered()
        elif isinstance(message, StopStandby):
            log.info("the leader asks all slurmctlds to end")
            self._stop()
        elif isinstance(message, Failure):
            self._failed(message)

    def _told_time(self, now: float) -> None:
        boot = self._boot()
        if not now or boot - self._asked > QUICK_SECONDS:
            return  # it was sent long ago, and this process or its machine slept
        self.leaders_clock = LeadersClock(self._leader, now - boot)
        by = self._wall() - now
        if abs(by) > JUMP_SECONDS and not self._warned:
            self._warned = True
            log.warning("the clock of this machine shows %.0f s %s than that of %s, which leads: let both follow a time server", abs(by),
                        "more" if by > 0 else "less", self._leader)

    def _failed(self, message: Failure) -> None:
        told = "; ".join([message.message, *message.hints])
        if message.name == IN_STANDBY:
            self.link.elsewhere("it stands by too")
        elif told != self._refused:  # it is asked again and again
            log.error("the leader refuses this slurmctld: %s", told)
            self._refused = told

    def on_down(self, why: str) -> None:
        """Disconnected: commands wait, or are told so."""
        self._stop_beating()
        if self._relay is not None:
            self._relay.down(why)

    def close(self) -> None:
        """Beat no more."""
        self._stop_beating()

    def _send(self, message: Message) -> None:
        self.link.send(frames.pack(frames.MSGPACK, _encode(message)))

    def _stop_beating(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    async def _beat(self, seconds: float) -> None:
        while True:
            self._asked = self._boot()
            self._send(SackdAlive())
            await asyncio.sleep(seconds)
            silent = self._clock() - self._heard
            if silent > SILENT_HEARTBEATS * seconds:
                self.link.leave(f"nothing was heard for {silent:.0f} s")
