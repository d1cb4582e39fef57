"""A model of two controllers on one replicated database, small enough to be searched through: who may lead, write, answer and order.

`TABLE` says what a lease and a journal do with each action; the model takes its steps from it, and tests hold every backend to it
(`tests/properties/test_protocol.py`, `tests/system/test_postgres_state.py`). The search visits every interleaving: a controller that sleeps
is one that is not scheduled, a message that is late, lost or doubled one that is delivered whenever, never or twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

DONE, OVERTAKEN, DEPOSED = "done", "overtaken", "deposed"

TABLE = {
    # (whose the newest term is, as the one who acts knows it), action → what comes of it
    ("none", "claim"): DONE,
    ("mine", "claim"): DONE,
    ("released", "claim"): DONE,
    ("another's", "claim"): OVERTAKEN,
    ("mine", "write"): DONE,
    ("released", "write"): DEPOSED,
    ("another's", "write"): DEPOSED,
    ("mine", "beat"): DONE,
    ("released", "beat"): DEPOSED,
    ("another's", "beat"): DEPOSED,
    ("mine", "release"): DONE,
    ("released", "release"): DEPOSED,
    ("another's", "release"): DEPOSED,
}
"""`mine`: the newest epoch is the one that I saw or have; `another's`: there is a higher one; `released`: mine, and handed over."""


class Rules(NamedTuple):
    """The steps of the protocol, each of which can be left out."""

    held: bool = True  # a write holds the leader's row to its end: FOR SHARE
    looked: bool = True  # … or at least looks at it; else the key of the position is all there is
    confirmed: bool = True  # a commit counts once a replica has it; a wait that was cancelled is unknown
    claims_confirmed: bool = True  # … and so does a claim: else an epoch may be claimed twice, before and after a failover
    orders: bool = True  # orders carry the epoch, and a node refuses lower ones
    claims_by_comparison: bool = True  # an epoch is claimed from the one that was seen


class Controller(NamedTuple):
    """One controller: its epoch (0: it leads nothing), the last position that it knows, and what of a write is under way."""

    epoch: int = 0
    seen: int = -1  # the epoch that it read and wants to follow; -1: none
    last: int = 0
    acked: int = 0  # the last position that it acknowledged
    writing: str = ""  # "" | begun | committed | unknown
    claiming: bool = False
    server: int = 0


Record = tuple[str, int, str, int]
"""What a server's log has: (claim | event | compact, epoch, by whom, position)."""


class World(NamedTuple):
    """Everything. Server 0 is the first primary and server 1 its replica, until there is a failover."""

    logs: tuple[tuple[Record, ...], tuple[Record, ...]] = ((), ())
    primary: int = 0
    controllers: tuple[Controller, Controller] = (Controller(), Controller())
    answers: frozenset[tuple[int, str, int]] = frozenset()  # (position, by whom, epoch) that somebody was told is kept
    network: frozenset[tuple[int, str]] = frozenset()  # orders that were ever sent
    highest: int = 0  # epoch that the node has seen
    broken: str = ""  # which promise, if any


def leader(log: tuple[Record, ...]) -> int:
    """The newest epoch of a server."""
    return max((epoch for kind, epoch, _, _ in log if kind == "claim"), default=0)


def newest(log: tuple[Record, ...]) -> int:
    """The last position of a server."""
    return max((position for kind, _, _, position in log if kind in ("event", "compact")), default=0)


def present(log: tuple[Record, ...]) -> dict[int, tuple[str, int]]:
    """Position → whose event of which epoch is kept there, of those that were not given up."""
    found: dict[int, tuple[str, int]] = {}
    for kind, epoch, who, position in log:
        if kind == "event":
            found[position] = (who, epoch)
        elif kind == "compact":
            found = {at: of for at, of in found.items() if at > position}
    return found


def ever(log: tuple[Record, ...]) -> dict[int, tuple[str, int]]:
    """Position → whose event was first written there, given up or not."""
    found: dict[int, tuple[str, int]] = {}
    for kind, epoch, who, position in log:
        if kind == "event":
            found.setdefault(position, (who, epoch))
    return found


NAMES = ("a", "b")


