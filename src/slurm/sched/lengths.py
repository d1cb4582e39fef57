"""Lengths: how long jobs run, as far as the planner knows, and what those that run will give back, and when."""

from __future__ import annotations

from math import ceil

from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.sched.board import Board, Holding
from slurm.sched.view import View

YEAR = 365 * 86400.0
"""How long a job without a time limit is taken to run, as in Slurm."""


def expected_end(view: View, job: Job, now: float) -> float:
    """When a job that holds resources gives them back; what should have ended by now is taken to end in a second."""
    if job.completing:
        return now + 1.0
    if job.state is JobState.SUSPENDED:  # its clock stands still: at the earliest then
        return now + max(1.0, length(job) - job.seconds_before_suspension)
    end = view.expected_end(job)
    if job.end_by and (end is None or job.end_by < end):
        end = job.end_by
    return max(job.start_time + YEAR if end is None else end, now + 1.0)


def length(job: Job) -> float:
    """How long a waiting job will run at most, in seconds."""
    return float(job.time_limit) if job.time_limit >= 0 else YEAR


def rounded(moment: float, grain: int) -> float:
    """The first moment from this one on that the plan's times are given to: bf_resolution, in seconds."""
    return moment if grain <= 1 else ceil(moment / grain) * float(grain)


def releases(view: View, board: Board, now: float) -> list[tuple[float, Holding]]:
    """What each job that holds resources gives back, and when, in no order; times as the plan's are given."""
    grain = view.settings.backfill_resolution
    return [(rounded(expected_end(view, job, now), grain), board.holding(job)) for job in view.active.values()
        if job.allocation is not None]
