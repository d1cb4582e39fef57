"""Snapshots: the whole state as one record, and back. Indices are not in it; `thaw` builds them anew."""

from __future__ import annotations

import msgspec

from slurm.core.arrays import Ledger
from slurm.core.cluster import Cluster
from slurm.core.starting import set_limit_timer, set_warning_timer
from slurm.core.timer_heap import Timer
from slurm.model.ids import JobId, Uid
from slurm.model.job import ArrayPart, Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.model.states import JobState
from slurm.notation.taskset import TaskSet

Run = tuple[int, int, int]


class ArrayRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an array's ledger knows beyond the records: counts and the tasks that ended, as runs (first, last, step)."""

    id: JobId
    shape: ArrayPart
    started: int = 0
    done_well: list[Run] = []
    done_badly: list[Run] = []


class PastKey(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The key of a submission whose job left memory at this time."""

    uid: Uid
    key: str
    job: JobId
    at: float


class Snapshot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The state of a cluster. New fields always have defaults."""

    settings: Settings
    next_job_id: JobId
    nodes: list[Node] = []
    partitions: list[Partition] = []
    jobs: list[Job] = []
    queue: list[JobId] = []
    arrays: list[ArrayRecord] = []
    keys: list[PastKey] = []


def freeze(cluster: Cluster) -> Snapshot:
    """The state as a record. It shares the cluster's records: encode it before the next event is applied."""
    return Snapshot(
        settings=cluster.settings,
        next_job_id=cluster.next_job_id,
        nodes=list(cluster.nodes.values()),
        partitions=list(cluster.partitions.values()),
        jobs=list(cluster.jobs.values()),
        queue=list(cluster.pending),
        arrays=[
            ArrayRecord(id=array, shape=ledger.shape, started=ledger.started, done_well=list(ledger.done_well.runs),
                        done_badly=list(ledger.done_badly.runs))
            for array, ledger in cluster.arrays.items()
        ],
        keys=[PastKey(uid=uid, key=key, job=job, at=at) for (uid, key), (job, at) in cluster.keys.past.items()])


def thaw(snapshot: Snapshot) -> Cluster:
    """The cluster that `freeze` described. It takes the snapshot's records over."""
    cluster = Cluster(snapshot.settings)
    cluster.next_job_id = snapshot.next_job_id
    cluster.nodes = {node.name: node for node in snapshot.nodes}
    cluster.partitions = {partition.name: partition for partition in snapshot.partitions}
    cluster.jobs = {job.id: job for job in snapshot.jobs}
    for record in snapshot.arrays:
        ledger = cluster.arrays[record.id] = Ledger(record.shape)
        ledger.started = record.started
        ledger.done_well = TaskSet(record.done_well)
        ledger.done_badly = TaskSet(record.done_badly)
    for past in snapshot.keys:
        cluster.keys.past[past.uid, past.key] = (past.job, past.at)
    for job_id in snapshot.queue:
        cluster.enter_queue(cluster.jobs[job_id])
    for job in snapshot.jobs:
        _index(cluster, job)
    for job in cluster.pending.values():
        group = cluster.names.group(job)
        if group is not None and any(clause.kind == "singleton" and clause.state == "fulfilled" for clause in job.dependency):
            group.turn = job.id
    return cluster


def _index(cluster: Cluster, job: Job) -> None:
    cluster.keys.add(job.owner.uid, job.key, job.array_job or job.id)
    if job.array_task is not None:
        ledger = cluster.arrays[job.array_job]
        ledger.records[job.array_task] = job.id
        ledger.running += job.holding is not None and not _over(job)
    if job.id in cluster.pending:
        cluster.remember_targets(job)
        cluster.set_waiting_timers(job)
    elif _over(job):
        cluster.timers.set(job.end_time + cluster.settings.min_job_age, Timer.PURGE, job.id)
    else:
        cluster.active[job.id] = job
        cluster.names.runs(job)
        if job.state is JobState.RUNNING and not job.completing:
            set_limit_timer(cluster, job)
            set_warning_timer(cluster, job)


def _over(job: Job) -> bool:
    return job.state.finished and not job.completing
