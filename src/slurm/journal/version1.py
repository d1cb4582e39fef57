"""Version 1: the snapshot that was one record with everything in it."""

from __future__ import annotations

import msgspec

from slurm.core.cluster import Cluster
from slurm.journal.rows import ArrayRecord, ClusterRecord, PastKey, Records, assembled, unsave_all
from slurm.model import msgpack
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings


class Snapshot(msgspec.Struct, kw_only=True):
    """The state of a cluster."""

    settings: Settings
    next_job_id: JobId
    nodes: list[Node] = []
    partitions: list[Partition] = []
    jobs: list[Job] = []
    queue: list[JobId] = []
    arrays: list[ArrayRecord] = []
    keys: list[PastKey] = []


def restored(body: bytes) -> Cluster:
    """The cluster of such a snapshot, all of it unsaved. msgspec.MsgspecError when it cannot be read."""
    old = msgpack.decode(body, type=Snapshot)
    jobs = {job.id: job for job in old.jobs}
    for place, job_id in enumerate(old.queue, 1):
        jobs[job_id].queue_place = place
    own = ClusterRecord(settings=old.settings, next_job_id=old.next_job_id, last_place=len(old.queue))
    cluster = assembled(Records(own, old.nodes, old.partitions, old.jobs, old.arrays, old.keys))
    unsave_all(cluster)
    return cluster
