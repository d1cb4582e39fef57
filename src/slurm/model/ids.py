"""Identifiers, as types of their own so that a job id is never taken for a step id."""

from __future__ import annotations

from typing import NewType

JobId = NewType("JobId", int)
StepId = NewType("StepId", int)
NodeName = NewType("NodeName", str)
Uid = NewType("Uid", int)
Gid = NewType("Gid", int)
Digest = NewType("Digest", str)
"""Hex SHA-256 of a script or an environment that is kept by content."""

BATCH_STEP = StepId(-5)
"""The step id of a batch script, as SLURM_STEP_ID shows it."""
EXTERN_STEP = StepId(-4)
SCRIPTS_STEP = StepId(-7)
"""No step: what a node that registers says it has of a job of which only prolog or epilog are known there."""
INTERACTIVE_STEP = StepId(-6)
PENDING_STEP = StepId(-3)

STEP_NAMES = {BATCH_STEP: "batch", EXTERN_STEP: "extern", INTERACTIVE_STEP: "interactive"}


def step_name(step: StepId) -> str:
    """How a step id is written behind the job id: `batch`, `extern`, `0`."""
    return STEP_NAMES.get(step, str(step))
