"""Passes: full passes over one cluster, one after the other. After one that started nobody, those who arrive next are looked at alone.

Who waited then waits still, as long as only new jobs have joined behind them: less time does not become more. That is not so where
priorities age, where limits, licences or reservations keep jobs back, or where a job has run longer than it said: then, and after every
other event, a whole pass follows. What is found is what a whole pass would find.
"""

from __future__ import annotations

from itertools import takewhile

from slurm.core.gates.stack import eligible
from slurm.model.job import Job
from slurm.model.states import JobState, Reason
from slurm.sched.lengths import expected_end
from slurm.sched.plan import Pass, carried_out
from slurm.sched.proposal import Plan
from slurm.sched.queue import Queue, lasts, newest_first
from slurm.sched.terrain import Terrain
from slurm.sched.view import View


class Passes:
    """The passes of one simulator. `terrain` and `queue` are kept from one to the next."""

    def __init__(self, view: View, queue: Queue | None = None) -> None:
        self.view = view
        self.queue = queue or Queue()
        self.terrain = Terrain(view)
        self._kept: Pass | None = None  # the last one, if it started nobody
        self._changes = -1  # View.changes then
        self._until = 0.0  # when the first of those that run may be late
        self._last_place = 0  # the highest Job.queue_place that it saw

    def plan(self, now: float, *, backfill: bool, told: bool) -> Plan:
        """What a full pass finds now; `told` as `plan` takes it."""
        found = self._of_arrivals(now, backfill) if self._kept is not None and not told else None
        if found is not None:
            return found
        self.terrain.refresh()
        work = Pass(self.view, now, backfill, self.terrain)
        work.ahead.told = told
        outcome = carried_out(work, self.queue, forecasts=0)
        self._keep(work, outcome)
        return outcome

    def _keep(self, work: Pass, found: Plan) -> None:
        view, settings = self.view, self.view.settings
        whole = found.everybody and not (found.proposals or found.changes or found.faults)
        self._kept = work if whole and work.sight and lasts(view) and not (
            settings.backfill_min_age or work.most_starts or view.suspended or view.promised) else None
        self._changes = view.changes
        self._until = 0.0
        self._last_place = next((job.queue_place for job in newest_first(view.pending.values())), 0)

    def _of_arrivals(self, now: float, backfill: bool) -> Plan | None:
        """What a whole pass would find, by a look at those who joined; None when it takes a whole pass."""
        work, view = self._kept, self.view
        if work is None or view.changes != self._changes or work.backfill != backfill or view.settings is not work.settings:
            return None
        if backfill and len(view.pending) > view.settings.backfill_max_jobs:
            return None
        if not self._until:
            self._until = self._first_end(work.now)
        if now + 1.0 >= self._until:
            return None
        new = list(takewhile(lambda one: one.queue_place > self._last_place, newest_first(view.pending.values())))
        if self.queue.rearranges and (len(new) > 1 or not all(self._behind(work, job) for job in new)):
            return None
        looked = self.queue.fresh(view, now)
        joined = [job for _, job in looked[len(looked) - len(new):]]
        if {job.id for job in joined} != {job.id for job in new}:
            return None
        found = work.go_on(now, joined)
        self._keep(work, found)
        return found

    def _first_end(self, now: float) -> float:
        """When the first of those that run is expected to end; 0.0 where that depends on the time at which it is asked."""
        running = self.view.active.values()
        if any(job.completing or job.state is not JobState.RUNNING for job in running):
            return 0.0
        return min((expected_end(self.view, job, now) for job in running), default=float("inf"))

    def _behind(self, work: Pass, job: Job) -> bool:
        """Whether it comes after the first that has to wait, which is the only one that is promised a start, whatever their order is."""
        verdicts = work.plan.verdicts
        first = next((one for _, one in self.queue.looked if one.id in verdicts and eligible(one)), None)
        return (first is not None and first.partition == job.partition and verdicts[first.id].reason == Reason.RESOURCES
                and work.blocked == {job.partition} and (not work.backfill or self.view.settings.backfill_reservations == 1))
