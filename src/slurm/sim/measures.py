"""Measures: what a simulated schedule was like, in numbers and as courses of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from slurm.sim.engine import Outcome

THRESHOLD = 10.0
"""Seconds below which a run counts as this long, so that tiny jobs do not decide."""
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Two-sided 95 % quantiles of Student's t for 1, 2 … degrees of freedom."""
_NORMAL = 2.0


class Summary(NamedTuple):
    """One run. `refused`: jobs that never ran to their end.

    Times in seconds; `utilisation` from 0 to 1: of all CPUs, from the first submission to the last end.
    """

    jobs: int
    refused: int
    span: float
    utilisation: float
    mean_wait: float
    median_wait: float
    wait_95: float
    longest_wait: float
    slowdown: float
    mean_queue: float
    longest_queue: int
    restarts: int


def bounded_slowdown(outcome: Outcome, threshold: float = THRESHOLD) -> float:
    """How many times longer than its run a job took from submission to end, at least 1."""
    run = outcome.ended - outcome.started
    return max(1.0, (outcome.wait + run) / max(run, threshold))


def average_bounded_slowdown(outcomes: Sequence[Outcome], threshold: float = THRESHOLD) -> float:
    """The mean over all jobs; 0 without any."""
    return sum(bounded_slowdown(one, threshold) for one in outcomes) / len(outcomes) if outcomes else 0.0


def summary(outcomes: Sequence[Outcome], cpus: int, refused: int = 0) -> Summary:
    """The numbers of one run on a cluster of so many CPUs."""
    if not outcomes:
        return Summary(0, refused, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    waits = sorted(one.wait for one in outcomes)
    span = max(one.ended for one in outcomes) - min(one.submitted for one in outcomes)
    used = sum(one.cpus * (one.ended - one.started) for one in outcomes)
    return Summary(
        jobs=len(outcomes), refused=refused, span=span, utilisation=used / (span * cpus) if span else 0.0, mean_wait=fmean(waits),
        median_wait=waits[len(waits) // 2], wait_95=waits[int(0.95 * (len(waits) - 1))], longest_wait=waits[-1],
        slowdown=average_bounded_slowdown(outcomes), mean_queue=sum(waits) / span if span else 0.0,
        longest_queue=int(max(value for _, value in queue(outcomes))), restarts=sum(one.restarts for one in outcomes))


def queue(outcomes: Iterable[Outcome]) -> list[tuple[float, float]]:
    """(moment, how many jobs wait from then on), in order."""
    return _course((moment, step) for one in outcomes for moment, step in ((one.submitted, 1), (one.started, -1)))


def usage(outcomes: Iterable[Outcome]) -> list[tuple[float, float]]:
    """(moment, how many CPUs jobs have from then on), in order."""
    return _course((moment, step) for one in outcomes for moment, step in ((one.started, one.cpus), (one.ended, -one.cpus)))


def distribution(values: Iterable[float]) -> list[tuple[float, float]]:
    """(value, part of all that are not larger), in order."""
    ordered = sorted(values)
    return [(value, (place + 1) / len(ordered)) for place, value in enumerate(ordered)]


def _course(steps: Iterable[tuple[float, int]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    level = 0
    for moment, step in sorted(steps):
        level += step
        if found and found[-1][0] == moment:
            found[-1] = moment, level
        else:
            found.append((moment, level))
    return found


def confidence(values: Sequence[float]) -> tuple[float, float]:
    """The mean of several runs and half the width of its 95 % confidence interval (0 for one run)."""
    if len(values) < 2:
        return (values[0] if values else 0.0), 0.0
    quantile = _STUDENT[len(values) - 2] if len(values) - 2 < len(_STUDENT) else _NORMAL
    return fmean(values), quantile * stdev(values) / len(values) ** 0.5
