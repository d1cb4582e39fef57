"""Jobs in the order in which they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from slurm.sdk.errors import BackendError, NotFinished
from slurm.sdk.following.tracker import Home, goes_on


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


def as_completed(jobs: Sequence[J], timeout: float | None = None) -> Iterator[J]:
    """Jobs in the order in which they end; NotFinished when it takes longer than `timeout` seconds in all, BackendError when the cluster
    stays away."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with ends(jobs) as ended:
        for _ in jobs:
            try:
                yield ended(None if deadline is None else max(0.0, deadline - time.monotonic()))
            except Empty:
                raise NotFinished(f"not all of {len(jobs)} jobs ended within timeout={timeout} s") from None
            except KeyboardInterrupt as stop:
                stop.add_note(goes_on(job.id for job in jobs if not job.done()))
                raise


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
