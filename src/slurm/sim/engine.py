"""Engine: a cluster whose clock jumps from event to event. State by `core`, plans by `sched`; only time and execution are made up.

Not here: where workloads come from (`swf`), what their outcomes mean (`measures`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple

from slurm.core import admission, preempting, timers
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Launch, Suspend, Terminate
from slurm.core.events import Caller, Event
from slurm.model.errors import SlurmError
from slurm.model.ids import Digest, JobId, NodeName, Uid
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.refusal import Refusal
from slurm.model.request import JobRequest, PayloadRef
from slurm.model.states import JobState, Reason
from slurm.sched import gang
from slurm.sched.feasible import check_submitted
from slurm.sched.passes import Passes
from slurm.sched.plan import plan
from slurm.sched.policy import Policy
from slurm.sched.proposal import Plan
from slurm.sched.queue import Queue

PAYLOAD = PayloadRef(script=Digest("0" * 64), environment=Digest("0" * 64))


class Arrival(NamedTuple):
    """A submission: when (seconds since the epoch), what, by whom, and how long each of its tasks will run in truth."""

    at: float
    request: JobRequest
    caller: Caller
    run_seconds: float
    status: int = 0


class Breakdown(NamedTuple):
    """A node that fails at a moment (seconds since the epoch) and is back after so many seconds, with nothing left of what it ran."""

    at: float
    node: NodeName
    seconds: float


class Outcome(NamedTuple):
    """What became of one job or array task; times in seconds since the epoch. `started` is that of its last attempt."""

    job: JobId
    submitted: float
    started: float
    ended: float
    cpus: int = 0
    nodes: tuple[str, ...] = ()
    user: str = ""
    partition: str = ""
    state: str = "COMPLETED"
    restarts: int = 0

    @property
    def wait(self) -> float:
        """Seconds between submission and start."""
        return self.started - self.submitted


class Simulator:
    """Runs arrivals through `cluster`. `check` is called after every event, `planned` after every pass, both for tests.

    `planning` makes its passes; without it, in the order of `queue`.
    """

    def __init__(self, cluster: Cluster, arrivals: Iterable[Arrival], *, queue: Queue | None = None, planning: Passes | None = None,
                 breakdowns: Iterable[Breakdown] = (), check: Callable[[Cluster], None] | None = None,
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
        self.planning = planning or Passes(cluster, queue)
        self._breakdowns = sorted(breakdowns)
        self._repairs: list[tuple[float, NodeName]] = []
        self.refused: list[tuple[Arrival, str]] = []
        """Submissions that the cluster would not have taken, and why."""
        self._verdicts: dict[JobId, Refusal] = {}
        self._policy = Policy()
        self._turn = self._again = 0.0  # when to look at gangs, and at who may give way, although nothing happens
        self._check = check
        self.on_ended: Callable[[int], None] = lambda done: None
        """Hears how many jobs have ended."""
        self._planned = planned

    def run(self, until: float = float("inf")) -> list[Outcome]:
        """Go on until nothing is left to happen, or until a moment; returns the outcomes so far in order of their ends."""
        while (moment := self._soonest()) is not None and moment <= until:
            self.now = max(self.now, moment)
            self._exit_due()
            self._break_and_repair()
            for event in timers.due(self.cluster, self.now):
                self._apply(event)
            self._arrive_due()
            while self._policy.full and (self.cluster.pending or self.cluster.suspended):
                self._plan()
            self._take_turns()
        return self.outcomes

    def left(self) -> list[tuple[str, str]]:
        """(name, why) of each job that still waits: at the end of a run, for ever."""
        found = []
        for job in self.cluster.pending.values():
            verdict = self._verdicts.get(job.id)
            reason = job.reason if job.reason != Reason.NONE or verdict is None else verdict.reason
            found.append((job.request.name, f"it never started again: {reason}" if job.restarts else f"it never started: {reason}"))
        return found

    def happen(self, event: Event) -> None:
        """Something that somebody does now, such as a change of a job, and the passes that follow it."""
        self._apply(event)
        while self._policy.full and self.cluster.pending:
            self._plan()

    def _soonest(self) -> float | None:
        """When the next thing happens; None when nothing is left but forgetting."""
        moments = [self._exits[0][0]] if self._exits else []
        moments += [self._breakdowns[0].at] if self._breakdowns and (self._exits or self._next or self.cluster.pending) else []
        moments += [self._repairs[0][0]] if self._repairs else []
        if self._next is not None:
            moments.append(self._next.at)
        moments += [moment for moment in (self._turn, self._again) if moment > self.now]
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
                ends = self._true_end(job)
                if job.state is JobState.SUSPENDED or ends > self.now:  # what it was suspended comes on top
                    if job.state is not JobState.SUSPENDED:
                        heapq.heappush(self._exits, (ends, next(self._serial), job_id, attempt))
                    continue
                self._apply(e.BatchExited(at=self.now, job=job_id, attempt=attempt, status=self._truth[job.array_job or job_id].status))

    def _true_end(self, job: Job) -> float:
        return job.start_time + job.suspended_seconds + self._truth[job.array_job or job.id].run_seconds

    def _break_and_repair(self) -> None:
        """Nodes whose time has come fail, or are back."""
        while self._breakdowns and self._breakdowns[0].at <= self.now:
            found = self._breakdowns.pop(0)
            if found.node not in {name for _, name in self._repairs}:
                self._apply(e.NodeLost(at=self.now, node=found.node, why="failed", together=[found.node]))
                heapq.heappush(self._repairs, (self.now + found.seconds, found.node))
        while self._repairs and self._repairs[0][0] <= self.now:
            _, name = heapq.heappop(self._repairs)
            self._apply(registered(self.cluster.nodes[name], self.now))
            self._apply(e.NodeUpdated(at=self.now, node=name, by=Uid(0), by_name="root", state="resume"))

    def _arrive_due(self) -> None:
        """Submissions whose time has come are admitted, or noted as refused."""
        while self._next is not None and self._next.at <= self.now:
            arrival = self._next
            self._next = next(self._arrivals, None)
            try:
                event = admission.admit(self.cluster, arrival.request, PAYLOAD, arrival.caller, self.now).event
                check_submitted(self.planning.terrain, event)
            except SlurmError as error:
                self.refused.append((arrival, "; ".join(error.lines())))
                continue
            self._truth[event.job.id] = arrival
            self._apply(event)

    def _plan(self) -> None:
        """One full pass, carried out; another one follows when that made one due."""
        self.passes += 1
        self._policy.begin(full=True)
        backfill = self.cluster.settings.scheduler != "builtin"
        if self.cluster.settings.preempt_type != "none":  # who comes first has others give way, whatever is kept for those behind
            self._carry_out_plan(plan(
                self.cluster, self.now, backfill=False, queue=self.planning.queue, terrain=self.planning.terrain))
        outcome = self.planning.plan(self.now, backfill=backfill, told=self._planned is not None)
        if self._planned is not None:
            self._planned(outcome, self.now)
        self._verdicts = outcome.verdicts
        self._policy.looked(outcome.verdicts.values(), full=True, everybody=outcome.everybody)
        self._carry_out_plan(outcome)

    def _carry_out_plan(self, outcome: Plan) -> None:
        self._again = min(filter(None, (self._again if self._again > self.now else 0.0, outcome.again)), default=0.0)
        for proposal in outcome.proposals:
            event = self.cluster.starting(
                proposal.job, proposal.task, proposal.allocation, self.now, proposal.time_limit, proposal.components)
            if event is not None:
                self._apply(event, own=True)
            elif proposal.promised:
                self._apply(e.PromiseEnded(at=self.now, job=proposal.job))
        for change in outcome.changes:
            if preempting.possible(self.cluster, change):
                self._apply(change)

    def _take_turns(self) -> None:
        """Jobs that share CPUs in a gang have them in turn."""
        found = gang.turn(self.cluster, self.now)
        self._turn = found.again
        for event in found.events:
            self._apply(event)

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
        elif isinstance(effect, Suspend):
            job = self.cluster.jobs[effect.job]
            if job.state is JobState.RUNNING and job.launched:
                heapq.heappush(self._exits, (self._true_end(job), next(self._serial), effect.job, effect.attempt))
        elif isinstance(effect, Terminate):
            job = self.cluster.jobs[effect.job]
            submitted, started = job.submit_time, job.start_time
            held = job.allocation
            for node in effect.nodes:
                self._apply(e.NodeFreed(at=self.now, job=effect.job, attempt=effect.attempt, node=node))
            if job.state.finished:
                self.outcomes.append(Outcome(
                    job.id, submitted, started, self.now, held.cpu_count if held is not None else 0,
                    tuple(map(str, held.nodes)) if held is not None else (), job.owner.user, job.partition, job.state.name, job.restarts))
                self.on_ended(len(self.outcomes))


def registered(node: Node, at: float) -> e.NodeRegistered:
    """The event by which a node's slurmd would say that its machine, just started, has what is configured."""
    return e.NodeRegistered(
        at=at, node=node.name, cpus=node.cpus, boards=node.boards, sockets=node.sockets, cores_per_socket=node.cores_per_socket,
        threads_per_core=node.threads_per_core, memory=node.memory, tmp_disk=node.tmp_disk, boot_time=at, slurmd_start_time=at,
        hostname=node.hostname, rebooted=True)
