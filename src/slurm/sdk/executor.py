"""Executor: concurrent.futures on a cluster, for code that already speaks that language."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any, ParamSpec, TypeVar

from slurm.sdk.array_job import FETCHED_TOGETHER
from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import batches
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import BackendError, InvalidOption
from slurm.sdk.following.tracker import Home, goes_on
from slurm.sdk.job import Job
from slurm.sdk.tasks import SlurmTask

P = ParamSpec("P")
T = TypeVar("T")


_OWN_PROCESS = "each call is a process of its own on a node: let the function begin with it"
OF_OTHERS = {
    "max_workers": "jobs run as many at once as the cluster has room for; task.map(items, max_concurrent=N) limits an array",
    "initializer": _OWN_PROCESS, "initargs": _OWN_PROCESS, "max_tasks_per_child": "each call is a process of its own",
    "mp_context": "jobs are started by Slurm",
    "thread_name_prefix": "there are no threads; job_name=… names the jobs",
}
"""Arguments of other executors that mean nothing here, and what there is instead."""


class Executor(futures.Executor):
    """Each submitted call is a job, each `map` an array. Takes a Cluster, or the arguments of one, and options of sbatch for its jobs.

    Plain functions run in the folder in which the program stands, as with other executors, where the jobs see it: not behind ssh.
    """

    def __init__(self, cluster: Cluster | None = None, **keywords: Any) -> None:
        for word in OF_OTHERS:
            if keywords.pop(word, None) not in (None, (), ""):
                raise InvalidOption(f"Executor: {word} means nothing on a cluster: {OF_OTHERS[word]}")
        self.cluster = cluster if cluster is not None else Cluster(**keywords)
        self._options = keywords if cluster is not None else {}
        self._lock = threading.Lock()
        self._open = True
        self._live: set[JobFuture[Any]] = set()
        self._ahead = Ahead(self.cluster) if isinstance(self.cluster.backend, Distant) else None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """Submit a call; its Future, whose `job` is the Job."""
        self._check_open()
        return self._future(self.cluster.submit_call(self._task(fn), args, kwargs))

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1,
            buffersize: int | None = None) -> Iterator[T]:
        """As Executor.map, in one array: results in the order of the items, each as soon as it is there; `timeout` counts from this call.

        `chunksize` calls are made one after the other in one job, but each in its own where it is cached or wants a context. When the first
        error is raised, or nobody wants the rest, what has not started is cancelled. All items are taken at once, whatever `buffersize`.
        """
        if chunksize < 1:
            raise ValueError(f"chunksize={chunksize}: at least one call has to be in each job")
        self._check_open()
        end = None if timeout is None else time.monotonic() + timeout
        task, calls = self._task(fn), list(zip(*iterables, strict=False))
        batched = batches.cut(task, [(args, {}) for args in calls], chunksize)
        jobs = self.cluster.submit_map(task, calls, 0) if batched is None else self.cluster.submit_map(*batched, 0)
        left = [self._future(job) for job in jobs]
        left.reverse()

        def each() -> Iterator[T]:
            try:
                while left:
                    result = left.pop().result(None if end is None else end - time.monotonic())
                    yield from [result] if batched is None else result
            finally:
                self._cancel(left)

        return each()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; wait for those that were made, or cancel those that have not started."""
        with self._lock:
            self._open = False
            live = list(self._live)
        if cancel_futures:
            self._cancel(live)
        if wait:
            futures.wait(live)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        """Wait for all calls; after control-C not: jobs may take days, and go on by themselves."""
        if not isinstance(error, KeyboardInterrupt):
            return self.shutdown()
        with self._lock:
            live = [one.job.id for one in self._live]
        if live and not hasattr(error, "__notes__"):
            error.add_note(goes_on(live))
        self.shutdown(wait=False)

    def _check_open(self) -> None:
        with self._lock:
            if not self._open:
                raise RuntimeError("cannot schedule new futures after shutdown")

    def _cancel(self, some: Iterable[JobFuture[Any]]) -> None:
        """Cancel those whose jobs have not started: one question and one order for all of them."""
        waiting = {one.job.id: one for one in some if not one.done()}
        statuses = self.cluster.tracker.statuses(list(waiting))
        ids = [job for job, one in waiting.items() if statuses[job].state == "PENDING" and futures.Future.cancel(one)]
        if ids:
            self.cluster.tracker.cancel(ids)

    def _task(self, fn: Callable[..., T]) -> SlurmTask[..., T]:
        if isinstance(fn, SlurmTask):
            return fn.with_options(**self._options)
        here = {} if self._ahead is not None or "chdir" in self.cluster.defaults() else {"chdir": os.getcwd()}
        return SlurmTask(fn, {**here, **self._options})

    def _future(self, job: Job[T]) -> JobFuture[T]:
        future: JobFuture[T] = JobFuture(job, self._reading)
        with self._lock:
            self._live.add(future)
        future.add_done_callback(self._forget)
        job.cluster.tracker.when_done(job.id, future.settle, future.settle)
        return future

    def _reading(self, job: Job[Any]) -> None:
        if self._ahead is not None:
            self._ahead.reading(job, self._jobs)

    def _jobs(self) -> list[Job[Any]]:
        with self._lock:
            return [one.job for one in self._live]

    def _forget(self, future: futures.Future[Any]) -> None:
        with self._lock:
            self._live.discard(future)


class JobFuture(futures.Future[T]):
    """The Future of a job."""

    def __init__(self, job: Job[T], reading: Callable[[Job[Any]], None] | None = None) -> None:
        """`reading` is told before the result is read."""
        super().__init__()
        self.job = job
        self._reading = reading

    def cancel(self) -> bool:
        """Cancel the job too when it has not started; False when it runs or has ended."""
        if not self.done() and self.job.status() == "PENDING" and super().cancel():
            # first the Future, then the job: its end would settle the Future as a failure
            self.job.cancel()
        return self.cancelled()

    def running(self) -> bool:
        """Whether the job runs."""
        return not self.done() and self.job.is_running()

    def settle(self, lost: BackendError | None = None) -> None:
        """Take over what became of the job, or that this cannot be known: the cluster stays away."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            if lost is not None:
                raise lost
            if self._reading is not None:
                self._reading(self.job)
            self.set_result(self.job.result(0))
        except BaseException as error:
            # Whatever the task raised is the Future's to raise.
            self.set_exception(error)


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
