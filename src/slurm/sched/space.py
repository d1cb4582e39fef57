"""Space: what is free on each node, as a light overlay over the records that planning may write on.

`NodeSpace` starts from a node's record and takes what proposals of the same pass would hold; the record itself is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from slurm.model.cpu_set import NOTHING, CpuSet, lowest, run
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.model.node import Node
from slurm.notation.gres import GresRequest


@lru_cache(maxsize=4096)
def units_of(cpus: int, size: int) -> tuple[int, ...]:
    """A node's CPUs in groups of `size` (cores, sockets), as bits in order."""
    whole, all_cpus = run(size), run(cpus)
    return tuple(whole << start & all_cpus for start in range(0, cpus, size))


def by_socket(space: NodeSpace, most: int, held: int) -> int:
    """The free CPUs of a node, of each socket so many as leave the jobs that hold `held` with no more than `most` there. All are bits."""
    node, found = space.node, 0
    for socket in units_of(node.cpus, node.cores_per_socket * node.threads):
        found |= lowest(space.cpus & socket, most - (held & socket).bit_count())
    return found


class NodeSpace:
    """Free CPUs (as bits of a CpuSet), memory (MB), devices taken by gres name, whether nobody is on the node.

    `guests` are the users that this pass lets in, each with whether he wants no other user there.
    `busy` CPUs are among the free ones although others use them (OverSubscribe); they are taken last. `most` bounds how many may be taken.
    """

    __slots__ = ("busy", "cpus", "empty", "gres", "guests", "memory", "most", "node")

    def __init__(self, node: Node, *, vacant: bool = False) -> None:
        self.node = node
        whole = node.job_cpus
        self.cpus = whole if vacant else whole & ~node.cpus_used.bits
        self.memory = node.job_memory - (0 if vacant else node.memory_used)
        self.gres = {} if vacant else node.gres_used
        self.empty = vacant or not node.tenants
        self.guests: tuple[tuple[int, bool], ...] = ()
        self.busy = 0
        self.most = node.cpus

    def copy(self) -> NodeSpace:
        """The same to write on."""
        twin = NodeSpace.__new__(NodeSpace)
        twin.node, twin.cpus, twin.memory, twin.gres, twin.empty = self.node, self.cpus, self.memory, self.gres, self.empty
        twin.guests, twin.busy, twin.most = self.guests, self.busy, self.most
        return twin

    def take(self, share: NodeShare) -> None:
        """Hold a share."""
        self.cpus &= ~share.cpus.bits
        self.memory -= share.memory
        self.empty = False
        if share.gres:
            self.gres = {**self.gres, **{name: self.gres.get(name, NOTHING) | devices for name, devices in share.gres.items()}}

    def free_gres(self, name: str, type: str = "") -> CpuSet:
        """Indexes of the free devices of this name (and type)."""
        return self.node.devices(name, type) - self.gres.get(name, NOTHING)

    def devices(self, item: GresRequest) -> int:
        """How many devices of this kind are free."""
        return len(self.free_gres(item.name, item.type))

    def near(self, gres: Mapping[str, CpuSet]) -> int:
        """CPUs that gres.conf calls near to these devices, as bits."""
        found = 0
        for pool in self.node.gres:
            if pool.cores and pool.name in gres and not gres[pool.name].isdisjoint(pool.devices):
                found |= pool.cores.bits
        return found


class Space:
    """The spaces of many nodes, made when first looked at."""

    def __init__(self, nodes: Mapping[NodeName, Node]) -> None:
        self._nodes = nodes
        self._spaces: dict[NodeName, NodeSpace] = {}
        self._free: int | None = None

    @property
    def free_cpus(self) -> int:
        """CPUs that nobody has, on all nodes together, in service or not: no partition has more. Counted when first asked."""
        if self._free is None:
            spaces = self._spaces
            self._free = sum(node.job_cpu_count - len(node.cpus_used) for name, node in self._nodes.items() if name not in spaces)
            self._free += sum(space.cpus.bit_count() for space in spaces.values())
        return self._free

    def kept(self) -> dict[NodeName, NodeSpace]:
        """Everything as it is now, for `restore`."""
        return {name: space.copy() for name, space in self._spaces.items()}

    def restore(self, spaces: dict[NodeName, NodeSpace]) -> None:
        """Be as it was."""
        self._spaces = spaces
        self._free = None

    def put_aside(self, names: Iterable[NodeName]) -> dict[NodeName, NodeSpace]:
        """The spaces of these nodes as they are, for `put_back`; what is written on them until then is a trial."""
        return {name: self.of(name).copy() for name in names}

    def put_back(self, names: Iterable[NodeName], before: dict[NodeName, NodeSpace]) -> None:
        """Be as it was on these nodes."""
        for name in names:
            self._spaces[name] = before[name]
        self._free = None

    def of(self, name: NodeName) -> NodeSpace:
        """The space of a node."""
        found = self._spaces.get(name)
        if found is None:
            found = self._spaces[name] = NodeSpace(self._nodes[name])
        return found

    def take(self, shares: Iterable[NodeShare], user: int, *, own_user: bool = False) -> None:
        """Hold an allocation for a user, who with `own_user` wants no other user there."""
        for share in shares:
            space = self.of(share.node)
            if self._free is not None:
                self._free -= (space.cpus & share.cpus.bits).bit_count()
            space.take(share)
            space.guests = (*space.guests, (user, own_user))
