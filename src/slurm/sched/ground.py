"""Ground: the nodes of a pass, by partition and by what jobs ask of them; worked out once for all jobs that ask the same."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.sched.board import Board, Index
from slurm.sched.filters import stack
from slurm.sched.need import Site
from slurm.sched.view import View


def preference(node: Node) -> tuple[int, int]:
    """Cheap nodes first, then as configured."""
    return node.weight, node.position


class Ground:
    """The nodes that jobs may look at, in order of preference."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._suited: dict[tuple[str, Site], list[Node]] = {}
        self._usable: dict[tuple[str, Site], list[Node]] = {}
        self._positions: dict[tuple[str, Site], Index] = {}
        self._cpus: dict[str, int] = {}

    def cpus(self, partition: Partition) -> int:
        """CPUs of all nodes of a partition, in service or not."""
        found = self._cpus.get(partition.name)
        if found is None:
            nodes = self.view.nodes
            found = self._cpus[partition.name] = sum(nodes[name].cpus for name in partition.nodes if name in nodes)
        return found

    def suited(self, partition: Partition, site: Site) -> list[Node]:
        """Nodes of a partition that suit by what they are, in service or not."""
        found = self._suited.get((partition.name, site))
        if found is None:
            if site == stack.ANYWHERE:
                nodes = self.view.nodes
                found = sorted((nodes[name] for name in partition.nodes if name in nodes), key=preference)
            else:
                found = [node for node in self.suited(partition, stack.ANYWHERE) if not stack.unsuited(node, site)]
            self._suited[partition.name, site] = found
        return found

    def usable(self, partition: Partition, site: Site) -> list[Node]:
        """Those of the suited nodes on which jobs may start."""
        found = self._usable.get((partition.name, site))
        if found is None:
            found = self._usable[partition.name, site] = [node for node in self.suited(partition, site) if node.usable]
        return found

    @cached_property
    def board(self) -> Board:
        """All nodes of all partitions as arrays."""
        names: set[NodeName] = set()
        for partition in self.view.partitions.values():
            names.update(partition.nodes)
        nodes = self.view.nodes
        return Board(sorted((nodes[name] for name in names if name in nodes), key=preference), self.view.settings)

    def positions(self, partition: Partition, site: Site) -> Index:
        """Where the usable nodes stand on the board, in order of preference."""
        found = self._positions.get((partition.name, site))
        if found is None:
            position = self.board.position
            usable = self.usable(partition, site)
            found = self._positions[partition.name, site] = np.fromiter((position[node.name] for node in usable), np.intp, len(usable))
        return found
