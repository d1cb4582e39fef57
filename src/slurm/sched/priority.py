"""In which order jobs are looked at, and the number that squeue shows for it. Accounting's factors come with accounting."""

from __future__ import annotations

from slurm.model.job import Job
from slurm.sched.view import View

TOP = 4294901760
"""Where priority/basic starts to count down, as in Slurm."""
FACTOR_BASE = 1


def value(view: View, job: Job, now: float) -> int:
    """The priority number: 0 when held, what an administrator set, else by PriorityType."""
    settings = view.settings
    if job.held:
        return 0
    if job.request.priority is not None:
        return job.request.priority
    if settings.priority_type == "basic":
        return max(1, TOP - job.id - job.request.nice)
    partition = view.partitions.get(job.partition.partition(",")[0])
    total = float(FACTOR_BASE)
    if settings.priority_weight_age and job.accrue_time:
        age = min(1.0, max(0.0, now - job.accrue_time) / max(1, settings.priority_max_age))
        total += settings.priority_weight_age * age
    if settings.priority_weight_job_size:
        nodes = len(view.nodes) or 1
        share = min(1.0, max(1, job.request.nodes_min) / nodes)
        total += settings.priority_weight_job_size * (1.0 - share if settings.priority_favor_small else share)
    if settings.priority_weight_partition and partition is not None:
        most = max((p.priority_job_factor for p in view.partitions.values()), default=1) or 1
        total += settings.priority_weight_partition * partition.priority_job_factor / most
    return max(1, int(total) - job.request.nice)


def order(view: View, jobs: list[Job], now: float) -> list[Job]:
    """Jobs from first to last: partition tier, priority, submission."""
    tiers = {name: partition.priority_tier for name, partition in view.partitions.items()}

    def key(job: Job) -> tuple[int, int, float, int]:
        tier = max((tiers.get(name, 0) for name in job.partition.split(",")), default=0)
        return -tier, -value(view, job, now), job.submit_time, job.id

    return sorted(jobs, key=key) if len(jobs) > 1 else jobs
