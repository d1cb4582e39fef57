"""The policy as part of a cluster's state, and the jobs that count against it. The state's indices call these with every move of a job.

Nothing is counted before the first policy came; then everything that waits and runs is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from slurm.core import tres
from slurm.core.policy import bounds, fairshare
from slurm.core.policy.book import Book, name_of
from slurm.core.policy.bounds import Bound
from slurm.core.policy.fairshare import Share
from slurm.core.policy.tally import Held, Key, Tally
from slurm.core.policy.usage import WALL, Usage
from slurm.core.unsaved import Unsaved
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.policy import Association, PolicyRecord, Qos
from slurm.model.settings import Settings
from slurm.model.states import JobState

UNLIMITED_SECONDS = 365 * 86400
"""What a job without a time limit is taken to run."""


class Charge(msgspec.Struct, omit_defaults=True):
    """What a running job uses each second (TRES seconds, times the UsageFactor of its QOS), and whose counters it goes to."""

    job: JobId
    keys: tuple[int | str, ...]
    amounts: dict[str, float]


class Policy:
    """Book, counts and usage of one cluster. `staged` holds the parts of a whole new policy until its last part came."""

    def __init__(self) -> None:
        self.book = Book()
        self.tally = Tally()
        self.usage = Usage()
        self.charges: dict[JobId, Charge] = {}
        self.staged: list[PolicyRecord] = []
        self._coming = Book()  # what is staged, put in order part by part
        self.usage_since = 0.0
        """When PriorityUsageResetPeriod set usage back last, or was first heard of; 0: it was not yet."""
        self.ages = True
        """Whether waiting jobs age by themselves: no limit says for how many that holds."""
        self._bounds: dict[tuple[int, str, str, str, str, str], tuple[Bound, ...]] = {}
        self._bounds_of = 0, 0
        self.refreshed = False
        """Whether somebody calls `refresh`."""
        self._shares: tuple[tuple[int, str, int], float, dict[int, Share]] | None = None
        self._refreshing: tuple[tuple[int, str, int], float, fairshare.Parts] | None = None

    @property
    def known(self) -> bool:
        """Whether any policy ever came."""
        return self.book.generation > 0

    def stage(self, records: Iterable[PolicyRecord]) -> None:
        """One more part of a whole new policy came."""
        part = list(records)
        self.staged += part
        self._coming.take(part)

    def unstage(self) -> Book:
        """Nothing is staged any more; what was."""
        self.staged, coming, self._coming = [], self._coming, Book()
        return coming

    def bounds(self, job: Job, partition: Partition | None, totals: Callable[[Partition | None], dict[str, int]],
            generation: int) -> tuple[Bound, ...]:
        """The limits that a job meets in a partition. `totals`: what a partition, or (None) the cluster, has, as of `generation`."""
        if self._bounds_of != (self.book.generation, generation):
            self._bounds.clear()
            self._bounds_of = self.book.generation, generation
        qos, of_partition = job.request.qos.lower(), partition.qos.lower() if partition is not None else ""
        key = (job.association, job.request.account, job.owner.user, qos, of_partition,
            partition.name if of_partition and partition is not None else "")
        found = self._bounds.get(key)
        if found is None:
            mine, other = self.book.qos.get(qos), self.book.qos.get(of_partition)
            found = self._bounds[key] = bounds.bounds(
                self.book, job.association, job.request.account, job.owner.user, bounds.absolute(mine, lambda: totals(None)),
                bounds.absolute(other, lambda: totals(partition)))
        return found

    def shares(self, now: float, flags: Collection[str], dampening: int) -> dict[int, Share]:
        """Fair shares of all associations. Those of large trees are some seconds old: one for each thousand associations.

        Where somebody calls `refresh` again and again, they are as old as its last result, and lack associations that are newer.
        """
        by = fairshare.algorithm(flags)
        key = self.book.generation, by, dampening
        if self._shares is None or not (self.refreshed and self._shares[0][1:] == key[1:] or self._lasts(key, now)):
            self._shares = key, now, fairshare.shares(self.book, self.usage, now, by=by, dampening=dampening)
        return self._shares[2]

    def refresh(self, now: float, flags: Collection[str], dampening: int) -> bool:
        """Work out fair shares of a large tree anew where that is due, a small part of it; whether there is more to do now."""
        by = fairshare.algorithm(flags)
        key = self.book.generation, by, dampening
        self.refreshed = self.is_large
        if not self.is_large:
            self._refreshing = None
            return False
        if self._refreshing is None or self._refreshing[0] != key:
            if self._lasts(key, now):
                return False
            self._refreshing = key, now, fairshare.parts(self.book, self.usage, now, by=by, dampening=dampening)
        _, since, work = self._refreshing
        try:
            next(work)
        except StopIteration as end:
            self._shares, self._refreshing = (key, since, end.value), None
            return False
        return True

    @property
    def is_large(self) -> bool:
        """Whether fair shares are worked out part by part."""
        return len(self.book.associations) >= 1000

    def _lasts(self, key: tuple[int, str, int], now: float) -> bool:
        """Whether the shares that were worked out last still hold."""
        lasts = len(self.book.associations) // 1000
        return self._shares is not None and self._shares[0] == key and bool(lasts) and 0.0 <= now - self._shares[1] < lasts


class Rules(Protocol):
    """What decides under what a job counts."""

    @property
    def policy(self) -> Policy: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def partitions(self) -> Mapping[str, Partition]: ...
    @property
    def nodes(self) -> Mapping[NodeName, Node]: ...
    @property
    def generation(self) -> int: ...


class State(Rules, Protocol):
    """What of a cluster's state is looked at here."""

    @property
    def unsaved(self) -> Unsaved: ...
    @property
    def pending(self) -> Mapping[JobId, Job]: ...
    @property
    def active(self) -> Mapping[JobId, Job]: ...


