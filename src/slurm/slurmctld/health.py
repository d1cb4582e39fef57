"""When nodes run HealthCheckProgram: HealthCheckInterval, HealthCheckNodeState. What the program does is its own matter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from slurm.config.config import Config
from slurm.core.cluster import Cluster
from slurm.model.errors import ConfigError
from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.states import NodeState

STATES = frozenset({"ALLOC", "ANY", "CYCLE", "IDLE", "MIXED", "NONDRAINED_IDLE", "START_ONLY"})


class HealthRounds:
    """Asks nodes, now and then. `ask(name)` has a node run its program; `clock` is one that nobody sets."""

    def __init__(self, cluster: Cluster, ask: Callable[[NodeName], object], clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._ask = ask
        self._clock = clock
        self._interval = 0
        self._states: frozenset[str] = frozenset()
        self._began = clock()
        self._rest: list[NodeName] = []
        self._asked = 0

    def use(self, config: Config) -> None:
        """What the configuration says. ConfigError for a state that is none."""
        states = frozenset(word.upper() for word in config.words("HealthCheckNodeState"))
        if strange := states - STATES:
            raise ConfigError(message=f"{config.path}: HealthCheckNodeState={sorted(strange)[0]} is not known",
                hints=[f"valid: {', '.join(sorted(STATES))}"])
        self._states = states
        self._interval = config.seconds("HealthCheckInterval") if config.text("HealthCheckProgram") and "START_ONLY" not in states else 0

    def look(self) -> None:
        """Ask whom it is time for; called about once a second. With CYCLE a round is spread over the interval."""
        if not self._interval:
            return
        elapsed = self._clock() - self._began
        if elapsed >= self._interval:
            self._began = self._clock()
            self._rest, self._asked, elapsed = list(self._cluster.nodes), 0, 0.0
        if not self._rest:
            return
        share = min(1.0, (elapsed + 1) / self._interval) if "CYCLE" in self._states else 1.0
        until = max(self._asked, round(share * len(self._rest)))
        for name in self._wanted(self._rest[self._asked: until]):
            self._ask(name)
        self._asked = until
        if until >= len(self._rest):
            self._rest = []

    def _wanted(self, names: Iterable[NodeName]) -> Iterator[NodeName]:
        for name in names:
            node = self._cluster.nodes.get(name)
            if node is not None and node.responding and is_meant(node, self._states):
                yield name


def is_meant(node: Node, states: Collection[str]) -> bool:
    """Whether a node is in one of these states; no state, or just CYCLE, means any."""
    wanted = set(states) - {"CYCLE"}
    if not wanted or "ANY" in wanted:
        return True
    used = len(node.cpus_used)
    if not used and node.state is not NodeState.DOWN:
        return "IDLE" in wanted or ("NONDRAINED_IDLE" in wanted and not node.drain)
    return bool(used) and ("ALLOC" if used >= node.job_cpu_count else "MIXED") in wanted
