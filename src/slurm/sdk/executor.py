"""Executor: concurrent.futures on a cluster, for code that already speaks that language."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any, ParamSpec, TypeVar

from slurm.sdk.cluster import Cluster
from slurm.sdk.following.tracker import goes_on
from slurm.sdk.job import Job
from slurm.sdk.tasks import SlurmTask

P = ParamSpec("P")
T = TypeVar("T")


class Executor(futures.Executor):
    """Each submitted call is a job, each `map` an array. Takes a Cluster, or the arguments of one, and options of sbatch for its jobs."""

    def __init__(self, cluster: Cluster | None = None, **keywords: Any) -> None:
        self.cluster = cluster if cluster is not None else Cluster(**keywords)
        self._options = keywords if cluster is not None else {}
        self._lock = threading.Lock()
        self._open = True
        self._live: set[JobFuture[Any]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """Submit a call; its Future, whose `job` is the Job."""
        with self._lock:
            if not self._open:
                raise RuntimeError("cannot schedule new futures after shutdown")
        return self._future(self.cluster.submit_call(self._task(fn), args, kwargs))

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1,
            buffersize: int | None = None) -> Iterator[T]:
        """As Executor.map, in one array; `timeout` is for all. Chunks and buffers mean nothing here: the cluster does both."""
        array = self.cluster.submit_map(self._task(fn), [tuple(item) for item in zip(*iterables, strict=False)], 0)
        results = [self._future(job) for job in array]

        def each() -> Iterator[T]:
            futures.wait(results, timeout)
            for one in results:
                yield one.result(0)

        return each()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; wait for those that were made, or cancel those that have not started."""
        with self._lock:
            self._open = False
            live = list(self._live)
        if cancel_futures:
            for one in live:
                one.cancel()
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

    def _task(self, fn: Callable[..., T]) -> SlurmTask[..., T]:
        return fn.with_options(**self._options) if isinstance(fn, SlurmTask) else SlurmTask(fn, self._options)

    def _future(self, job: Job[T]) -> JobFuture[T]:
        future: JobFuture[T] = JobFuture(job)
        with self._lock:
            self._live.add(future)
        future.add_done_callback(self._forget)
        job.add_done_callback(future.settle)
        return future

    def _forget(self, future: futures.Future[Any]) -> None:
        with self._lock:
            self._live.discard(future)


class JobFuture(futures.Future[T]):
    """The Future of a job."""

    def __init__(self, job: Job[T]) -> None:
        super().__init__()
        self.job = job

    def cancel(self) -> bool:
        """Cancel the job too when it has not started; False when it runs or has ended."""
        if self.done() or self.job.status() != "PENDING":
            return False
        self.job.cancel()
        return super().cancel()

    def running(self) -> bool:
        """Whether the job runs."""
        return not self.done() and self.job.is_running()

    def settle(self, job: Job[T]) -> None:
        """Take over what became of the job."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(job.result(0))
        except BaseException as error:
            # Whatever the task raised is the Future's to raise.
            self.set_exception(error)
