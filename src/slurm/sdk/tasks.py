"""SlurmTask: a function that becomes a job when it is called, and its variants: other options, dependencies, arrays."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from types import MethodType
from typing import Any, Generic, ParamSpec, Self, TypeVar, Unpack, overload

from slurm.sdk import context
from slurm.sdk import options as texts
from slurm.sdk.array_job import ArrayJob
from slurm.sdk.calls import caching
from slurm.sdk.following import retry
from slurm.sdk.inside import awaiting
from slurm.sdk.job import Job
from slurm.sdk.keywords import SbatchKeywords
from slurm.sdk.packaging import settings

P = ParamSpec("P")
T = TypeVar("T")
_WORDS = ("packaging", *caching.WORDS, *retry.WORDS)
"""What @task knows beside the options of sbatch."""
Promised = Job[Any] | ArrayJob[Any] | Sequence[Job[Any]] | Mapping[str, Job[Any]]
"""Arguments that will be values when the task runs; for type checkers, which see them where the task's own parameter types stand."""


class Submits(Generic[P, T]):
    """Something that submits a call of a task when it is called itself, as the task's function would be."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Job[T]: ...
    @overload
    def __call__(self, first: Promised, /, *args: Any, **kwargs: Any) -> Job[T]: ...
    @overload
    def __call__(self, first: Any, second: Promised, /, *args: Any, **kwargs: Any) -> Job[T]: ...
    @overload
    def __call__(self, **kwargs: Promised) -> Job[T]: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Job[T]:
        """Submit this call. Jobs among the arguments, at any depth, become dependencies; the task gets their results."""
        return self.submitted(args, kwargs)

    def submitted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job[T]:
        """Submit a call with these arguments."""
        raise TypeError(f"{type(self).__name__} submits nothing")


class SlurmTask(Submits[P, T]):
    """A task: `unwrapped` is the function, `sbatch_options` what it asks for by keyword, `packaging` how its code gets to the job."""

    workflow = False
    __name__: str
    __wrapped__: Callable[P, T]

    def __init__(self, func: Callable[P, T], sbatch_options: Mapping[str, object] | None = None, packaging: object = None) -> None:
        if not callable(func):
            raise TypeError(f"a task is made of a function, not of {func!r}")
        functools.update_wrapper(self, func)
        self.func = func
        where = f"@task of {self.name}"
        awaiting.check(func, where)
        keywords = dict(sbatch_options or {})
        self.packaging = settings.checked(packaging, settings.taken(keywords), where)
        self.retry = retry.taken(keywords, where)
        self.cache = caching.taken(keywords, func, where)
        self.sbatch_options = texts.checked(keywords, where, _WORDS)
        self.sbatch_options.setdefault("job_name", self.name)
        self.dependencies: tuple[Job[Any] | ArrayJob[Any], ...] = ()
        self.prepared: tuple[SlurmTask[..., Any], ...] = ()

    @property
    def name(self) -> str:
        """The function's own name."""
        return str(getattr(self.func, "__name__", type(self.func).__name__))

    @property
    def pending_dependencies(self) -> list[Job[Any] | ArrayJob[Any]]:
        """What `after` was given: the published SDK's name of `dependencies`."""
        return list(self.dependencies)

    @property
    def unwrapped(self) -> Callable[P, T]:
        """The plain function, to call here and now."""
        return self.func

    def submitted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job[T]:
        """Submit a call on the active cluster; NoCluster where there is none, SubmissionError when it does not take the job."""
        job: Job[T] = context.active(self.name).submit_call(self, args, kwargs)
        return job

    def map(self, items: Iterable[Any], max_concurrent: int | None = None, *, chunksize: int = 1) -> ArrayJob[T]:
        """Submit one array with a call for each item, at most `max_concurrent` at once; 0 is no limit.

        A dict holds keyword arguments, a tuple positional ones, anything else is the one argument. With `chunksize` each element makes so
        many calls one after the other, for calls that take less time than a job: `results` are those of all calls all the same, an
        element's own result is the list of its calls'. Calls that are cached or want a context stay jobs of their own.
        """
        if max_concurrent is not None and max_concurrent < 0:
            raise ValueError(f"max_concurrent={max_concurrent} is no number of elements; 0 and None mean that all may run at once")
        if chunksize < 1:
            raise ValueError(f"chunksize={chunksize}: at least one call has to be in each job")
        where, task, calls = context.active(self.name), self, list(items)
        if chunksize > 1:
            from slurm.sdk.calls import batches  # jobs do without: it looks at signatures

            if batched := batches.cut(self, [batches.arguments(item) for item in calls], chunksize):
                task, calls = batched
        array: ArrayJob[T] = where.submit_map(task, calls, max_concurrent or 0)
        array.chunked = task is not self
        return array

    def after(self, *jobs: Job[Any] | ArrayJob[Any]) -> Self:
        """This task, to start only when these jobs have ended well (afterok)."""
        for job in jobs:
            if not isinstance(job, Job | ArrayJob):
                raise TypeError(f".after() expects Job or ArrayJob arguments, not {type(job).__name__}")
        made = self._copy()
        made.dependencies = (*self.dependencies, *jobs)
        return made

    def with_options(self, **options: Unpack[SbatchKeywords]) -> Self:
        """This task with other options; None or False takes one away. InvalidOption as in @task."""
        keywords: dict[str, object] = {**options}
        made = self._copy()
        where = f"with_options of {self.name}"
        made.packaging = settings.over(self.packaging, keywords.pop("packaging", None), settings.taken(keywords), where)
        made.retry = retry.taken(keywords, where, self.retry)
        made.cache = caching.taken(keywords, self.func, where, self.cache)
        made.sbatch_options = texts.merged(self.sbatch_options, keywords, where, _WORDS)
        made.sbatch_options.setdefault("job_name", self.name)
        return made

    def with_dependencies(self, tasks: Sequence[SlurmTask[..., Any]]) -> Self:
        """This task; what the jobs of `tasks` need, which it will submit from its own, is made before it is submitted: wheels, images."""
        made = self._copy()
        made.prepared = (*self.prepared, *tasks)
        return made

    def target(self) -> Any:
        """How a job finds the function: (module, name) where it can be imported under it, else the function, to travel by value."""
        module, name = self.func.__module__, getattr(self.func, "__qualname__", "<nameless>")
        loaded = sys.modules.get(module or "")
        if loaded is None or module == "__main__" or "<" in name or not importable(module, getattr(loaded, "__file__", None)):
            return self.func
        found: Any = loaded
        for part in name.split("."):
            found = getattr(found, part, None)
        same = found is self.func or getattr(found, "func", None) is self.func
        return (module, name) if same else self.func

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """A task in a class is a method: `self` travels with the call."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        target = self.target()
        state = {**self.__dict__, "dependencies": (), "prepared": ()}
        for name in ("func", "__wrapped__"):
            state.pop(name, None)
        return _rebuilt, (type(self), target, state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name='{self.sbatch_options['job_name']}')"

    def __str__(self) -> str:
        return str(self.sbatch_options["job_name"])

    def _copy(self) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made


class WorkflowTask(SlurmTask[P, T]):
    """A task that submits others from inside its job."""

    workflow = True


class Submittable(Submits[P, T]):
    """A task on one cluster, as `Cluster.submit` gives it; in `task` it has its options and dependencies."""

    def __init__(self, cluster: context.Submitter, task: SlurmTask[P, T]) -> None:
        self.cluster = cluster
        self.task = task

    def submitted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job[T]:
        """Submit a call there."""
        job: Job[T] = self.cluster.submit_call(self.task, args, kwargs)
        return job

    def with_dependencies(self, tasks: Sequence[SlurmTask[..., Any]]) -> Self:
        """As of the task."""
        self.task = self.task.with_dependencies(tasks)
        return self


def _rebuilt(kind: type[SlurmTask[Any, Any]], target: Any, state: dict[str, Any]) -> SlurmTask[Any, Any]:
    from slurm.sdk.inside import loading  # only a task that travelled by value needs it

    made = object.__new__(kind)
    made.__dict__.update(state)
    made.func = made.__wrapped__ = loading.function(target)
    return made


def importable(module: str, file: str | None) -> bool:
    """Whether this module is what an import of its name finds."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin == file
