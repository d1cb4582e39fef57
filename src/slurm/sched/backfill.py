"""Backfill: the starts that a pass promises to those who wait, and what these leave to others until then.

A promised start is worked out when somebody may be in its way, or when it is to be told; not before, as most passes start nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf

from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.sched import together
from slurm.sched.asking import counted
from slurm.sched.lengths import length, rounded
from slurm.sched.license_pools import LicensePools
from slurm.sched.making_room import MakingRoom
from slurm.sched.proposal import Forecast, Plan
from slurm.sched.reserved import allowed, keep_reserved, later
from slurm.sched.shadow import Shadow, fungible, shadow
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Placement, Timeline
from slurm.sched.together import Way
from slurm.sched.view import View


class Backfill:
    """What one pass keeps for later. `timeline` is None as long as nothing was worked out."""

    def __init__(self, view: View, now: float, terrain: Terrain, plan: Plan, licenses: LicensePools, room: MakingRoom) -> None:
        self.view = view
        self.now = now
        self.terrain = terrain
        self.plan = plan
        self.licenses = licenses
        self.room = room
        self.timeline: Timeline | None = None
        self._told = True
        self._owed: list[Way] = []  # promised, and not worked out yet
        self._shadows: list[Shadow | None] = []  # of the first of those, once it was asked for

    @property
    def told(self) -> bool:
        """Whether promised starts are to be told, so that each is worked out at once."""
        return self._told

    @told.setter
    def told(self, wanted: bool) -> None:
        self._told = wanted or self.view.settings.backfill_one_reservation  # which looks at what was told

    @property
    def keeps_starts(self) -> bool:
        """Whether the start of anybody who waits is kept: of what reservations and earlier promises keep, the look at nodes knows."""
        self.settle()
        return self.kept > 0

    @property
    def kept(self) -> int:
        """How many starts were promised, as far as they were worked out."""
        return self.timeline.kept if self.timeline is not None else 0

    def go_on(self, now: float, plan: Plan) -> None:
        """Go on a while after, nothing having changed."""
        self.now, self.plan = now, plan
        if self.timeline is not None:
            self.timeline.now = now

    def begin(self) -> Timeline:
        """The timeline as of now, with what this pass has proposed so far."""
        if self.timeline is None:
            timeline = self.timeline = Timeline(self.view, self.terrain.board, self.now, pools=self.licenses.pools)
            keep_reserved(timeline, self.view, self.now)
            self.room.hold(timeline)
            for job_id, allocation in (part for proposal in self.plan.proposals if not proposal.promised for part in proposal.parts):
                inside = timeline.owner(allocation.reservation)
                timeline.take(self.terrain.board.usage(allocation.shares), self.now + length(self.view.jobs[job_id]), inside=inside)
        return self.timeline

    def reserve(self, way: Way) -> None:
        """Promise a blocked job the earliest place there is in this way."""
        if self.told:
            self._promise(way)
        else:
            self._owed.append(way)
            self._shadows.clear()

    def reserve_together(self, ways: Sequence[Way], latest: float = inf) -> None:
        """Promise the components of a job the earliest moment at which all of them have a place, if that is not after `latest`."""
        self.settle()
        timeline = self.begin()
        found = together.placed(timeline, ways, lambda way, after: self._placed(timeline, way, sparing=True, after=after))
        if found is None or found[0].start > latest:
            return
        for way, placement in zip(ways, found, strict=True):
            timeline.keep(placement, inside=timeline.owner(way.entry.reservation))
            self._tell(way.job, way.partition, placement)

    def settle(self) -> None:
        """Work out what was promised: what is free has not changed since, as whoever may get some of it asks for this first."""
        if self._owed:
            owed, self._owed = self._owed, []
            self._shadows.clear()
            for way in owed:
                self._promise(way)

    def leaves(self, cpus: int, end: float) -> bool:
        """Whether so many CPUs, wherever they are, may be left to others from now to `end`; they are free now."""
        if self._owed:
            known = self._shadow()
            if known is not None and end > known.start and cpus > known.left:
                return False
            self.settle()
        return self.timeline is None or cpus <= self.timeline.cpus_until(end)

    def look(self, behind: Sequence[Sequence[Way]], over: Callable[[], bool]) -> None:
        """Forecasts for the jobs behind the first ones, each in the earliest place that those before it leave, until it is `over`."""
        if behind:
            self.settle()
        timeline = self.timeline
        if timeline is None:
            return
        latest = self.now + self.view.settings.backfill_window
        for ways in behind:
            if over():
                return
            if len(ways) > 1:
                if ways[0].job.id not in self.plan.forecasts:
                    self.reserve_together(ways, latest)
                continue
            way = ways[0]
            found = self._placed(timeline, way)
            if found is not None and found.start <= latest and way.job.id not in self.plan.forecasts:
                timeline.keep(found, inside=timeline.owner(way.entry.reservation))
                self._tell(way.job, way.partition, found)

    def _promise(self, way: Way) -> None:
        timeline = self.begin()
        placement = self._placed(timeline, way, sparing=True)
        if placement is not None:
            timeline.keep(placement, inside=timeline.owner(way.entry.reservation))
            self._tell(way.job, way.partition, placement)

    def _shadow(self) -> Shadow | None:
        """What the only job that was promised a start leaves to others, where that can be told without working out its nodes."""
        if self.timeline is not None or len(self._owed) > 1:
            return None
        if not self._shadows:
            _, need, partition, _ = self._owed[0]
            board, found = self.terrain.board, None
            if fungible(board, need) and len(self.terrain.positions(partition, need.site)) == len(board.nodes):
                found = shadow(self.view, board, self.now, need, self._begun())
            self._shadows.append(found)
        return self._shadows[0]

    def _begun(self) -> Iterator[tuple[float, int]]:
        """What this pass has proposed: when it ends, and its CPUs."""
        grain = self.view.settings.backfill_resolution
        for proposal in self.plan.proposals:
            for job_id, allocation in proposal.parts:
                yield rounded(self.now + length(self.view.jobs[job_id]), grain), allocation.cpu_count

    def _placed(self, timeline: Timeline, way: Way, *, sparing: bool = False, after: float = 0.0) -> Placement | None:
        """The earliest place for a job that starts this way; None when there is none, or when a reservation is in the way of that one.

        What is kept in the timeline is not kept by a narrower look at the nodes too. A job that would be there longer than its reservation
        may start in it all the same.
        """
        job, need, partition, entry = way
        if not self.view.reservations:
            return timeline.place(need, self.terrain.positions(partition, need.site), length(job), sparing=sparing, after=after)
        inside = timeline.owner(entry.reservation)
        need = later(self.terrain, need, entry, timeline.owners)
        at = self.terrain.positions(partition, need.site)
        found = timeline.place(need, at, length(job), sparing=sparing, inside=inside, after=after)
        if found is None and inside:
            found = timeline.place(need, at, 60.0, sparing=sparing, inside=inside, after=after)
        return found if found is not None and allowed(self.terrain, job, entry, self.now, found.start, timeline.owners) else None

    def _tell(self, job: Job, partition: Partition, placement: Placement) -> None:
        """Note when a job is expected to start, if anybody will be told."""
        if not self.told:
            return
        known = self.plan.forecasts.get(job.id)
        if known is None or placement.start < known.start:
            self.plan.forecasts[job.id] = Forecast(placement.start, placement.nodes, counted(placement, partition.name))
