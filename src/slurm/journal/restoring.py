"""Restoring: from rows to a cluster, indices and timers included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from slurm.core import dependencies, recording, resources
from slurm.core.arrays import Ledger
from slurm.core.cluster import Cluster
from slurm.core.policy import state as counting
from slurm.core.policy.book import name_of
from slurm.core.reserving import running
from slurm.core.starting import set_limit_timer, set_warning_timer
from slurm.core.timer_heap import Timer
from slurm.journal.codec import Reader
from slurm.journal.row import CLUSTER, Name, Row
from slurm.journal.rows import STRUCTS, unsave
from slurm.journal.shapes import VERSION
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.notation.taskset import TaskSet


def restored(rows: Iterable[Row], reader: Reader) -> Cluster | None:
    """The cluster that these rows describe; None when there are none. msgspec.MsgspecError for one that cannot be read.

    What was written with an earlier version is unsaved, so that the next snapshot has it in the present one.
    """
    found: dict[str, list[Any]] = {kind: [] for kind in STRUCTS}
    old: list[Name] = []
    for row in rows:
        if row.kind not in found or row.body is None:
            raise msgspec.ValidationError(f"a row of kind {row.kind} is not known")
        found[row.kind].append(reader.record(STRUCTS[row.kind], row.version, row.body))
        if row.version != VERSION:
            old.append(row.name)
    if not found[CLUSTER]:
        return None
    cluster = _assembled(found)
    unsave(cluster, old)
    return cluster


def _assembled(found: dict[str, list[Any]]) -> Cluster:
    [own] = found[CLUSTER]
    jobs: list[Job] = found["job"]
    cluster = Cluster(own.settings)
    cluster.next_job_id, cluster.last_place = own.next_job_id, own.last_place
    cluster.recording.sequence, cluster.recording.cluster = own.recorded, own.recorded_cluster
    cluster.recording.out_of_service = {event.node: event for event in own.out_of_service}
    cluster.nodes = {node.name: node for node in sorted(found["node"], key=lambda node: node.position)}
    cluster.partitions = {partition.name: partition for partition in sorted(found["partition"], key=lambda partition: partition.position)}
    cluster.reservations = {one.name: one for one in sorted(found["reservation"], key=lambda one: one.id)}
    cluster.crontabs = {crontab.uid: crontab for crontab in found["crontab"]}
    cluster.next_reservation = own.next_reservation
    cluster.triggers = {one.id: one for one in sorted(found["trigger"], key=lambda one: one.id)}
    cluster.next_trigger = own.next_trigger
    cluster.epoch, cluster.leader = own.epoch, own.leader
    cluster.jobs = {job.id: job for job in jobs}
    for record in found["array"]:
        ledger = cluster.arrays[record.id] = Ledger(record.shape)
        ledger.started = record.started
        ledger.done_well = TaskSet(record.done_well)
        ledger.done_badly = TaskSet(record.done_badly)
    for past in sorted(found["key"], key=lambda past: past.at):
        cluster.keys.past[past.uid, past.key] = (past.job, past.at)
    _restore_policy(cluster, found)
    for job in sorted((job for job in jobs if _waits(job)), key=lambda job: job.queue_place):
        cluster.index_waiting(job)
    for job in jobs:
        _index(cluster, job)
    resources.count_overlaps(cluster)
    for of in cluster.reservations.values():
        running.set_timer(cluster, of, of.idle_since or of.start)
    for job in cluster.pending.values():
        group = cluster.names.group(job)
        if group is not None and any(clause.kind == "singleton" and clause.state == "fulfilled" for clause in job.dependency):
            group.turn = job.id
        if job.dependency and dependencies.is_behind(cluster, job):
            cluster.timers.set(job.submit_time, Timer.DELAY, job.id)
    recording.begun_arrays(cluster)
    return cluster


def _restore_policy(cluster: Cluster, found: dict[str, list[Any]]) -> None:
    """Before the jobs, which are counted under it as they are indexed."""
    [own] = found[CLUSTER]
    policy = cluster.policy
    policy.stage(own.staged)
    policy.usage_since = own.usage_since
    policy.usage.half_life, policy.usage.lasting = own.half_life, frozenset(own.lasting)
    policy.usage.counters = {row.key: row.counters for row in found["usage"]}
    policy.charges = {charge.job: charge for charge in found["charge"]}
    if found["policy"]:
        policy.book.take(sorted((row.record for row in found["policy"]), key=name_of))
        counting.limit_ages(cluster)


def _waits(job: Job) -> bool:
    return job.state is JobState.PENDING and not job.completing and job.lost is None


def _index(cluster: Cluster, job: Job) -> None:
    cluster.payloads.add(job.payload)
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
        cluster.enter_service(job, job.start_time)
        if job.state in (JobState.RUNNING, JobState.SUSPENDED) and not job.completing:
            set_limit_timer(cluster, job)
            if job.preempt_mode and job.kill_at:
                cluster.timers.set(job.kill_at, Timer.GRACE, job.id)
            if job.state is JobState.RUNNING:
                set_warning_timer(cluster, job)


def _over(job: Job) -> bool:
    return job.state.finished and not job.completing