class Search:
    """Every world that can be reached under these rules, breadth first; the numbers of epochs and positions bound them."""

    def __init__(self, rules: Rules, *, epochs: int, positions: int, failover: bool = False, compaction: bool = False) -> None:
        self._rules = rules
        self._epochs = epochs
        self._positions = positions
        self._failover = failover
        self._compaction = compaction
        self.visited = 0

    def counterexample(self) -> list[str]:
        """The steps to the first world in which a promise is broken; [] when there is none."""
        start = World()
        came: dict[World, tuple[World, str] | None] = {start: None}
        waiting = deque([start])
        while waiting:
            world = waiting.popleft()
            self.visited += 1
            for step, after in self._steps(world):
                if after in came:
                    continue
                came[after] = (world, step)
                if after.broken:
                    return [*_path(came, after), after.broken]
                waiting.append(after)
        return []

    def _steps(self, world: World) -> Iterator[tuple[str, World]]:
        for index in (0, 1):
            yield from self._of_controller(world, index)
        for order in world.network:
            yield f"the node gets order {order}", self._obey(world, order)
        if world.primary == 0:
            if world.logs[0] != world.logs[1]:
                yield "the replica takes what is new", world._replace(logs=(world.logs[0], world.logs[0]))
            if self._failover:
                yield "the replica becomes primary", self._lost(world._replace(primary=1))

    def _of_controller(self, world: World, index: int) -> Iterator[tuple[str, World]]:
        me, name = world.controllers[index], NAMES[index]
        log = world.logs[me.server]
        if me.server != world.primary:
            yield f"{name} connects to the new primary", self._reconnect(world, index)
        if me.claiming:
            if self._is_kept(world, me) or not self._rules.claims_confirmed:
                yield f"{name} leads", _with(world, index, me._replace(claiming=False, last=newest(log), acked=newest(log)))
            return
        if not me.epoch or leader(log) != me.epoch:
            if me.seen < 0:
                yield f"{name} reads the lease", _with(world, index, me._replace(seen=leader(log)))
            elif leader(log) < self._epochs:
                yield from self._claim(world, index)
        if me.epoch:
            yield from self._write(world, index)

    def _claim(self, world: World, index: int) -> Iterator[tuple[str, World]]:
        me, name = world.controllers[index], NAMES[index]
        log = world.logs[me.server]
        whose = "mine" if leader(log) == me.seen else "another's"
        if self._rules.claims_by_comparison and TABLE[whose, "claim"] is OVERTAKEN:
            yield f"{name} is overtaken", _with(world, index, me._replace(seen=-1))
            return
        other = world.controllers[1 - index]
        if self._rules.held and other.writing in ("begun", "committed") and other.server == me.server:
            # The claim waits for what holds the leader's row, then ends that session.
            world = _with(world, 1 - index, other._replace(writing="unknown"))
        taken = me._replace(epoch=me.seen + 1, seen=-1, claiming=True, writing="")
        yield f"{name} claims epoch {taken.epoch}", _with(_logged(world, me.server, ("claim", taken.epoch, name, 0)), index, taken)

    def _write(self, world: World, index: int) -> Iterator[tuple[str, World]]:
        me, name = world.controllers[index], NAMES[index]
        log = world.logs[me.server]
        position = me.last + 1
        whose = "mine" if leader(log) == me.epoch else "another's"
        leads = TABLE[whose, "write"] is DONE
        if me.writing in ("", "unknown") and position <= self._positions and (leads or not self._rules.looked):
            if me.writing == "unknown" and present(log).get(position) == (name, me.epoch):
                yield f"{name} finds its event {position}", _with(world, index, me._replace(writing="committed"))
            else:
                yield f"{name} begins event {position}", _with(world, index, me._replace(writing="begun"))
        if me.writing == "begun" and (leads or not self._rules.held) and position not in present(log):
            yield f"{name} commits event {position}", _with(
                _logged(world, me.server, ("event", me.epoch, name, position)), index, me._replace(writing="committed"))
        if me.writing == "committed" and self._is_kept(world, me):
            yield f"{name} acknowledges event {position}", self._answer(world, index)
        if me.writing == "committed":
            yield f"{name} does not hear of event {position}", _with(world, index, me._replace(writing="unknown"))
        if self._compaction and not me.writing and me.last and (leads or not self._rules.looked) and ("compact", me.epoch, name, me.last) not in log:
            yield f"{name} compacts up to {me.last}", _logged(world, me.server, ("compact", me.epoch, name, me.last))

    def _is_kept(self, world: World, me: Controller) -> bool:
        """Whether the server tells this controller that what it wrote last is kept."""
        if not self._rules.confirmed:
            return True
        if me.server != world.primary:
            return False  # nobody confirms what the old one writes
        return world.primary == 1 or world.logs[0] == world.logs[1]

    def _answer(self, world: World, index: int) -> World:
        me, name = world.controllers[index], NAMES[index]
        position = me.last + 1
        broken = ""
        if any(at == position and (who, epoch) != (name, me.epoch) for at, who, epoch in world.answers):
            broken = f"position {position} is acknowledged twice"
        elif any(epoch == me.epoch and who != name for _, who, epoch in world.answers):
            broken = f"two controllers acknowledge in epoch {me.epoch}"
        return self._lost(_with(world, index, me._replace(writing="", last=position, acked=position))._replace(
            answers=world.answers | {(position, name, me.epoch)}, network=world.network | {(me.epoch, name)}, broken=broken))

    def _reconnect(self, world: World, index: int) -> World:
        me = world.controllers[index]
        log = world.logs[world.primary]
        moved = me._replace(server=world.primary, seen=-1, claiming=False, writing="unknown" if me.writing else "")
        if me.claiming or (me.acked and ever(log).get(me.acked) is None):
            moved = Controller(server=world.primary)  # it stops loudly, and begins anew
        return _with(world, index, moved)

    def _obey(self, world: World, order: tuple[int, str]) -> World:
        epoch = order[0]
        if epoch < world.highest:
            return world if self._rules.orders else world._replace(broken=f"an order of epoch {epoch} is obeyed after one of {world.highest}")
        return world._replace(highest=epoch)

    def _lost(self, world: World) -> World:
        kept = ever(world.logs[world.primary])
        for position, who, epoch in world.answers:
            if kept.get(position) != (who, epoch):
                return world._replace(broken=world.broken or f"position {position}, acknowledged by {who}, is lost")
        return world


def _with(world: World, index: int, controller: Controller) -> World:
    pair = (controller, world.controllers[1]) if index == 0 else (world.controllers[0], controller)
    return world._replace(controllers=pair)


def _logged(world: World, server: int, record: Record) -> World:
    logs = (world.logs[0] + (record,), world.logs[1]) if server == 0 else (world.logs[0], world.logs[1] + (record,))
    return world._replace(logs=logs)


def _path(came: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    steps: list[str] = []
    while (before := came[world]) is not None:
        steps.append(before[1])
        world = before[0]
    return steps[::-1]
