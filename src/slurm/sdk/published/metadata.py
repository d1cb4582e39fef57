"""metadata.json of a job's folder: where the published SDK, given a job's id, finds the file of its result.

    {"job_id": …, "task_name": …, …, "12": {"result_file": "slurm_job_<key>_result.pkl", "timestamp": …}}

Its runner adds an entry when a result is there. Ours are written by the submitter, once for all elements: the names are known before.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import warnings
from collections.abc import Mapping
from typing import Any

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls.pickling import write_result
from slurm.sdk.job import Home, Job
from slurm.sdk.tasks import SlurmTask

__all__ = ["save_result", "update_job_metadata"]

FILE = "metadata.json"


def save_result(output_file: str, result: Any) -> None:
    """Write a result, whole; ResultUnwritten when it cannot be."""
    write_result(output_file, result)


def submitted(cluster: Home, job: Job[Any] | ArrayJob[Any], task: SlurmTask[..., Any], parent: str | None = None) -> None:
    """Write what the published client writes, and the names of the results.

    Where jobs see another disk nothing is written: nobody looks there.
    """
    if isinstance(cluster.backend, Distant) or not job.id:
        return
    files, now = job.files, time.time()
    entries = {one.id: one.files.result for one in (job if isinstance(job, ArrayJob) else (job,)) if not one.cached}
    if not entries:
        return
    record = {"job_id": job.id, "pre_submission_id": files.array_key, "task_name": task.name,
        "timestamp": files.array_key.rpartition("_")[0],
              "submitted_at": now, "status": "PENDING", "is_workflow": task.workflow, "parent_workflow": parent,
              **{one: {"result_file": os.path.basename(path), "timestamp": now} for one, path in entries.items()}}
    try:
        _write(f"{files.folder}/{FILE}", record)
    except OSError as error:
        warnings.warn(f"the published SDK will not find job {job.id}, which is submitted: {error}", RuntimeWarning, stacklevel=2)


def update_job_metadata(output_file: str, job_id: str, timestamp: float | None = None, max_retries: int = 10,
        initial_retry_delay: float = 0.1) -> None:
    """Add the result of a job to the metadata.json beside it; OSError as the disk gives it.

    Others may be writing there too: their turn is awaited for as long as it takes, `max_retries` and `initial_retry_delay` are taken for
    the published SDK's sake.
    """
    path = os.path.join(os.path.dirname(os.path.abspath(output_file)), FILE)
    with open(f"{path}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = _read(path)
        record[job_id] = {"result_file": os.path.basename(output_file), "timestamp": time.time() if timestamp is None else timestamp}
        _write(path, record)


def found(job: str, below: str) -> str | None:
    """The path of a job's result by its id, from the metadata.json files below a folder; the newest folders of each level are looked at
    first."""
    entry = _read(f"{below}/{FILE}").get(job)
    if isinstance(entry, dict):
        return f"{below}/{entry['result_file']}"
    try:
        inside = sorted((one for one in os.scandir(below) if one.is_dir(follow_symlinks=False)), key=lambda one: one.name, reverse=True)
    except OSError:
        return None
    return next((path for one in inside if (path := found(job, one.path))), None)


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path: str, record: Mapping[str, Any]) -> None:
    new = f"{path}.{os.getpid()}.new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(json.dumps(record))  # ten times as fast as json.dump
    os.replace(new, path)
