"""Queue: the waiting jobs in order of priority, remembered from pass to pass so that a quick pass does not sort ten thousand again.

A fresh look (each full pass) sorts everything; until the next, jobs that joined since are put in their places and those that left are
passed over. What ages or is changed meanwhile moves with the next fresh look.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Container, Iterable, Iterator

from slurm.core.gates.stack import eligible
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.settings import Settings
from slurm.sched.priority import Key, Scale
from slurm.sched.view import View


class Queue:
    """The order of the eligible jobs as of the last fresh look. One for each cluster and planner."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._ordered: list[tuple[Key, Job]] = []
        self._known: set[JobId] = set()
        self.looked: list[tuple[Key, Job]] = []
        """Every waiting job in order, the ineligible ones too, as of the last fresh look."""

    def all(self, view: View, now: float) -> list[Job]:
        """Every waiting job in order, the ineligible ones too; this is the fresh look."""
        scale = Scale(view, now)
        self.adopt(view.settings, sorted(((scale.key(job), job) for job in view.pending.values()), key=lambda pair: pair[0]))
        return [job for _, job in self.looked]

    def order(self, view: View, now: float, refused: Container[JobId]) -> Iterable[Job]:
        """In which order a full pass looks at the waiting jobs; `refused` grows while it does."""
        return self.all(view, now)

    def adopt(self, settings: Settings, looked: list[tuple[Key, Job]]) -> None:
        """Take over a fresh look that somebody else had: all waiting jobs, in order."""
        self._settings = settings
        self.looked = looked
        self._ordered = [pair for pair in looked if eligible(pair[1])]
        self._known = {job.id for _, job in self._ordered}

    def first(self, view: View, now: float) -> Iterator[Job]:
        """Eligible jobs in order, from memory where possible."""
        pending = view.pending
        if self._settings is not view.settings or 2 * len(pending) < len(self._ordered):
            self.all(view, now)
        elif new := pending.keys() - self._known:
            scale = Scale(view, now)
            for job_id in new:
                job = pending[job_id]
                if eligible(job):
                    insort(self._ordered, (scale.key(job), job), key=lambda pair: pair[0])
                    self._known.add(job_id)
        for _, job in self._ordered:
            if pending.get(job.id) is job and eligible(job):
                yield job
