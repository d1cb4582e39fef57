"""--sockets-per-node, --cores-per-socket, --threads-per-core, --tmp, and --mem where it is not given out: what a node must have at
least."""

from __future__ import annotations

from slurm.model.node import Node
from slurm.sched.need import Site


def unsuited(node: Node, site: Site) -> str:
    """Why a node does not suit, "" when it does."""
    for what, has, wants in (
        ("sockets", node.sockets, site.sockets), ("cores a socket", node.cores_per_socket, site.cores),
        ("threads a core", node.threads_per_core, site.threads), ("MB of temporary disk", node.tmp_disk, site.tmp_disk),
        ("MB of memory", node.job_memory, site.memory),
    ):
        if has < wants:
            return f"it has {has} {what}, {wants} are asked for"
    return ""
