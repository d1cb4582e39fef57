"""Priority: the number that squeue shows, as the sum of its factors, and the order that follows from it. sprio and explanations show the
same factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from slurm.core import tres
from slurm.core.policy.fairshare import Share
from slurm.model.job import Job
from slurm.sched.preemption import Preemption
from slurm.sched.view import View

TOP = 4294901760
"""Where priority/basic starts to count down, as in Slurm."""
ENDLESS_MINUTES = 2.0**32 - 1
"""What a job without a time limit is taken to run where its size counts relative to its time."""

_TIERS = 65536
"""More than any PriorityTier."""

Key = tuple[int, int, float, int]


class Factors(NamedTuple):
    """From 0 to 1 each, where PriorityFlags does not say otherwise; `tres` by TRES name, `nice` counts as it is."""

    age: float = 0.0
    association: float = 0.0
    fair_share: float = 0.0
    job_size: float = 0.0
    partition: float = 0.0
    qos: float = 0.0
    tres: tuple[tuple[str, float], ...] = ()
    nice: int = 0


class Weighted(NamedTuple):
    """Factors times their weights; `total` is the priority."""

    age: float
    association: float
    fair_share: float
    job_size: float
    partition: float
    qos: float
    tres: tuple[tuple[str, float], ...]
    nice: int

    @property
    def total(self) -> int:
        """The priority number: 1 at least."""
        exact = (self.age + self.association + self.fair_share + self.job_size + self.partition + self.qos
                 + sum(worth for _, worth in self.tres))
        return max(1, int(exact) - self.nice)


class Scale:
    """Priorities of many jobs at one moment: what they have in common is worked out once."""

    def __init__(self, view: View, now: float) -> None:
        self.now = now
        self.settings = view.settings
        self.view = view
        self.nodes = len(view.nodes) or 1
        self.cpus = sum(node.cpus for node in view.nodes.values()) or 1 if view.settings.priority_weight_job_size else 1
        partitions = view.partitions
        flags = view.settings.priority_flags
        most = 1 if _raw(flags, "PART") else max((p.priority_job_factor for p in partitions.values()), default=1) or 1
        self.factors = {name: p.priority_job_factor / most for name, p in partitions.items()}
        self.tiers = {name: p.priority_tier for name, p in partitions.items()}
        self._tiers: dict[str, int] = {}
        self._weights = view.settings.priority_weight_tres
        self._book = view.policy.book
        self._most_qos = 1 if _raw(flags, "QOS") else max((qos.priority for qos in self._book.qos.values()), default=0) or 1
        self._ranked = view.settings.preempt_type == "qos"
        self._preemption = Preemption(view, now)
        self._ranks: dict[str, int] = {}
        self._shares: dict[int, Share] | None = None
        self._standing: dict[tuple[int, str], tuple[float, float, float]] = {}
        self._worth: dict[tuple[int, str, str], tuple[float, float, float, float]] = {}
        self._totals: dict[str, dict[str, int]] = {}

    def value(self, job: Job) -> int:
        """The priority number: 0 when held, what an administrator set, else by PriorityType."""
        settings, request = self.settings, job.request
        if job.held:
            return 0
        if request.priority is not None:
            return request.priority
        if settings.priority_type == "basic":
            return max(1, TOP - job.id - request.nice)
        total = self._total(job)
        return max(total, job.priority) if "INCR_ONLY" in settings.priority_flags else total

    def key(self, job: Job) -> Key:
        """What to sort by: partition tier, priority, submission. The components of a heterogeneous job share a place."""
        if job.het:
            return self._place_together(job)
        return -self._tier(job), -self.value(job), job.submit_time, job.id

    def _tier(self, job: Job) -> int:
        """The highest tier of its partitions; jobs to which others may give way come before all tiers."""
        tier = self._tiers.get(job.partition)
        if tier is None:
            tier = self._tiers[job.partition] = max(self.tiers.get(name, 0) for name in job.partition.split(","))
        return tier + _TIERS * self._rank(job) if self._ranked else tier

    def _rank(self, job: Job) -> int:
        qos = job.request.qos.lower()
        if qos not in self._ranks:
            self._ranks[qos] = self._preemption.rank(self._book.qos.get(qos))
        return self._ranks[qos]

    def _place_together(self, job: Job) -> Key:
        """The place of the leader, or as bf_hetjob_prio says."""
        jobs = [one for job_id in job.het if (one := self.view.pending.get(job_id)) is not None] or [job]
        tiers, values = [self._tier(one) for one in jobs], [self.value(one) for one in jobs]
        of = _PLACES[self.settings.hetjob_priority]
        return -of(tiers), -of(values), jobs[0].submit_time, job.id

    def shares(self) -> dict[int, Share]:
        """Fair shares of all associations, worked out when first asked for."""
        if self._shares is None:
            settings = self.settings
            self._shares = self.view.policy.shares(self.now, settings.priority_flags, settings.fair_share_dampening)
        return self._shares

    def of(self, job: Job) -> Factors:
        """The factors of a job."""
        settings, request = self.settings, job.request
        partition = job.partition.partition(",")[0]
        standing = job.association, request.qos
        known = self._standing.get(standing)
        if known is None:
            known = self._standing[standing] = self._stands(*standing)
        return Factors(self._age(job), known[0], known[1], self._size(job) if settings.priority_weight_job_size else 0.0,
            self.factors.get(partition, 0.0), known[2],
                       self._resources(job, partition) if self._weights else (), request.nice)

    def weighted(self, job: Job) -> Weighted:
        """Its factors, each times its weight."""
        settings, one = self.settings, self.of(job)
        return Weighted(
            settings.priority_weight_age * one.age, settings.priority_weight_association * one.association,
            settings.priority_weight_fair_share * one.fair_share, settings.priority_weight_job_size * one.job_size,
            settings.priority_weight_partition * one.partition, settings.priority_weight_qos * one.qos,
            tuple((name, self._weights[name] * factor) for name, factor in one.tres), one.nice)

    def _total(self, job: Job) -> int:
        """The same number as `weighted(job).total`, without the parts that nobody looks at: it is asked of each of a million jobs."""
        settings, request = self.settings, job.request
        if self._weights or settings.priority_weight_job_size:
            return self.weighted(job).total
        key = job.association, request.qos, job.partition
        worth = self._worth.get(key)
        if worth is None:
            found = self.weighted(job)
            worth = self._worth[key] = found.association, found.fair_share, found.partition, found.qos
        age = settings.priority_weight_age * self._age(job) if settings.priority_weight_age else 0.0
        return max(1, int(age + worth[0] + worth[1] + worth[2] + worth[3]) - request.nice)

    def _age(self, job: Job) -> float:
        settings = self.settings
        since = job.submit_time if "ACCRUE_ALWAYS" in settings.priority_flags else job.accrue_time
        return min(1.0, max(0.0, self.now - since) / max(1, settings.priority_max_age)) if settings.priority_weight_age and since else 0.0

    def _stands(self, association: int, qos: str) -> tuple[float, float, float]:
        """What follows from whom a job counts for, and its QOS: association, fair share and QOS factors."""
        settings, book = self.settings, self._book
        of_association = fair = 0.0
        if association in book.associations:
            if settings.priority_weight_association:
                most = 1 if _raw(settings.priority_flags, "ASSOC") else max((book.standing(one).priority for one in book.associations),
                    default=0) or 1
                of_association = book.standing(association).priority / most
            if settings.priority_weight_fair_share:
                share = self.shares().get(association)  # one that came a moment ago has none yet
                fair = share.factor or 0.0 if share is not None else 0.0
        known = book.qos.get(qos.lower())
        return of_association, fair, known.priority / self._most_qos if known is not None and known.priority > 0 else 0.0

    def _size(self, job: Job) -> float:
        nodes = tres.nodes_wanted(job) / self.nodes
        if "SMALL_RELATIVE_TO_TIME" in self.settings.priority_flags:
            part = nodes / (max(1.0, job.time_limit / 60) if job.time_limit >= 0 else ENDLESS_MINUTES)
        else:
            part = (nodes + tres.cpus_wanted(job) / self.cpus) / 2
        return 1.0 - min(1.0, part) if self.settings.priority_favor_small else min(1.0, part)

    def _resources(self, job: Job, partition: str) -> tuple[tuple[str, float], ...]:
        """What part of the partition a job asks for, by TRES."""
        totals = self._totals.get(partition)
        if totals is None:
            known = self.view.partitions.get(partition)
            nodes = [self.view.nodes[name] for name in known.nodes if name in self.view.nodes] if known is not None else []
            totals = self._totals[partition] = tres.configured(nodes)
        wanted = tres.requested(self.view, job)
        if _raw(self.settings.priority_flags, "TRES"):
            return tuple((name, float(wanted.get(name, 0))) for name in self._weights)
        return tuple((name, min(1.0, wanted.get(name, 0) / totals[name]) if totals.get(name) else 0.0) for name in self._weights)


_PLACES: dict[str, Callable[[list[int]], int]] = {
    "": lambda values: values[0], "min": min, "max": max, "avg": lambda values: sum(values) // len(values)}
"""bf_hetjob_prio → what the components of a heterogeneous job sort by."""


def _raw(flags: list[str], what: str) -> bool:
    """Whether a factor is taken as it is, not set against the highest there is: NO_NORMAL_QOS and its like."""
    return "NO_NORMAL_ALL" in flags or f"NO_NORMAL_{what}" in flags


def value(view: View, job: Job, now: float) -> int:
    """The priority number of one job."""
    return Scale(view, now).value(job)
