"""When to plan, and what becomes of a plan: proposals are checked against the present and applied as Started.

A quick pass follows every event that may let a job start (many events, one pass: it runs once a loop turn). The full pass, with
backfill and forecasts, follows when something changed and at least `bf_interval` went by. Verdicts say of each pending job why it waits; they
are derived, so they are not in the journal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from slurm.core.events import Started
from slurm.model.errors import StoreError
from slurm.model.ids import JobId
from slurm.sched import priority
from slurm.sched.plan import Forecast, plan
from slurm.sched.refusal import Refusal
from slurm.slurmctld.engine import Engine

log = logging.getLogger("slurmctld.planner")


class Planner:
    """Plans for `engine.cluster`; `verdicts` and `forecasts` are by job id, for squeue and explanations."""

    def __init__(self, engine: Engine, now: Callable[[], float], full_interval: float = 2.0) -> None:
        self._engine = engine
        self._now = now
        self.full_interval = full_interval
        self._quick: asyncio.Handle | None = None
        self._full: asyncio.TimerHandle | None = None
        self._last_full = 0.0
        self.verdicts: dict[JobId, Refusal] = {}
        self.forecasts: dict[JobId, Forecast] = {}
        self.last_pass = 0.0
        self.passes = 0
        self.seconds = 0.0

    def trigger(self) -> None:
        """Plan soon: one quick pass at the end of this loop turn, one full pass when its interval is over."""
        loop = asyncio.get_running_loop()
        if self._quick is None:
            self._quick = loop.call_soon(self._run_quick)
        if self._full is None:
            wait = max(0.0, self._last_full + self.full_interval - loop.time())
            self._full = loop.call_later(max(wait, 0.05), self._run_full)

    def stop(self) -> None:
        """No more passes."""
        for handle in (self._quick, self._full):
            if handle is not None:
                handle.cancel()

    def _run_quick(self) -> None:
        self._quick = None
        self.run(full=False)

    def _run_full(self) -> None:
        self._full = None
        self._last_full = asyncio.get_running_loop().time()
        self.run(full=True)

    def run(self, *, full: bool) -> int:
        """One pass; returns how many jobs were started. While the disk takes no events nothing is started."""
        if self._engine.stalled:
            asyncio.get_running_loop().call_later(1.0, self.trigger)
            return 0
        began = time.perf_counter()
        cluster = self._engine.cluster
        now = self._now()
        self._show_priorities(now, everything=full)
        depth = None if full else cluster.settings.default_queue_depth
        outcome = plan(cluster, now, depth=depth, backfill=full and cluster.settings.scheduler == "backfill")
        if full:
            self.verdicts = {}
            self.forecasts = dict(outcome.forecasts)
        for proposal in outcome.proposals:
            self.verdicts.pop(proposal.job, None)
        self.verdicts.update(outcome.verdicts)
        events: list[Started] = []
        for proposal in outcome.proposals:
            event = cluster.starting(proposal.job, proposal.task, proposal.allocation, now)
            if event is None:
                log.debug("proposal for job %s is out of date", proposal.job)
                continue
            try:
                self._engine.record(event)
            except StoreError as error:
                log.error("cannot start job %s: %s", proposal.job, error)
                break
            events.append(event)
        self.last_pass = now
        self.passes += 1
        self.seconds += time.perf_counter() - began
        return len(events)

    def _show_priorities(self, now: float, *, everything: bool) -> None:
        """Write down the priorities that users see. They follow from the records and the time, so they are in no event."""
        cluster = self._engine.cluster
        for job in cluster.pending_jobs():
            if everything or not job.priority:
                job.priority = priority.value(cluster, job, now)
