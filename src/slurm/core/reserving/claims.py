"""Claims: which nodes and CPUs reservations keep from a job, and which reservation it may start in.

One rule, asked by the planner and by the check of what it proposes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from slurm.core.policy.state import Policy
from slurm.core.reserving import access, windows
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.ids import NodeName
from slurm.model.job import Allocation, Job
from slurm.model.reservation import Reservation
from slurm.notation import hostlist

YEAR = 365 * 86400.0
"""How long a job without a time limit is taken to run, as in Slurm."""


class Claims(NamedTuple):
    """What a job must leave alone: whole nodes, and CPUs of others; `by` are the reservations that have them."""

    nodes: frozenset[NodeName] = frozenset()
    cpus: Mapping[NodeName, CpuSet] = {}
    by: tuple[str, ...] = ()


NONE = Claims()


def named(job: Job) -> list[str]:
    """The reservations that a job asks for, in order."""
    return job.request.reservation.split(",") if job.request.reservation else []


def open_to(of: Reservation, job: Job, policy: Policy, now: float) -> bool:
    """Whether a job may start in a reservation now: it runs, or lets its jobs begin before it (FLEX); and is for this job."""
    one = windows.window(of, now)
    return now < one.end and (one.start <= now or "FLEX" in of.flags) and access.may_use(of, job, policy)


def entrances(reservations: Mapping[str, Reservation], job: Job, policy: Policy, now: float) -> list[Reservation]:
    """The reservations that a job may start in now: those it names, or else those that draw it in (MAGNETIC)."""
    if job.request.reservation:
        found = (reservations.get(name) for name in named(job))
        return [of for of in found if of is not None and open_to(of, job, policy, now)]
    return [of for of in reservations.values() if "MAGNETIC" in of.flags and open_to(of, job, policy, now)]


def length(job: Job) -> float:
    """How long a waiting job runs at most, in seconds."""
    return float(job.time_limit) if job.time_limit >= 0 else YEAR


def barring(reservations: Iterable[Reservation], job: Job, own: Reservation | None, now: float, start: float) -> list[Reservation]:
    """The reservations that keep nodes from a job that starts at `start`, in `own` or (None) outside of any."""
    end = start + length(job)
    if own is not None and "FLEX" not in own.flags:
        end = min(end, windows.window(own, now).end)
    return [other for other in reservations if _bars(other, job, own) and windows.during(other, now, start, end)]


def _bars(other: Reservation, job: Job, own: Reservation | None) -> bool:
    if own is None:
        return not (other.max_start_delay and 0 <= job.time_limit <= other.max_start_delay)
    return other.id != own.id and (other.rank > own.rank or "FLEX" in own.flags)


def of(barring: Iterable[Reservation], own: Reservation | None) -> Claims:
    """What these reservations keep from a job that starts in `own`: of nodes that both have, the one of the higher rank has them."""
    nodes: set[NodeName] = set()
    cpus: dict[NodeName, CpuSet] = {}
    names = []
    for other in barring:
        mine = set(own.nodes) if own is not None and other.rank <= own.rank else ()
        names.append(other.name)
        for name in other.nodes:
            if name in mine:
                continue
            if name in other.cpus:
                cpus[name] = cpus.get(name, NOTHING) | other.cpus[name]
            else:
                nodes.add(name)
    return Claims(frozenset(nodes), cpus, tuple(names))


def refusal(reservations: Mapping[str, Reservation], job: Job, allocation: Allocation, policy: Policy, now: float) -> str | None:
    """Why reservations do not let a job have this allocation now, in a sentence; None when they do."""
    if not reservations and not allocation.reservation:
        return None
    own = reservations.get(allocation.reservation) if allocation.reservation else None
    if allocation.reservation and (own is None or own not in entrances(reservations, job, policy, now)):
        return f"reservation {allocation.reservation} does not let it in now"
    if job.request.reservation and own is None:
        return "it asks for a reservation"
    kept = of(barring(reservations.values(), job, own, now, now), own)
    for share in allocation.shares:
        if share.node in kept.nodes or not share.cpus.isdisjoint(kept.cpus.get(share.node, NOTHING)):
            return f"node {share.node} is kept for another reservation ({', '.join(kept.by)})"
        if own is not None and "FLEX" not in own.flags and share.node not in own.nodes:
            return f"node {share.node} does not belong to reservation {own.name}"
        if own is not None and "FLEX" not in own.flags and share.node in own.cpus and not share.cpus <= own.cpus[share.node]:
            return f"CPUs of node {share.node} do not belong to reservation {own.name}"
    return None


def shown(kept: Claims) -> str:
    """For people: which nodes are kept by whom."""
    return f"{hostlist.compress(sorted(kept.nodes | set(kept.cpus)))} by {', '.join(kept.by)}"
