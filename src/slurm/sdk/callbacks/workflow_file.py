"""What a callback has seen inside a workflow's job comes back to the client through a file in the workflow's folder."""

from __future__ import annotations

import json
import time
from typing import Any

from slurm.sdk.callbacks import contexts
from slurm.sdk.calls.folder import whole
from slurm.sdk.job import SHARED_DISK_SECONDS


def leave(context: contexts.WorkflowCallbackContext, name: str, seen: object) -> None:
    """In the workflow's job: write what was seen, as JSON."""
    with whole(str(context.workflow_job_dir / name)) as file:
        file.write(json.dumps(seen).encode())


def fetch(context: contexts.CompletedContext, name: str) -> Any:
    """On the client, when a job has ended: what was seen, or None for a job that is no workflow or did not get to its end."""
    job = context.job
    if job is None or not job.workflow:
        return None
    path = f"{job.files.folder}/{name}"
    deadline = time.monotonic() + (SHARED_DISK_SECONDS if context.job_state == "COMPLETED" else 0.0)
    while True:
        try:
            with job.cluster.backend.read(path) as file:
                return json.loads(file.read())
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.05)
