"""Overdue: jobs that a cluster calls RUNNING although what came of them has lain there for long.

A slurmctld that was killed may never hear of the ends that it missed: such jobs stay RUNNING in squeue until somebody cancels them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendError
from slurm.sdk.following.status import Status
from slurm.sdk.options import tasks

PATIENCE = 30.0
"""Seconds that a job runs before its files are looked for, and that those lie there before they are believed: it may be about to end, or
clean up."""
LOOKED_FOR = 500
"""Files that one look asks for, and one look is made within PATIENCE."""
FOUND = 10
"""Jobs of other programs that one look asks the cluster for, each with a question of its own."""


class Submitted(NamedTuple):
    """Where a job's files lie, or those of an array whose first element is number `start`; `ranks` is how many results make one, 0: nobody
    knows."""

    files: JobFiles
    start: int
    ranks: int


class Overdue:
    """Says of jobs that run no longer how they ended. `present` is the Backend's, `clock` tells seconds.

    `find` says where a job lies that another program submitted; None for one that is none of a task, or another user's.
    """

    def __init__(self, present: Callable[[Sequence[str]], set[str]], find: Callable[[str], Submitted | None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._present, self._find, self._clock = present, find, clock
        self._jobs: dict[str, Submitted | None] = {}
        self._since: dict[str, float] = {}  # job → when it was first heard to run
        self._seen: dict[str, tuple[float, Status]] = {}  # job → when its files were first seen, and what they say
        self._over: dict[str, Status] = {}
        self._due = 0.0
        self._turn = 0

    def submitted(self, id: str, path: str, options: Mapping[str, str | None]) -> None:
        """Remember a job, or an array, whose script lies at `path`."""
        self._jobs[id] = Submitted(JobFiles.of(path), JobFiles.first_element(path), tasks(options))

    def judged(self, found: dict[str, Status]) -> dict[str, Status]:
        """What the cluster says of jobs, but of those whose files have long told another story that."""
        now = self._clock()
        running = [job for job, status in found.items() if status.state == "RUNNING"]
        for job in found.keys() - set(running):
            for kept in (self._since, self._seen, self._over):
                kept.pop(job, None)
            if found[job].finished:
                self._jobs.pop(job, None)
        for job in running:
            self._since.setdefault(job, now)
        long = [job for job in running if job not in self._over and now - self._since[job] >= PATIENCE]
        if long and now >= self._due:
            self._due = now + PATIENCE
            self._look(long, now)
        return {**found, **{job: self._over[job] for job in running if job in self._over}}

    def _look(self, jobs: Sequence[str], now: float) -> None:
        with suppress(BackendError):  # they are asked for again, and where the others lie is known
            self._identify(jobs)
        asked = self._chosen([job for job in jobs if self._jobs.get(job.partition("_")[0]) is not None])
        try:
            there = self._present([path for result, error in asked.values() for path in (*result, error)])
        except OSError:
            return  # a folder that may not be looked into tells nothing: the cluster's word stands
        for job, (result, error) in asked.items():
            says = Status("FAILED", "1:0") if error in there else Status("COMPLETED",
                "0:0") if result and there.issuperset(result) else None
            since, before = self._seen.pop(job, (now, None))
            if says is not None and says == before and now - since >= PATIENCE:
                self._over[job] = says
            elif says is not None:
                self._seen[job] = (since if says == before else now), says

    def _identify(self, jobs: Sequence[str]) -> None:
        """Find out where jobs of other programs lie, a few at a time."""
        unknown = dict.fromkeys(base for job in jobs if (base := job.partition("_")[0]) not in self._jobs)
        for base in list(unknown)[:FOUND]:
            self._jobs[base] = self._find(base)

    def _chosen(self, jobs: Sequence[str]) -> dict[str, tuple[list[str], str]]:
        """As many jobs as one look is for, with their files: first those of which files were seen, then the others in turn."""
        others = [job for job in jobs if job not in self._seen]
        self._turn %= max(1, len(others))
        chosen: dict[str, tuple[list[str], str]] = {}
        left = LOOKED_FOR
        for job in (*(job for job in jobs if job in self._seen), *others[self._turn:], *others[:self._turn]):
            result, error = self._files(job)
            left -= len(result) + 1
            if left < 0 and chosen:
                break
            chosen[job] = result, error
            self._turn += job not in self._seen
        return chosen

    def _files(self, job: str) -> tuple[list[str], str]:
        base, _, local = job.partition("_")
        made = self._jobs[base]
        if made is None:
            return [], ""  # never asked for
        files = made.files.element(made.start + int(local)) if local else made.files
        return [files.rank_result(rank) for rank in range(made.ranks)], files.error
