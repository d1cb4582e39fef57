"""--exclude, and --nodelist where it names as many nodes as the job may have."""

from __future__ import annotations

from slurm.model.node import Node
from slurm.sched.need import Site


def unsuited(node: Node, site: Site) -> str:
    """Why a node does not suit, "" when it does."""
    if node.name in site.excluded:
        return "the job excludes it"
    if site.only_wanted and node.name not in site.wanted:
        return "it is not one of the nodes that the job names"
    return ""
