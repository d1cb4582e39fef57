"""Together: a heterogeneous job in one pass: whether all of its components find room now, tried on what is free and taken back, and the
earliest moment at which all of them do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from slurm.core.gates import policy_limits
from slurm.model.ids import JobId
from slurm.model.job import Allocation, Job
from slurm.model.partition import Partition
from slurm.model.refusal import ENDINGS, Refusal
from slurm.model.states import Reason
from slurm.sched.board import Usage
from slurm.sched.license_pools import LicensePools
from slurm.sched.need import Need
from slurm.sched.reserved import Entry
from slurm.sched.search import Search
from slurm.sched.sharing import Sharing
from slurm.sched.space import Space
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Hold, Placement, Timeline

PLACES = 4
"""So many places are sought for each component until all have one at the same moment."""
PLACES_LEAST = 32
PLACES_MOST = 256
"""The bounds of how many are sought for a job."""
CURES = ("NodeFreed", "Eligible", *ENDINGS)
WAITED_FOR = frozenset({Reason.RESOURCES, Reason.PRIORITY, Reason.LICENSES})
"""Reasons that time alone takes away, so that a start can be promised."""


class Way(NamedTuple):
    """How a job may start: in a partition, in or outside of a reservation."""

    job: Job
    need: Need
    partition: Partition
    entry: Entry


class Trial:
    """Room that components take in turn while it is seen whether all find some; a context, after which nothing is taken."""

    def __init__(self, terrain: Terrain, space: Space, sharing: Sharing, licenses: LicensePools) -> None:
        self._terrain = terrain
        self._space = space
        self._sharing = sharing
        self._licenses = licenses
        self.found: dict[JobId, tuple[Allocation, Search]] = {}
        self.beside: tuple[Usage, ...] = ()
        """What those that found room hold, for the searches of the others."""

    def __enter__(self) -> Self:
        self._spaces = self._space.kept()
        self._layers = self._sharing.kept()
        return self

    def take(self, job: Job, allocation: Allocation, search: Search) -> None:
        """A component found this."""
        self._space.take(allocation.shares, job.owner.uid, own_user=search.need.own_user)
        if search.per_cpu > 1:
            self._sharing.take(allocation)
        self._licenses.pools.take(allocation.licenses, search.ends)
        policy_limits.propose(self._terrain.view, job, allocation)
        self.beside = (*self.beside, self._terrain.board.usage(allocation.shares))
        self.found[job.id] = allocation, search

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._space.restore(self._spaces)
        self._sharing.restore(self._layers)
        view = self._terrain.view
        for allocation, search in self.found.values():
            self._licenses.pools.take({name: -count for name, count in allocation.licenses.items()}, search.ends)
        if policy_limits.enforced(view):
            view.policy.tally.retract(len(self.found))


def placed(
    timeline: Timeline, ways: Sequence[Way], place: Callable[[Way, float], Placement | None],
) -> list[Placement] | None:
    """The earliest moment at which all components start, each in its way; None when none is found by a bounded number of looks.

    `place` tells the earliest place from a moment on. It is asked about all components, each beside those before it; then again, from the
    latest moment that one of them needs.
    """
    after = 0.0
    for _ in range(min(PLACES_MOST, max(PLACES_LEAST, PLACES * len(ways))) // len(ways)):
        found = _round(timeline, ways, place, after)
        if found is None or all(one.start == found[0].start for one in found):
            return found
        after = max(one.start for one in found)
    return None


def _round(
    timeline: Timeline, ways: Sequence[Way], place: Callable[[Way, float], Placement | None], after: float,
) -> list[Placement] | None:
    """The earliest place of each way from a moment on, beside those before it as long as all start at the same moment; None when one has
    none."""
    found: list[Placement] = []
    holds: list[Hold] = []

    def take_back() -> None:
        timeline.release(holds)
        for one in found[:len(holds)]:
            timeline.pools.hold({name: -count for name, count in one.pools.items()}, one.start, one.end)
        holds.clear()

    together = True
    try:
        for way in ways:
            one = place(way, after)
            if one is None:
                return None
            if found and one.start != found[0].start:
                together = False
                take_back()  # they will be elsewhere: only how late it gets is asked now
            found.append(one)
            after = max(after, one.start)
            if together:
                holds.append(Hold(one.start, one.end, one.usage))
                timeline.hold(holds[-1])
                timeline.pools.hold(one.pools, one.start, one.end)
    finally:
        take_back()
    return found


def cleaning(jobs: Iterable[Job], late: Job) -> dict[JobId, Refusal]:
    """Why components wait for one that has not come back to the queue yet."""
    sentence = f"it starts together with component {late.shown_id}, of which the earlier attempt is not over yet"
    return {job.id: Refusal(Reason.CLEANING, sentence, (), CURES) for job in jobs}


def verdicts(jobs: Sequence[Job], refusals: Mapping[JobId, Refusal]) -> dict[JobId, Refusal]:
    """Why each component waits: for what it asks for itself, or for another one, which it starts together with."""
    lacking = next(job for job in jobs if job.id in refusals)
    why = refusals[lacking.id]
    also = Refusal(
        why.reason, f"it starts together with component {lacking.shown_id}, which waits: {why.sentence}",
        ((lacking.shown_id, why.sentence), *why.evidence), why.cures)
    return {job.id: refusals.get(job.id, also) for job in jobs}
