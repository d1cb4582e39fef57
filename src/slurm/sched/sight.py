"""Sight: what tells of a waiting job, without a closer look, that it has to wait behind others.

Most jobs of a pass wait behind a first one of their partition, and too little is free for them. For those against which nothing else can
be, that follows from a few numbers, kept from pass to pass. What is said here, the closer look would say too.
"""

from __future__ import annotations

from slurm.core.gates.partition_access import EVERYBODY
from slurm.model.job import Job
from slurm.sched.filters import partition_limits
from slurm.sched.lengths import length
from slurm.sched.need import Needs, Numbers
from slurm.sched.quotas import unlimited
from slurm.sched.terrain import Terrain
from slurm.sched.verdicts import too_large, unavailable
from slurm.sched.view import View


def clear(view: View, *, backfill: bool) -> bool:
    """Whether nothing but a job itself, its array, its partition and what is free can keep it from starting in this cluster."""
    settings = view.settings
    return not (view.policy.known or view.reservations or settings.preempt_type != "none") and unlimited(settings, backfill=backfill)


def numbers(terrain: Terrain, needs: Needs, job: Job) -> Numbers:
    """Those of a job that may start as far as it is asked itself, remembered while it, its partition and the nodes stay as they are."""
    known = terrain.numbers.get(job.id)
    if known is None or known.request is not job.request or known.limit != job.time_limit or known.partition != job.partition:
        if len(terrain.numbers) > 2 * len(terrain.view.pending) + 64:
            terrain.numbers.clear()
        known = terrain.numbers[job.id] = _numbers(terrain, needs, job)
    return known


def _numbers(terrain: Terrain, needs: Needs, job: Job) -> Numbers:
    request = job.request
    unknown = Numbers(request, job.partition, job.time_limit)
    partition = terrain.view.partitions.get(job.partition)
    if job.het or partition is None or request.licenses or request.reservation or request.time_min is not None:
        return unknown
    if partition.state not in ("UP", "DRAIN") or partition.req_resv or partition.oversubscribe != "NO":
        return unknown
    if not (partition.allow_accounts in EVERYBODY and partition.allow_qos in EVERYBODY) or partition.deny_accounts or partition.deny_qos:
        return unknown
    need = needs.of(request, terrain.view.settings, partition)
    if need.switches or need.spec is not None or need.pools:
        return unknown
    if partition_limits.refuse(job, need, partition, terrain.cpus) or unavailable(terrain, need, partition):
        return unknown
    return Numbers(request, job.partition, job.time_limit, need, need.total_cpus, length(job))


def fits(terrain: Terrain, job: Job, known: Numbers) -> bool:
    """Whether it would fit if nothing ran; remembered with its numbers."""
    if known.fits is None and known.need is not None:
        known = known._replace(fits=too_large(terrain, known.need, terrain.view.partitions[job.partition]) is None)
        terrain.numbers[job.id] = known
    return bool(known.fits)
