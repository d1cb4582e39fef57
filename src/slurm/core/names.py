"""NameIndex: which jobs of one user share a name, for --dependency=singleton. What follows from it is decided in `dependencies`."""

from __future__ import annotations

import heapq

from slurm.model.ids import JobId, Uid
from slurm.model.job import Job

Key = tuple[Uid, str]


class Namesakes:
    """Jobs of one user and name: those that hold resources, those that wait, and the one whose turn it is by --dependency=singleton."""

    __slots__ = ("_queue", "active", "turn", "waiting")

    def __init__(self) -> None:
        self.active: set[JobId] = set()
        self.waiting: set[JobId] = set()
        self.turn: JobId | None = None
        self._queue: list[JobId] = []

    def wait(self, job: JobId) -> None:
        """One more waits."""
        if job not in self.waiting:
            self.waiting.add(job)
            heapq.heappush(self._queue, job)

    def earliest(self) -> JobId | None:
        """The lowest id that waits, None when none does."""
        while self._queue and self._queue[0] not in self.waiting:
            heapq.heappop(self._queue)
        return self._queue[0] if self._queue else None


class NameIndex:
    """Namesakes by user and name; empty groups are forgotten."""

    __slots__ = ("groups",)

    def __init__(self) -> None:
        self.groups: dict[Key, Namesakes] = {}

    def group(self, job: Job) -> Namesakes | None:
        """The namesakes of a job, None when it has left the index and has none."""
        return self.groups.get((job.owner.uid, job.request.name))

    def alone(self, job: Job) -> bool:
        """Whether nobody else of its user has its name."""
        group = self.groups.get((job.owner.uid, job.request.name))
        if group is None:
            return True
        return len(group.waiting) + len(group.active) <= 1 and (job.id in group.waiting or job.id in group.active)

    def waits(self, job: Job) -> None:
        """A job waits for a start."""
        key = (job.owner.uid, job.request.name)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Namesakes()
        group.wait(job.id)

    def runs(self, job: Job) -> None:
        """A job holds resources."""
        key = (job.owner.uid, job.request.name)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Namesakes()
        group.active.add(job.id)

    def leaves(self, job: Job) -> None:
        """A job waits no more."""
        self._forget(job, waiting=True)

    def ends(self, job: Job) -> None:
        """A job holds nothing any more."""
        self._forget(job, waiting=False)

    def _forget(self, job: Job, *, waiting: bool) -> None:
        key = (job.owner.uid, job.request.name)
        group = self.groups.get(key)
        if group is None:
            return
        (group.waiting if waiting else group.active).discard(job.id)
        if not group.waiting and not group.active:
            del self.groups[key]
