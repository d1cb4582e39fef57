"""Timeline: what becomes free when, judging by time limits; and the reservations that keep backfill honest.

A reservation promises a waiting job its nodes from a start time on. Whoever starts now and is still there then must leave enough for it: that is checked
at the start of each reservation (a checkpoint), because between two checkpoints things only become free.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from math import ceil

import numpy as np

from slurm.model.job import Job
from slurm.sched.board import Board, Free, Index, Usage, few
from slurm.sched.choose import choose, plain
from slurm.sched.need import Need
from slurm.sched.room import Room
from slurm.sched.view import View

YEAR = 365 * 86400.0
"""How long a job without a time limit is taken to run, as in Slurm."""
STEPS = 200
"""How many moments are tried for one reservation once the earliest possible one is known."""


class Reservation:
    """From `start` to `end` (seconds since the epoch) this is promised to a job; `rooms` are its nodes with their tasks."""

    __slots__ = ("end", "rooms", "start", "usage")

    def __init__(self, start: float, end: float, rooms: list[tuple[Room, int]], usage: Usage) -> None:
        self.start = start
        self.end = end
        self.rooms = rooms
        self.usage = usage

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes in rank order."""
        return [str(one.node.name) for one, _ in self.rooms]


class _Releases:
    """Shares that become free, as flat columns; sorted and made arrays when next asked."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, int, int, int]] = []
        self.devices: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
        self.sorted = False

    def add(self, end: float, usage: Usage) -> None:
        self.rows += [(end, at, cpus, memory) for at, cpus, memory in zip(
            usage.at.tolist(), usage.cpus.tolist(), usage.memory.tolist(), strict=True)]
        for key, column in usage.gres.items():
            self.devices.setdefault(key, []).extend(
                (end, at, count) for at, count in zip(usage.at.tolist(), column.tolist(), strict=True) if count)
        self.sorted = False

    def sort(self) -> None:
        self.rows.sort()
        table = np.array(self.rows, np.float64).reshape(-1, 4)
        self.ends = table[:, 0]
        self.at, self.cpus, self.memory = (table[:, i].astype(np.intp) for i in (1, 2, 3))
        for column in self.devices.values():
            column.sort()
        self.moments: list[float] = np.unique(self.ends).tolist()
        self.sorted = True


def rounded(moment: float, grain: int) -> float:
    """The first moment from this one on that the plan's times are given to: bf_resolution, in seconds."""
    return moment if grain <= 1 else ceil(moment / grain) * float(grain)


