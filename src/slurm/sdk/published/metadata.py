"""metadata.json of a job's folder, where programs written for the published SDK look up what a job is and which file holds its result.

    {"job_id": …, "task_name": …, …, "12": {"result_file": "slurm_job_<key>_result.pkl", "timestamp": …}}
"""

from __future__ import annotations

import json
import os
import time
import warnings
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.following.tracker import Home

FILE = "metadata.json"


def submitted(cluster: Home, promise: Promise, name: str, workflow: bool, parent: str | None = None) -> None:
    """Write it for a job or an array of the task `name`. Where jobs see another disk nothing is written: nobody looks there."""
    made: Any = promise
    entries = {one.id: one.files.result for one in promise.jobs() if not one.cached}
    if isinstance(cluster.backend, Distant) or not entries:
        return
    files, now = made.files, time.time()
    record = {"job_id": made.id, "pre_submission_id": files.array_key, "task_name": name, "timestamp": files.array_key.rpartition("_")[0],
              "submitted_at": now, "status": "PENDING", "is_workflow": workflow, "parent_workflow": parent,
              **{one: {"result_file": os.path.basename(path), "timestamp": now} for one, path in entries.items()}}
    path = f"{files.folder}/{FILE}"
    try:
        with open(f"{path}.{os.getpid()}.new", "w", encoding="utf-8") as file:
            file.write(json.dumps(record))  # ten times as fast as json.dump
        os.replace(file.name, path)
    except OSError as error:
        warnings.warn(f"{path} is not written: {error}; job {made.id} is submitted", RuntimeWarning, stacklevel=2)
