"""Who follows the cluster: slurmrestd, which keeps a replica of what lists show and serves any number of listeners from it.

Changes are gathered and told a few times a second, each record made once and each message encoded once for all who see the same. What is
told is on disk. Nothing is kept for those who come later: who follows anew is told everything anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import msgspec

from slurm.core import rights
from slurm.core.cluster import Cluster
from slurm.core.events import Configured, Event, Purged, ReservationBegun, ReservationEnded, ReservationUpdated, Submitted
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import JobState
from slurm.render import feed, job_facts
from slurm.render.view import View
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.portions import Breath
from slurm.slurmctld.session import Session
from slurm.wire.follow_messages import Feed, FollowedJob, FollowedNode

log = logging.getLogger("slurmctld")
T = TypeVar("T")
PAUSE_SECONDS = 0.1
"""Between two tellings of changes."""
SWEEP_SECONDS = 5.0
"""How often it is looked for what changes without an event: why jobs wait, and which nodes are kept free for them."""
A_MESSAGE = 256
"""Records of one message."""
_json = msgspec.json.Encoder()


class Follower:
    """One who follows. `ended` is set when that is over from this side, and `why` says why."""

    def __init__(self, session: Session, cluster: Cluster) -> None:
        self.session = session
        self.sight = sight_of(cluster, session)
        self.ended = asyncio.Event()
        self.why = ""
        self.told: set[JobId] = set()  # of one who does not see all jobs: those that he was told of
        self.is_new = True

    def end(self, why: str) -> None:
        """Tell no more."""
        self.why = why
        self.ended.set()


def sight_of(cluster: Cluster, session: Session) -> tuple[bool, bool]:
    """Whether a caller sees everybody's jobs, and nodes."""
    return (not rights.is_private(cluster, session.caller, rights.JOBS), not rights.is_private(cluster, session.caller, rights.NODES))


class _Changes:
    """What has changed since it was last told."""

    def __init__(self) -> None:
        self.jobs: dict[JobId, None] = {}
        self.gone: dict[JobId, None] = {}
        self.nodes: dict[NodeName, None] = {}

    def __bool__(self) -> bool:
        return bool(self.jobs or self.gone or self.nodes)

    def take(self, event: Event) -> None:
        """What an event names."""
        if isinstance(event, Submitted):
            self.jobs.update({job.id: None for job in (event.job, *event.components)})
            return
        if isinstance(event, Purged):
            self.gone.update(dict.fromkeys(event.jobs))
            return
        for name in ("job", "started"):
            if job := getattr(event, name, None):
                self.jobs[job] = None
        self.jobs.update({part.job: None for part in getattr(event, "components", ())})
        self.jobs.update(dict.fromkeys(getattr(event, "jobs", ())))
        if node := getattr(event, "node", None):
            self.nodes[node] = None


