"""A slurmctld that stands by: it watches the one that leads, refuses what it is asked, carries the commands of its own machine to the
leader, and takes the lead when that is released, wished, or when the leader has been silent for SlurmctldTimeout.

Silence is judged by this machine's monotonic clock, from when the count of beats beside the journal was seen to change. Not here: who may
write (`store.lease`, which lets one win), what the new leader does (`service`), the connection to the leader (`standby_link`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable

import msgspec

from slurm.config.config import Config
from slurm.config.keys import mode_of
from slurm.model import msgpack
from slurm.model.errors import NotNow, NotPermitted, SlurmError, StoreError
from slurm.model.version import SLURM_VERSION, VERSION
from slurm.net.discovery import socket_beside, standby_beside
from slurm.net.endpoint import tcp, unix
from slurm.net.link import SocketLink, Wanted
from slurm.net.peer import Peer
from slurm.net.relay import Relay
from slurm.net.server import Server
from slurm.slurmctld import setup
from slurm.slurmctld.seat import Seat
from slurm.slurmctld.secured import Munged, Secured
from slurm.slurmctld.standby_link import StandbyLink
from slurm.store.lease import Lease, Overtaken, Silence, Term
from slurm.wire import frames
from slurm.wire import messages as m
from slurm.wire.credentials import Identity
from slurm.wire.operation_messages import Takeover

log = logging.getLogger("slurmctld")
RESTART_SECONDS = 5.0
"""A leader that ended in order is given so long to come back, as after `systemctl restart`, before another one leads."""
ASKED_SECONDS = 3.0
"""So long a leader that was asked to hand over may take."""
_RANK_SECONDS = 1.0
_LONGEST_LOOK, _SHORTEST_LOOK = 0.5, 0.05
_asked = msgspec.json.Decoder(m.Ping | Takeover)


class Watch:
    """When to claim, from what is read of the lease. `fresh`: this process has just been started, and did not lead before."""

    def __init__(self, seat: Seat, timeout: float, *, fresh: bool) -> None:
        self._seat = seat
        self._timeout = timeout
        self._fresh = fresh
        self._silence = Silence()
        self._released: float | None = None  # when the lead was first seen released
        self.wished: float | None = None  # when somebody wished this one to lead
        self.offered = False  # the leader hands over to this one

    def goes_before(self, term: Term, holders: list[str]) -> bool:
        """Whether this one, just started, is named before the leader in slurm.conf, and takes the lead back."""
        return self._fresh and term.holder in holders and self._seat.rank < holders.index(term.holder)

    def reason(self, term: Term | None, now: float, holders: list[str]) -> str:
        """Why to claim now, "" for not yet. `now` is of a monotonic clock."""
        silent = self._silence.observe(term, now)
        if term is None:
            return "nobody has led yet" if self._seat.rank == 0 or silent >= self._timeout + self._delay else ""
        if term.released:
            self._released = now if self._released is None else self._released
            if self.offered or self.wished is not None:
                return f"{term.holder} hands over"
            if self._fresh and (term.holder == self._seat.host or self.goes_before(term, holders)):
                return f"{term.holder} has ended in order"
            waited = now - self._released
            return f"{term.holder} has ended and does not come back" if waited >= min(RESTART_SECONDS, self._timeout) + self._delay else ""
        self._released = None
        if self._fresh and term.holder == self._seat.host:
            return "this host led before"
        if self.wished is not None and now - self.wished >= ASKED_SECONDS:
            return f"it is wished, and {term.holder} does not hand over"
        return f"{term.holder} has been silent for {silent:.1f} s" if silent >= self._timeout + self._delay else ""

    @property
    def _delay(self) -> float:
        """Of several that stand by one is first."""
        return max(0, self._seat.rank - 1) * _RANK_SECONDS


class Standby:
    """One slurmctld while it stands by. `run` returns with the term that it claimed, or None when it is to end."""

    def __init__(self, conf: Config, seat: Seat, lease: Lease, *, fresh: bool, stopping: asyncio.Event,
                 clock: Callable[[], float] = time.monotonic, follow: Callable[[], None] = lambda: None) -> None:
        self._conf = conf
        self._seat = seat
        self._lease = lease
        self._stopping = stopping
        self._clock = clock
        self._follow = follow
        self._timeout = float(conf.seconds("SlurmctldTimeout"))
        self._holders = [each.host for each in conf.controllers]
        self._owners = {0, os.getuid(), *setup.operators(conf)}
        self.forced = False  # whether the lead was taken from one that had not released it
        self.before = ""  # who led before
        self._watch = Watch(seat, self._timeout, fresh=fresh)
        self._started = time.time()
        self._leader = ""
        self._told = ""
        self._woken = asyncio.Event()
        self._link: StandbyLink | None = None

    async def run(self, ready: Callable[[], None]) -> Term | None:
        """Stand by. ConfigError, StoreError when that is not possible."""
        term = await self._look()
        why = self._watch.reason(term, self._clock(), self._holders)
        if why and (claimed := await self._claim(term, why)):
            return claimed  # nobody was in the way: no port is opened twice
        conf = self._conf
        auth = conf.text("AuthType").lower()
        trusting = Secured(conf, self._owners) if auth == "auth/slurm" else Munged(conf, self._owners)
        server = Server(self._on_message, verify=trusting.verify if isinstance(trusting, Munged) else _no_token, trust=trusting.trust,
                        log=logging.getLogger("slurmctld.net"))
        pid_file = conf.text("SlurmctldPidFile")
        relay = Relay(socket_beside(pid_file), log=log) if auth == "auth/slurm" else None
        link = self._link = StandbyLink(self._seat, relay, offered=self._on_offered, stop=self._stopping.set, conf=conf.digest)
        others = [tcp(each.addr, conf.slurmctld_port) for rank, each in enumerate(conf.controllers) if rank != self._seat.rank]
        link.link = SocketLink(others, link, trust=trusting.trust, wanted=Wanted(owners=tuple(self._owners)), log=log,
                               longest_pause=max(0.2, min(5.0, self._timeout / 8)))
        try:
            for endpoint in (unix(standby_beside(pid_file)), tcp("0.0.0.0", conf.slurmctld_port)):
                log.info("standing by at %s", await server.listen(endpoint))
            if relay is not None:
                relay.open()
            link.link.start()
            ready()
            return await self._until_leading()
        finally:
            link.close()
            if relay is not None:
                relay.close()
            await link.link.close()
            await server.close(grace=0.2)

    async def _until_leading(self) -> Term | None:
        asked = False
        while not self._stopping.is_set():
            term = await self._look()
            why = self._watch.reason(term, self._clock(), self._holders)
            if why and (claimed := await self._claim(term, why)):
                return claimed
            if term is not None and not asked and self._watch.goes_before(term, self._holders):
                asked = self._link is not None and self._link.ask(wished=False)
            self._follow()
            self._woken.clear()
            urgent = self._watch.offered or self._watch.wished is not None
            seconds = _SHORTEST_LOOK if urgent else min(_LONGEST_LOOK, max(_SHORTEST_LOOK, self._timeout / 20))
            waits = [asyncio.ensure_future(event.wait()) for event in (self._stopping, self._woken)]
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
        return None

    async def _look(self) -> Term | None:
        """The present term; while the lease cannot be read, what was seen last counts as silent no longer than it was."""
        while True:
            try:
                term = await asyncio.to_thread(self._lease.read)
            except StoreError as error:
                if error.message != self._told:
                    log.error("the lease cannot be read: %s", "; ".join(error.lines()))
                self._told = error.message
                if self._stopping.is_set():
                    raise
                await asyncio.sleep(_LONGEST_LOOK)
                continue
            self._told = ""
            if term is not None and term.holder != self._leader:
                self._leader = term.holder
                log.info("%s leads since epoch %d, this slurmctld (%s) stands by", term.holder, term.epoch, self._seat.host)
            return term

    async def _claim(self, term: Term | None, why: str) -> Term | None:
        log.warning("%s: this slurmctld (%s) takes the lead", why, self._seat.host)
        self.forced = term is not None and not term.released and term.holder != self._seat.host
        self.before = term.holder if term is not None else ""
        try:
            return await asyncio.to_thread(
                lambda: self._lease.claim(self._seat.host, self._seat.address, term.epoch if term is not None else 0))
        except Overtaken as error:
            log.info("%s", error.message)
        except StoreError as error:
            log.error("the lead cannot be taken: %s", "; ".join(error.lines()))
        self._watch.offered = False
        return None

    @property
    def leaders_clock(self) -> float | None:
        """When this machine started, by the clock of who led before (seconds since the epoch); None where that is not known."""
        known = self._link.leaders_clock if self._link is not None else None
        return known.started if known is not None and known.host == self.before else None

    # --- what others want ------------------------------------------------------------------------------------------------

    def _on_offered(self) -> None:
        self._watch.offered = True
        self._woken.set()

    async def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        if codec == frames.MSGPACK:
            peer.send(frames.pack(codec, msgpack.encode(m.failure(self._refusal()))))
            peer.close()
            return
        try:
            reply = self._answer(peer, payload)
        except SlurmError as error:
            reply = m.failure(error)
        peer.send(frames.pack(codec, msgspec.json.encode(reply)))

    def _answer(self, peer: Peer, payload: bytes) -> m.Message:
        try:
            request = _asked.decode(payload)
        except msgspec.MsgspecError:
            raise self._refusal() from None
        if isinstance(request, m.Ping):
            mode = mode_of(self._seat.rank, self._seat.controllers)
            return m.Pong(host=self._seat.host, mode=mode, version=SLURM_VERSION, release=VERSION, pid=os.getpid(), started=self._started,
                          leads=False)
        if peer.identity.uid not in self._owners:
            raise NotPermitted("ESLURM_USER_ID_MISSING", "slurm_takeover error: Invalid user id")
        log.info("uid %d wishes this slurmctld to lead", peer.identity.uid)
        self._watch.wished = self._clock()
        if self._link is None or not self._link.ask(wished=True):
            self._watch.wished -= ASKED_SECONDS  # there is nobody to hand over
        self._woken.set()
        return m.Done(lines=[self._seat.host])

    def _refusal(self) -> NotNow:
        return NotNow("ESLURM_IN_STANDBY_MODE", hints=[
            f"{self._seat.host} stands by" + (f", {self._leader} leads" if self._leader not in ("", self._seat.host) else "")])


def _no_token(token: str) -> Identity:
    raise NotNow("ESLURM_IN_STANDBY_MODE")
