"""Workloads from the journal of a cluster of ours: what its StateSaveLocation knows of jobs that ran, run and wait."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from urllib.parse import quote

import msgspec

from slurm.core.events import Caller
from slurm.model.errors import NotFound, StoreError
from slurm.model.job import Job
from slurm.sim.engine import Arrival
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.service import JOURNAL
from slurm.store.sqlite_journal import SqliteJournal

UNKNOWN_SECONDS = 3600.0
"""So long a job without a time limit is taken to run that has not ended."""


def is_one(path: str) -> bool:
    """Whether a path is the state folder of a slurmctld."""
    return os.path.exists(os.path.join(path, JOURNAL))


def read(path: str) -> list[Arrival]:
    """Arrivals in the order of their submission. A job that ended ran so long as it did; one that runs or waits, to its time limit.

    A running slurmctld is not disturbed: a copy is read. StoreError, NotFound.
    """
    with tempfile.TemporaryDirectory(prefix="slurm-sim-") as made:
        copy = os.path.join(made, JOURNAL)
        try:
            source = sqlite3.connect(f"file:{quote(os.path.join(path, JOURNAL))}?mode=ro", uri=True)
            try:
                with sqlite3.connect(copy) as target:
                    source.backup(target)
                target.close()
            finally:
                source.close()
        except sqlite3.Error as error:
            raise StoreError(message=f"the journal in {path} cannot be read: {error}") from error
        journal = SqliteJournal(copy, cluster="", now=time.time())
        try:
            jobs = sorted(restore(journal).jobs.values(), key=lambda job: (job.submit_time, job.id))
        finally:
            journal.close()
    found = [arrival for job in jobs for arrival in _arrivals(job)]
    if not found:
        raise NotFound(message=f"the journal in {path} knows no jobs", hints=[
            "ended jobs are forgotten after MinJobAge; sacct -P has them"])
    return found


def _arrivals(job: Job) -> list[Arrival]:
    request = msgspec.structs.replace(
        job.request, array="", dependency="", begin=0.0, hold=False, partition=job.partition, reservation="", deadline=0.0,
        work_dir="/", time_limit=job.time_limit)
    if job.state.finished and job.start_time:
        run = max(0.0, job.end_time - job.start_time)
    elif job.state.finished:
        return []
    else:
        run = float(job.time_limit) if job.time_limit > 0 else UNKNOWN_SECONDS
    caller = Caller(uid=job.owner.uid, gid=job.owner.gid, user=job.owner.user, group=job.owner.group)
    count = job.array_part.count if job.array_part is not None else 1
    return [Arrival(at=job.submit_time, request=request, caller=caller, run_seconds=run)] * count
