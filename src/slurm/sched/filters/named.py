"""--exclude, and --nodelist where it names as many nodes as the job may have."""

from __future__ import annotations

from slurm.model.node import Node
from slurm.sched.need import Site

EXCLUDED, NOT_NAMED = "the job excludes it", "it is not one of the nodes that the job names"
NOT_RESERVED = "it does not belong to the reservation"
ASKED = (EXCLUDED, NOT_NAMED)
"""What the job itself asked for, and so knows."""


def unsuited(node: Node, site: Site) -> str:
    """Why a node does not suit, "" when it does."""
    if node.name in site.excluded:
        return EXCLUDED
    if site.within is not None and node.name not in site.within:
        return NOT_RESERVED
    if site.only_wanted and node.name not in site.wanted:
        return NOT_NAMED
    return ""
