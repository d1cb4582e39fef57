"""Topology: which switches or blocks of the network the nodes lie under, as topology.conf or topology.yaml says.

Not here: what follows for jobs (`sched.layout`).
"""

from __future__ import annotations

import msgspec

FLAT, TREE, BLOCK = "flat", "tree", "block"
"""Kinds: every node as near as any other; switches under switches; blocks of nodes, packed into larger ones."""


class Unit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A switch or a block: its own nodes as a host list, or the names of the switches below it as one."""

    name: str
    nodes: str = ""
    children: str = ""
    speed: str = "1"  # LinkSpeed, shown and no more


class Topology(msgspec.Struct, omit_defaults=True):
    """One network. `sizes` (of blocks): nodes of a base block, then of the blocks that these make up together, rising."""

    name: str = "default"
    kind: str = FLAT
    units: list[Unit] = msgspec.field(default_factory=list)
    sizes: list[int] = msgspec.field(default_factory=list)
    default: bool = True  # for partitions that name none
    optional: bool = False  # TopologyParam=TopoOptional: only jobs that ask for switches are kept together


def of_partition(topologies: list[Topology], name: str) -> Topology | None:
    """The topology that a partition names, or ("") the default one; None where every node is as near as any other."""
    found = next((one for one in topologies if (one.name == name if name else one.default)), None)
    return None if found is None or found.kind == FLAT else found
