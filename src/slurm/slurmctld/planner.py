"""When to plan, and what becomes of a plan: proposals are checked against the present and applied as Started.

A quick pass follows every event that may let a job start, as `sched.policy` says (many events, one pass: it runs once a loop turn). Passes
that take long are kept apart, so that planning never takes more than a fixed part of the time and requests are answered between them. The
full pass, with backfill and forecasts, follows when something changed and its interval went by; one that takes long is made in a process
beside, which sees the cluster as it was at that moment, and what it found is taken over in small parts. Verdicts say of each pending job
why it waits; they are derived, so they are not in the journal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile
from typing import TypeVar

import msgspec

from slurm.core import preempting
from slurm.core.events import Event, PromiseEnded, Started
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.sched import gang, priority
from slurm.sched.plan import plan
from slurm.sched.policy import Policy
from slurm.sched.proposal import CUT_SHORT, Change, Forecast, Plan, Proposal
from slurm.sched.queue import Look, Queue, newest_first
from slurm.sched.terrain import Terrain
from slurm.slurmctld import faults, full_pass
from slurm.slurmctld.beside import Beside
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.statistics import Counters

log = logging.getLogger("slurmctld.planner")
FULL_SECONDS = 2.0
"""A full pass follows the one before it after so long at the earliest."""
QUICK_REST = 4.0
"""A quick pass follows the one before it after so many times the time that one took: a fifth of the time is its share."""
FULL_REST = 10.0
"""The same for full passes."""
UNNOTICED_SECONDS = 0.002
"""A quick pass as short as this needs no rest: with few jobs waiting, each end starts the next one at once."""
LONG_SECONDS = 0.02
"""A full pass as long as this would keep others waiting: the next one is made beside."""
MANY = 300
"""So many waiting jobs are taken to need a long pass before one was seen."""
MANY_TOGETHER = 20
"""As many where heterogeneous jobs are among them: their components are sought places for again and again."""
MOST_AT_ONCE = 5000
"""More waiting jobs than these are not put in order for the first time between requests, but beside."""
MOST_SECONDS = 30
"""So long a full pass goes on where bf_max_time says nothing: one cycle of backfill."""
PART = full_pass.PART
"""Of so many jobs at a time is taken over what was found beside; between two parts, others have their turn."""
T = TypeVar("T")


class Planner:
    """Plans for `engine.cluster`; `verdicts` and `forecasts` are by job id, for squeue and explanations."""

    def __init__(self, engine: Engine, now: Callable[[], float], counters: Counters | None = None) -> None:
        self._engine = engine
        self._now = now
        self._counters = counters or Counters(engine.cluster, now)
        self._queue = Queue()
        self._terrain = Terrain(engine.cluster)
        self._quick: asyncio.Handle | None = None
        self._full: asyncio.TimerHandle | None = None
        self._quick_after = 0.0  # loop time before which none of the kind begins
        self._full_after = 0.0
        self.beside = Beside()
        self._looking: asyncio.Task[None] | None = None  # a full pass beside
        self._put_off = False  # whether a quick pass waits for the order that a full one finds
        self._beside_fails = False
        self._long = False  # whether the last full pass took long
        self._stopped = False
        self._faults = faults.Faults()
        self._policy = Policy()
        self._applying = False  # whether events come from this planner's own proposals
        self._net: asyncio.TimerHandle | None = None
        self._gang: asyncio.TimerHandle | None = None
        self._exempt: asyncio.TimerHandle | None = None
        self.verdicts: dict[JobId, Refusal] = {}
        self.forecasts: dict[JobId, Forecast] = {}
        self._shown = -1, 0  # of which waiting jobs the priority was written down: Cluster.reordered, and the highest place in the queue
        self.last_pass = 0.0
        self.passes = 0
        self.seconds = 0.0

    @property
    def looking(self) -> bool:
        """Whether a full pass is being made beside."""
        return self._looking is not None

    def waiting(self) -> Iterator[Job]:
        """The jobs that only room keeps from starting, the first to start first."""
        return self._queue.first(self._engine.cluster, self._now())

    def terrain(self) -> Terrain:
        """The nodes as they are now, for looks at them between passes."""
        self._terrain.refresh()
        return self._terrain

    def noticed(self, event: Event | None) -> None:
        """An event holds, or (None) the disk takes events again: plan soon if that may let a job start."""
        cluster = self._engine.cluster
        due = event is None or self._policy.noticed(
            type(event).__name__, own=self._applying and isinstance(event, Started), awaited=bool(cluster.dependents))
        if due and (cluster.pending or cluster.suspended):
            self.trigger()

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
        for handle in (self._gang, self._exempt):
            if handle is not None:
                handle.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _cancel(self) -> None:
        for handle in (self._quick, self._full, self._net):
            if handle is not None:
                handle.cancel()
        self._quick = self._full = self._net = None

    def _run_quick(self) -> None:
        self._quick = None
        cluster = self._engine.cluster
        if len(cluster.pending) > MOST_AT_ONCE and not self._beside_fails and not self._queue.is_known(cluster):
            self._put_off = True
            return
        took = self._timed(full=False)
        rest = max(QUICK_REST * took if took > UNNOTICED_SECONDS else 0.0, cluster.settings.sched_min_interval / 1_000_000)
        if rest:
            self._quick_after = max(self._quick_after, asyncio.get_running_loop().time() + rest)

    def _run_full(self) -> None:
        loop = asyncio.get_running_loop()
        self._full = None
        if self._looking is not None:
            self._full = loop.call_later(FULL_SECONDS, self._run_full)
        elif self._long or self._looks_long():
            self._looking = loop.create_task(self._look_beside())
        else:
            self._rest_after_full(loop.time(), self._timed(full=True))

    def _looks_long(self) -> bool:
        """Whether a full pass would take long, judging by what waits."""
        pending = self._engine.cluster.pending
        return len(pending) > MANY or (len(pending) > MANY_TOGETHER and any(job.het for job in pending.values()))

    def _rest_after_full(self, began: float, took: float) -> None:
        self._long = took > LONG_SECONDS
        self._full_after = max(self._full_after, began + max(FULL_SECONDS, FULL_REST * took))
        if not self._stopped and self._engine.cluster.pending:
            # Nothing but the passage of time may have changed, as when a job runs longer than it said.
            settings = self._engine.cluster.settings
            interval = settings.backfill_interval if settings.scheduler == "backfill" else settings.sched_interval
            if self._net is not None:
                self._net.cancel()
                self._net = None
            if interval >= 0:
                self._net = asyncio.get_running_loop().call_later(max(interval, FULL_SECONDS), self.trigger)

    async def _look_beside(self) -> None:
        """A full pass in a process beside; a failure is in the log, and the next pass follows as after any other."""
        loop = asyncio.get_running_loop()
        began, now = loop.time(), self._now()
        cluster = self._engine.cluster
        waiting = len(cluster.pending)
        self._policy.begin(full=True)
        try:
            barred = self._faults.barred(cluster.pending, loop.time())
            most = cluster.settings.backfill_max_time or MOST_SECONDS
            found = full_pass.read(await self.beside.run(lambda: full_pass.made(cluster, now, self._terrain, barred, _after(most))))
            self._note_faults(found.faults)
            started = await self._take_over(found, now)
            self._counters.full.add(now, int((loop.time() - began) * 1_000_000), found.depth, waiting, started, found.ended_by)
            self._go_on(found.ended_by)
            self._beside_fails = False
            log.debug("full pass beside: %d jobs started, %d wait, %.3f s", started, len(cluster.pending), loop.time() - began)
        except Exception as error:
            # Whatever it was, jobs go on being planned.
            self._beside_fails = True
            log.error("a full pass failed: %s", error, exc_info=not isinstance(error, RuntimeError | TimeoutError | OSError))
            self._full = self._full or loop.call_later(FULL_REST, self._run_full)
        finally:
            self._looking = None
            self._rest_after_full(began, loop.time() - began)
            if self._put_off:
                self._put_off = False
                self.trigger()

    async def _take_over(self, found: full_pass.Found, now: float) -> int:
        """Make what was found beside hold, part by part; returns how many jobs were started."""
        cluster = self._engine.cluster
        self._queue.adopted(cluster.settings, await self._looked(found), found.place)
        started = 0
        for proposals in _parts(found.proposals, PART // 10):
            if self._engine.stalled:
                return started
            with self._own_events():
                started += self._apply(proposals, self._now())
            await asyncio.sleep(0)
        self._change(found.changes)
        self._look_again(now, found.again)
        await self._forget_gone()
        self.forecasts = found.forecasts
        self._policy.looked(found.refusals, full=True, everybody=found.everybody and started == len(found.proposals))
        self.last_pass = now
        self.passes += 1
        return started

    async def _looked(self, found: full_pass.Found) -> Look:
        """The order of a look beside; the verdicts hold from now on. Of what has joined the queue meanwhile, quick passes know."""
        look, pending, refusals = Look(), self._engine.cluster.pending, found.refusals
        for part in found.parts:
            verdicts = self.verdicts
            for looked in full_pass.looked(part):
                job = pending.get(looked.job)
                if job is None:
                    continue
                if not job.het:  # these share a place, not a priority
                    job.priority = -looked.key[1]
                look.add(looked.key, job, waits=not looked.eligible)
                if looked.refused >= 0:
                    verdicts[looked.job] = refusals[looked.refused]
                else:
                    verdicts.pop(looked.job, None)
            await asyncio.sleep(0)
        return look

    async def _forget_gone(self) -> None:
        """What has left the queue has no verdict."""
        verdicts, pending = self.verdicts, self._engine.cluster.pending
        for ids in _parts(list(verdicts)):
            for job_id in ids:
                if job_id not in pending:
                    verdicts.pop(job_id, None)
            await asyncio.sleep(0)
        self.verdicts.update(self._faults.verdicts)

    def _timed(self, *, full: bool) -> float:
        began = time.perf_counter()
        started = self.run(full=full)
        took = time.perf_counter() - began
        self.seconds += took
        if started or full:
            log.debug("%s pass: %d jobs started, %d wait, %.3f s", "full" if full else "quick", started, len(self._engine.cluster.pending),
                took)
        return took

    def run(self, *, full: bool) -> int:
        """One pass; returns how many jobs were started. While the disk takes no events nothing is started: the engine asks again."""
        if self._engine.stalled:
            return 0
        cluster = self._engine.cluster
        now = self._now()
        self._show_priorities(now, everything=full)
        depth = None if full else cluster.settings.default_queue_depth
        began, waiting = time.perf_counter(), len(cluster.pending)
        self._policy.begin(full=full)
        backfill = full and cluster.settings.scheduler == "backfill"
        outcome = plan(cluster, now, depth=depth, backfill=backfill, queue=self._queue, terrain=self._terrain,
                       without=self._faults.barred(cluster.pending, asyncio.get_running_loop().time()),
                       over=_after((cluster.settings.backfill_max_time or MOST_SECONDS) if backfill else cluster.settings.sched_max_time))
        self._note_faults(outcome.faults)
        if full:
            self.verdicts = {}
            self.forecasts = dict(outcome.forecasts)
        for proposal in outcome.proposals:
            for job_id, _ in proposal.parts:
                self.verdicts.pop(job_id, None)
        self.verdicts.update(outcome.verdicts)
        self._policy.looked(outcome.verdicts.values(), full=full, everybody=outcome.everybody)
        with self._own_events():
            started = self._apply(outcome.proposals, now)
        self._change(outcome.changes)
        self._look_again(now, outcome.again)
        self._count(full, began, outcome, waiting, started)
        self.verdicts.update(self._faults.verdicts)
        self.last_pass = now
        self.passes += 1
        return started

    def _count(self, full: bool, began: float, outcome: Plan, waiting: int, started: int) -> None:
        """For sdiag: how long the pass took, how far it went and what ended it."""
        passes = self._counters.full if full else self._counters.quick
        passes.add(self._now(), int((time.perf_counter() - began) * 1_000_000), outcome.depth, waiting, started, outcome.ended_by)
        self._go_on(outcome.ended_by)

    def _go_on(self, ended_by: str) -> None:
        """What was cut short may start more although nothing changes; the rest between passes bounds how often."""
        if ended_by in CUT_SHORT:
            self.trigger()

    @contextmanager
    def _own_events(self) -> Iterator[None]:
        """What is recorded meanwhile are starts that the pass has reckoned with."""
        self._applying = True
        try:
            yield
        finally:
            self._applying = False

    def _apply(self, proposals: Iterable[Proposal], now: float) -> int:
        cluster = self._engine.cluster
        started = 0
        for proposal in proposals:
            try:
                event = cluster.starting(proposal.job, proposal.task, proposal.allocation, now, proposal.time_limit, proposal.components)
                if event is None and proposal.promised:
                    self._engine.record(PromiseEnded(at=now, job=proposal.job))
                if event is None:
                    log.debug("proposal for job %s is out of date", proposal.job)
                    self._policy.put_off()
                    continue
                self._engine.record(event)
            except Exception as error:
                self._note_fault(proposal.job, "starting it", error)
                continue
            started += 1
        return started

    def _change(self, changes: Iterable[Change]) -> None:
        """Have jobs give way or go on, as far as that is still possible; and those of a gang take turns."""
        cluster = self._engine.cluster
        for change in changes:
            try:
                if preempting.possible(cluster, change):
                    self._engine.record(msgspec.structs.replace(change, at=self._now()))
            except Exception as error:
                self._note_fault(change.job, "having others give way to it", error)
        self.take_turns()

    def take_turns(self) -> None:
        """Jobs that share CPUs in a gang have them in turn: whose slice is over waits for the others."""
        if self._gang is not None:
            self._gang.cancel()
            self._gang = None
        if self._stopped or self._engine.stalled:
            return
        now = self._now()
        found = gang.turn(self._engine.cluster, now)
        if found.events:
            self._engine.record(*found.events)
        if found.again:
            self._gang = asyncio.get_running_loop().call_later(max(0.01, found.again - now), self.take_turns)

    def _look_again(self, now: float, moment: float) -> None:
        """Somebody may give way once his PreemptExemptTime is over, or start once CompleteWait is, although nothing happens."""
        if moment > now and not self._stopped:
            if self._exempt is not None:
                self._exempt.cancel()
            self._exempt = asyncio.get_running_loop().call_later(moment - now + 0.01, self.trigger)

    def _note_faults(self, found: Mapping[JobId, str]) -> None:
        for job_id, error in found.items():
            self._note_fault(job_id, "planning it", error)

    def _note_fault(self, job_id: JobId, what: str, error: Exception | str) -> None:
        job = self._engine.cluster.jobs.get(job_id)
        if job is None:
            log.error("%s failed for job %s, which is not known: %s", what, job_id, error)
            return
        loop = asyncio.get_running_loop()
        self._faults.note(job, what, error, loop.time())
        loop.call_later(faults.REST_SECONDS, self.trigger)

    def _show_priorities(self, now: float, *, everything: bool) -> None:
        """Write down the priorities that users see. They follow from the records and the time, so they are in no event."""
        cluster = self._engine.cluster
        reordered, place = self._shown
        new: Iterable[Job] = cluster.pending_jobs()
        if not everything and reordered == cluster.reordered:
            new = takewhile(lambda job: job.queue_place > place, newest_first(cluster.pending.values()))
        jobs = [job for job in new if everything or (not job.priority and not job.held)]
        self._shown = cluster.reordered, next((job.queue_place for job in newest_first(cluster.pending.values())), place)
        if not jobs and not everything:
            return
        scale = priority.Scale(cluster, now)
        for job in jobs:
            job.priority = scale.value(job)
        if everything and "CALCULATE_RUNNING" in cluster.settings.priority_flags:
            for job in cluster.active.values():
                job.priority = scale.value(job)


def _after(seconds: int) -> Callable[[], bool]:
    """What says whether so many seconds have passed since now; 0: they never have."""
    until = time.monotonic() + seconds
    return lambda: bool(seconds) and time.monotonic() > until


def _parts(all_of_it: Sequence[T], size: int = PART) -> Iterable[list[T]]:
    rest = iter(all_of_it)
    while part := list(islice(rest, size)):
        yield part
