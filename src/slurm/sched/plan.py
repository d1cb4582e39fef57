"""plan: a snapshot in, proposals out. Which pending jobs can start now, why the others cannot, when the first of them will.

Jobs are looked at in order of priority. The first of a partition that finds no room gets a reservation: the earliest time at which
it fits, judging by the time limits of what runs. Those behind it may start only if that does not delay it (EASY backfill).
Nothing is changed here; each proposal is checked again when it is applied.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from slurm.model.ids import JobId
from slurm.model.job import Allocation, ArrayPart, Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.states import Reason
from slurm.sched import select
from slurm.sched.filters import stack, suits
from slurm.sched.filters.gate import Gate
from slurm.sched.need import Need, Needs
from slurm.sched.priority import order
from slurm.sched.refusal import Refusal
from slurm.sched.space import Space
from slurm.sched.timeline import Reservation, allowed, reserve
from slurm.sched.view import View

PRIORITY = Refusal(Reason.PRIORITY, "jobs of higher priority wait for this partition", cures=("Started", "Cancelled"))
needs = Needs()
"""Requests boiled down, remembered between passes."""


class Proposal(msgspec.Struct):
    """Start this job, or this task of an array record, with this allocation."""

    job: JobId
    task: int | None
    allocation: Allocation


class Forecast(msgspec.Struct):
    """When a job is expected to start (seconds since the epoch) and where."""

    start: float
    nodes: list[str]
    allocation: Allocation | None = None


class Plan(msgspec.Struct):
    """The outcome of one pass; `verdicts` only of jobs that were looked at."""

    proposals: list[Proposal] = msgspec.field(default_factory=list)
    verdicts: dict[JobId, Refusal] = msgspec.field(default_factory=dict)
    forecasts: dict[JobId, Forecast] = msgspec.field(default_factory=dict)


def waiting_tasks(part: ArrayPart) -> Iterator[int]:
    """Task ids of an array record in order."""
    for first, last, step in part.ranges:
        yield from range(first, last + 1, step)


class _Pass:
    """One pass over the queue."""

    def __init__(self, view: View, now: float, backfill: bool) -> None:
        self.view = view
        self.now = now
        self.backfill = backfill
        self.space = Space(view)
        self.plan = Plan()
        self.blocked: dict[str, list[Reservation]] = {}
        self.ordered: dict[str, list[Node]] = {}
        self.started_tasks: dict[JobId, int] = {}

    def nodes_of(self, partition: Partition) -> list[Node]:
        """The partition's nodes, cheapest first."""
        found = self.ordered.get(partition.name)
        if found is None:
            nodes = self.view.nodes
            found = sorted((nodes[name] for name in partition.nodes if name in nodes), key=lambda node: (node.weight, node.position))
            self.ordered[partition.name] = found
        return found

    def consider(self, job: Job) -> None:
        """Propose the job, or as many of its tasks as fit, or write down why not."""
        refusal: Refusal | None = None
        for name in job.partition.split(","):
            partition = self.view.partitions.get(name)
            if partition is None:
                refusal = refusal or Refusal(Reason.PARTITION_DOWN, f"partition {name} does not exist", ((name, "gone"),), ("Configured",))
                continue
            one = stack.refuse(Gate(self.view, job, partition, self.now)) or self._start_in(job, partition)
            if one is None:
                return
            refusal = refusal or one
        if refusal is not None:
            self.plan.verdicts[job.id] = refusal

    def _start_in(self, job: Job, partition: Partition) -> Refusal | None:
        """None when the job, or all it may start of it, was proposed."""
        behind = self.blocked.get(partition.name)
        if behind is not None and not self.backfill:
            return PRIORITY
        need = needs.of(job.request, self.view.settings)
        if job.array_part is None:
            allocation = self._fit(job, need, partition, behind)
            if allocation is None:
                return self._blocked(job, need, partition, behind)
            self._propose(job, None, allocation)
            return None
        limit = self.view.array_limit(job.array_job)
        left = limit - self.view.running_tasks(job.array_job) if limit else None
        for task in waiting_tasks(job.array_part):
            if left is not None and left <= 0:
                return Refusal(Reason.JOB_ARRAY_TASK_LIMIT, f"as many tasks of the array run as its limit of {limit} allows",
                               (("limit", str(limit)),), ("BatchExited", "JobUpdated"))
            allocation = self._fit(job, need, partition, behind)
            if allocation is None:
                return self._blocked(job, need, partition, behind)
            self._propose(job, task, allocation)
            left = None if left is None else left - 1
        return None

    def _propose(self, job: Job, task: int | None, allocation: Allocation) -> None:
        self.space.take(allocation.shares)
        self.plan.proposals.append(Proposal(job=job.id, task=task, allocation=allocation))

    def _fit(self, job: Job, need: Need, partition: Partition, behind: list[Reservation] | None) -> Allocation | None:
        ends = self.now + job.time_limit if job.time_limit >= 0 else None
        rooms = []
        settings = self.view.settings
        tasks = need.total_tasks
        single = need.nodes_min == 1 and not need.wanted and not need.gpus_job
        for node in self.nodes_of(partition):
            if not node.usable or (node.exclusive_user >= 0 and node.exclusive_user != job.owner.uid) or suits.unsuited(node, need):
                continue
            space = self.space.of(node.name)
            if not space.cpus:
                continue
            if behind:
                space = allowed(space, behind, ends)
            one = select.room(space, need, settings)
            if one is None:
                continue
            if single and one.tasks >= tasks:
                rooms = [one]
                break
            rooms.append(one)
        return select.allocate(rooms, need, settings, partition.name) if rooms else None

    def _blocked(self, job: Job, need: Need, partition: Partition, behind: list[Reservation] | None) -> Refusal:
        suited = [node for node in self.nodes_of(partition) if not suits.unsuited(node, need)]
        usable = [node for node in suited if node.usable]
        refusal = _why(job, need, partition, suited, usable)
        if refusal.reason != Reason.RESOURCES:
            return refusal
        if behind is not None:
            return PRIORITY
        reservation = reserve(self.view, self.space, job, need, usable, partition, self.now)
        self.blocked[partition.name] = [reservation] if reservation is not None else []
        if reservation is not None:
            nodes = list(reservation.allocation.nodes)
            self.plan.forecasts[job.id] = Forecast(start=reservation.start, nodes=[str(n) for n in nodes], allocation=reservation.allocation)
            own = set(nodes)
            for name, other in self.view.partitions.items():
                if name != partition.name and own.intersection(other.nodes):
                    self.blocked.setdefault(name, []).append(reservation)
        return refusal


