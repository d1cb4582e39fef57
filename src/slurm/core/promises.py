"""Promises: what other jobs gave up for one that waits is refused to everybody else, until it has started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from slurm.core import resources
from slurm.core.state import ClusterState
from slurm.model.cpu_set import NOTHING
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.node import Node
from slurm.model.partition import Partition


class Held(Protocol):
    """What of a cluster is looked at here."""

    @property
    def nodes(self) -> Mapping[NodeName, Node]: ...
    @property
    def partitions(self) -> Mapping[str, Partition]: ...
    @property
    def jobs(self) -> Mapping[JobId, Job]: ...
    @property
    def active(self) -> Mapping[JobId, Job]: ...


def refusal(state: ClusterState, job_id: JobId, allocation: Allocation) -> str | None:
    """Which part of a proposed allocation was freed for another job, in a sentence; None when none of it was."""
    if not state.promised:
        return None
    wanted = {share.node: share for share in allocation.shares}
    sharing = resources.may_share(state, state.jobs[job_id], allocation.partition)
    for other in state.promised.values():
        if other.id == job_id or other.promise is None:
            continue
        for kept in other.promise.allocation.shares:
            mine = wanted.get(kept.node)
            if mine is None:
                continue
            if other.promise.allocation.exclusive or allocation.exclusive or _collide(state, other, kept, mine, sharing):
                return f"node {kept.node} was freed for job {other.shown_id}"
    return None


def broken(state: Held, job: Job) -> str | None:
    """Why a job cannot get what it was promised, whoever gives way, in a sentence; None when it can."""
    assert job.promise is not None
    for share in job.promise.allocation.shares:
        node = state.nodes.get(share.node)
        if node is None or not node.usable:
            return f"node {share.node} is not usable any more"
    if job.promise.allocation.partition not in state.partitions:
        return f"partition {job.promise.allocation.partition} does not exist any more"
    return None


def givers(state: Held, job: Job) -> list[Job]:
    """Those that still hold what a job was promised."""
    assert job.promise is not None
    found = (state.jobs.get(victim) for victim in job.promise.victims)
    return [one for one in found if one is not None and one.preempted_for == job.id and one.id in state.active and not one.without_cpus]


def _collide(state: ClusterState, other: Job, kept: NodeShare, mine: NodeShare, sharing: bool) -> bool:
    if not sharing and not kept.cpus.isdisjoint(mine.cpus):
        return True
    if any(not devices.isdisjoint(mine.gres.get(name, NOTHING)) for name, devices in kept.gres.items()):
        return True
    node = state.nodes[kept.node]
    leaving = sum(share.memory for giver in givers(state, other) if (share := resources.share_on(giver, node)) is not None)
    return bool(mine.memory) and node.memory_used - leaving + kept.memory + mine.memory > node.job_memory
