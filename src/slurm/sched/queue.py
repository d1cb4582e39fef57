"""Queue: the waiting jobs in order of priority, remembered from pass to pass so that a pass does not sort ten thousand again.

A fresh look (each full pass) sorts everything, unless the order lasts: where priorities do not age, those that joined since are put in
their places and those that left are taken out. Until the next fresh look, quick passes do the same with whatever order it found.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Container, Iterable, Iterator
from itertools import takewhile

from slurm.core.gates.stack import eligible
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.settings import Settings
from slurm.sched.priority import Key, Scale
from slurm.sched.view import View


def _key(pair: tuple[Key, Job]) -> Key:
    return pair[0]


class Look:
    """All waiting jobs in order, put together part by part: `eligible` are those that may start, `aside` the others."""

    def __init__(self) -> None:
        self.all: list[tuple[Key, Job]] = []
        self.eligible: list[tuple[Key, Job]] = []
        self.known: set[JobId] = set()
        self.aside: dict[JobId, Job] = {}

    def add(self, key: Key, job: Job, *, waits: bool) -> None:
        """The next one; `waits`: it was not eligible, and is looked at again before anything starts."""
        pair = key, job
        self.all.append(pair)
        if not waits:
            self.eligible.append(pair)
            self.known.add(job.id)
        else:
            self.aside[job.id] = job


class Queue:
    """The order of the eligible jobs as of the last fresh look. One for each cluster and planner."""

    rearranges = False
    """Whether `order` may put a job elsewhere than its priority does."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._ordered: list[tuple[Key, Job]] | None = None  # the eligible ones of the last look and of those that joined since
        self._known: set[JobId] = set()  # who is or was among them
        self._aside: dict[JobId, Job] = {}  # the others that wait
        self._seen = 0, -1  # the highest Job.queue_place, and the View.changes, of which these know
        self._stamp: tuple[int, int] | None = None  # what the order of the last look depends on, where it lasts
        self._scale: Scale | None = None
        self._last_place = 0  # the highest Job.queue_place that it saw
        self.looked: list[tuple[Key, Job]] = []
        """Every waiting job in order, the ineligible ones too, as of the last fresh look."""

    def is_known(self, view: View) -> bool:
        """Whether there is an order that `first` can follow; without one it looks at every waiting job."""
        return self._settings is view.settings

    def all(self, view: View, now: float) -> list[Job]:
        """Every waiting job in order, the ineligible ones too; this is the fresh look."""
        return [job for _, job in self.fresh(view, now)]

    def fresh(self, view: View, now: float) -> list[tuple[Key, Job]]:
        """The same with their keys. Not to be changed."""
        pending = view.pending
        if self._stamp is not None and self._settings is view.settings and self._stamp == (view.reordered, view.generation):
            looked = self._followed(view, now)
        else:
            scale = self._scale = Scale(view, now)
            looked = sorted([(scale.key(job), job) for job in pending.values()], key=_key)
        self.adopt(view.settings, looked)
        if lasts(view):
            self._stamp = view.reordered, view.generation
            self._last_place = next((job.queue_place for job in newest_first(pending.values())), 0)
        return looked

    def _followed(self, view: View, now: float) -> list[tuple[Key, Job]]:
        """The last look without those that left the queue, and with those that joined: a place in it is given once."""
        pending, last = view.pending, self._last_place
        looked = [pair for pair in self.looked if pending.get(pair[1].id) is pair[1] and pair[1].queue_place <= last]
        if len(looked) < len(pending):
            scale = self._scale or Scale(view, now)  # nothing in it depends on the time
            for job in takewhile(lambda one: one.queue_place > last, newest_first(pending.values())):
                insort(looked, (scale.key(job), job), key=_key)
        return looked

    def order(self, view: View, now: float, refused: Container[JobId]) -> Iterable[Job]:
        """In which order a full pass looks at the waiting jobs; `refused` grows while it does."""
        return self.all(view, now)

    def adopt(self, settings: Settings, looked: list[tuple[Key, Job]]) -> None:
        """Take over a fresh look: all waiting jobs, in order."""
        self._settings = settings
        self.looked = looked
        self._ordered = None
        self._stamp = None

    def adopted(self, settings: Settings, look: Look, place: int) -> None:
        """Take over a fresh look that somebody else had, at jobs that had arrived by `place` (Job.queue_place)."""
        self.adopt(settings, look.all)
        self._ordered, self._known, self._aside = look.eligible, look.known, look.aside
        self._seen = place, -1

    def first(self, view: View, now: float) -> Iterator[Job]:
        """Eligible jobs in order, from memory where possible."""
        pending = view.pending
        if self._settings is not view.settings or 2 * len(pending) < len(self.looked):
            self.fresh(view, now)
        ordered = self._ordered
        if ordered is None:
            ordered = self._ordered = [pair for pair in self.looked if eligible(pair[1])]
            self._known = {job.id for _, job in ordered}
            self._aside = {job_id: job for job_id, job in pending.items() if job_id not in self._known}
            self._seen = next((job.queue_place for job in newest_first(pending.values())), 0), -1
        self._join(view, now, ordered)
        gone = 0
        while gone < len(ordered) and pending.get(ordered[gone][1].id) is not ordered[gone][1]:
            gone += 1
        del ordered[:gone]
        for _, job in ordered:
            if pending.get(job.id) is job and eligible(job):
                yield job

    def _join(self, view: View, now: float, ordered: list[tuple[Key, Job]]) -> None:
        """Put in their places who came since, and who may start only since then."""
        pending, (place, changes) = view.pending, self._seen
        new = list(takewhile(lambda one: one.queue_place > place, newest_first(pending.values())))
        self._aside.update((job.id, job) for job in new if job.id not in self._known)
        if new or changes != view.changes:
            self._seen = max([place, *(job.queue_place for job in new)]), view.changes
            scale: Scale | None = None
            for job in [job for job in self._aside.values() if pending.get(job.id) is not job or eligible(job)]:
                del self._aside[job.id]
                if pending.get(job.id) is job:
                    scale = scale or Scale(view, now)
                    insort(ordered, (scale.key(job), job), key=_key)
                    self._known.add(job.id)


def lasts(view: View) -> bool:
    """Whether the keys of waiting jobs stay as they are while time passes and others come and go."""
    settings = view.settings
    return settings.priority_type == "basic" and settings.preempt_type != "qos"


def newest_first(jobs: Iterable[Job]) -> Iterator[Job]:
    """Waiting jobs, which are in the order of their arrival, from the last one on."""
    return reversed(jobs)  # type: ignore[call-overload, no-any-return]
