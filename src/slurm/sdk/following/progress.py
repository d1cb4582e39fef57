"""`progress`: jobs as they end, with bars meanwhile, which `display` shows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from queue import Empty
from typing import Any, TypeVar

from slurm.sdk.array_job import ArrayJob, ends
from slurm.sdk.errors import NotFinished
from slurm.sdk.following.display import LOOK_SECONDS, Display
from slurm.sdk.following.tracker import goes_on
from slurm.sdk.job import Job

T = TypeVar("T")


def progress(jobs: Job[T] | ArrayJob[T] | Iterable[Job[T] | ArrayJob[T]], timeout: float | None = None) -> Iterator[Job[T]]:
    """Jobs, and elements of arrays, in the order in which they end, while bars on standard error show how many have.

    NotFinished when it takes longer than `timeout` seconds in all, BackendError when the cluster stays away.
    """
    given = _listed(jobs)
    elements = [one for job in given for one in job.jobs()]
    deadline = None if timeout is None else time.monotonic() + timeout
    with Display(given) as display, ends(elements) as ended:
        missing = len(elements)
        while missing:
            left = None if deadline is None else deadline - time.monotonic()
            try:
                job = ended(LOOK_SECONDS if left is None else max(0.0, min(LOOK_SECONDS, left)))
            except Empty:
                if left is not None and left <= 0:
                    raise NotFinished(f"{missing} of {len(elements)} jobs did not end within timeout={timeout} s") from None
                display.update()
                continue
            except KeyboardInterrupt as stop:
                stop.add_note(goes_on(job.id for job in elements if not job.done()))
                raise
            display.update(seldom=True)
            missing -= 1
            yield job


def _listed(jobs: Any) -> list[Any]:
    found = [jobs] if isinstance(jobs, Job | ArrayJob) else list(jobs)
    for job in found:
        if not isinstance(job, Job | ArrayJob):
            raise TypeError(f"progress() takes jobs and arrays of jobs, not {type(job).__name__}")
    return found
