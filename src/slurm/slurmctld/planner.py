"""When to plan, and what becomes of a plan: proposals are checked against the present and applied as Started.

A quick pass follows every event that may let a job start (many events, one pass: it runs once a loop turn). Passes that take long are kept
apart, so that planning never takes more than a fixed part of the time and requests are answered between them. The full pass, with
backfill and forecasts, follows when something changed and its interval went by. Verdicts say of each pending job why it waits; they are
derived, so they are not in the journal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from slurm.core.illegal import IllegalTransition
from slurm.model.ids import JobId
from slurm.sched import priority
from slurm.sched.plan import Forecast, Plan, plan
from slurm.sched.queue import Queue
from slurm.sched.refusal import Refusal
from slurm.slurmctld.engine import Engine

log = logging.getLogger("slurmctld.planner")
FULL_SECONDS = 2.0
"""A full pass follows the one before it after so long at the earliest."""
QUICK_REST = 4.0
"""A quick pass follows the one before it after so many times the time that one took: a fifth of the time is its share."""
FULL_REST = 10.0
"""The same for full passes."""
UNNOTICED_SECONDS = 0.002
"""A quick pass as short as this needs no rest: with few jobs waiting, each end starts the next one at once."""


class Planner:
    """Plans for `engine.cluster`; `verdicts` and `forecasts` are by job id, for squeue and explanations."""

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self._queue = Queue()
        self._quick: asyncio.Handle | None = None
        self._full: asyncio.TimerHandle | None = None
        self._quick_after = 0.0  # loop time before which none of the kind begins
        self._full_after = 0.0
        self._stopped = False
        self.verdicts: dict[JobId, Refusal] = {}
        self.forecasts: dict[JobId, Forecast] = {}
        self.last_pass = 0.0
        self.passes = 0
        self.seconds = 0.0

    def trigger(self) -> None:
        """Plan soon: one quick pass, at the end of this loop turn if it may, and one full pass when its interval is over."""
        if self._stopped:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._quick is None:
            wait = self._quick_after - now
            self._quick = loop.call_later(wait, self._run_quick) if wait > 0 else loop.call_soon(self._run_quick)
        if self._full is None:
            self._full = loop.call_later(max(self._full_after - now, 0.05), self._run_full)

    def rest(self, seconds: float) -> None:
        """Start nothing for so many seconds: an operator is about to end the cluster in order."""
        until = asyncio.get_running_loop().time() + seconds
        self._quick_after = max(self._quick_after, until)
        self._full_after = max(self._full_after, until)
        self._cancel()
        self.trigger()

    def stop(self) -> None:
        """No more passes."""
        self._stopped = True
        self._cancel()

    def _cancel(self) -> None:
        for handle in (self._quick, self._full):
            if handle is not None:
                handle.cancel()
        self._quick = self._full = None

    def _run_quick(self) -> None:
        self._quick = None
        took = self._timed(full=False)
        if took > UNNOTICED_SECONDS:
            self._quick_after = max(self._quick_after, asyncio.get_running_loop().time() + QUICK_REST * took)

    def _run_full(self) -> None:
        self._full = None
        began = asyncio.get_running_loop().time()
        took = self._timed(full=True)
        self._full_after = max(self._full_after, began + max(FULL_SECONDS, FULL_REST * took))

    def _timed(self, *, full: bool) -> float:
        began = time.perf_counter()
        started = self.run(full=full)
        took = time.perf_counter() - began
        self.seconds += took
        if started or full:
            log.debug("%s pass: %d jobs started, %d wait, %.3f s", "full" if full else "quick", started, len(self._engine.cluster.pending), took)
        return took

    def run(self, *, full: bool) -> int:
        """One pass; returns how many jobs were started. While the disk takes no events nothing is started: the engine asks again."""
        if self._engine.stalled:
            return 0
        cluster = self._engine.cluster
        now = self._now()
        self._show_priorities(now, everything=full)
        depth = None if full else cluster.settings.default_queue_depth
        outcome = plan(cluster, now, depth=depth, backfill=full and cluster.settings.scheduler == "backfill", queue=self._queue)
        if full:
            self.verdicts = {}
            self.forecasts = dict(outcome.forecasts)
        for proposal in outcome.proposals:
            self.verdicts.pop(proposal.job, None)
        self.verdicts.update(outcome.verdicts)
        started = self._apply(outcome, now)
        self.last_pass = now
        self.passes += 1
        return started

    def _apply(self, outcome: Plan, now: float) -> int:
        cluster = self._engine.cluster
        started = 0
        for proposal in outcome.proposals:
            event = cluster.starting(proposal.job, proposal.task, proposal.allocation, now)
            if event is None:
                log.debug("proposal for job %s is out of date", proposal.job)
                continue
            try:
                self._engine.record(event)
            except IllegalTransition:
                log.exception("job %s was proposed and cannot start", proposal.job)
                continue
            started += 1
        return started

    def _show_priorities(self, now: float, *, everything: bool) -> None:
        """Write down the priorities that users see. They follow from the records and the time, so they are in no event."""
        cluster = self._engine.cluster
        scale = priority.Scale(cluster, now)
        for job in cluster.pending_jobs():
            if everything or not job.priority:
                job.priority = scale.value(job)
