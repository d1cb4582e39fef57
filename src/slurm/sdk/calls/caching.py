"""Caching: which calls of a task have been made before, and where their results lie. The words of @task for it are read here.

A key is the fingerprint of function and arguments; under it the result lies as a file of its own, put there by the job (`keeping`). What
was found becomes a Job that has ended. Imported by every job: fingerprints are loaded when they are needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from slurm.sdk.backends.backend import Backend
from slurm.sdk.calls.folder import JobFiles, folder_name
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.errors import InvalidOption
from slurm.sdk.following.tracker import Tracker

WORDS = ("cache", "cache_version", "cache_ignore")
FORMAT = 1
"""Part of every key: raised when results are written so that older ones must not be read."""


class Cache(NamedTuple):
    """The wish of a task: `where` is a folder, a name below the cluster's own, or "" for the task's name; a new `version` makes older
    results void, parameters in `ignore` do not count."""

    where: str
    version: object
    ignore: tuple[str, ...]


class Place(Protocol):
    """What is needed of a cluster."""

    backend: Backend
    tracker: Tracker

    @property
    def job_base_dir(self) -> str:
        """Below which the folders of jobs are made."""
        ...

    def defaults(self) -> Mapping[str, str | None]:
        """Options for every job."""
        ...


def taken(words: dict[str, object], function: Callable[..., Any], where: str, base: Cache | None = None) -> Cache | None:
    """Take the words that are about caching from the others, and what they mean on top of `base`; InvalidOption when they mean nothing.

    cache=False or None turns it off.
    """
    own = {word: words.pop(word) for word in WORDS if word in words}
    if not own:
        return base
    wish = own.get("cache", base is not None)
    if wish is None or wish is False:
        if own.keys() - {"cache"} and "cache" not in own:
            raise InvalidOption(f"{where}: {min(own)} means something only with cache=True")
        return None
    if wish is True:
        place = base.where if base is not None and "cache" not in own else ""
    elif isinstance(wish, str | os.PathLike) and os.fspath(wish).strip():
        place = os.fspath(wish)
        if isinstance(place, str) and "/" not in place and folder_name(place) != place.lower():
            raise InvalidOption(f"{where}: cache={wish!r}: a name of a cache has letters, digits, _ and - only; a folder has a / in it")
    else:
        raise InvalidOption(f"{where}: cache={wish!r}: give True, a name for the cache, or a folder")
    ignored = own.get("cache_ignore", base.ignore if base is not None else ())
    ignore = (ignored,) if isinstance(ignored, str) else tuple(ignored or ()) if isinstance(ignored,
        Iterable) or ignored is None else (str(ignored),)
    code = getattr(function, "__code__", None)
    if code is not None:
        known = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
        wrong = [name for name in ignore if name not in known]
        if wrong and not code.co_flags & 0x08:  # with **others any name may come
            raise InvalidOption(f"{where}: cache_ignore={wrong[0]!r} is no parameter; valid: {', '.join(known) or 'none'}")
    return Cache(str(place), own.get("cache_version", base.version if base is not None else None), ignore)


class Kept:
    """The cache of one task on one cluster, for one submission."""

    def __init__(self, cluster: Place, task: Any, inject: Mapping[str, str]) -> None:
        from slurm.sdk.calls.fingerprint import Fingerprint
        from slurm.sdk.calls.script import TASKS, several_tasks

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
        from slurm.sdk.calls.fingerprint import Unknown, joined

        parts = [self._base]
        for name, value in self._arguments(args, kwargs):
            try:
                parts += [name.encode(), self._fingerprint.of(value)]
            except Nameless as error:
                import warnings

                warnings.warn(f"{self._task.name}: this call is not cached: {error}", stacklevel=5)
                return ""
            except Unknown as error:
                raise TypeError(f"{self._task.name} has cache= but its argument {name} cannot be looked up: {error}. "
                                f"Leave it out with cache_ignore=(\"{name}\",), or turn the cache off: .with_options(cache=False)") from error
        return joined(parts).hex()[:40]

    def found(self, keys: Iterable[str]) -> dict[str, Any]:
        """Jobs that have ended, for those keys under which results lie."""
        paths = {self.path(key): key for key in keys if key}
        return {paths[path]: self._job(paths[path]) for path in self._cluster.backend.present(list(paths))}

    def path(self, key: str) -> str:
        """Where the result of a key lies; "" for none."""
        return JobFiles(self.folder, key).result if key else ""

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """The arguments by name, those that were left out with their defaults, without those that do not count."""
        import inspect

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

    def _job(self, key: str) -> Any:
        return cached_job(self._cluster, self.folder, key, str(self._task), self._task.sbatch_options)


def cached_job(cluster: Any, folder: str, key: str, name: str, options: Mapping[str, str | None]) -> Any:
    """A Job that has ended without ever having been submitted: its result lies in a cache."""
    from slurm.sdk.following.status import Status
    from slurm.sdk.job import Job

    job: Job[Any] = Job(f"cached-{key[:12]}", cluster, JobFiles(folder, key), name=name, options=options)
    job.cache_key, job.cached = key, True
    cluster.tracker.settle(job.id, Status("COMPLETED", "0:0"))
    return job


class Nameless(TypeError):
    """A job whose result has no key."""


def _key_of(promise: Promise) -> bytes:
    from slurm.sdk.array_job import ArrayJob
    from slurm.sdk.calls.fingerprint import joined
    from slurm.sdk.job import Job

    if isinstance(promise, ArrayJob):
        return joined(_key_of(job) for job in promise)
    if isinstance(promise, Job) and promise.cache_key:
        return joined([b"result", promise.cache_key.encode()])
    raise Nameless(f"it was handed the result of {promise!r}, which is of no cached task, so nobody knows yet what it is")
