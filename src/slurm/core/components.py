"""Components: which job records make up a heterogeneous job.

What happens to one happens to all, as `together` says; who starts is decided in `sched`.
"""

from __future__ import annotations

from collections.abc import Mapping

from slurm.model.ids import JobId
from slurm.model.job import Job

MOST = 128
"""So many components a heterogeneous job may have, as in Slurm."""


def members(jobs: Mapping[JobId, Job], job: Job) -> list[Job]:
    """The records of a heterogeneous job that are in memory, in order; of any other job itself."""
    return [jobs[job_id] for job_id in job.het if job_id in jobs] if job.het else [job]


def living(jobs: Mapping[JobId, Job], job: Job) -> list[Job]:
    """Those of them that have not ended for good, or still have processes somewhere."""
    return [one for one in members(jobs, job) if not one.state.finished or one.completing]


def beside(jobs: Mapping[JobId, Job], job: Job) -> list[Job]:
    """The others that have not ended for good: those that it starts with; [] of a job that is none of several."""
    return [one for one in members(jobs, job) if one.id != job.id and not one.state.finished] if job.het else []


def speaks(pending: Mapping[JobId, Job], job: Job) -> bool:
    """Whether a waiting component is the one that the planner looks at, for all of them: the first that waits."""
    return not job.het or next(job_id for job_id in job.het if job_id in pending) == job.id


def set_text(job: Job) -> str:
    """HetJobIdSet: "12-14"; "" of a job of its own."""
    runs: list[list[int]] = []
    for number in sorted(job.het):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
