"""`scontrol show topology`: a line for each switch or block, of all, of those above a node, or of one by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slurm.core.network import below, levels, names
from slurm.model.errors import NotFound
from slurm.model.topology import BLOCK, FLAT, Topology
from slurm.notation import hostlist

KINDS = ("node", "switch", "block", "unit")
"""Words that may stand before a name, with = between."""


def show(topologies: Sequence[Topology], wanted: Sequence[str]) -> list[str]:
    """The lines; NotFound for a name that is none of a switch, a block or a node there. The first name may be that of a topology."""
    chosen = [one for one in topologies if one.kind != FLAT]
    asked = list(wanted)
    if asked and any(one.name == asked[0] for one in topologies):
        chosen = [one for one in chosen if one.name == asked[0]]
        del asked[0]
    found: list[str] = []
    for word in asked:
        kind, equals, name = word.partition("=")
        name = name if equals and kind.lower() in KINDS else word
        lines = [line for one in chosen for line in _lines(one, name)]
        if not lines and chosen:
            raise NotFound("ESLURM_INVALID_NODE_NAME", f"Topology information contains no switch, block or node named {name}", hints=[
                f"{one.name}: {hostlist.compress([unit.name for unit in one.units])}" for one in chosen])
        found += lines
    return found if asked else [line for one in chosen for line in _lines(one, "")]


def _lines(of: Topology, name: str) -> Iterator[str]:
    """The lines of a topology: with a name that of the unit called so, or those of the units that hold the node."""
    by_unit = any(unit.name == name for unit in of.units)
    if of.kind == BLOCK:
        yield from _blocks(of, name, by_unit)
        return
    level = levels(of)
    for unit in sorted(of.units, key=lambda one: level[one.name]):
        nodes = below(of, unit)
        if not name or (unit.name == name if by_unit else name in nodes):
            switches = f" Switches={unit.children}" if unit.children else ""
            yield (f"SwitchName={unit.name} Level={level[unit.name]} LinkSpeed={unit.speed} "
                   f"Nodes={hostlist.compress(nodes, sort=True)}{switches}")


def _blocks(of: Topology, name: str, by_unit: bool) -> Iterator[str]:
    blocks = [(unit.name, names(unit.nodes)) for unit in of.units]
    for index, (block, nodes) in enumerate(blocks):
        if not name or (block == name if by_unit else name in nodes):
            yield (f"BlockName={block} BlockIndex={index} Nodes={hostlist.compress(nodes)} "
                   f"BlockSize={of.sizes[0] if of.sizes else len(nodes)}")
    index = len(blocks)
    for size in of.sizes[1:] if not by_unit else ():
        together = max(1, size // of.sizes[0])
        for start in range(0, len(blocks) - together + 1, together):
            part = blocks[start:start + together]
            nodes = tuple(node for _, members in part for node in members)
            if not name or name in nodes:
                yield (f"AggregatedBlock={hostlist.compress([block for block, _ in part])} BlockIndex={index} "
                       f"Nodes={hostlist.compress(nodes)} BlockSize={size}")
            index += 1
