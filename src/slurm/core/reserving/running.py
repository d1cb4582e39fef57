"""Running: jobs in reservations as they begin and end, and when each reservation is to be looked at next."""

from __future__ import annotations

from slurm.core.reserving import windows
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.job import Job
from slurm.model.reservation import Reservation

LOOK_SECONDS = 30.0
"""So often is looked whether a reservation's nodes are to be replaced."""


def runs(state: ClusterState, of: Reservation) -> bool:
    """Whether jobs run in it."""
    return any(job.holding is not None and job.holding.reservation == of.name for job in state.active.values())


def uses(state: ClusterState, job: Job, name: str) -> bool:
    """Whether a job runs in the reservation of this name or waits for it."""
    if job.id in state.pending:
        return name in job.request.reservation.split(",")
    return job.id in state.active and job.holding is not None and job.holding.reservation == name


def changed(state: ClusterState, of: Reservation, at: float) -> None:
    """Its record is another one: that is to be saved, and when to look at it next may be another moment."""
    state.unsaved.reservations.add(of.name)
    set_timer(state, of, at)


def follow_nodes(state: ClusterState, at: float) -> None:
    """Nodes or partitions are others: reservations of all nodes, or of all of a partition, have what is there now."""
    for of in state.reservations.values():
        partition = state.partitions.get(of.partition) if "PART_NODES" in of.flags else None
        if partition is not None or "ALL_NODES" in of.flags:
            members = set(partition.nodes) if partition is not None else set(state.nodes)
            nodes = [name for name in state.nodes if name in members]
            if nodes != of.nodes:
                of.nodes = nodes
                of.cores = sum(state.nodes[name].cpus // state.nodes[name].threads for name in nodes)
                changed(state, of, at)


def set_timer(state: ClusterState, of: Reservation, now: float) -> None:
    """Look at it when it begins or ends, may be purged, or when its nodes may need others."""
    state.timers.set(next_look(of, now), Timer.RESERVATION, of.id)


def next_look(of: Reservation, now: float) -> float:
    """When something may be due of a reservation."""
    one = windows.window(of, now)
    moments = [one.end if of.begun else one.start] if "TIME_FLOAT" not in of.flags else []
    if of.purge_after and of.idle_since:
        moments.append(of.idle_since + of.purge_after)
    if of.replaces or not moments:
        moments.append(now + LOOK_SECONDS)
    return min(moments)


def left(state: ClusterState, job: Job, at: float) -> None:
    """A job of a reservation holds nothing any more; its own record is out of the active ones."""
    name = job.holding.reservation if job.holding is not None else ""
    of = state.reservations.get(name)
    if of is not None and of.begun and not runs(state, of):
        of.idle_since = at
        changed(state, of, at)


def entered(state: ClusterState, job: Job, at: float) -> None:
    """A job begins in a reservation: it ends with it, ResvOverRun later, unless it may go on (FLEX)."""
    name = job.allocation.reservation if job.allocation is not None else ""
    of = state.reservations.get(name)
    if of is None:
        job.end_by = 0.0
        return
    job.end_by = end_by(state, of, at)
    if of.idle_since:
        of.idle_since = 0.0
        changed(state, of, at)


def end_by(state: ClusterState, of: Reservation, now: float) -> float:
    """When jobs that run in a reservation are ended, 0: never."""
    over = state.settings.reservation_over_run
    return 0.0 if over < 0 or "FLEX" in of.flags else windows.window(of, now).end + over
