"""How long nothing was heard of which node, counted while this controller serves; and whether it is the controller that is cut off.

Not here: connections (`nodes`), what becomes of the jobs of a node that is given up (`core.proof`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.states import NodeState, Power

log = logging.getLogger("slurmctld.nodes")
STALL_SECONDS = 3.0
"""A controller that did not run for so long (stopped, suspended, busy) has not listened either: that time is not held against the nodes."""
ENOUGH_NODES = 4
"""With fewer nodes nobody can tell a network that failed from nodes that did."""
QUIET_HEARTBEATS = 2.5
"""A node that missed so many heartbeats counts as silent when it is asked how many are."""
AGAIN_SECONDS = 300.0


class Silence:
    """What was heard when, by a clock that nobody sets (monotonic).

    `isolated` is a sentence while this controller takes itself for cut off.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.isolated = ""
        self._clock = clock
        self._checked = clock()
        self._heard: dict[NodeName, float] = {}
        self._lost: set[NodeName] = set()
        self._told = 0.0

    def heard(self, name: NodeName) -> None:
        """A node said something."""
        self._heard[name] = self._clock()
        self._lost.discard(name)

    def expect(self, names: Iterable[NodeName]) -> None:
        """Begin to count for nodes of which nothing was heard yet; those that are not named are forgotten."""
        now = self._clock()
        self._heard = {name: self._heard.get(name, now) for name in names}
        self._lost &= self._heard.keys()

    def lasts(self, name: NodeName) -> float:
        """Seconds since a node was heard of, or since this controller began to listen."""
        now = self._clock()
        return now - self._heard.get(name, now)

    def look(self, nodes: Mapping[NodeName, Node], limit: float, heartbeat: float, *, holds: Callable[[Node], bool]) -> list[NodeName]:
        """The nodes to be given up now, each told once; none while more than half of four or more are silent together.

        `holds`: whether a DOWN node is still expected to say that its jobs are gone.
        """
        now = self._clock()
        stalled, self._checked = now - self._checked, now
        if stalled > STALL_SECONDS:
            self._heard = {name: min(now, heard + stalled) for name, heard in self._heard.items()}
        if limit <= 0:
            return []
        serving = [name for name, node in nodes.items() if node.registered and _serves(node)]
        patience = min(limit, QUIET_HEARTBEATS * heartbeat)
        quiet = [name for name in serving if now - self._heard.get(name, now) > patience]
        over = [
            name for name, node in nodes.items()
            if name not in self._lost and now - self._heard.get(name, now) > limit
            and (_serves(node) or (node.state is NodeState.DOWN and holds(node)))]
        if self._is_cut_off(now, quiet, serving, over, limit):
            return []
        self._lost.update(over)
        return over

    def _is_cut_off(self, now: float, quiet: list[NodeName], serving: list[NodeName], over: list[NodeName], limit: float) -> bool:
        many = len(serving) >= ENOUGH_NODES and 2 * len(quiet) > len(serving)
        if self.isolated and not many:
            log.warning("most nodes are heard of again: this controller is not cut off any more, and counts the silence of the others anew")
            self.isolated = ""
            self._heard.update({name: now for name in self._heard if now - self._heard[name] > limit})
            return True
        if not many or not (over or self.isolated):
            return False
        self.isolated = (f"{len(quiet)} of {len(serving)} nodes fell silent together: this controller takes itself for the one that is "
                         "cut off, "
                         "and sets none of them DOWN")
        if not self._told or now - self._told > AGAIN_SECONDS:
            self._told = now
            log.critical("%s; is its network up? Nodes that are really off: scontrol update nodename=… state=down reason=…", self.isolated)
        return True


def _serves(node: Node) -> bool:
    """Whether it is to be heard of: one that is off, or comes up, is not."""
    return node.state in (NodeState.IDLE, NodeState.UNKNOWN) and node.power is Power.ON and node.reboot != "issued"
