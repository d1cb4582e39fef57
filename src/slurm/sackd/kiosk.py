"""Kiosk: one sackd's conversation with slurmctld. It registers, says now and then that it lives, and lets the relay do the rest."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from slurm.model import bounds
from slurm.model.settings import Settings
from slurm.model.version import SLURM_VERSION
from slurm.net.channels import Channels
from slurm.net.link import Link
from slurm.net.relay import Relay
from slurm.wire import frames
from slurm.wire.messages import Failure, Message
from slurm.wire.node_messages import Alive
from slurm.wire.relay_messages import OfChannel, RegisterSackd, SackdAccepted, SackdAlive

log = logging.getLogger("sackd")
SILENT_HEARTBEATS = 4
"""A slurmctld of which nothing was heard for so many heartbeats is connected anew."""
IN_STANDBY = "ESLURM_IN_STANDBY_MODE"
_SETTINGS = Settings()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SackdAccepted | Alive | Failure | OfChannel).decode


class Kiosk:
    """The listener of the link to slurmctld; `link` is set by its owner before the link starts."""

    link: Link

    def __init__(self, host: str, relay: Relay, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._relay = relay
        self._clock = clock
        self._heard = clock()
        self._refused = ""
        self._heartbeat: asyncio.Task[None] | None = None

    @property
    def accepted(self) -> bool:
        """Whether slurmctld has accepted it and is connected."""
        return self._heartbeat is not None

    def on_up(self) -> None:
        """Connected: register."""
        self._heard = self._clock()
        self._send(RegisterSackd(host=self._host, version=SLURM_VERSION))

    def on_message(self, codec: int, payload: bytes) -> None:
        """News of a channel, or of slurmctld; what is not understood breaks the connection (the link does it)."""
        message = _decode(payload)
        bounds.check(message, _SETTINGS)
        self._heard = self._clock()
        if isinstance(message, OfChannel):
            if self._relay.channels is not None:
                self._relay.channels.on_message(message)
        elif isinstance(message, SackdAccepted):
            self._refused = ""
            log.info("commands of this machine are carried to cluster %s", message.cluster_name)
            self._relay.up(Channels(self._send, self.link.drained))
            self._stop_beating()
            self._heartbeat = asyncio.get_running_loop().create_task(self._beat(message.heartbeat))
        elif isinstance(message, Failure) and message.name == IN_STANDBY:
            self.link.elsewhere("it is in standby mode")
        elif isinstance(message, Failure):
            told = "; ".join([message.message, *message.hints])
            if told != self._refused:  # it is asked again and again
                log.error("slurmctld refuses this sackd: %s", told)
                self._refused = told

    def on_down(self, why: str) -> None:
        """Disconnected: commands wait, or are told so."""
        self._stop_beating()
        self._relay.down(why)

    def close(self) -> None:
        """Let go of everything."""
        self._stop_beating()
        self._relay.close()

    def _send(self, message: Message) -> None:
        self.link.send(frames.pack(frames.MSGPACK, _encode(message)))

    def _stop_beating(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    async def _beat(self, seconds: float) -> None:
        while True:
            self._send(SackdAlive())
            await asyncio.sleep(seconds)
            silent = self._clock() - self._heard
            if silent > SILENT_HEARTBEATS * seconds:
                self.link.leave(f"nothing was heard for {silent:.0f} s")
