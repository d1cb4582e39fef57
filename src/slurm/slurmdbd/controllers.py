"""What slurmctlds say: they register, their records are kept, they follow the policy. The answer leaves once the database has committed."""

from __future__ import annotations

import asyncio
import logging
import time

from slurm.model.errors import NotPermitted, SlurmError
from slurm.model.ids import JobId
from slurm.model.version import SLURM_VERSION
from slurm.net.peer import Peer
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.policy_feed import PolicyFeed
from slurm.slurmdbd.rights import is_controller, user_name
from slurm.store.accounting.database import Registration
from slurm.store.accounting.policy.editing import Delta
from slurm.wire.dbd_messages import ClusterRegistered, FollowPolicy, FromController, PolicyTaken, RecordsTaken, RegisterCluster, TakeRecords

log = logging.getLogger("slurmdbd.controllers")


class Controllers:
    """The slurmctlds that are connected, by the peer they are."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state
        self._registered: dict[Peer, RegisterCluster] = {}
        self._feeds: dict[Peer, PolicyFeed] = {}

    @property
    def clusters(self) -> set[str]:
        """The clusters whose slurmctld is connected now."""
        return {message.cluster for message in self._registered.values()}

    @property
    def registered(self) -> list[RegisterCluster]:
        """What the slurmctlds that are connected now said of themselves."""
        return list(self._registered.values())

    def heed(self, peer: Peer, message: FollowPolicy | PolicyTaken) -> None:
        """A slurmctld wants to know the policy, or has taken it. NotPermitted before it has registered."""
        said = self._registered.get(peer)
        if said is None:
            raise NotPermitted(hints=["a slurmctld registers before it follows the policy"])
        if isinstance(message, PolicyTaken):
            if peer in self._feeds:
                self._feeds[peer].taken(message.version)
            return
        if peer in self._feeds:
            self._feeds[peer].close()
        self._feeds[peer] = PolicyFeed(peer, said.cluster, self._state)

    def spread(self, delta: Delta) -> None:
        """Tell every slurmctld that follows the policy what changed in it."""
        for feed in self._feeds.values():
            feed.tell(delta)

    async def settle(self, delta: Delta, seconds: float) -> dict[str, str]:
        """Wait until those whom a change concerns have taken it; the clusters that have not within so many seconds, and why."""
        feeds = [feed for feed in self._feeds.values() if any(delta.of(feed.cluster))]
        if feeds:
            await asyncio.wait([asyncio.ensure_future(feed.has(delta.version)) for feed in feeds], timeout=seconds)
        return {feed.cluster: f"its slurmctld has not taken it within {seconds:.0f} s" for feed in feeds if feed.version < delta.version}

    async def answer(self, peer: Peer, message: FromController) -> ClusterRegistered | RecordsTaken:
        """Do what a slurmctld says. SlurmError: nothing of it holds."""
        if not is_controller(peer, self._state.operators):
            raise NotPermitted(hints=["records are taken from slurmctld: with its certificate, or as root or SlurmUser"])
        began = time.monotonic()
        try:
            if isinstance(message, RegisterCluster):
                return await self._register(peer, message)
            assert isinstance(message, TakeRecords)
            return await self._take(peer, message)
        finally:
            self._state.stats.request(type(message).__name__, "slurmctld", time.monotonic() - began)

    async def _register(self, peer: Peer, message: RegisterCluster) -> ClusterRegistered:
        if peer.party is not None and peer.party.cluster != message.cluster:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[
                f"its certificate is one of cluster {peer.party.cluster}, and it says that it is of {message.cluster}"])
        database = self._state.database
        embedded = self._state.conf.text("AuthType") == "auth/local"
        registration = Registration(
            message.cluster, message.journal, message.time_zone, message.control_host, message.control_port, message.rpc_version,
            message.version,
            ",".join(message.flags), user_name(peer.identity.uid) if embedded and peer.local else "", message.first,
            self._state.conf.text("DefaultQOS").lower())
        found = await self._state.work.write(lambda: database.register(registration))
        if peer not in self._registered:
            peer.on_close(lambda: self._left(peer))
        self._registered[peer] = message
        log.info("slurmctld of cluster %s registered: journal %s, records up to %d are here, highest job %d", message.cluster,
            message.journal, found.through,
                 found.highest_job)
        return ClusterRegistered(
            through=found.through, highest_job=JobId(found.highest_job), cluster_id=found.cluster_id, version=SLURM_VERSION,
            going_on=found.going_on)

    async def _take(self, peer: Peer, message: TakeRecords) -> RecordsTaken:
        said = self._registered.get(peer)
        if said is None:
            raise NotPermitted(hints=["a slurmctld registers before it sends records"])
        database = self._state.database
        try:
            through = await self._state.work.write(
                lambda: database.take(said.cluster, said.journal, message.records, message.complete_until))
        except SlurmError as error:
            self._state.seldom.warning(f"cluster {said.cluster}",
                f"{len(message.records)} records were not taken: {'; '.join(error.lines())}")
            raise
        self._state.records += len(message.records)
        return RecordsTaken(through=through)

    def _left(self, peer: Peer) -> None:
        message = self._registered.pop(peer, None)
        feed = self._feeds.pop(peer, None)
        if feed is not None:
            feed.close()
        if message is not None:
            log.info("slurmctld of cluster %s has gone", message.cluster)