def keys_of(state: Rules, job: Job, partition_name: str = "") -> tuple[Key, ...]:
    """Everything that a job counts under in a partition, by default where it runs or the first in which it waits."""
    partition = state.partitions.get(partition_name or job.partition.partition(",")[0])
    return bounds.keys(state.policy.book, job.association, job.request.account, job.owner.user, job.request.qos.lower(),
                       partition.qos.lower() if partition is not None else "")


def bounds_of(state: Rules, job: Job, partition: Partition | None = None) -> tuple[Bound, ...]:
    """The limits that a job meets in a partition, by default where it runs or the first in which it waits."""
    where = partition if partition is not None else state.partitions.get(job.partition.partition(",")[0])

    def totals(of: Partition | None) -> dict[str, int]:
        nodes = state.nodes.values() if of is None else [state.nodes[name] for name in of.nodes if name in state.nodes]
        return tres.configured(nodes)

    return state.policy.bounds(job, where, totals, state.generation if state.policy.book.relative else 0)


def waits(state: State, job: Job) -> None:
    """A job joined the queue, or fewer tasks of an array wait than before."""
    if state.policy.known:
        count = 1 if job.array_part is None else sum((last - first) // step + 1 for first, last, step in job.array_part.ranges)
        state.policy.tally.wait(job.id, keys_of(state, job), count, accruing=bool(job.accrue_time))


def stops_waiting(state: State, job: Job) -> None:
    """It left the queue."""
    state.policy.tally.stop_waiting(job.id)


def runs(state: State, job: Job, at: float) -> None:
    """It holds what its allocation says, from now on, and uses it."""
    policy = state.policy
    if not policy.known or job.holding is None:
        return
    amounts = tres.held(state, job.holding)
    policy.tally.run(job.id, Held(keys_of(state, job), amounts, limit_of(job)))
    if job.id not in policy.charges and not job.completing and job.state is not JobState.SUSPENDED:
        qos = policy.book.qos.get(job.request.qos.lower())
        factor = qos.usage_factor if qos is not None else 1.0
        charge = Charge(job.id, _counters(policy, job), {name: amount * factor for name, amount in (*amounts.items(), (WALL, 1))})
        policy.charges[job.id] = charge
        policy.usage.begin(charge.keys, charge.amounts, at)
        _note(state, charge)


def stops_using(state: State, job: Job, at: float) -> None:
    """Its end was decided: it still holds its nodes, and uses nothing more."""
    charge = state.policy.charges.pop(job.id, None)
    if charge is not None:
        state.policy.usage.end(charge.keys, charge.amounts, at)
        _note(state, charge)


def stops_running(state: State, job: Job, at: float) -> None:
    """It holds nothing any more."""
    stops_using(state, job, at)
    state.policy.tally.stop_running(job.id)


def retimed(state: State, job: Job) -> None:
    """The time limit of a running job changed."""
    held = state.policy.tally.running(job.id)
    if held is not None:
        state.policy.tally.run(job.id, held._replace(until=limit_of(job)))


def limit_of(job: Job) -> float:
    """When the time limit ends a running job, in seconds since the epoch."""
    seconds = job.time_limit if job.time_limit >= 0 else UNLIMITED_SECONDS
    return job.start_time + job.suspended_seconds + seconds


def change(state: State, records: Iterable[PolicyRecord], at: float, *, whole: Book | None = None) -> None:
    """Take records over; `whole`: this and they are all there is.

    What waits and runs is counted anew where that changes under what it counts.
    """
    policy = state.policy
    records = list(records)
    moved = whole is not None or not policy.known or any(_moves(policy.book, record) for record in records)
    aged = policy.ages
    if whole is not None:
        whole.take(records)
        whole.generation = policy.book.generation + 1
        state.unsaved.policy.update(policy.book.names())
        state.unsaved.policy.update(whole.names())
        policy.book = whole
    else:
        policy.book.take(records)
        state.unsaved.policy.update(name_of(record) for record in records)
    policy.usage_since = policy.usage_since or at
    configured(state, at)
    if moved or policy.ages != aged:
        recount(state, at)


def configured(state: State, at: float) -> None:
    """Usage decays from now on as settings and QOS say, and jobs age as limits leave room, or by themselves."""
    policy = state.policy
    decay(state, at)
    aged = policy.ages
    limit_ages(state)
    if policy.ages and not aged:
        for job in state.pending.values():
            if job.eligible_time and not job.accrue_time and not job.held and not job.not_before:
                job.accrue_time = at
                state.unsaved.jobs.add(job.id)


def limit_ages(state: Rules) -> None:
    """Note whether some limit says how many jobs may age."""
    policy = state.policy
    policy.ages = not (policy.book.limits_accrual and "limits" in state.settings.accounting_enforce)


def decay(state: State, at: float) -> None:
    """Usage decays from now on as settings and QOS say."""
    policy = state.policy
    lasting = frozenset(name for name, qos in policy.book.qos.items() if "NoDecay" in qos.flags)
    if policy.usage.change_decay(float(state.settings.priority_decay_half_life), lasting, at):
        state.unsaved.usage.update(policy.usage.counters)


def reset(state: State, key: int | str, at: float) -> None:
    """RawUsage=0 was set."""
    state.policy.usage.reset(key, at)
    state.unsaved.usage.add(key)


def recount(state: State, at: float) -> None:
    """Count everything that waits and runs anew."""
    state.policy.tally = Tally()
    for job in state.pending.values():
        waits(state, job)
    for job in state.active.values():
        runs(state, job, at)


def _note(state: State, charge: Charge) -> None:
    state.unsaved.charges.add(charge.job)
    state.unsaved.usage.update(charge.keys)


def _moves(book: Book, record: PolicyRecord) -> bool:
    """Whether jobs may count under something else after this change."""
    if isinstance(record, Association):
        old = book.associations.get(record.id)
        return old is not None and (old.parent != record.parent or record.deleted)
    return isinstance(record, Qos) and any(qos.id == record.id and qos.name != record.name for qos in book.qos.values())


def _counters(policy: Policy, job: Job) -> tuple[int | str, ...]:
    lineage = policy.book.standing(job.association).lineage if job.association in policy.book.associations else ()
    return (*lineage, *((job.request.qos.lower(),) if job.request.qos else ()))
