"""Which calls of a task have been made before, and where their results lie.

A key is the fingerprint of function and arguments; under it the result lies as a file of its own, put there by the job (`keeping`). What
was found becomes a Job that has ended.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slurm.sdk.calls.caching import Cache
from slurm.sdk.calls.fingerprint import Fingerprint, Unknown, joined
from slurm.sdk.calls.folder import JobFiles, folder_name
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.following.status import Status
from slurm.sdk.job import Job
from slurm.sdk.options import TASKS, several_tasks
from slurm.sdk.place import Place

FORMAT = 1
"""Part of every key: raised when results are written so that older ones must not be read."""


class Kept:
    """The cache of one task on one cluster, for one submission."""

    def __init__(self, cluster: Place, task: Any, inject: Mapping[str, str]) -> None:
        policy: Cache = task.cache
        self._cluster = cluster
        self._task = task
        self._inject = frozenset(inject)
        self._policy = policy
        name = policy.where or folder_name(task.name)
        self.folder = cluster.backend.base(policy.where) if "/" in policy.where else f"{cluster.job_base_dir}/.cache/{folder_name(name)}"
        self._fingerprint = Fingerprint(_key_of)
        self._base = self._fingerprint.of((FORMAT, sys.version_info[:2], f"{task.func.__module__}.{task.name}",
            policy.version)) + self._fingerprint.of(task.func)
        options = {**cluster.defaults(), **task.sbatch_options}
        if several_tasks(options):  # each has a result of its own, which may hang on how many there are
            self._base += self._fingerprint.of([options.get(name) for name in TASKS])

    def key(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """The key of a call, as text; "" when it was handed a job whose result has none.

        TypeError names an argument that cannot be told from others.
        """
        parts = [self._base]
        for name, value in self._arguments(args, kwargs):
            try:
                parts += [name.encode(), self._fingerprint.of(value)]
            except Nameless as error:
                warnings.warn(f"{self._task.name}: this call is not cached: {error}", stacklevel=5)
                return ""
            except Unknown as error:
                raise TypeError(f"{self._task.name} has cache= but its argument {name} cannot be looked up: {error}. "
                                f"Leave it out with cache_ignore=(\"{name}\",), or turn the cache off: .with_options(cache=False)") from error
        return joined(parts).hex()[:40]

    def found(self, keys: Iterable[str]) -> dict[str, Job[Any]]:
        """Jobs that have ended, for those keys under which results lie."""
        paths = {self.path(key): key for key in keys if key}
        return {paths[path]: self._job(paths[path]) for path in self._cluster.backend.present(list(paths))}

    def path(self, key: str) -> str:
        """Where the result of a key lies; "" for none."""
        return JobFiles(self.folder, key).result if key else ""

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """The arguments by name, those that were left out with their defaults, without those that do not count."""
        try:
            bound = inspect.signature(self._task.func).bind_partial(*args, **kwargs)
        except ValueError:
            return [("args", tuple(args)), *sorted(kwargs.items())]  # some builtins tell nothing about themselves
        bound.apply_defaults()
        found: list[tuple[str, Any]] = []
        for name, value in bound.arguments.items():
            many = bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            found += [(f"**{key}", one) for key, one in value.items() if key not in self._policy.ignore] if many else [(name, value)]
        return [(name, value) for name, value in found if name not in self._policy.ignore and name not in self._inject]

    def _job(self, key: str) -> Job[Any]:
        return cached_job(self._cluster, self.folder, key, str(self._task), self._task.sbatch_options)


def cached_job(cluster: Place, folder: str, key: str, name: str, options: Mapping[str, str | None]) -> Job[Any]:
    """A Job that has ended without ever having been submitted: its result lies in a cache."""
    job: Job[Any] = Job(f"cached-{key[:12]}", cluster, JobFiles(folder, key), name=name, options=options)
    job.cache_key, job.cached = key, True
    cluster.tracker.settle(job.id, Status("COMPLETED", "0:0"))
    return job


class Nameless(TypeError):
    """A job whose result has no key."""


def _key_of(promise: Promise) -> bytes:
    jobs = promise.jobs()
    if promise not in jobs:
        return joined(_key_of(job) for job in jobs)
    if jobs[0].cache_key:
        return joined([b"result", jobs[0].cache_key.encode()])
    raise Nameless(f"it was handed the result of {promise!r}, which is of no cached task, so nobody knows yet what it is")
