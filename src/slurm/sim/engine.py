"""Engine: a cluster whose clock jumps from event to event. State by `core`, plans by `sched`; only time and execution are made up.

Not here: where workloads come from (`swf`), what their outcomes mean (`measures`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple

from slurm.core import admission, timers
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Launch, Terminate
from slurm.core.events import Caller, Event
from slurm.model.ids import Digest, JobId
from slurm.model.request import JobRequest, PayloadRef
from slurm.sched.plan import plan
from slurm.sched.policy import Policy
from slurm.sched.queue import Queue
from slurm.sched.terrain import Terrain

PAYLOAD = PayloadRef(script=Digest("0" * 64), environment=Digest("0" * 64))


class Arrival(NamedTuple):
    """A submission: when (seconds since the epoch), what, by whom, and how long each of its tasks will run in truth."""

    at: float
    request: JobRequest
    caller: Caller
    run_seconds: float
    status: int = 0


class Outcome(NamedTuple):
    """What became of one job or array task; times in seconds since the epoch."""

    job: JobId
    submitted: float
    started: float
    ended: float

    @property
    def wait(self) -> float:
        """Seconds between submission and start."""
        return self.started - self.submitted


class Simulator:
    """Runs arrivals through `cluster`. `check` is called after every event, `planned` after every pass, both for tests."""

    def __init__(self, cluster: Cluster, arrivals: Iterable[Arrival], *, check: Callable[[Cluster], None] | None = None,
                 planned: Callable[[object, float], None] | None = None) -> None:
        self.cluster = cluster
        self.now = 0.0
        self.passes = 0
        self.outcomes: list[Outcome] = []
        self._arrivals: Iterator[Arrival] = iter(arrivals)
        self._next: Arrival | None = next(self._arrivals, None)
        self._truth: dict[JobId, Arrival] = {}
        self._exits: list[tuple[float, int, JobId, int]] = []
        self._serial = count()
        self._queue = Queue()
        self._terrain = Terrain(cluster)
        self._policy = Policy()
        self._check = check
        self._planned = planned

    def run(self, until: float = float("inf")) -> list[Outcome]:
        """Go on until nothing is left to happen, or until a moment; returns the outcomes so far in order of their ends."""
        while (moment := self._soonest()) is not None and moment <= until:
            self.now = max(self.now, moment)
            self._exit_due()
            for event in timers.due(self.cluster, self.now):
                self._apply(event)
            self._arrive_due()
            while self._policy.full and self.cluster.pending:
                self._plan()
        return self.outcomes

    def _soonest(self) -> float | None:
        """When the next thing happens; None when nothing is left but forgetting."""
        moments = [self._exits[0][0]] if self._exits else []
        if self._next is not None:
            moments.append(self._next.at)
        if moments or self.cluster.pending:
            following = timers.next_due(self.cluster)
            if following is not None:
                moments.append(following)
        return min(moments, default=None)

    def _exit_due(self) -> None:
        """Scripts whose time has come end."""
        while self._exits and self._exits[0][0] <= self.now:
            _, _, job_id, attempt = heapq.heappop(self._exits)
            job = self.cluster.jobs.get(job_id)
            if job is not None and job.attempt == attempt and job_id in self.cluster.active and not job.completing:
                self._apply(e.BatchExited(at=self.now, job=job_id, attempt=attempt, status=self._truth[job.array_job or job_id].status))

    def _arrive_due(self) -> None:
        """Submissions whose time has come are admitted; what admission refuses, it raises."""
        while self._next is not None and self._next.at <= self.now:
            arrival = self._next
            event = admission.admit(self.cluster, arrival.request, PAYLOAD, arrival.caller, self.now).event
            self._truth[event.job.id] = arrival
            self._apply(event)
            self._next = next(self._arrivals, None)

    def _plan(self) -> None:
        """One full pass, carried out; another one follows when that made one due."""
        self.passes += 1
        self._policy.begin(full=True)
        outcome = plan(self.cluster, self.now, queue=self._queue, forecasts=0, terrain=self._terrain)
        if self._planned is not None:
            self._planned(outcome, self.now)
        self._policy.looked(outcome.verdicts.values(), full=True, everybody=outcome.everybody)
        for proposal in outcome.proposals:
            event = self.cluster.starting(
                proposal.job, proposal.task, proposal.allocation, self.now, proposal.time_limit, proposal.components)
            if event is not None:
                self._apply(event, own=True)

    def _apply(self, event: Event, *, own: bool = False) -> None:
        effects = self.cluster.apply(event)
        self._policy.noticed(type(event).__name__, own=own, awaited=bool(self.cluster.dependents))
        if self._check is not None:
            self._check(self.cluster)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        """Execution as the nodes would report it, without delay."""
        if isinstance(effect, Launch):
            job = self.cluster.jobs[effect.job]
            self._apply(e.Launched(at=self.now, job=effect.job, attempt=effect.attempt))
            ends = self.now + self._truth[job.array_job or job.id].run_seconds
            heapq.heappush(self._exits, (ends, next(self._serial), effect.job, effect.attempt))
        elif isinstance(effect, Terminate):
            job = self.cluster.jobs[effect.job]
            submitted, started = job.submit_time, job.start_time
            for node in effect.nodes:
                self._apply(e.NodeFreed(at=self.now, job=effect.job, attempt=effect.attempt, node=node))
            if job.state.finished:
                self.outcomes.append(Outcome(job.id, submitted, started, self.now))
