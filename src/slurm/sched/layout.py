"""Layout: nodes near each other in the network. Leaves (leaf switches, base blocks) and the groups of them that a job may be spread over.

A job gets the smallest group that holds it, lowest switches first, and in that as few leaves as do: of those that hold what is left of it
the smallest (best fit), else the largest. Works with counts in arrays, so that it costs the same for any number of nodes of a leaf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from slurm.model.settings import Settings
from slurm.model.topology import BLOCK, FLAT, Topology, Unit
from slurm.notation import hostlist

Array = NDArray[np.int32]
Index = NDArray[np.intp]
TRIES = 16
"""So many groups that may hold a job are looked at closer."""


class Wish:
    """What a job asks of nodes together: how many, with how many tasks and GPUs, over how many leaves (0: any), in segments of how many (0:
    none)."""

    __slots__ = ("alone", "gpus", "least", "leaves", "most", "segment", "spread", "tasks", "wide")

    def __init__(
        self, least: int, most: int, tasks: int, gpus: int, *, alone: int = 0, leaves: int = 0, segment: int = 0, spread: bool = False,
        wide: bool = False,
    ) -> None:
        self.least, self.most, self.tasks, self.gpus = least, most, tasks, gpus
        self.alone = alone  # tasks that one node must hold to suffice, 0 where one never does
        self.leaves, self.segment, self.spread = leaves, segment, spread
        self.wide = wide  # as many nodes as there are, up to `most`


class Layout:
    """The leaves of one topology. Groups are masks over leaves, in order of their level; a node of no leaf is only given by itself."""

    __slots__ = ("connected", "groups", "leaf_of", "leaves", "optional")

    def __init__(self, topology: Topology) -> None:
        self.optional = topology.optional
        units = [unit for unit in topology.units if unit.nodes]
        self.leaves = [unit.name for unit in units]
        self.leaf_of: dict[str, int] = {}
        for leaf, unit in enumerate(units):
            for name in hostlist.expand(unit.nodes):
                self.leaf_of.setdefault(name, leaf)
        masks = _blocks(topology, len(units)) if topology.kind == BLOCK else _switches(topology.units, self.leaves)
        self.groups: NDArray[np.bool_] = np.array(masks, np.bool_).reshape(-1, len(units))
        self.connected = len(units) == 1 or any(mask.all() for mask in masks)

    def holds(self, names: Iterator[str]) -> bool:
        """Whether a group holds all these nodes, so that a job that fits on them fits whatever they lie under."""
        return self.connected and all(name in self.leaf_of for name in names)

    def pick(self, tasks: Array, gpus: Array, leaves: Array, wish: Wish, first: int = 0) -> Index | None:
        """Which nodes to take, given what each can (their order is that of preference); None when they do not suffice.

        The `first` ones are taken in any case. `leaves` has the leaf of each node, -1 for none.
        """
        if wish.alone and not first:
            able = np.flatnonzero((tasks >= wish.alone) & (gpus >= wish.gpus))
            if len(able):
                crowd = np.bincount(leaves[leaves >= 0], minlength=len(self.leaves) + 1)
                return able[[int(np.argmin(np.where(leaves[able] >= 0, crowd[leaves[able]], 0)))]]
        if first == wish.least == 1 and not wish.wide and tasks[0] >= wish.tasks and gpus[0] >= wish.gpus:
            return np.zeros(1, np.intp)
        usable = np.flatnonzero(leaves >= 0)
        if first and (leaves[:first] < 0).any():
            return None
        sums = _Sums(tasks[usable], gpus[usable], leaves[usable], len(self.leaves))
        wanted = np.zeros(len(self.leaves), np.bool_)
        wanted[leaves[:first]] = True
        for least in ((wish.most, wish.least) if wish.wide and wish.most > wish.least else (wish.least,)):
            for mask in self._candidates(sums, wanted, least, wish):
                found = _fill(np.flatnonzero(mask), sums, usable, first, least, wish)
                if found is not None:
                    return found
        return None

    def _candidates(self, sums: _Sums, wanted: NDArray[np.bool_], least: int, wish: Wish) -> Iterator[NDArray[np.bool_]]:
        """Groups of leaves that may hold a job, the best first: single leaves from the fewest free nodes on, then the groups, lowest
        first."""
        nodes = sums.in_segments(wish) if wish.segment else sums.nodes
        able = (nodes >= least) & (sums.tasks >= wish.tasks) & (sums.gpus >= wish.gpus)
        if wanted.any():
            able &= wanted & (wanted.sum() == 1)
        leaves = np.flatnonzero(able)
        for leaf in leaves[np.argsort(sums.nodes[leaves], kind="stable")][:TRIES]:
            mask = np.zeros(len(wanted), np.bool_)
            mask[leaf] = True
            yield mask
        if not len(self.groups):
            return
        held = self.groups @ np.stack((nodes, sums.tasks, sums.gpus), axis=1).astype(np.float64)
        able = (held[:, 0] >= least) & (held[:, 1] >= wish.tasks) & (held[:, 2] >= wish.gpus)
        if wanted.any():
            able &= self.groups[:, wanted].all(axis=1)
        chosen = np.flatnonzero(able)
        size = self.groups[chosen].sum(axis=1)
        yield from self.groups[chosen[np.lexsort((held[chosen, 0], size))][:TRIES]]


class _Sums:
    """What the nodes of each leaf can take together, and the nodes leaf by leaf in their order."""

    __slots__ = ("by_leaf", "each_gpus", "each_tasks", "gpus", "nodes", "starts", "tasks")

    def __init__(self, tasks: Array, gpus: Array, leaves: Array, count: int) -> None:
        self.each_tasks, self.each_gpus = tasks, gpus
        self.nodes = np.bincount(leaves, minlength=count)
        self.tasks = np.bincount(leaves, tasks, count).astype(np.int64)
        self.gpus = np.bincount(leaves, gpus, count).astype(np.int64)
        self.by_leaf = np.argsort(leaves, kind="stable")
        self.starts = np.concatenate(([0], np.cumsum(self.nodes)))

    def of(self, leaf: int) -> Index:
        """The nodes of a leaf."""
        return self.by_leaf[self.starts[leaf]:self.starts[leaf + 1]]

    def in_segments(self, wish: Wish) -> Index:
        """How many nodes of each leaf whole segments take; of one segment only where each is to lie in another leaf."""
        whole = self.nodes // wish.segment * wish.segment
        return np.minimum(whole, wish.segment) if wish.spread else whole


def _fill(leaves: Index, sums: _Sums, usable: Index, first: int, least: int, wish: Wish) -> Index | None:
    """Nodes of these leaves for the job, the `first` of all before; None when it takes too many nodes or leaves, or they do not suffice."""
    room = sums.in_segments(wish) if wish.segment else sums.nodes
    parts: list[Index] = [np.arange(first)]
    nodes, tasks, gpus = (least - first, wish.tasks - int(sums.each_tasks[:first].sum()),
        wish.gpus - int(sums.each_gpus[:first].sum())) if first else (
        least, wish.tasks, wish.gpus)
    begun = set(_leaf_numbers(parts[0], sums).tolist()) if first else set()
    left = [leaf for leaf in leaves if leaf not in begun]
    while (begun or left) and (nodes > 0 or tasks > 0 or gpus > 0):
        if begun:
            leaf = begun.pop()
        else:
            enough = [leaf for leaf in left if room[leaf] >= nodes and sums.tasks[leaf] >= tasks and sums.gpus[leaf] >= gpus]
            leaf = min(enough, key=lambda one: room[one]) if enough else max(left, key=lambda one: (room[one], sums.tasks[one]))
            left.remove(leaf)
        of = sums.of(leaf)
        of = of[of >= first] if first else of
        if wish.segment:
            of = of[:min(int(room[leaf]), max(nodes, 0))]
        parts.append(of)
        nodes, tasks, gpus = nodes - len(of), tasks - int(sums.each_tasks[of].sum()), gpus - int(sums.each_gpus[of].sum())
    if nodes > 0 or tasks > 0 or gpus > 0:
        return None
    order = np.concatenate(parts)
    picked = _shortest(order, sums, first, least, wish)
    if picked is None or (wish.leaves and len(np.unique(_leaf_numbers(picked, sums))) > wish.leaves):
        return None
    return usable[picked]


def _shortest(order: Index, sums: _Sums, first: int, least: int, wish: Wish) -> Index | None:
    """The shortest beginning of `order` that suffices; of the largest nodes where that is too long."""
    for each in (order, np.concatenate((order[:first], order[first:][np.argsort(-sums.each_tasks[order[first:]], kind="stable")]))):
        if wish.segment and each is not order:
            return None
        enough = (np.cumsum(sums.each_tasks[each]) >= wish.tasks) & (np.cumsum(sums.each_gpus[each]) >= wish.gpus)
        count = max(least, first, int(np.argmax(enough)) + 1 if enough.any() else len(each) + 1)
        if count <= min(wish.most, len(each)):
            return each[:count]
    return None


def _leaf_numbers(picked: Index, sums: _Sums) -> Index:
    place = np.empty(len(sums.by_leaf), np.intp)
    place[sums.by_leaf] = np.arange(len(sums.by_leaf))
    return np.searchsorted(sums.starts, place[picked], side="right") - 1


def _switches(units: list[Unit], leaves: list[str]) -> list[NDArray[np.bool_]]:
    """For each switch above others the leaves below it."""
    below = {unit.name: hostlist.expand(unit.children) if unit.children else [] for unit in units}
    number = {name: leaf for leaf, name in enumerate(leaves)}
    masks = []
    for name in (unit.name for unit in units if unit.children):
        mask = np.zeros(len(leaves), np.bool_)
        look, seen = [name], {name}
        while look:
            for child in below.get(look.pop(), ()):
                if child in number:
                    mask[number[child]] = True
                if child not in seen:
                    seen.add(child)
                    look.append(child)
        masks.append(mask)
    return masks


def _blocks(topology: Topology, count: int) -> list[NDArray[np.bool_]]:
    """Neighbouring base blocks that make up a block of each greater size; above all, every block."""
    base = topology.sizes[0] if topology.sizes else 1
    masks = []
    for size in topology.sizes[1:]:
        together = max(1, size // base)
        for start in range(0, count, together):
            mask = np.zeros(count, np.bool_)
            mask[start:start + together] = True
            masks.append(mask)
    return [*masks, np.ones(count, np.bool_)] if count > 1 else masks


def layouts_of(settings: Settings) -> Mapping[str, Layout]:
    """Name of a topology → its layout; "" is the default one. Those in which every node is as near as any other have none."""
    found = {one.name: Layout(one) for one in settings.topologies if one.kind != FLAT and any(unit.nodes for unit in one.units)}
    default = next((one.name for one in settings.topologies if one.default), "")
    return {**found, **({"": found[default]} if default in found else {})}
