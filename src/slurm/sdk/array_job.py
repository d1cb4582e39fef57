"""ArrayJob: one call for each of many items, submitted as job arrays no longer than the cluster allows; and jobs of any
kind in the order in which they end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar, overload

from slurm.sdk.backends.backend import Outputs
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import CHUNKS, RESULTS, Promise, Reference
from slurm.sdk.context import Submitter
from slurm.sdk.errors import BackendError, NotFinished
from slurm.sdk.following.status import Status
from slurm.sdk.following.tracker import Home, goes_on
from slurm.sdk.job import Job


class Followed(Protocol):
    """A job, as who waits for its end sees it."""

    cluster: Home

    @property
    def id(self) -> str:
        """As Slurm knows it."""
        ...

    def done(self) -> bool:
        """Whether it has ended."""
        ...


J = TypeVar("J", bound=Followed)
T = TypeVar("T")


def as_completed(jobs: Sequence[J], timeout: float | None = None) -> Iterator[J]:
    """Jobs in the order in which they end; NotFinished when it takes longer than `timeout` seconds in all, BackendError when the cluster
    stays away."""
    return _as_they_end(jobs, timeout, None, _nothing)


def progress(jobs: Job[T] | ArrayJob[T] | Iterable[Job[T] | ArrayJob[T]], timeout: float | None = None) -> Iterator[Job[T]]:
    """Jobs, and elements of arrays, in the order in which they end, while bars on standard error show how many have.

    NotFinished when it takes longer than `timeout` seconds in all, BackendError when the cluster stays away.
    """
    from slurm.sdk.following.display import LOOK_SECONDS, Display  # only who wants bars needs it

    given = [jobs] if isinstance(jobs, Job | ArrayJob) else list(jobs)
    for job in given:
        if not isinstance(job, Job | ArrayJob):
            raise TypeError(f"progress() takes jobs and arrays of jobs, not {type(job).__name__}")
    with Display(given) as display:
        yield from _as_they_end([one for job in given for one in job.jobs()], timeout, LOOK_SECONDS, display.update)


def _as_they_end(jobs: Sequence[J], timeout: float | None, look: float | None, update: Callable[[bool], None]) -> Iterator[J]:
    """Jobs as they end; `update(False)` is called after each `look` seconds without an end, `update(True)` before each job is given."""
    deadline = None if timeout is None else time.monotonic() + timeout
    missing = len(jobs)
    with ends(jobs) as ended:
        while missing:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                job = ended(min((one for one in (left, look) if one is not None), default=None))
            except Empty:
                if left is not None and (look is None or left <= look):
                    raise NotFinished(f"{missing} of {len(jobs)} jobs did not end within timeout={timeout} s") from None
                update(False)
                continue
            except KeyboardInterrupt as stop:
                stop.add_note(goes_on(one.id for one in jobs if not one.done()))
                raise
            update(True)
            missing -= 1
            yield job


def _nothing(seldom: bool) -> None:
    """There is no display."""


@contextmanager
def ends(jobs: Sequence[J]) -> Iterator[Callable[[float | None], J]]:
    """What gives the next of these jobs that has ended; queue.Empty after so many seconds, BackendError when the cluster stays away."""
    ended: SimpleQueue[J | BackendError] = SimpleQueue()
    told = [(job, partial(ended.put, job)) for job in jobs]

    def following(seconds: float | None) -> J:
        found = ended.get(timeout=seconds)
        if isinstance(found, BackendError):
            raise found
        return found

    try:
        for job, one in told:
            job.cluster.tracker.when_done(job.id, one, ended.put)
        yield following
    finally:
        for job, one in told:
            job.cluster.tracker.forget(job.id, one)


FETCHED_TOGETHER = 200
"""Results that are fetched at once from a distant cluster: the slowness of each way is paid once for all of them."""


class Chunk(NamedTuple):
    """One array of Slurm's: its id, and the elements `start` … `start + size - 1`, which it calls 0 … `size - 1`."""

    id: str
    start: int
    size: int


