"""Ahead: results of jobs that ended together are fetched together from a distant cluster, also where each is read by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from slurm.sdk.following.tracker import Home
from slurm.sdk.job import Job

FETCHED_TOGETHER = 200
"""Results that are fetched at once from a distant cluster: the slowness of each way is paid once for all of them."""


class Ahead:
    """What has been fetched of one cluster and not yet been read."""

    def __init__(self, cluster: Home) -> None:
        self._cluster = cluster
        self._fetched: set[str] = set()

    def reading(self, job: Job[Any], others: Callable[[], Iterable[Job[Any]]]) -> None:
        """The result of a job is about to be read, and then those of `others` that have ended well."""
        path = job.files.result
        if path in self._fetched:
            self._fetched.discard(path)
            return
        jobs = {one.id: one for one in (job, *others())}
        ended = [id for id, status in self._cluster.tracker.known(jobs).items() if status.successful]
        if job.id in ended and len(ended) > 1:
            paths = [path, *(jobs[id].files.result for id in ended if id != job.id)][:FETCHED_TOGETHER]
            self._cluster.backend.prefetch(paths)
            self._fetched = set(paths[1:])
