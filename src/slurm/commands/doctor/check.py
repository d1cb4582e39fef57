"""What a check is, what it finds, and what all of them look at together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from slurm.commands.doctor.facts import Facts
from slurm.config.config import Config

FAULT, WARNING = "fault", "warning"


class Finding(NamedTuple):
    """Something that is not as it should be: how bad, where, a sentence, and what to do."""

    severity: str
    where: str
    sentence: str
    advice: str
    check: str = ""


class NodeSeen(NamedTuple):
    """A node as slurmctld tells of it."""

    name: str
    state: str
    reason: str
    cpus: int
    memory: int
    version: str


class Controller(NamedTuple):
    """What slurmctld answered when it was asked; `problem` why it did not. `other`: another Slurm's daemon serves there."""

    problem: str = ""
    release: str = ""
    trouble: str = ""
    nodes: tuple[NodeSeen, ...] = ()
    other: bool = False


class World(NamedTuple):
    """All that the checks look at. `offsets`: seconds by which another machine's clock is ahead of this one's; `silent`: machine → why it
    could not be asked."""

    here: Facts
    machines: tuple[Facts, ...]  # `here` is the first
    config: Config | None
    problems: tuple[str, ...] = ()  # why there is no config
    controller: Controller = Controller()
    offsets: dict[str, float] = {}
    silent: dict[str, str] = {}

    @property
    def embedded(self) -> bool:
        """Whether all of it is on this machine by design: nothing is asked of names, clocks, keys."""
        return self.config is not None and self.config.text("AuthType").lower() == "auth/local"

    @property
    def emulated(self) -> bool:
        """Whether nodes may claim what they have not."""
        return self.config is not None and "config_overrides" in self.config.text("SlurmdParameters").lower()

    @property
    def many(self) -> bool:
        """Whether the configuration describes more than this machine."""
        return self.config is not None and not self.embedded and any(
            node.name not in self.here.nodes for node in self.config.nodes)


class Check(NamedTuple):
    """One check: its name, what it looks at, what it finds, and the exit status that its faults lead to."""

    name: str
    looks_at: str
    find: Callable[[World], Iterable[Finding]]
    status: int = 1

    def run(self, world: World) -> list[Finding]:
        """What it finds, under its name."""
        return [finding._replace(check=self.name) for finding in self.find(world)]


def fault(where: str, sentence: str, advice: str) -> Finding:
    """Something that does not work."""
    return Finding(FAULT, where, sentence, advice)


def warning(where: str, sentence: str, advice: str) -> Finding:
    """Something that will not work one day, or surprises."""
    return Finding(WARNING, where, sentence, advice)
