"""The number that squeue shows as a job's priority, and the order that follows from it. Accounting's factors come with accounting."""

from __future__ import annotations

from slurm.model.job import Job
from slurm.sched.view import View

TOP = 4294901760
"""Where priority/basic starts to count down, as in Slurm."""
FACTOR_BASE = 1

Key = tuple[int, int, float, int]


class Scale:
    """Priorities of many jobs at one moment: what they have in common is worked out once."""

    def __init__(self, view: View, now: float) -> None:
        self.now = now
        self.settings = view.settings
        self.nodes = len(view.nodes) or 1
        partitions = view.partitions
        most = max((p.priority_job_factor for p in partitions.values()), default=1) or 1
        self.factors = {name: p.priority_job_factor / most for name, p in partitions.items()}
        self.tiers = {name: p.priority_tier for name, p in partitions.items()}

    def value(self, job: Job) -> int:
        """The priority number: 0 when held, what an administrator set, else by PriorityType."""
        settings, request = self.settings, job.request
        if job.held:
            return 0
        if request.priority is not None:
            return request.priority
        if settings.priority_type == "basic":
            return max(1, TOP - job.id - request.nice)
        total = float(FACTOR_BASE)
        if settings.priority_weight_age and job.accrue_time:
            age = min(1.0, max(0.0, self.now - job.accrue_time) / max(1, settings.priority_max_age))
            total += settings.priority_weight_age * age
        if settings.priority_weight_job_size:
            share = min(1.0, max(1, request.nodes_min) / self.nodes)
            total += settings.priority_weight_job_size * (1.0 - share if settings.priority_favor_small else share)
        if settings.priority_weight_partition:
            total += settings.priority_weight_partition * self.factors.get(job.partition.partition(",")[0], 0.0)
        return max(1, int(total) - request.nice)

    def key(self, job: Job) -> Key:
        """What to sort by: partition tier, priority, submission."""
        tier = max(self.tiers.get(name, 0) for name in job.partition.split(","))
        return -tier, -self.value(job), job.submit_time, job.id


def value(view: View, job: Job, now: float) -> int:
    """The priority number of one job."""
    return Scale(view, now).value(job)
