"""Where nodes lie in the network: what lies below a switch, on which level, and the way from the top to a node.

Which nodes jobs get by it: `sched.layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from slurm.model.topology import BLOCK, FLAT, Topology, Unit, of_partition
from slurm.notation import hostlist


def below(topology: Topology, unit: Unit) -> list[str]:
    """The nodes under a switch or in a block, each once."""
    by_name = {one.name: one for one in topology.units}
    found: dict[str, None] = {}
    look, seen = [unit], {unit.name}
    while look:
        here = look.pop(0)
        found.update(dict.fromkeys(names(here.nodes)))
        for child in names(here.children):
            if child in by_name and child not in seen:
                seen.add(child)
                look.append(by_name[child])
    return list(found)


def levels(topology: Topology) -> dict[str, int]:
    """Switch → how many levels of switches lie below it at most; 0 for leaves. The switches form no circle."""
    by_name = {one.name: one for one in topology.units}
    found: dict[str, int] = {}
    look = [one.name for one in topology.units]
    while look:
        children = [name for name in names(by_name[look[-1]].children) if name in by_name]
        unknown = [name for name in children if name not in found]
        if unknown:
            look += unknown
        else:
            found[look.pop()] = 1 + max(found[name] for name in children) if children else 0
    return found


def address(topologies: Sequence[Topology], wanted: str, node: str) -> tuple[str, str]:
    """SLURM_TOPOLOGY_ADDR and its pattern for a node in the topology that a partition names ("": the default one)."""
    topology = of_partition(list(topologies), wanted)
    way = _way(topology, node) if topology is not None else []
    kind = "block" if topology is not None and topology.kind == BLOCK else "switch"
    return ".".join([*way, node]), ".".join([*(kind for _ in way), "node"])


def _way(topology: Topology, node: str) -> list[str]:
    """The switches from the top down to a node, or its block."""
    if topology.kind == FLAT:
        return []
    here = next((unit.name for unit in topology.units if unit.nodes and node in names(unit.nodes)), "")
    way: list[str] = []
    while here and here not in way:
        way.insert(0, here)
        here = next((unit.name for unit in topology.units if unit.children and here in names(unit.children)), "")
    return way


@lru_cache(maxsize=4096)
def _expanded(text: str) -> tuple[str, ...]:
    return tuple(hostlist.expand(text)) if text else ()


def names(text: str) -> tuple[str, ...]:
    """The names of a host list, remembered."""
    return _expanded(text)
