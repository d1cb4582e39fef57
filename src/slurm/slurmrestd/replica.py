"""What slurmrestd keeps of the cluster while somebody listens: jobs and nodes as lists show them, and the last changes, for whoever
resumes.

Each change is encoded once. Listeners have nothing of their own but how far they have read. Not here: connections (`sources`), HTTP
(`watching`).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from slurm.wire.follow_messages import Feed, FollowedJob, FollowedNode

MOST_KEPT = 20_000
"""Changes that are kept for those who resume."""
JOBS, NODES, QUEUE = "jobs", "nodes", "queue"
WHAT = (JOBS, NODES, QUEUE)
_COUNTED = ("PENDING", "RUNNING", "SUSPENDED")
_encode = msgspec.json.Encoder().encode


class Change:
    """One thing that is so now: `event` is job, job_gone, node, node_gone, queue or controller; `data` its JSON."""

    def __init__(self, event: str, what: str, data: bytes, job: FollowedJob | None = None, partitions: Sequence[str] = (),
            before: FollowedJob | None = None) -> None:
        self.event = event
        self.what = what
        self.data = data
        self.job = job
        self.before = before  # the job as it was: who wanted that is told that it is no more
        self.partitions = partitions

    @cached_property
    def sent(self) -> bytes:
        """As a server-sent event."""
        return b"event: %s\ndata: %s\n\n" % (self.event.encode(), self.data)

    @cached_property
    def framed(self) -> bytes:
        """As one of a WebSocket message's `events`."""
        return b'{"event":"%s","data":%s}' % (self.event.encode(), self.data)


class Batch(NamedTuple):
    """Changes that are told together: after them all of what was on disk at event `seq` is known. `number` counts batches."""

    number: int
    seq: int
    changes: list[Change]


class Filter(NamedTuple):
    """Which changes somebody wants; empty: any. `jobs`: "12" (of an array all of it) or "12_3"."""

    what: frozenset[str] = frozenset(WHAT)
    users: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    partitions: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    def passes(self, change: Change) -> bool:
        """Whether a change is wanted; what tells of the controller always is."""
        if change.what and change.what not in self.what:
            return False
        if change.what == NODES:
            return not self.partitions or not self.partitions.isdisjoint(change.partitions)
        return change.job is None or any(self._wants(job) for job in (change.job, change.before) if job is not None)

    def _wants(self, job: FollowedJob) -> bool:
        return ((not self.users or job.user in self.users) and (not self.accounts or job.account in self.accounts)
                and (not self.partitions or not self.partitions.isdisjoint(job.partition.split(",")))
                and (not self.jobs or not self.jobs.isdisjoint((str(job.id), job.shown, str(job.array)))))


def job_change(job: FollowedJob, before: FollowedJob | None = None) -> Change:
    """A job is so."""
    return Change("job", JOBS, bytes(job.record), job, before=before)


def node_change(node: FollowedNode) -> Change:
    """A node is so."""
    return Change("node", NODES, bytes(node.record), partitions=node.partitions)