class ArrayJob(Promise, Generic[T]):
    """Elements are jobs: `array[3]`, `array[-1]`, `array[2:5]`, iteration, `len`. Handed to a task it becomes the list of all results."""

    cluster: Home
    task: Any = None
    """The task that was called for each of `items`."""
    items: Sequence[Any] = ()
    max_concurrent: int | None = None
    chunked = False
    """Whether each element makes several calls, its result being the list of theirs."""

    def __init__(self, task: Any, items: Sequence[Any], cluster: Submitter, max_concurrent: int | None = None,
                 dependencies: Sequence[Any] | None = None) -> None:
        """Submit it, as `task.after(*dependencies).map(items, max_concurrent)` does on that cluster."""
        array: ArrayJob[T] = cluster.submit_map(task.after(*dependencies or ()), list(items), max_concurrent or 0)
        vars(self).update(vars(array))

    @classmethod
    def of(cls, cluster: Home, files: JobFiles, chunks: Sequence[Chunk], *, name: str = "", options: Mapping[str, str | None] | None = None,
           outputs: Outputs | None = None) -> Self:
        """One that was submitted, in these parts."""
        made = object.__new__(cls)
        made._begin(cluster, files, chunks, name, options, outputs)
        return made

    def _begin(self, cluster: Home, files: JobFiles, chunks: Sequence[Chunk], name: str, options: Mapping[str, str | None] | None,
               outputs: Outputs | None) -> None:
        self.cluster = cluster
        self.files = files
        self.chunks = tuple(chunks)
        self.name = name
        self._jobs: list[Job[T]] = []
        for chunk in self.chunks:
            for local in range(chunk.size):
                index = chunk.start + local
                element = files.element(index)
                out, err = outputs.paths(chunk.id, local) if outputs is not None else (None, None)
                self._jobs.append(Job(f"{chunk.id}_{local}", cluster, element, name=name, options=options,
                                      stdout_path=stdout_of(element, chunk, index) if out is None else out,
                                      stderr_path=stderr_of(element, chunk, index) if err is None else err))

    def insert(self, others: Mapping[int, Job[T]]) -> None:
        """Put jobs that were found in the cache where they belong; those that were submitted keep their order around them."""
        submitted = iter(self._jobs)
        self._jobs = [others[number] if number in others else next(submitted) for number in range(len(self._jobs) + len(others))]

    def __getstate__(self) -> dict[str, Any]:
        """As of a Job: what was called with what stays here."""
        return {name: value for name, value in vars(self).items() if name not in ("task", "items")}

    def remember(self, task: Any, items: Sequence[Any], calls: Sequence[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        """Keep what was called with what: `calls` are the items as arguments."""
        self.task, self.items = task, items
        for job, (args, kwargs) in zip(self._jobs, calls, strict=True):
            job.remember(task, args, kwargs)

    @property
    def dependencies(self) -> list[Promise]:
        """The jobs and arrays that it waits for: those of `after`, and those among its items."""
        return list(self._jobs[0].awaits) if self._jobs else []

    @property
    def id(self) -> str:
        """The id of the array, of its first part where it was cut; "" without elements."""
        return self.chunks[0].id if self.chunks else ""

    @property
    def ids(self) -> list[str]:
        """The ids of all its parts."""
        return [chunk.id for chunk in self.chunks]

    @property
    def array_dir(self) -> Any:
        """The folder in which everything of it lies; None without elements, where nothing was submitted."""
        from pathlib import Path  # no job needs it, and it takes longer to import than all of this

        return Path(self.files.folder) if self._jobs else None

    @property
    def _array_job_id(self) -> str | None:
        """The published SDK's name of it, which its programs print: `12_[0-9%2]`."""
        return f"{self.id}_[0-{len(self) - 1}{f'%{self.max_concurrent}' if self.max_concurrent else ''}]" if self._jobs else None

    def get_results_dir(self) -> Any:
        """Where the published SDK would look; results lie beside it, in `array_dir`. RuntimeError without elements."""
        if self.array_dir is None:
            raise RuntimeError("an array without elements has no folder")
        return self.array_dir / "results"

    def status(self) -> dict[str, int]:
        """How many elements are in which state."""
        return dict(Counter(status.state for status in self._statuses()))

    def done(self) -> bool:
        """Whether all elements have ended."""
        return all(status.finished for status in self._statuses())

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> bool:
        """Wait until all have ended, at most `timeout` seconds in all; True when all have ended well. `progress` shows a bar meanwhile."""
        return self._wait(timeout, progress) and all(one.successful for one in self._statuses())

    def results(self, timeout: float | None = None, *, progress: bool = False) -> list[T]:
        """What all elements returned, in the order of the items; raises as `Job.result` for the first that failed. `timeout` is for all.

        `progress` shows meanwhile how many have ended, how fast, and how long it may take yet.
        """
        if not self._wait(timeout, progress):
            raise NotFinished(f"array {self.id} ({self.name}) did not end within timeout={timeout} s: {self.status()}")
        return self._all([job.result() for job in self._at_hand()])

    def get_results(self, timeout: float | None = None) -> list[T]:
        """As `results`, but every failure is a DownloadError: the published SDK's contract."""
        if not self.cluster.tracker.wait([job.id for job in self._jobs], timeout):
            raise NotFinished(f"array {self.id} ({self.name}) did not reach a terminal state within timeout={timeout} s: {self.status()}")
        return self._all([job.get_result() for job in self._at_hand()])

    def exceptions(self, timeout: float | None = None) -> dict[int, BaseException]:
        """What the elements that failed raised, by number; waits for all."""
        self.cluster.tracker.wait([job.id for job in self._jobs], timeout)
        found = ((number, job.exception(0)) for number, job in enumerate(self._jobs))
        return {number: error for number, error in found if error is not None}

    def as_completed(self, timeout: float | None = None) -> Iterator[Job[T]]:
        """The elements in the order in which they end; NotFinished when it takes longer than `timeout` seconds in all."""
        return as_completed(self._jobs, timeout)

    def logs(self, *, follow: bool = True, stderr: bool = False, lines: int | None = None) -> Iterator[str]:
        """The lines that all elements write, as `Job.logs`, each behind the id of its element, in the order in which they are written."""
        from slurm.sdk.following import logs  # only who asks for it needs it

        return logs.lines(self.cluster, [job.written(stderr=stderr, prefix=f"{job.id}: ") for job in self._jobs], follow=follow, last=lines)

    def cancel(self) -> bool:
        """End all elements that have not ended; whether there were any."""
        statuses = self.cluster.tracker.statuses([job.id for job in self._jobs])
        left = [job for job, status in statuses.items() if not status.finished]
        if not left:
            return False
        again = {job.id.partition("_")[0] for job in self._jobs if not job.cached} - set(self.ids)
        self.cluster.tracker.cancel(left, [*self.ids, *sorted(again)])
        return True

    def _all(self, found: list[Any]) -> list[T]:
        return [one for some in found for one in some] if self.chunked else found

    def _at_hand(self) -> Iterator[Job[T]]:
        """The elements, the results of those that come next having been fetched together."""
        for start in range(0, len(self._jobs), FETCHED_TOGETHER):
            some = self._jobs[start:start + FETCHED_TOGETHER]
            self.cluster.backend.prefetch([job.files.result for job in some])
            yield from some

    def reference(self) -> Reference:
        """How the results are found from within another job."""
        return CHUNKS if self.chunked else RESULTS, self.id, [job.files.result for job in self._jobs]

    def jobs(self) -> list[Job[T]]:
        """Its elements."""
        return self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, index: int) -> Job[T]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Job[T]]: ...
    def __getitem__(self, index: int | slice) -> Job[T] | list[Job[T]]:
        return self._jobs[index]

    def __iter__(self) -> Iterator[Job[T]]:
        return iter(self._jobs)

    def __await__(self) -> Any:
        return self._awaited().__await__()

    async def _awaited(self) -> list[T]:
        import asyncio  # most programs, and all jobs, do without

        for job in self._jobs:
            if not (await job.end()).successful:
                await job  # which raises what it raised, without waiting for the others
        return await asyncio.get_running_loop().run_in_executor(None, self.results, 0)

    def _wait(self, timeout: float | None, progress: bool) -> bool:
        if progress:
            from slurm.sdk.following.display import show  # only who wants bars needs it

            return show(self, timeout)
        return self.cluster.tracker.wait([job.id for job in self._jobs], timeout)

    def _statuses(self) -> list[Status]:
        return list(self.cluster.tracker.statuses([job.id for job in self._jobs]).values())

    def __repr__(self) -> str:
        return f"ArrayJob(id={self.id!r}, name={self.name!r}, elements={len(self._jobs)})"


def stdout_of(element: JobFiles, chunk: Chunk, index: int) -> str:
    """Standard output of an element: by its number, except in the later parts of a cut array, where Slurm knows only the local one."""
    return element.stdout if chunk.start == 0 else f"{element.folder}/slurm_{element.array_key}_{chunk.start}+{index - chunk.start}.out"


def stderr_of(element: JobFiles, chunk: Chunk, index: int) -> str:
    """As `stdout_of`, of standard error."""
    return stdout_of(element, chunk, index).removesuffix(".out") + ".err"
