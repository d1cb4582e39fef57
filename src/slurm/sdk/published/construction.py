"""Job(…) as the published SDK's programs call it: folder and key by name, and clusters or backends that only have its methods."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from slurm.sdk.backends.backend import Backend
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendError
from slurm.sdk.following.tracker import Home, Tracker

_WORDS = ("task_func", "args", "kwargs", "target_job_dir", "pre_submission_id", "sbatch_options", "backend", "on_completed")


def taken(job: Any, cluster: Any, files: JobFiles | None, words: Mapping[str, Any]) -> tuple[Home, JobFiles | None]:
    """Its cluster and files, its attributes having been set; TypeError for words that nobody knows, ValueError without a cluster.

    `on_completed` is called once the job has ended, in another thread, with the job, what `get_status` says of it, and the time.
    """
    unknown = words.keys() - set(_WORDS)
    if unknown:
        raise TypeError(f"Job() got an unexpected keyword argument {min(unknown)!r}; valid: {', '.join(_WORDS)}")
    job.sbatch_options.update(words.get("sbatch_options") or {})
    job.remember(words.get("task_func"), tuple(words.get("args") or ()), dict(words.get("kwargs") or {}))
    folder, key = words.get("target_job_dir"), words.get("pre_submission_id")
    if files is None and folder and key:
        element = job.id.partition("_")[2]
        array_key = key.removesuffix(f"_{element}") if element else key
        files = JobFiles(os.fspath(folder), array_key, int(element) if array_key != key else None)
    home = _home(cluster, words.get("backend"))
    if (told := words.get("on_completed")) is not None:
        job.cluster = home
        home.tracker.when_done(job.id, lambda: told(job, job.get_status(), time.time()), lambda lost: _untold(job, lost))
    return home, files


def _untold(job: Any, lost: BackendError) -> None:
    import warnings

    warnings.warn(f"on_completed of job {job.id} is not called: {lost}", RuntimeWarning, stacklevel=2)


def _home(cluster: Any, backend: Any) -> Home:
    if cluster is None and backend is None:
        raise ValueError("a job belongs to a cluster: Job(id, cluster)")
    if hasattr(cluster, "tracker"):
        home: Home = cluster
        return home
    from slurm.sdk.published.backends import ours  # few programs make jobs of a backend

    return _Bare(ours(backend if backend is not None else cluster.backend))


class _Bare:
    """As much of a cluster as a job needs, on a backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.tracker = backend, Tracker(backend)
