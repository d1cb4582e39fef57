"""Explanation: why a job waits, what would change that and when it is expected to start; from the cluster, the planner's verdict and its
forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from slurm.core.gates import stack as gates
from slurm.core.policy import exemptions
from slurm.core.standing import FAILED, FULFILLED
from slurm.model.explanation import Explanation, Other
from slurm.model.job import DependencyClause, Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.states import JobState, Reason
from slurm.notation import hostlist, moment
from slurm.notation.taskset import TaskSet
from slurm.sched import ended, evidence, stands
from slurm.sched import need as needs
from slurm.sched.filters import named, partition_limits, stack
from slurm.sched.lengths import YEAR, expected_end
from slurm.sched.proposal import Forecast
from slurm.sched.terrain import Terrain
from slurm.sched.verdicts import state_of
from slurm.sched.view import View

EVENTS: dict[str, str] = {
    "AllocationRelinquished": "an allocation is given back",
    "BatchExited": "a job that runs ends",
    "Cancelled": "a job before it is cancelled",
    "Configured": "the configuration changes",
    "DeadlinePassed": "a job before it misses its deadline",
    "Eligible": "its time comes",
    "Held": "a job before it is held",
    "JobUpdated": "the job is changed (scontrol update)",
    "LaunchFailed": "a job that was to start cannot",
    "NodeFenced": "a node is proven to run nothing of it (FenceProgram)",
    "NodeFreed": "a job that runs there ends",
    "NodeLost": "a node is given up",
    "NodeRegistered": "a node comes back",
    "NodeUpdated": "a node is resumed or changed (scontrol update)",
    "PartitionUpdated": "the partition is changed (scontrol update)",
    "Suspended": "a job that runs is suspended",
    "Preempted": "jobs give way to another",
    "PromiseEnded": "what was kept for another is free again",
    "PolicyChanged": "an operator changes the limit, account or QOS (sacctmgr modify)",
    "ProofWaived": "the site does not wait for a proof any longer (requeue_unproven, fence_timeout)",
    "Released": "the hold is lifted (scontrol release)",
    "ReservationBegun": "its reservation begins",
    "ReservationCreated": "a reservation is made for it",
    "ReservationEnded": "a reservation ends",
    "ReservationUpdated": "a reservation is changed (scontrol update)",
    "Started": "a job before it starts",
    "TimedOut": "a job reaches its time limit",
}
"""What each curing event means to a person."""
OTHERS: dict[str, str] = {
    Reason.DEPENDENCY: "those have started or ended as it asks",
    Reason.DEPENDENCY_NEVER_SATISFIED: "its dependency is changed (scontrol update dependency=): as it is it never will",
    Reason.JOB_ARRAY_TASK_LIMIT: "a task of the array ends, or its limit is raised (scontrol update ArrayTaskThrottle=)",
}
"""The same where many events are one thing to a person: what other jobs must do, which are named before."""
SHOWN_NODES = 16
SHOWN = 10
"""So many jobs, and kinds of unsuited nodes, are named."""
NEW = Refusal("", "the scheduler has not looked at it yet")


def explain(view: View, job: Job, now: float, *, refusal: Refusal | None = None, forecast: Forecast | None = None,
            queue: Iterable[Job] = (), sees: Callable[[Job], bool] = lambda job: True, script: str = "") -> Explanation:
    """Explain a job as of `now`. `refusal` and `forecast` are what the last pass of the planner said of it, `queue` the eligible jobs in
    order;
    `sees` whether who asks may know of another job: evidence names no others; `script` the job's batch script, "" where it is not known.
    """
    found = Explanation(job=job.shown_id, name=job.request.name, user=job.owner.user, partition=job.partition, state=job.state.name, at=now)
    if job.state in (JobState.RUNNING, JobState.SUSPENDED) and not job.completing:
        found.evidence += stands.of_running(view, job, sees)
    if job.state is not JobState.PENDING:
        _tell_active(view, found, job, script)
        return found
    partitions = [exemptions.as_met(view, job.request.qos, view.partitions[name]) for name in job.partition.split(",")
        if name in view.partitions]
    terrain = Terrain(view)
    kept = _kept(terrain, job, partitions, now)
    why = kept or refusal or NEW
    if why.reason in (Reason.RESOURCES, Reason.PRIORITY) and partitions:
        why = _for_room(terrain, job, why, partitions, now, sees)
    found.reason, found.sentence, found.evidence = why.reason, why.sentence, list(why.evidence)
    found.cures = [OTHERS[why.reason]] if why.reason in OTHERS else [EVENTS[event] for event in why.cures if event in EVENTS]
    found.waits_for = [_other(view, other) for clause in job.dependency for other in _awaited(view, clause)][:SHOWN]
    if job.promise is not None:
        found.evidence += stands.of_givers(view, job, sees)
    if why.reason == Reason.LICENSES:
        found.evidence = [(name, how + evidence.held_by(view, _license_holders(view, name), sees)) for name, how in why.evidence]
    if kept is None or why.reason == Reason.LICENSES:
        told = {how for _, how in why.evidence}
        unsuited = _unsuited(terrain, job, partitions)
        found.unsuited = [(hostlist.compress(names), how) for how, names in unsuited[:SHOWN] if how not in told]
        _tell_refused(terrain, found, job, partitions, [(how, len(names)) for how, names in unsuited])
        _tell_queue(view, found, job, queue)
        if forecast is not None:
            _tell_start(view, found, forecast)
    return found


def most_telling(jobs: Sequence[Job]) -> Job:
    """Of the records of an array the one that is asked about: one that waits, else one that runs, one that failed, or the last."""
    for wanted in (JobState.PENDING, JobState.RUNNING):
        found = next((job for job in reversed(jobs) if job.state is wanted), None)
        if found is not None:
            return found
    return next((job for job in reversed(jobs) if job.state is not JobState.COMPLETED), jobs[-1])


def _for_room(terrain: Terrain, job: Job, why: Refusal, partitions: list[Partition], now: float,
              sees: Callable[[Job], bool]) -> Refusal:
    """The verdict with what is seen now: whether the job itself would fit, and if not, what there is too little of and who holds it."""
    for partition in partitions:
        where = evidence.fits(terrain, job, _need(terrain, job, partition), partition, now)
        if where and why.reason == Reason.PRIORITY:
            return Refusal(why.reason, f"it would fit now on {where}, but {why.sentence} and it would keep something from them",
                why.evidence, why.cures)
        if where:
            return why
    seen = dict(pair for partition in partitions for pair in evidence.of_nodes(terrain, _need(terrain, job, partition), partition, sees))
    if why.reason == Reason.RESOURCES:
        return Refusal(why.reason, why.sentence, tuple(islice(seen.items(), SHOWN_NODES)), why.cures)
    return Refusal(why.reason, "not enough is free for it on the nodes that suit it, and jobs of higher priority wait for this partition",
                   tuple(islice(seen.items(), SHOWN_NODES)), why.cures)


def _license_holders(view: View, name: str) -> list[Job]:
    return [job for job in view.active.values() if job.holding is not None and name in job.holding.licenses]


def _awaited(view: View, clause: DependencyClause) -> list[Job]:
    """The jobs, or elements of an array, by which a condition is not fulfilled: those that failed it, else those that are not over."""
    if clause.state == FULFILLED or not clause.job:
        return []
    members = view.tasks_of(clause.job)
    if clause.task is not None:
        own = [job for job in members if job.array_task == clause.task]
        members = own or [job for job in members if job.array_part is not None]
    if clause.state == FAILED:
        good = clause.kind == "afternotok"
        return [job for job in members if job.state.finished and (job.state is JobState.COMPLETED) == good] or members
    return [job for job in members if not job.state.finished or job.completing] or members


def _kept(terrain: Terrain, job: Job, partitions: list[Partition], now: float) -> Refusal | None:
    """What keeps it from being looked at at all, in every partition that it may start in; None where it waits for room only."""
    refusals = [
        gates.refuse(terrain.view, job, partition, now) or partition_limits.refuse(job, _need(terrain, job, partition), partition,
        terrain.cpus)
        for partition in partitions]
    return refusals[0] if refusals and None not in refusals else None


def _need(terrain: Terrain, job: Job, partition: Partition) -> needs.Need:
    return needs.within(needs.need_of(job.request, terrain.view.settings), partition)


def _tell_refused(terrain: Terrain, found: Explanation, job: Job, partitions: list[Partition], unsuited: list[tuple[str, int]]) -> None:
    """By what nodes are refused, what they are before what is free on them now, and how many; of jobs that wait in one partition."""
    if len(partitions) != 1:
        return
    found.partition_nodes = len(terrain.suited(partitions[0], stack.ANYWHERE))
    lacking = evidence.counted(terrain, _need(terrain, job, partitions[0]), partitions[0])
    found.refused = [*unsuited, *lacking.most_common()][:SHOWN]


def _unsuited(terrain: Terrain, job: Job, partitions: list[Partition]) -> list[tuple[str, list[str]]]:
    """Why nodes do not come into question, and which, the most of them first; not those that the job itself left out."""
    by_reason: dict[str, list[str]] = {}
    for partition in partitions:
        site = _need(terrain, job, partition).site
        for node in terrain.suited(partition, stack.ANYWHERE):
            why = stack.unsuited(node, site) or ("" if node.usable else state_of(node))
            if why and why not in named.ASKED:
                by_reason.setdefault(why, []).append(node.name)
    grouped = sorted(by_reason.items(), key=lambda pair: -len(pair[1]))
    return [(why, sorted(set(names))) for why, names in grouped]


def _tell_queue(view: View, found: Explanation, job: Job, queue: Iterable[Job]) -> None:
    """How many are before it where it waits, and the first of them."""
    wanted = set(job.partition.split(","))
    for other in queue:
        if other.id == job.id:
            break
        if not wanted.isdisjoint(other.partition.split(",")):
            found.before += 1
            found.first = found.first or _other(view, other)


def _tell_start(view: View, found: Explanation, forecast: Forecast) -> None:
    """When and where, and who has to leave for it. What waits for jobs without a time limit waits for nobody knows how long."""
    wanted = set(forecast.nodes)
    there = [other for other in view.active.values() if other.allocation is not None and not wanted.isdisjoint(other.allocation.nodes)]
    endless = [other for other in there if _without_end(view, other)]
    if any(other.start_time + YEAR <= forecast.start for other in endless):
        found.holders = [_other(view, other) for other in endless][:SHOWN]
        return
    found.start, found.nodes = forecast.start, hostlist.compress(forecast.nodes)
    leaving = [_other(view, other) for other in there if expected_end(view, other, found.at) <= forecast.start]
    found.holders = sorted(leaving, key=lambda one: (one.end, one.job))[:SHOWN]


def _without_end(view: View, job: Job) -> bool:
    return not job.completing and view.expected_end(job) is None


def _tell_active(view: View, found: Explanation, job: Job, script: str) -> None:
    """What there is to say of a job that does not wait."""
    found.reason = "" if job.reason == Reason.NONE else job.reason
    found.nodes = hostlist.compress(job.allocation.nodes) if job.allocation is not None else ""
    found.start = job.start_time
    if job.state.finished:
        partition = view.partitions.get(job.partition)
        ended.tell(found, job, lambda seconds: partition is None or not 0 <= partition.max_time < seconds, script)
    else:
        end = view.expected_end(job)
        until = f"until {moment.show(end)} at the latest" if end is not None else "without a time limit"
        found.sentence = f"it has had {found.nodes} since {moment.show(job.start_time)}, {until}"


def _other(view: View, job: Job) -> Other:
    end = job.end_time if job.state.finished else view.expected_end(job) or 0.0
    nodes = hostlist.compress(job.allocation.nodes) if job.allocation is not None else ""
    return Other(_shown(job), job.request.name, job.owner.user, job.state.name, nodes, end)


def _shown(job: Job) -> str:
    """The id, of an array's waiting elements with which ones they are unless that is long."""
    if job.array_part is None or len(job.array_part.ranges) > SHOWN:
        return job.shown_id
    return f"{job.id}_[{TaskSet(job.array_part.ranges).show()}]"