def _why(job: Job, need: Need, partition: Partition, suited: list[Node], usable: list[Node]) -> Refusal:
    missing = sorted(name for name in need.wanted if name not in {node.name for node in usable})
    if missing:
        return Refusal(Reason.REQ_NODE_NOT_AVAIL + ", May be reserved for other job", f"it names {', '.join(missing)}, which cannot be used now",
                       tuple((name, "not available") for name in missing), ("NodeRegistered", "NodeUpdated"))
    if len(suited) < need.nodes_min:
        return Refusal(Reason.BAD_CONSTRAINTS, f"{len(suited)} nodes of partition {partition.name} suit it, {need.nodes_min} are needed",
                       (("suited", str(len(suited))), ("needed", str(need.nodes_min))), ("JobUpdated", "NodeUpdated"))
    if len(usable) < need.nodes_min:
        down = tuple((str(node.name), node.reason or "not available") for node in suited if not node.usable)
        return Refusal(Reason.UNAVAILABLE_NODES, f"of {len(suited)} nodes that suit it only {len(usable)} can be used now", down,
                       ("NodeRegistered", "NodeUpdated"))
    free = tuple((str(node.name), f"{node.cpus - node.cpus_used.bit_count()} of {node.cpus} CPUs, {node.memory - node.memory_used} MB free")
                 for node in usable[:16])
    return Refusal(Reason.RESOURCES, "not enough is free on the nodes that suit it", free, ("NodeFreed",))


def plan(view: View, now: float, *, depth: int | None = None, backfill: bool = True) -> Plan:
    """One pass over the pending jobs (the `depth` first of them), with backfill or up to the first that is blocked in its partition."""
    work = _Pass(view, now, backfill)
    jobs = order(view, list(view.pending_jobs()), now)
    for job in jobs if depth is None else jobs[:depth]:
        work.consider(job)
    return work.plan


def plan_one(view: View, job: Job, now: float) -> Forecast | None:
    """When a job that is not queued could start, as if nobody waited before it; None when no time is in sight."""
    work = _Pass(view, now, True)
    found: Forecast | None = None
    for name in job.partition.split(","):
        partition = view.partitions.get(name)
        if partition is None:
            continue
        need = needs.of(job.request, view.settings)
        allocation = work._fit(job, need, partition, None)
        if allocation is not None:
            return Forecast(start=now, nodes=[str(n) for n in allocation.nodes], allocation=allocation)
        usable = [node for node in work.nodes_of(partition) if node.usable and not suits.unsuited(node, need)]
        reservation = reserve(view, work.space, job, need, usable, partition, now)
        if reservation is not None and (found is None or reservation.start < found.start):
            found = Forecast(start=reservation.start, nodes=[str(n) for n in reservation.allocation.nodes], allocation=reservation.allocation)
    return found
