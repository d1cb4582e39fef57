"""Who may speak for whom: commands on other machines, whom the slurmd or sackd beside them relays (wire.relay_messages, net.relay).

A slurmd speaks for users who have a job on its node at that moment; a sackd for every user, but for root and SlurmUser only where its
certificate says that its machine administrates the cluster. What a relay says of a caller is believed no further than that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

import msgspec

from slurm.core.cluster import Cluster
from slurm.model.errors import NotPermitted, ProtocolError, SlurmError
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.net.channels import Channels
from slurm.net.peer import Peer
from slurm.net.stream import Relayed
from slurm.slurmctld.session import groups_of
from slurm.wire import frames
from slurm.wire import messages as m
from slurm.wire.credentials import Identity
from slurm.wire.history_messages import ReadHistory
from slurm.wire.messages import Message
from slurm.wire.plan_messages import ReadPlan
from slurm.wire.relay_messages import CloseChannel, OfChannel, OpenChannel, RegisterSackd

log = logging.getLogger("slurmctld.relays")
_encode = msgspec.msgpack.Encoder().encode
_LOOKING = (m.Ping, m.ListJobs, m.ListNodes, m.Describe, m.FindUsage, m.ExplainJob, ReadPlan, ReadHistory)
_OF_JOB = (m.CreateStep, m.CertifyUser, m.FinishStep, m.AttachAllocation, m.WaitJob, m.WaitReady)
SLURMD, SACKD, ADMIN = "slurmd", "sackd", "sackd-admin"
MOST_CHANNELS = 16384
"""What one connection may carry at once; a relay takes fewer."""
ROOT_WORD = "allow_root_on_nodes"
"""SlurmctldParameters: root's commands are taken from every node."""


class Relayer(NamedTuple):
    """A daemon that relays, as its connection proves: its role and the node or machine that it stands for."""

    role: str
    name: str

    def __str__(self) -> str:
        return f"{SACKD if self.role == ADMIN else self.role} of {self.name}"


class Rules(NamedTuple):
    """What decides besides the jobs: who administrates (uids besides root), and whether root's commands are taken from nodes."""

    operators: Collection[int]
    root_on_nodes: bool


def require_speaker(relayer: Relayer, uid: int, gid: int, rules: Rules, jobs_there: Iterable[Job],
        groups: Callable[[int], Collection[int]]) -> None:
    """NotPermitted unless `relayer` may speak for this user; `jobs_there` are those on a slurmd's node, `groups` tells a user's gids."""
    privileged = uid == 0 or uid in rules.operators
    who = "root" if uid == 0 else f"uid {uid}"
    if relayer.role != SLURMD:
        if privileged and relayer.role != ADMIN:
            raise _refused(f"{relayer.name} may not speak for {who}: its sackd has no certificate of an administration host",
                           "give it one of the role sackd-admin, or use the controller's own machine")
        _require_group(relayer, uid, gid, groups(uid), privileged)
        return
    own = [job for job in jobs_there if job.owner.uid == uid and not job.state.finished]
    if privileged and rules.root_on_nodes:
        return
    if not own:
        raise _refused(f"{who} has no job on {relayer.name}, so that its slurmd may not speak for {who}", (
            f"SlurmctldParameters={ROOT_WORD} allows it; else use the controller's machine or an administration host" if privileged
            else "use a machine with sackd (a login node), or a job on this node"))
    _require_group(relayer, uid, gid, {*groups(uid), *(job.owner.gid for job in own)}, False)


def is_confined(relayer: Relayer, uid: int, rules: Rules) -> bool:
    """Whether a caller may only do what concerns its own jobs there: root's job on a node does not make that node root of the cluster."""
    return relayer.role == SLURMD and (uid == 0 or uid in rules.operators) and not rules.root_on_nodes


def _require_group(relayer: Relayer, uid: int, gid: int, groups: Collection[int], free: bool) -> None:
    if not free and gid not in groups:
        raise _refused(f"{relayer} says that uid {uid} is in group {gid}; on the controller's machine it is not",
                       "users and groups must be the same on all machines of the cluster")


def _refused(why: str, help_: str) -> NotPermitted:
    return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[why, help_])


def require_own(request: Message, node: str, jobs: Mapping[JobId, Job], uid: int) -> None:
    """NotPermitted unless a confined caller (`is_confined`) asks to see something, or about a job of its own on its node."""
    if isinstance(request, _LOOKING):
        return
    job = jobs.get(JobId(request.job_id)) if isinstance(request, _OF_JOB) else None
    if job is None or job.owner.uid != uid or job.allocation is None or node not in job.allocation.nodes:
        raise _refused(f"from {node}, where root has a job, root's commands may look, and act on that job only",
                       f"SlurmctldParameters={ROOT_WORD} allows more; else use the controller's machine or an administration host")


