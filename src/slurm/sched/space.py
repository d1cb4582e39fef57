"""Space: what is free on each node, as a light overlay over the records that planning may write on.

`NodeSpace` starts from a node's record and takes what proposals of the same pass would hold; the record itself is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.model.node import Node
from slurm.sched.view import View


class NodeSpace:
    """Free CPUs (bitmap), memory (MB), GRES (name → bitmap) and whether anybody is on the node."""

    __slots__ = ("cpus", "empty", "gres", "memory", "node")

    def __init__(self, node: Node, *, vacant: bool = False) -> None:
        self.node = node
        whole = (1 << node.cpus) - 1
        self.cpus = whole if vacant else whole & ~node.cpus_used
        self.memory = node.memory if vacant else node.memory - node.memory_used
        self.gres = {} if vacant else node.gres_used
        self.empty = vacant or not node.jobs

    def copy(self) -> NodeSpace:
        """The same to write on."""
        twin = NodeSpace.__new__(NodeSpace)
        twin.node, twin.cpus, twin.memory, twin.gres, twin.empty = self.node, self.cpus, self.memory, self.gres, self.empty
        return twin

    def take(self, share: NodeShare) -> None:
        """Hold a share."""
        self.cpus &= ~share.cpus
        self.memory -= share.memory
        self.empty = False
        if share.gres:
            self.gres = {**self.gres, **{name: self.gres.get(name, 0) | mask for name, mask in share.gres.items()}}

    def give(self, share: NodeShare, *, empty: bool) -> None:
        """A job's share becomes free; `empty` when it was the last one."""
        self.cpus |= share.cpus
        self.memory += share.memory
        self.empty = empty
        if share.gres:
            self.gres = {name: mask & ~share.gres.get(name, 0) for name, mask in self.gres.items()}

    def free_gres(self, name: str, type: str = "") -> int:
        """A bitmap of free device indexes of this name (and type)."""
        mask = 0
        for pool in self.node.gres:
            if pool.name == name and (not type or pool.type == type):
                mask |= ((1 << pool.count) - 1) << pool.first
        return mask & ~self.gres.get(name, 0)


class Space:
    """The spaces of many nodes, made when first looked at."""

    def __init__(self, view: View, *, vacant: bool = False) -> None:
        self._view = view
        self._vacant = vacant
        self._spaces: dict[NodeName, NodeSpace] = {}

    def of(self, name: NodeName) -> NodeSpace:
        """The space of a node."""
        found = self._spaces.get(name)
        if found is None:
            found = self._spaces[name] = NodeSpace(self._view.nodes[name], vacant=self._vacant)
        return found

    def copy(self) -> Space:
        """An independent overlay with the same contents."""
        twin = Space(self._view, vacant=self._vacant)
        twin._spaces = {name: space.copy() for name, space in self._spaces.items()}
        return twin

    def take(self, shares: Iterable[NodeShare]) -> None:
        """Hold an allocation."""
        for share in shares:
            self.of(share.node).take(share)
