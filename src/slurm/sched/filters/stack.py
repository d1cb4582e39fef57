"""The filters in the order in which they are asked; the first refusal is the one a user reads."""

from __future__ import annotations

from collections.abc import Callable

from slurm.model.node import Node
from slurm.sched.filters import array_limit, begin, constraint, depends, hardware, held, named, partition_limits, partition_state, unproven
from slurm.sched.filters.gate import Gate
from slurm.sched.need import Site
from slurm.sched.refusal import Refusal

JOB_FILTERS: tuple[Callable[[Gate], Refusal | None], ...] = (
    held.refuse,
    unproven.refuse,
    depends.refuse,
    begin.refuse,
    array_limit.refuse,
    partition_state.refuse,
    partition_limits.refuse,
)

NODE_FILTERS: tuple[Callable[[Node, Site], str], ...] = (named.unsuited, constraint.unsuited, hardware.unsuited)
"""Whether a node suits by what it is, whatever runs there."""

ANYWHERE = Site()
"""The site of a job that asks nothing of its nodes."""


def refuse(gate: Gate) -> Refusal | None:
    """The first refusal, None when the job may start as far as it is concerned itself."""
    for one in JOB_FILTERS:
        refusal = one(gate)
        if refusal is not None:
            return refusal
    return None


def unsuited(node: Node, site: Site) -> str:
    """Why a node does not suit a job, "" when it does."""
    if site == ANYWHERE:
        return ""
    for one in NODE_FILTERS:
        why = one(node, site)
        if why:
            return why
    return ""
