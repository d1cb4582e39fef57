"""The filters of jobs in the order in which they are asked; the first refusal is the one a user reads."""

from __future__ import annotations

from collections.abc import Callable

from slurm.sched.filters import array_limit, begin, depends, held, partition_limits, partition_state
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import Refusal

JOB_FILTERS: tuple[Callable[[Gate], Refusal | None], ...] = (
    held.refuse,
    depends.refuse,
    begin.refuse,
    array_limit.refuse,
    partition_state.refuse,
    partition_limits.refuse,
)


def refuse(gate: Gate) -> Refusal | None:
    """The first refusal, None when the job may start as far as it is concerned itself."""
    for one in JOB_FILTERS:
        refusal = one(gate)
        if refusal is not None:
            return refusal
    return None