class Followers:
    """All of them. `view` gives the whole cluster as reports read it, `now` seconds since the epoch."""

    def __init__(self, cluster: Cluster, view: Callable[[], View], now: Callable[[], float]) -> None:
        self.engine: Engine  # set by whoever has both
        self._cluster = cluster
        self._view = view
        self._now = now
        self._all: list[Follower] = []
        self._changes = _Changes()
        self._again = False  # the configuration is another one: everything is told anew
        self._nodes: dict[NodeName, bytes] = {}  # records as they were told
        self._reasons: dict[JobId, str] = {}
        self._swept = 0.0
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._all)

    def add(self, follower: Follower) -> None:
        """Tell him everything, then what changes."""
        self._all.append(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, follower: Follower) -> None:
        """He has gone."""
        if follower in self._all:
            self._all.remove(follower)

    def close(self) -> None:
        """Tell nobody any more."""
        if self._task is not None:
            self._task.cancel()

    def noticed(self, event: Event | None) -> None:
        """An event holds in memory."""
        if not self._all or event is None:
            return
        if isinstance(event, Configured):
            self._again = True
        elif isinstance(event, ReservationBegun | ReservationUpdated | ReservationEnded):
            self._swept = 0.0
        else:
            self._changes.take(event)

    def announced(self, job: JobId) -> None:
        """Something of a job has changed that users see."""
        if self._all:
            self._changes.jobs[job] = None

    async def _run(self) -> None:
        try:
            while self._all:
                self._end_some()
                if self._again:
                    self._again = False
                    for follower in self._all:
                        follower.is_new = True
                for follower in [one for one in self._all if one.is_new]:
                    await self._tell_all(follower)
                if self._now() - self._swept > SWEEP_SECONDS:
                    await self._sweep()
                if self._changes:
                    changes, self._changes = self._changes, _Changes()
                    await self._tell(changes)
                await asyncio.sleep(PAUSE_SECONDS)
        except Exception:
            log.exception("following the cluster failed: those who follow begin again")
            for follower in self._all:
                follower.end("slurmctld failed on it")
        finally:
            self._changes = _Changes()
            self._nodes.clear()
            self._reasons.clear()

    def _end_some(self) -> None:
        """Those whose token has expired, and who may see more or less than when they began."""
        for follower in list(self._all):
            peer = follower.session.peer
            if peer.by_token and self._now() > peer.identity.issued + peer.identity.ttl:
                follower.end("the token has expired")
            elif sight_of(self._cluster, follower.session) != follower.sight:
                follower.end("what this user may see has changed")
            if follower.ended.is_set():
                self.remove(follower)

    async def _tell_all(self, follower: Follower) -> None:
        """Everything that he may see, in portions; what changes meanwhile follows as a change."""
        follower.is_new = False
        seq, view, breath = self.engine.seq, self._view(), Breath()
        follower.told.clear()
        await self._send([follower], Feed(
            seq=seq, at=self._now(), cluster=self._cluster.settings.cluster_name, begins=True, more=True))
        jobs: list[FollowedJob] = []
        for job_id in list(self._cluster.jobs):
            job = self._cluster.jobs.get(job_id)
            if job is not None and self._sees(follower, job):
                jobs.append(self._job(job, view))
                await breath.taken()
            if len(jobs) == A_MESSAGE:
                await self._send([follower], Feed(seq=seq, at=self._now(), more=True, jobs=jobs))
                jobs = []
        nodes: list[FollowedNode] = []
        for node in list(self._cluster.nodes.values()) if follower.sight[1] else ():
            nodes.append(self._node(node, view))
            await breath.taken()
            if len(nodes) == A_MESSAGE:
                await self._send([follower], Feed(seq=seq, at=self._now(), more=True, nodes=nodes))
                nodes = []
        await self._send([follower], Feed(seq=seq, at=self._now(), jobs=jobs, nodes=nodes))

    async def _sweep(self) -> None:
        self._swept = self._now()
        view, breath = self._view(), Breath()
        kept: dict[JobId, str] = {}
        for job_id in list(self._cluster.pending):
            job = self._cluster.jobs.get(job_id)
            if job is not None:
                kept[job_id] = reason = job_facts.reason(job, view)
                if self._reasons.get(job_id, reason) != reason:
                    self._changes.jobs[job_id] = None
            await breath.taken()
        self._reasons = kept
        for node in list(self._cluster.nodes.values()):
            if _encoded(feed.node_record(node, view)) != self._nodes.get(node.name):
                self._changes.nodes[node.name] = None
            await breath.taken()

    async def _tell(self, changes: _Changes) -> None:
        seq, view, breath = self.engine.seq, self._view(), Breath()
        known = [job for job_id in changes.jobs if (job := self._cluster.jobs.get(job_id)) is not None]
        gone = [job_id for job_id in (*changes.gone, *changes.jobs) if job_id not in self._cluster.jobs]
        for job in known:
            if job.allocation is not None:
                changes.nodes.update(dict.fromkeys(job.allocation.nodes))
        parts = [Feed(seq=seq, at=self._now(), jobs_gone=list(gone), nodes_gone=[
            name for name in changes.nodes if name not in self._cluster.nodes])]
        for some in _some(known):
            jobs = []
            for job in some:
                jobs.append(self._job(job, view))
                await breath.taken()
            parts.append(Feed(seq=seq, at=self._now(), jobs=jobs))
        for names in _some([name for name in changes.nodes if name in self._cluster.nodes]):
            nodes = []
            for name in names:
                node = self._cluster.nodes.get(name)
                before = self._nodes.get(name)
                if node is not None:
                    found = self._node(node, view)
                    if self._nodes[name] != before:
                        nodes.append(found)
                await breath.taken()
            parts.append(Feed(seq=seq, at=self._now(), nodes=nodes))
        parts = [part for part in parts if part.jobs or part.nodes or part.jobs_gone or part.nodes_gone]
        for part in parts:
            part.more = part is not parts[-1]
            await self._send([one for one in self._all if not one.is_new], part)

    async def _send(self, followers: Sequence[Follower], message: Feed) -> None:
        await self.engine.settled()
        encoded: dict[tuple[bool, bool], bytes] = {}
        for follower in followers:
            if not follower.sight[0]:
                follower.session.send(_json.encode(self._seen(follower, message)))
                continue
            if follower.sight not in encoded:
                encoded[follower.sight] = _json.encode(message if follower.sight[1] else _without_nodes(message))
            follower.session.send(encoded[follower.sight])
        for follower in followers:
            if not follower.session.closed:
                await follower.session.peer.drained()

    def _seen(self, follower: Follower, message: Feed) -> Feed:
        """What of a message one is told who does not see everybody's jobs."""
        jobs = [one for one in message.jobs if (job := self._cluster.jobs.get(JobId(one.id))) is not None and self._sees(follower, job)]
        gone = [job for job in message.jobs_gone if job in follower.told]
        follower.told.update(JobId(one.id) for one in jobs)
        follower.told.difference_update(JobId(job) for job in gone)
        found = msgspec.structs.replace(message, jobs=jobs, jobs_gone=gone)
        return found if follower.sight[1] else _without_nodes(found)

    def _sees(self, follower: Follower, job: Job) -> bool:
        return follower.sight[0] or rights.may_see(self._cluster, follower.session.caller, job)

    def _job(self, job: Job, view: View) -> FollowedJob:
        if job.state is JobState.PENDING:
            self._reasons[job.id] = job_facts.reason(job, view)
        return FollowedJob(
            id=job.id, shown=job_facts.shown_id(job), user=job.owner.user, account=job.request.account, partition=job.partition,
            state=job.state.name, array=job.array_job, tasks=feed.waiting_tasks(job),
            record=msgspec.Raw(_encoded(feed.job_record(job, view))))

    def _node(self, node: Node, view: View) -> FollowedNode:
        record = self._nodes[node.name] = _encoded(feed.node_record(node, view))
        return FollowedNode(name=node.name, partitions=view.partitions_of.get(node.name, []), record=msgspec.Raw(record))


def _without_nodes(message: Feed) -> Feed:
    return msgspec.structs.replace(message, nodes=[], nodes_gone=[])


def _encoded(record: feed.Record) -> bytes:
    return _json.encode(record)


def _some(of: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(of)
    while part := list(islice(rest, A_MESSAGE)):
        yield part
