"""Timeline: how much is free on each node from now on, in steps up and down; and what is kept from when on.

Things become free when jobs reach their time limits (steps up), and are held from some moment on to another (`Hold`: a step down, then one
up): for the promised start of a waiting job, or by whoever else has a right to them then. Between two steps down things only become free,
so what is free all the time from one moment to another is the least of what is free at its beginning and at each step down within.
Cluster-wide counts stand beside the nodes (`pools`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from slurm.sched.board import Array, Board, Free, Index, Usage, few
from slurm.sched.choose import choose, plain
from slurm.sched.lengths import releases, rounded
from slurm.sched.need import Need
from slurm.sched.pools import Pools
from slurm.sched.room import Room
from slurm.sched.view import View

STEPS = 200
"""How many moments are tried for one job once the earliest possible one is known."""


class Hold(NamedTuple):
    """From `start` to `end` (seconds since the epoch) so much of some nodes is kept.

    `owner`: whose jobs may have it ("": nobody's); `sign` -1: so much less is kept.
    """

    start: float
    end: float
    usage: Usage
    owner: str = ""
    sign: int = 1


class Placement(NamedTuple):
    """Where and when (seconds since the epoch) a waiting job fits: its nodes with their tasks, what it will hold of them, and of the pools
    (name → count)."""

    start: float
    end: float
    rooms: list[tuple[Room, int]]
    usage: Usage
    pools: Mapping[str, int]

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes in rank order."""
        return [str(one.node.name) for one, _ in self.rooms]


class _Releases:
    """What becomes free, and when; put in order and made arrays when next asked."""

    def __init__(self) -> None:
        self._items: list[tuple[float, Usage, bool]] = []
        self._sorted = False
        self._ends: list[float] = []
        self._moments: list[float] = []
        self._cpus: list[int] | None = []  # up to and with each item
        self._rows: list[int] = []
        self._columns: tuple[Index, Array, Array, Array | None] | None = None

    def add(self, end: float, usage: Usage, *, tenant: bool = True) -> None:
        """At `end` this becomes free; `tenant`: with its CPUs, so that one job less is on its nodes."""
        self._items.append((end, usage, tenant))
        self._sorted = False

    @property
    def moments(self) -> list[float]:
        """When anything becomes free, in order. Not to be changed."""
        self._sort()
        return self._moments

    def enough(self, cpus: int) -> float | None:
        """The first moment by which so many CPUs have become free; None when there is none."""
        self._sort()
        if self._cpus is None:
            self._cpus = list(accumulate(int(usage.cpus.sum()) for _, usage, _ in self._items))
        place = bisect_left(self._cpus, cpus)
        return self._ends[place] if place < len(self._ends) else None

    def give(self, free: Free, moment: float) -> None:
        """Write what has become free by a moment on what was free before."""
        self._sort()
        count = bisect_right(self._ends, moment)
        if not count:
            return
        at, cpus, memory, tenants = self._columns or self._flat()
        rows, size = self._rows[count - 1], len(free.cpus)
        at = at[:rows]
        free.cpus += np.bincount(at, cpus[:rows], size).astype(np.int32)
        free.memory += np.bincount(at, memory[:rows], size).astype(np.int32)
        free.tenants -= np.bincount(at, None if tenants is None else tenants[:rows], size).astype(np.int32)
        if free.gres:
            for _, usage, _ in self._items[:count]:
                for key, column in usage.gres.items():
                    free.gres[key][usage.at] += column

    def _sort(self) -> None:
        if not self._sorted:
            self._items.sort(key=lambda item: item[0])
            self._ends = [end for end, _, _ in self._items]
            self._moments = list(dict.fromkeys(self._ends))
            self._cpus = self._columns = None
            self._sorted = True

    def _flat(self) -> tuple[Index, Array, Array, Array | None]:
        items = self._items
        self._rows = list(accumulate(len(usage.at) for _, usage, _ in items))
        tenants = None
        if not all(tenant for _, _, tenant in items):
            tenants = np.concatenate([np.full(len(usage.at), tenant, np.int32) for _, usage, tenant in items])
        self._columns = (np.concatenate([usage.at for _, usage, _ in items]), np.concatenate([usage.cpus for _, usage, _ in items]),
            np.concatenate([usage.memory for _, usage, _ in items]), tenants)
        return self._columns


def _among(moment: float, moments: list[float]) -> bool:
    place = bisect_left(moments, moment)
    return place < len(moments) and moments[place] == moment


class Timeline:
    """The board from `now` on. `take`, `hold` and `keep` are the ways to write on it.

    With `ends` False nothing is taken to become free by itself: cheaper, and never too much. `inside`, where it is asked, is the owner
    whose holds the job may use, and has to.
    """

    def __init__(self, view: View, board: Board, now: float, *, ends: bool = True, pools: Pools | None = None) -> None:
        self.board = board
        self.now = now
        self.pools = pools or Pools({})
        self.kept = 0  # placements that were promised
        self._grain = view.settings.backfill_resolution
        self._holds: list[Hold] = []
        self._owners: set[str] = set()
        self._downs: list[float] = []  # moments of steps down, in order
        self._points: dict[str, list[float]] = {}  # by `inside`: moments at which what is free may be least
        self._free: dict[tuple[float, str], Free] = {}  # at those moments
        self._available: dict[tuple[int, str], Free] = {}  # the least of what is free now and at the first so many of them
        self._cpus: dict[int, int] = {}  # CPUs of that, on all nodes together
        self._releases = _Releases()
        for end, holding in releases(view, board, now) if ends else ():
            self._releases.add(end, holding.usage, tenant=not holding.without_cpus)

    @property
    def narrow(self) -> bool:
        """Whether anything is kept at all: otherwise what is free now may be had for any length of time."""
        return bool(self._holds)

    @property
    def downs(self) -> Sequence[float]:
        """When something is kept from, in order. Not to be changed."""
        return self._downs

    @property
    def owners(self) -> frozenset[str]:
        """Whose jobs have something kept for them."""
        return frozenset(self._owners)

    def owner(self, name: str) -> str:
        """The name itself when something is kept for its jobs, else ""."""
        return name if name in self._owners else ""

    def take(self, usage: Usage, end: float, *, inside: str = "") -> None:
        """A job starts now and is expected to end at `end`; the board knows already."""
        self._releases.add(rounded(end, self._grain), usage)
        self._cpus.clear()
        self._forget_insiders()
        for (moment, _), free in self._free.items():
            if moment < end:
                free.take(usage)
        if inside in self._owners:
            self.hold(Hold(self.now, end, usage, inside, -1))
        else:
            self._lower(usage.at)

    def hold(self, hold: Hold) -> None:
        """Keep so much from a moment on until another. What a job holds that uses an owner's hold is taken off it by a hold of sign -1."""
        if hold.end <= self.now or not len(hold.usage.at):
            return
        if hold.start < self.now:
            hold = hold._replace(start=self.now)
        self._holds.append(hold)
        if hold.owner:
            self._owners.add(hold.owner)
        self._points.clear()
        if not _among(hold.start, self._downs):
            insort(self._downs, hold.start)
        self._forget_insiders()
        for (moment, _), free in self._free.items():
            if hold.start <= moment < hold.end:
                free.take(hold.usage, hold.sign)
        self._available.clear()
        self._cpus.clear()

    def release(self, holds: Sequence[Hold]) -> None:
        """Keep these no longer: they were held for a trial."""
        if not holds:
            return
        gone = set(map(id, holds))
        self._holds = [hold for hold in self._holds if id(hold) not in gone]
        self._downs = sorted({hold.start for hold in self._holds})
        self._points.clear()
        self._free.clear()
        self._available.clear()
        self._cpus.clear()

    def keep(self, placement: Placement, *, inside: str = "") -> None:
        """Promise it: nothing that is placed or started from now on may stand in its way."""
        self.kept += 1
        self.hold(Hold(placement.start, placement.end, placement.usage))
        if inside in self._owners:
            self.hold(Hold(placement.start, placement.end, placement.usage, inside, -1))
        self.pools.hold(placement.pools, placement.start, placement.end)

    def available(self, start: float, end: float, *, inside: str = "") -> Free:
        """What is free all the time from `start` to `end`. Not to be written on."""
        if start > self.now:
            return self._window(start, end, inside)
        points = self._points_of(inside)
        count = bisect_left(points, end)
        if not count:
            return self.board.now
        found = self._available.get((count, inside))
        if found is None:
            found = self._at(points[0], inside).copy() if inside else self.board.now.copy()
            for moment in points[:count]:
                found.least(self._at(moment, inside))
            self._available[count, inside] = found
        return found

    def cpus_until(self, end: float) -> int:
        """CPUs that are free all the time from now to `end`, on all nodes together."""
        count = bisect_left(self._downs, end)
        found = self._cpus.get(count)
        if found is None:
            found = self._cpus[count] = int(np.maximum(self.available(self.now, end).cpus, 0).sum())
        return found

    def place(
        self, need: Need, at: Index, seconds: float, *, sparing: bool = False, inside: str = "", after: float = 0.0,
    ) -> Placement | None:
        """The earliest time after now, not before `after`, at which a job of this length fits on the nodes at these positions; None when
        none is found.

        Now itself is not asked: that was found wanting by a closer look than counts allow. `sparing`: of equal nodes rather those that are
        not free now, so that others can start there meanwhile.
        """
        if not len(at):
            return None
        moments = self._moments()
        low, high = max(bisect_right(moments, self.now), bisect_left(moments, after)), len(moments)
        if plain(need) and not need.gpus_job and need.spec is None:
            lacking = need.total_cpus - self.board.free_cpus
            if lacking > 0:  # before so many CPUs have become free there is no need to look where
                enough = self._releases.enough(lacking)
                if enough is None:
                    return None
                low = max(low, bisect_left(moments, enough))
            if low < high:
                free = self._released(moments[low])
                found = self._fit(free, need, at, sparing)
                if found is not None:
                    if not self._holds and not need.pools and (usage := self.board.future(found, need, free)) is not None:
                        return Placement(moments[low], moments[low] + seconds, found, usage, {})
                    return self._from(moments[low], need, at, seconds, sparing, inside)
                low += 1
        while low < high:
            middle = (low + high) // 2
            if self._fit(self._released(moments[middle]), need, at, sparing) is not None:
                high = middle
            else:
                low = middle + 1
        return self._from(moments[low], need, at, seconds, sparing, inside) if low < len(moments) else None

    def _moments(self) -> list[float]:
        """When anything may have become free: jobs end, holds and pools are given back."""
        others = {rounded(hold.end, self._grain) for hold in self._holds if hold.sign > 0} | {rounded(moment, self._grain)
            for moment in self.pools.moments()}
        others |= {hold.start for hold in self._holds if hold.owner and hold.start > self.now}
        return sorted(others.union(self._releases.moments)) if others else self._releases.moments

    def _from(self, first: float, need: Need, at: Index, seconds: float, sparing: bool, inside: str) -> Placement | None:
        """The earliest place from `first` on that leaves what is kept alone."""
        moments = self._moments()
        begin = bisect_left(moments, first)
        downs = self._downs
        fits: dict[float, bool] = {}
        earliest = first
        for start in moments[begin: begin + STEPS]:
            if start < earliest:
                continue
            for moment in reversed(downs[bisect_left(downs, start): bisect_left(downs, start + seconds)]):
                if moment not in fits:
                    fits[moment] = self._fit(self._at(moment, inside), need, at, sparing) is not None
                if not fits[moment]:
                    # nothing that is there at this step down will do, so the job starts after it
                    earliest = moment + 1e-6
                    break
            else:
                pools = self.pools.choose(need.pools, start, start + seconds)
                found = self._placed(start, need, at, seconds, sparing, inside) if pools is not None else None
                if found is not None and pools is not None:
                    return Placement(start, start + seconds, found[0], found[1], pools)
        return None

    def _placed(self, start: float, need: Need, at: Index, seconds: float, sparing: bool, inside: str) -> tuple[list[tuple[Room, int]],
            Usage] | None:
        free = self._window(start, start + seconds, inside)
        found = self._fit(free, need, at, sparing)
        usage = self.board.future(found, need, free) if found is not None else None
        return (found, usage) if found is not None and usage is not None else None

    def _released(self, moment: float) -> Free:
        """What is free then if nothing is kept and nothing new starts."""
        free = self.board.now.copy()
        if moment > self.now:
            self._releases.give(free, moment)
        return free

    def _at(self, moment: float, inside: str) -> Free:
        """What is free at a moment; remembered and kept right for the steps down."""
        found = self._free.get((moment, inside))
        if found is None:
            found = self._beside(moment, inside)
            if _among(moment, self._points_of(inside)):
                self._free[moment, inside] = found
        return found

    def _beside(self, moment: float, inside: str) -> Free:
        """What is free at a moment beside what is kept for others; for `inside` no more CPUs and devices than are kept for it."""
        free = self._released(moment)
        own: list[Hold] = []
        for hold in self._holds:
            if hold.start <= moment < hold.end:
                if inside and hold.owner == inside:
                    own.append(hold)
                else:
                    free.take(hold.usage, hold.sign)
        if inside:
            free.within([(hold.usage, hold.sign) for hold in own])
        return free

    def _forget_insiders(self) -> None:
        """What owners' jobs may have is cut down to what is kept for them, so it is not corrected but worked out again."""
        if self._owners:
            self._free = {key: free for key, free in self._free.items() if not key[1]}

    def _window(self, start: float, end: float, inside: str = "") -> Free:
        """What is free all the time between, beside what is kept."""
        free = self._beside(start, inside)
        points = self._points_of(inside)
        for moment in points[bisect_right(points, start): bisect_left(points, end)]:
            free.least(self._at(moment, inside))
        return free

    def _points_of(self, inside: str) -> list[float]:
        """The moments at which what is free may be least: the steps down, and for an owner's jobs also now and when its holds end."""
        if not inside:
            return self._downs
        found = self._points.get(inside)
        if found is None:
            ends = {hold.end for hold in self._holds if hold.owner == inside and hold.sign > 0}
            found = self._points[inside] = sorted({self.now, *self._downs, *ends})
        return found

    def _lower(self, at: Index) -> None:
        """Less is free at these positions now and at some steps down: what was found available is corrected there."""
        for (count, inside), found in self._available.items():
            if not inside:
                found.least(self.board.now, at)
            for moment in self._points_of(inside)[:count]:
                found.least(self._at(moment, inside), at)

    def _fit(self, free: Free, need: Need, at: Index, sparing: bool) -> list[tuple[Room, int]] | None:
        tasks = self.board.tasks(free, need, at)
        able = np.flatnonzero(tasks)
        if len(able) < need.nodes_min:
            return None
        at, tasks = at[able], tasks[able]
        total = need.total_tasks
        if int(tasks.sum()) < total:
            return None
        if sparing:
            order = np.argsort(self.board.now.cpus[at] > 0, kind="stable")
            at, tasks = at[order], tasks[order]
        if plain(need) and not need.gpus_job:
            leaves = self.board.leaves(need.layout)
            some = few(tasks, need, None if leaves is None else leaves[at])
            if some is None:
                return None
            found = choose(self.board.rooms(free, need, at[some], tasks[some]), need)
            if found is not None or len(some) == len(at):
                return found
        return choose(self.board.rooms(free, need, at, tasks), need)
