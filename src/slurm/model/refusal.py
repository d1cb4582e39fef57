"""Refusal: why a pending job does not start now, as data that squeue, explanations and web pages read alike."""

from __future__ import annotations

import msgspec

ENDINGS = ("BatchExited", "TimedOut", "Cancelled", "AllocationRelinquished", "DeadlinePassed", "LaunchFailed", "NodeFreed", "NodeLost",
    "Suspended", "Preempted")
"""Events by which some job may end, for refusals that wait for one."""


class Refusal(msgspec.Struct, frozen=True):
    """A reason code of `model.states.Reason`, a sentence, the evidence (what → text) and the events that could cure it."""

    reason: str
    sentence: str
    evidence: tuple[tuple[str, str], ...] = ()
    cures: tuple[str, ...] = ()
