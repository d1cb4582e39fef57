"""The filters of nodes in the order in which they are asked; the first refusal is the one a user reads.

What is against a job itself: core.gates.
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.model.node import Node
from slurm.sched.filters import constraint, hardware, named
from slurm.sched.need import Site

NODE_FILTERS: tuple[Callable[[Node, Site], str], ...] = (named.unsuited, constraint.unsuited, hardware.unsuited)
"""Whether a node suits by what it is, whatever runs there."""

ANYWHERE = Site()
"""The site of a job that asks nothing of its nodes."""


def unsuited(node: Node, site: Site) -> str:
    """Why a node does not suit a job, "" when it does."""
    if site == ANYWHERE:
        return ""
    for one in NODE_FILTERS:
        why = one(node, site)
        if why:
            return why
    return ""
