"""Terrain: the nodes by partition and by what jobs ask of them, worked out once and kept from pass to pass.

Which nodes there are and which are in service changes rarely: then the view's `generation` does, and everything is worked out anew. What
jobs hold changes all the time: the view tells which nodes were touched, and their rows on the board are written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from slurm.model.ids import JobId, NodeName
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.states import Power
from slurm.sched.board import Board, Index
from slurm.sched.filters import stack
from slurm.sched.need import Numbers, Site
from slurm.sched.view import View

KEPT = 4096
"""Looks at nodes that are remembered: requests that name nodes are all different."""
Found = TypeVar("Found")


def preference(node: Node) -> tuple[int, bool, int]:
    """Cheap nodes first, of those the ones that are on, then as configured."""
    return node.weight, node.power is not Power.ON, node.position


class Terrain:
    """The nodes that jobs may look at, in order of preference. Who keeps one calls `refresh` before each use."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._forget()

    def _forget(self) -> None:
        self._settings, self._generation = self.view.settings, self.view.generation
        self._known: dict[tuple[object, ...], object] = {}
        self._lately: dict[tuple[object, ...], object] = {}
        self.texts: dict[NodeName, tuple[str, str]] = {}  # node and what is free on it, as evidence
        self.numbers: dict[JobId, Numbers] = {}  # of waiting jobs, kept for `sight`
        self._board: Board | None = None

    def refresh(self) -> None:
        """Be right for the present. Only for the one Terrain of a view that is kept: it takes the names of the touched nodes away."""
        view = self.view
        if view.settings is not self._settings or view.generation != self._generation:
            self._forget()
        elif self._board is not None:
            self._board.rewrite(view.nodes[name] for name in view.touched if name in view.nodes)
        for name in view.touched:
            self.texts.pop(name, None)
        self._lately.clear()
        view.touched.clear()

    def kept(self, key: tuple[object, ...], work: Callable[[], Found]) -> Found:
        """What `work` returned for this key since nodes or partitions last changed. It may not depend on what jobs hold."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = self._known[key] = (work(),)
        return found[0]  # type: ignore[index, no-any-return]

    def lately(self, key: tuple[object, ...], work: Callable[[], Found]) -> Found:
        """The same since the last `refresh`, for what depends on what jobs hold."""
        if key not in self._lately:
            self._lately[key] = work()
        return self._lately[key]  # type: ignore[return-value]

    def cpus(self, partition: Partition) -> int:
        """CPUs of all nodes of a partition, in service or not."""
        return self.kept(("cpus", partition.name), lambda: sum(node.job_cpu_count for node in self.suited(partition, stack.ANYWHERE)))

    def suited(self, partition: Partition, site: Site) -> list[Node]:
        """Nodes of a partition that suit by what they are, in service or not. Not to be changed, like the following."""
        if site.closed:
            site = site._replace(closed=frozenset())
        return self.kept(("suited", partition.name, site), lambda: self._suited(partition, site))

    def _suited(self, partition: Partition, site: Site) -> list[Node]:
        if site == stack.ANYWHERE:
            nodes = self.view.nodes
            return sorted((nodes[name] for name in partition.nodes if name in nodes), key=preference)
        return [node for node in self.suited(partition, stack.ANYWHERE) if not stack.unsuited(node, site)]

    def usable(self, partition: Partition, site: Site) -> list[Node]:
        """Those of the suited nodes on which jobs may start, now and as long as no reservation begins or ends."""
        return self.kept(("usable", partition.name, site), lambda: [
            node for node in self.suited(partition, site) if node.usable and node.name not in site.closed])

    def nodes_of(self, partitions: frozenset[str]) -> frozenset[NodeName]:
        """The nodes of these partitions."""
        if not partitions:
            return frozenset()
        known = self.view.partitions
        return self.kept(("nodes", partitions), lambda: frozenset(name for each in partitions for name in known[each].nodes))

    def marked(self, partitions: frozenset[str]) -> NDArray[np.bool_]:
        """True at the positions of the nodes of these partitions."""
        return self.kept(("marked", partitions), lambda: self.board.marked(self.nodes_of(partitions)))

    @property
    def board(self) -> Board:
        """All nodes of all partitions as arrays. A pass writes on it what it proposes, and says so with `restore` when it is over."""
        if self._board is None:
            names: set[NodeName] = set()
            for partition in self.view.partitions.values():
                names.update(partition.nodes)
            nodes = self.view.nodes
            self._board = Board(sorted((nodes[name] for name in names if name in nodes), key=preference), self.view.settings)
        return self._board

    def restore(self, names: Iterable[NodeName]) -> None:
        """What a pass has written of these nodes was a proposal: look at the nodes themselves before the next."""
        self.view.touched.update(names)

    def positions(self, partition: Partition, site: Site) -> Index:
        """Where the usable nodes stand on the board, in order of preference."""
        return self.kept(("positions", partition.name, site), lambda: self._positions(self.usable(partition, site)))

    def _positions(self, nodes: list[Node]) -> Index:
        position = self.board.position
        return np.fromiter((position[node.name] for node in nodes), np.intp, len(nodes))
