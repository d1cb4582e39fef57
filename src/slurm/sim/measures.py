"""Measures: what a simulated schedule was like, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.sim.engine import Outcome

THRESHOLD = 10.0
"""Seconds below which a run counts as this long, so that tiny jobs do not decide."""


def bounded_slowdown(outcome: Outcome, threshold: float = THRESHOLD) -> float:
    """How many times longer than its run a job took from submission to end, at least 1."""
    run = outcome.ended - outcome.started
    return max(1.0, (outcome.wait + run) / max(run, threshold))


def average_bounded_slowdown(outcomes: Sequence[Outcome], threshold: float = THRESHOLD) -> float:
    """The mean over all jobs; 0 without any."""
    return sum(bounded_slowdown(one, threshold) for one in outcomes) / len(outcomes) if outcomes else 0.0
