"""Devices that nodes lose while they run: the node gets no more jobs, those that run there go on, and those that have the device are told.

That is what Slurm makes of a node that registers with fewer devices than its Gres= says. Whoever has seen to it resumes the node.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from slurm.core.cluster import Cluster
from slurm.core.events import Event, NodeUpdated
from slurm.model.cpu_set import NOTHING
from slurm.model.ids import NodeName, Uid
from slurm.model.states import JobState
from slurm.wire import node_messages as n
from slurm.wire.messages import Message

log = logging.getLogger("slurmctld.nodes")
_SHOWN = 8
_Device = tuple[str, int]


class LostDevices:
    """What each node has said; `send(node, message)` is False for one that is not connected."""

    def __init__(self, cluster: Callable[[], Cluster], now: Callable[[], float], send: Callable[[NodeName, Message], bool]) -> None:
        self._cluster = cluster
        self._now = now
        self._send = send
        self._known: dict[NodeName, frozenset[_Device]] = {}

    def told(self, name: NodeName, message: n.DevicesLost) -> list[Event]:
        """A node says which are lost now; what follows of that. Jobs are told of a device once."""
        cluster = self._cluster()
        node = cluster.nodes[name]
        lost = [one for one in message.lost if one.index in node.devices(one.name)]
        known, self._known[name] = self._known.get(name, frozenset()), frozenset((one.name, one.index) for one in lost)
        if not lost:
            return []
        for one in lost:
            if (one.name, one.index) not in known:
                log.error("node %s: %s %d is lost: %s", name, one.name, one.index, one.why)
                self._tell_jobs(cluster, name, one)
        if node.drain:
            return []
        shown = ", ".join(f"{one.name} {one.index} lost: {one.why}" for one in lost[:_SHOWN])
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        return [NodeUpdated(at=self._now(), node=name, by=Uid(0), by_name="slurm", state="drain", reason=f"{shown}{more}"[:1024])]

    def _tell_jobs(self, cluster: Cluster, name: NodeName, one: n.LostDevice) -> None:
        for number in sorted(cluster.nodes[name].jobs):
            job = cluster.jobs[number]
            if job.state is not JobState.RUNNING or job.allocation is None or not job.runs_script:
                continue
            share = next((share for share in job.allocation.shares if share.node == name), None)
            if share is not None and one.index in share.gres.get(one.name, NOTHING):
                self._send(job.batch_host, n.NotifyJob(job=job.id, attempt=job.attempt,
                    text=f"{name}: {one.name} {one.index} of this job is lost: {one.why}"[:1024]))
