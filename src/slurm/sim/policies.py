"""Orders of the queue that Slurm has no parameter for, to compare with what it does."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from slurm.core.gates.stack import eligible
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.sched.queue import Queue
from slurm.sched.view import View


class ShortestFirst(Queue):
    """Jobs start in the order of their priority; behind the first that has to wait, those with the shortest time limits are tried first."""

    rearranges = True

    def order(self, view: View, now: float, refused: Container[JobId]) -> Iterable[Job]:
        """By priority up to the first refused job that may start, then by time limit."""
        return self._parted(self.all(view, now), refused)

    def _parted(self, jobs: list[Job], refused: Container[JobId]) -> Iterator[Job]:
        for place, job in enumerate(jobs):
            yield job
            if job.id in refused and eligible(job):
                rest = jobs[place + 1:]
                rest.sort(key=lambda one: (one.time_limit if one.time_limit >= 0 else float("inf"), one.submit_time, one.id))
                yield from rest
                return
