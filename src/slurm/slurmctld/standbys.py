"""The slurmctlds that stand by, as the one that leads knows them: who is there, and who is handed the lead."""

from __future__ import annotations

import logging
from collections.abc import Callable

from slurm.model import msgpack
from slurm.model.errors import NotFound, NotNow, NotPermitted, SlurmError
from slurm.net.peer import Peer
from slurm.slurmctld.relays import ADMIN, Relayer, Relays
from slurm.slurmctld.seat import Seat
from slurm.wire import frames
from slurm.wire.message import Message
from slurm.wire.messages import failure
from slurm.wire.standby_messages import AskLead, FromStandby, RegisterStandby, StandbyAccepted, StopStandby, TakeLead

log = logging.getLogger("slurmctld")
ROLE = "slurmctld"


class Standbys:
    """Those that are connected, by rank. `seat` is the leader's own, `hosts` all of them by rank; `hand_over` ends this one's lead in
    order, `happened` takes what triggers wait for, `conf` gives the digest of the configuration that holds."""

    def __init__(self, seat: Seat, hosts: list[str], relays: Relays, heartbeat: float, cluster: str, hand_over: Callable[[], None],
                 happened: Callable[[str], None] = lambda what: None, conf: Callable[[], str] = str) -> None:
        self.seat = seat
        self.hosts = hosts
        self._relays = relays
        self._heartbeat = heartbeat
        self._cluster = cluster
        self._hand_over = hand_over
        self._happened = happened
        self._conf = conf
        self._peers: dict[int, Peer] = {}

    def is_up(self, rank: int) -> bool:
        """Whether the slurmctld of this rank is there: it leads, or stands by."""
        return rank == self.seat.rank or rank in self._peers

    def on_message(self, peer: Peer, message: FromStandby) -> None:
        """Take what a standby says."""
        try:
            if isinstance(message, RegisterStandby):
                self._register(peer, message)
            else:
                self._asked(peer, message)
        except SlurmError as error:
            log.warning("a slurmctld is refused: %s", "; ".join(error.lines()))
            _send(peer, failure(error))
            if isinstance(message, RegisterStandby):
                peer.close()

    def _register(self, peer: Peer, message: RegisterStandby) -> None:
        if peer.party is None:
            raise NotPermitted(hints=["a slurmctld proves itself by its certificate"])
        peer.party.require(ROLE)
        if message.rank >= len(self.hosts) or self.hosts[message.rank] != message.host or message.rank == self.seat.rank:
            raise NotPermitted(hints=[f"{message.host} says that it is SlurmctldHost[{message.rank}]; here these are "
                                      f"{', '.join(self.hosts)}, of which {self.seat.host} leads: has it the same slurm.conf?"])
        former = self._peers.get(message.rank)
        if former is not None and former is not peer:
            former.close()
        self._peers[message.rank] = peer
        peer.on_close(lambda: self._closed(message.rank, peer))
        self._relays.attach(peer, Relayer(ADMIN, message.host))
        conf = self._conf()
        _send(peer, StandbyAccepted(heartbeat=self._heartbeat, host=self.seat.host, cluster_name=self._cluster, conf=conf))
        log.info("slurmctld of %s stands by", message.host)
        if conf and message.conf not in ("", conf):
            log.warning("slurm.conf of %s, or a file beside it, is another one than here: it would lead by its own", message.host)
        if message.rank:
            self._happened("backup_slurmctld_resumed_operation")

    def _asked(self, peer: Peer, message: AskLead) -> None:
        rank = next((rank for rank, each in self._peers.items() if each is peer), None)
        if rank is None:
            raise NotPermitted(hints=["it is not registered"])
        if not message.wished and rank > self.seat.rank:
            raise NotPermitted(hints=[f"{self.hosts[rank]} does not go before {self.seat.host}"])
        log.warning("%s asks for the lead: %s", self.hosts[rank], "an administrator wishes it" if message.wished else "it has been started")
        self.offer(rank)

    def offer(self, rank: int) -> None:
        """Hand the lead over to the slurmctld of this rank; NotFound, NotNow."""
        if not 0 <= rank < len(self.hosts) or rank == self.seat.rank:
            raise NotFound(message=f"invalid backup controller index ({rank})", hints=[
                f"{index}: {host}{' leads' if index == self.seat.rank else ''}" for index, host in enumerate(self.hosts)])
        peer = self._peers.get(rank)
        if peer is None:
            raise NotNow(message=f"slurmctld of {self.hosts[rank]} does not stand by", hints=["start it there first: nobody would lead"])
        _send(peer, TakeLead())
        self._hand_over()

    def stop(self) -> None:
        """All are to end."""
        for peer in self._peers.values():
            _send(peer, StopStandby())

    def _closed(self, rank: int, peer: Peer) -> None:
        if self._peers.get(rank) is peer:
            del self._peers[rank]
            log.warning("slurmctld of %s stands by no more", self.hosts[rank])
            if rank:
                self._happened("backup_slurmctld_failure")


def _send(peer: Peer, message: Message) -> None:
    peer.send(frames.pack(frames.MSGPACK, msgpack.encode(message)))