class Timeline:
    """The board from `now` on. `take` and `reserve` are the ways to write on it; both keep the checkpoints right."""

    def __init__(self, view: View, board: Board, now: float) -> None:
        self.board = board
        self.now = now
        self.reservations: list[Reservation] = []
        self._checkpoints: list[tuple[float, int, Free]] = []
        self._available: dict[int, Free] = {}
        self._grain = view.settings.backfill_resolution
        self._releases = _Releases()
        for job in view.active.values():
            if job.allocation is not None:
                held = [share for share in job.allocation.shares if share.node in job.nodes_left]
                self._releases.add(rounded(expected_end(view, job, now), self._grain), board.usage(held))

    def take(self, usage: Usage, end: float) -> None:
        """A job starts now and is expected to end at `end`; the board knows already."""
        self._releases.add(rounded(end, self._grain), usage)
        for moment, _, spare in self._checkpoints:
            if moment < end:
                spare.take(usage)
        self._available.clear()

    def available(self, end: float) -> Free:
        """What a job may have that starts now and ends at `end`. Not to be written on."""
        count = bisect_left(self._checkpoints, end, key=lambda point: point[0])
        if not count:
            return self.board.now
        found = self._available.get(count)
        if found is None:
            found = self.board.now.copy()
            for _, _, spare in self._checkpoints[:count]:
                found.least(spare)
            self._available[count] = found
        return found

    def place(self, need: Need, at: Index, seconds: float, *, sparing: bool = False) -> Reservation | None:
        """The earliest time after now at which a job of this length fits on the nodes at these positions; None when none is found.

        Now itself is not asked: that was found wanting by a closer look than counts allow. `sparing`: of equal nodes rather those that are not free now, so that others can start there meanwhile.
        """
        if not len(at):
            return None
        if not self._releases.sorted:
            self._releases.sort()
        moments = self._releases.moments
        low, high = bisect_right(moments, self.now), len(moments)
        while low < high:
            middle = (low + high) // 2
            if self._fit(self._free_at(moments[middle]), need, at, sparing) is not None:
                high = middle
            else:
                low = middle + 1
        if low >= len(moments):
            return None
        return self._from(moments[low], need, at, seconds, sparing)

    def _from(self, first: float, need: Need, at: Index, seconds: float, sparing: bool) -> Reservation | None:
        """The earliest place from `first` on that leaves the promises alone."""
        releases = self._releases.moments
        begin = bisect_right(releases, first)
        ends = (rounded(one.end, self._grain) for one in self.reservations if one.end > first)
        fits: dict[int, bool] = {}
        earliest = first
        for start in [first, *sorted({*ends, *releases[begin: begin + STEPS]})[:STEPS]]:
            if start < earliest:
                continue
            for moment, number, spare in reversed(self._checkpoints):
                if start <= moment < start + seconds:
                    if number not in fits:
                        fits[number] = self._fit(spare, need, at, sparing) is not None
                    if not fits[number]:
                        # nothing that is there at this checkpoint will do, so the job starts after it
                        earliest = moment + 1e-6
                        break
            else:
                free = self._window(start, start + seconds)
                found = self._fit(free, need, at, sparing)
                usage = self.board.future(found, need, free) if found is not None else None
                if found is not None and usage is not None:
                    return Reservation(start, start + seconds, found, usage)
        return None

    def reserve(self, reservation: Reservation) -> None:
        """Promise it: nothing that is placed or started from now on may stand in its way."""
        for moment, _, spare in self._checkpoints:
            if reservation.start <= moment < reservation.end:
                spare.take(reservation.usage)
        self.reservations.append(reservation)
        insort(self._checkpoints, (reservation.start, len(self.reservations), self._spare(reservation.start)), key=lambda point: point[:2])
        self._available.clear()

    def _free_at(self, moment: float) -> Free:
        """What is free then if nothing new starts."""
        releases = self._releases
        if not releases.sorted:
            releases.sort()
        free = self.board.now.copy()
        count = int(np.searchsorted(releases.ends, moment, side="right")) if moment > self.now else 0
        if count:
            at, size = releases.at[:count], len(self.board.nodes)
            free.cpus += np.bincount(at, releases.cpus[:count], size).astype(np.int32)
            free.memory += np.bincount(at, releases.memory[:count], size).astype(np.int32)
            free.tenants -= np.bincount(at, minlength=size).astype(np.int32)
            for key, column in releases.devices.items():
                for end, position, devices in column:
                    if end > moment:
                        break
                    free.gres[key][position] += devices
        return free

    def _spare(self, moment: float) -> Free:
        free = self._free_at(moment)
        for one in self.reservations:
            if one.start <= moment < one.end:
                free.take(one.usage)
        return free

    def _window(self, start: float, end: float) -> Free:
        """What is free all the time between, beside what is promised."""
        free = self._spare(start)
        for moment, _, spare in self._checkpoints:
            if start < moment < end:
                free.least(spare)
        return free

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
            some = few(tasks, need)
            if some is None:
                return None
            found = choose(self.board.rooms(free, need, at[some], tasks[some]), need)
            if found is not None or len(some) == len(at):
                return found
        return choose(self.board.rooms(free, need, at, tasks), need)


def expected_end(view: View, job: Job, now: float) -> float:
    """When a job that holds resources gives them back; what should have ended by now is taken to end in a second."""
    if job.completing:
        return now + 1.0
    end = view.expected_end(job)
    return max(job.start_time + YEAR if end is None else end, now + 1.0)


def length(job: Job) -> float:
    """How long a waiting job will run at most, in seconds."""
    return float(job.time_limit) if job.time_limit >= 0 else YEAR
