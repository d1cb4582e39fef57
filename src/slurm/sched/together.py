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

ROUNDS = 100
"""So often a later moment is tried when one component cannot start at the moment at which another one can."""
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
    """The earliest moment at which all components start, each in its way; None when none is found.

    `place` tells the earliest place from a moment on.
    """
    after = 0.0
    for _ in range(ROUNDS):
        found: list[Placement] = []
        holds: list[Hold] = []
        try:
            for way in ways:
                one = place(way, after)
                if one is None:
                    return None
                if found and one.start > found[0].start:
                    after = one.start
                    break
                found.append(one)
                after = one.start
                holds.append(Hold(one.start, one.end, one.usage))
                timeline.hold(holds[-1])
                timeline.pools.hold(one.pools, one.start, one.end)
            else:
                return found
        finally:
            timeline.release(holds)
            for one in found:
                timeline.pools.hold({name: -count for name, count in one.pools.items()}, one.start, one.end)
    return None


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