class Replica:
    """Jobs and nodes by id and name. `ready` is set once everything has come for the first time."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.cluster = ""
        self.seq = 0
        self.jobs: dict[int, FollowedJob] = {}
        self.nodes: dict[str, FollowedNode] = {}
        self._coming: tuple[dict[int, FollowedJob], dict[str, FollowedNode]] | None = None
        self._unfinished: list[Change] = []
        self._batches: deque[Batch] = deque()
        self._kept = 0
        self._number = 0
        self._oldest = 0  # the seq before which nothing is known
        self._next = asyncio.Event()
        self._queue: dict[str, Counter[str]] = {"": Counter()}
        self._told_queue = b""

    # --- what comes --------------------------------------------------------------------------------------------------------

    def take(self, feed: Feed) -> None:
        """What slurmctld tells."""
        self.cluster = feed.cluster or self.cluster
        if feed.begins:
            self._coming = ({}, {})
            self._unfinished = []
        if self._coming is not None:
            self._coming[0].update({job.id: job for job in feed.jobs})
            self._coming[1].update({node.name: node for node in feed.nodes})
            if not feed.more:
                self._whole(feed.seq, *self._coming)
            return
        changes = self._unfinished
        changes += [self._put(job) for job in feed.jobs]
        changes += [change for job_id in feed.jobs_gone if (change := self._drop(job_id)) is not None]
        for node in feed.nodes:
            self.nodes[node.name] = node
            changes.append(node_change(node))
        changes += [_node_gone(self.nodes.pop(name)) for name in feed.nodes_gone if name in self.nodes]
        if not feed.more:
            self._unfinished = []
            self._publish(feed.seq, changes)

    def _whole(self, seq: int, jobs: dict[int, FollowedJob], nodes: dict[str, FollowedNode]) -> None:
        """Everything has come, for the first time or again: what differs from before is a change."""
        self._coming = None
        first = not self.ready.is_set()
        changes = [self._put(job) for job in jobs.values() if (before := self.jobs.get(job.id)) is None or before.record != job.record]
        changes += [change for job_id in list(self.jobs) if job_id not in jobs and (change := self._drop(job_id)) is not None]
        changes += [node_change(node) for node in nodes.values()
            if (known := self.nodes.get(node.name)) is None or known.record != node.record]
        changes += [_node_gone(node) for name, node in self.nodes.items() if name not in nodes]
        self.nodes = nodes
        if first:
            self.seq = self._oldest = seq
            self._told_queue = self.queue()
            self.ready.set()
            return
        if seq < self.seq:  # slurmctld began with an empty state: its events are counted anew, and nobody can go on from earlier ones
            self.seq = self._oldest = seq
            self._batches.clear()
            self._kept = 0
        self._publish(seq, changes)

    def tell(self, event: str, **data: object) -> None:
        """Something that is not about jobs or nodes: whether slurmctld answers."""
        self._publish(self.seq, [Change(event, "", _encode(data))])

    def _put(self, job: FollowedJob) -> Change:
        before = self.jobs.get(job.id)
        if before is not None:
            self._count(before, -1)
        self._count(job, 1)
        self.jobs[job.id] = job
        return job_change(job, before)

    def _drop(self, job_id: int) -> Change | None:
        job = self.jobs.pop(job_id, None)
        if job is None:
            return None
        self._count(job, -1)
        return Change("job_gone", JOBS, _encode({"job_id": job.id}), job)

    def _count(self, job: FollowedJob, sign: int) -> None:
        if job.state in _COUNTED:
            for name in ("", *job.partition.split(",")):
                counted = self._queue.setdefault(name, Counter())
                counted[job.state] += sign * job.tasks
                if not counted[job.state]:
                    del counted[job.state]
                if name and not counted:
                    del self._queue[name]

    def queue(self) -> bytes:
        """How many jobs wait, run and are suspended, in all and by partition, an array's tasks counted singly; JSON."""
        def counts(of: Counter[str]) -> dict[str, int]:
            return {state.lower(): of[state] for state in _COUNTED}

        return _encode({**counts(self._queue[""]), "partitions": {
            name: counts(self._queue[name]) for name in sorted(self._queue) if name}})

    def _publish(self, seq: int, changes: list[Change]) -> None:
        queue = self.queue()
        if queue != self._told_queue:
            self._told_queue = queue
            changes = [*changes, Change("queue", QUEUE, queue)]
        self.seq = max(self.seq, seq)
        if not changes:
            return
        self._number += 1
        self._batches.append(Batch(self._number, self.seq, changes))
        self._kept += len(changes)
        while self._kept > MOST_KEPT and len(self._batches) > 1:
            gone = self._batches.popleft()
            self._kept -= len(gone.changes)
            self._oldest = gone.seq
        self.wake()

    def wake(self) -> None:
        """Let all who wait look."""
        self._next.set()
        self._next = asyncio.Event()

    # --- what listeners read -----------------------------------------------------------------------------------------------

    @property
    def last(self) -> int:
        """The number of the newest batch."""
        return self._number

    def place_of(self, seq: int) -> int | None:
        """Behind which batch somebody goes on who knows all up to this event; None: what he missed is not known any more."""
        if not self._oldest <= seq <= self.seq:
            return None
        return next((batch.number - 1 for batch in self._batches if batch.seq > seq), self._number)

    def after(self, number: int) -> list[Batch] | None:
        """The batches behind this one; None when some of them are not kept any more."""
        if number < self._number - len(self._batches):
            return None
        kept = len(self._batches)
        return [self._batches[place] for place in range(kept - (self._number - number), kept)]

    async def changed(self, number: int) -> None:
        """Wait until there is a batch behind this one, or somebody woke all."""
        if number >= self._number:
            await self._next.wait()

    def everything(self, wanted: Filter) -> Iterator[Change]:
        """All that there is, as changes."""
        if JOBS in wanted.what:
            yield from (change for job in list(self.jobs.values()) if wanted.passes(change := job_change(job)))
        if NODES in wanted.what:
            yield from (change for node in list(self.nodes.values()) if wanted.passes(change := node_change(node)))
        if QUEUE in wanted.what:
            yield Change("queue", QUEUE, self.queue())


def _node_gone(node: FollowedNode) -> Change:
    return Change("node_gone", NODES, _encode({"name": node.name}), partitions=node.partitions)
