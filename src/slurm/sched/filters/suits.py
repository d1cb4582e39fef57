"""Which nodes suit a job by what they are: named or excluded, features, hardware. Not by what is free there."""

from __future__ import annotations

from slurm.model.node import Node
from slurm.notation import features
from slurm.sched.need import Need


def excluded(node: Node, need: Need) -> str:
    """--exclude, and --nodelist with as many names as the job may have nodes."""
    if node.name in need.excluded:
        return "excluded by the job"
    if need.wanted and node.name not in need.wanted and 0 < need.nodes_max <= len(need.wanted):
        return "not one of the nodes that the job names"
    return ""


def constraint(node: Node, need: Need) -> str:
    """--constraint."""
    if need.constraint is not None and not features.evaluate(need.constraint, frozenset(node.features)):
        return f"its features {','.join(node.features) or '(none)'} do not satisfy {features.show(need.constraint)}"
    return ""


def hardware(node: Node, need: Need) -> str:
    """--sockets-per-node, --cores-per-socket, --threads-per-core, --tmp."""
    for what, has, wants in (
        ("sockets", node.sockets, need.sockets), ("cores a socket", node.cores_per_socket, need.cores),
        ("threads a core", node.threads_per_core, need.threads), ("MB of temporary disk", node.tmp_disk, need.tmp_disk),
    ):
        if has < wants:
            return f"it has {has} {what}, {wants} are asked for"
    return ""


NODE_FILTERS = (excluded, constraint, hardware)


def unsuited(node: Node, need: Need) -> str:
    """Why a node does not suit a job, "" when it does."""
    for one in NODE_FILTERS:
        why = one(node, need)
        if why:
            return why
    return ""
