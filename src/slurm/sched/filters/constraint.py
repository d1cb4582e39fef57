"""--constraint, as far as one node alone can tell; counts and brackets are judged in `choose`."""

from __future__ import annotations

from slurm.model.node import Node
from slurm.notation import features
from slurm.sched.need import Site


def unsuited(node: Node, site: Site) -> str:
    """Why a node does not suit, "" when it does."""
    if site.constraint is None or features.evaluate(site.constraint, frozenset(node.features)):
        return ""
    return f"its features {','.join(node.features) or '(none)'} do not satisfy {features.show(site.constraint)}"