class Adopter(Protocol):
    """The server among whose connections the channels count (net.server.Server)."""

    def adopt(self, channels: Channels, number: int, relayed: Relayed) -> None:
        """Serve a caller."""

    def refuse(self, channels: Channels, number: int, relayed: Relayed, error: SlurmError) -> None:
        """Answer a caller with a refusal."""


class _Relay:
    """One connection that relays."""

    def __init__(self, relayer: Relayer, channels: Channels) -> None:
        self.relayer = relayer
        self.channels = channels
        self.highest = 0


class Relays:
    """The connections that relay; `server` is set by the owner before the first message."""

    server: Adopter

    def __init__(self, cluster: Cluster, rules: Callable[[], Rules], groups: Callable[[int], Collection[int]] = groups_of) -> None:
        self._cluster = cluster
        self._rules = rules
        self._groups = groups
        self._relays: dict[Peer, _Relay] = {}

    def __len__(self) -> int:
        """How many callers are relayed now."""
        return sum(len(relay.channels) for relay in self._relays.values())

    def attach(self, peer: Peer, relayer: Relayer) -> None:
        """This connection may relay from now on, as what it has proven to be."""
        if peer in self._relays:
            return

        def send(message: Message) -> None:
            peer.send(frames.pack(frames.MSGPACK, _encode(message)))

        self._relays[peer] = _Relay(relayer, Channels(send, peer.drained))
        peer.on_close(lambda: self._closed(peer))

    def register(self, peer: Peer, message: RegisterSackd) -> Relayer:
        """A sackd says who it is: what its connection proves of that; NotPermitted when it is no sackd of ours."""
        party = peer.party
        # by this machine's own socket, as root or as the user that the cluster belongs to
        if party is None and peer.local and peer.trusted:
            relayer = Relayer(ADMIN, message.host)
        elif party is None or party.role not in (SACKD, ADMIN):
            raise NotPermitted(hints=[f"{party or f'uid {peer.identity.uid}'} may not speak as a sackd"])
        else:
            relayer = Relayer(party.role, party.name)
        self.attach(peer, relayer)
        log.info("%s relays commands%s", relayer, ", those of root too" if relayer.role == ADMIN else "")
        return relayer

    def on_message(self, peer: Peer, message: OpenChannel | OfChannel) -> None:
        """Take a message about a channel; ProtocolError breaks the connection."""
        relay = self._relays.get(peer)
        if relay is None:
            raise ProtocolError(hints=["this connection does not relay"])
        if not isinstance(message, OpenChannel):
            relay.channels.on_message(message)
            return
        if message.channel <= relay.highest:
            raise ProtocolError(message=f"channel {message.channel} was opened before")
        relay.highest = message.channel
        if len(relay.channels) >= MOST_CHANNELS:
            log.warning("%s relays %d commands: one more is refused", relay.relayer, len(relay.channels))
            peer.send(frames.pack(frames.MSGPACK, _encode(CloseChannel(channel=message.channel))))
            return
        relayer, uid, gid = relay.relayer, message.uid, message.gid
        require = partial(self._require, relayer, uid, gid)
        rules = self._rules()
        relayed = Relayed(
            Identity(uid=uid, gid=gid, host=relayer.name, issued=time.time()), message.pid, str(relayer), require,
            relayer.name if is_confined(relayer, uid, rules) else "", relayer.role == SLURMD and not rules.root_on_nodes)
        try:
            require()
        except NotPermitted as error:
            self.server.refuse(relay.channels, message.channel, relayed, error)
        else:
            self.server.adopt(relay.channels, message.channel, relayed)

    def _require(self, relayer: Relayer, uid: int, gid: int) -> None:
        node = self._cluster.nodes.get(NodeName(relayer.name)) if relayer.role == SLURMD else None
        jobs = self._cluster.jobs
        there = [jobs[job_id] for job_id in node.jobs if job_id in jobs] if node is not None else []
        require_speaker(relayer, uid, gid, self._rules(), there, self._groups)

    def _closed(self, peer: Peer) -> None:
        relay = self._relays.pop(peer)
        if len(relay.channels):
            log.info("connection of %s closed: %d commands with it", relay.relayer, len(relay.channels))
        relay.channels.broken()
