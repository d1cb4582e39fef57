"""What every kind of state does with claims, writes, beats and hand-overs, held against the table of the model."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from slurm.store.journal import Journal, Record
from slurm.store.lease import Deposed, Overtaken, Term
from slurm.store.state import State
from tests.protocol_model import DEPOSED, DONE, OVERTAKEN, TABLE

ACTIONS = ("read", "claim", "write", "beat", "release")
Step = tuple[int, str]


class Player:
    """One controller of a walk: what it saw, its term, its journal."""

    def __init__(self, state: State, name: str) -> None:
        self.state = state
        self.name = name
        self.seen = 0
        self.term: Term | None = None
        self.journal: Journal | None = None


class Walk:
    """Two controllers do one thing after another; each time the outcome is what the table says."""

    def __init__(self, one: State, other: State) -> None:
        self.players = (Player(one, "a"), Player(other, "b"))
        self.newest = 0
        self.released = False
        self.kept: list[bytes] = []
        self.done: list[str] = []

    def step(self, of: int, action: str) -> None:
        """One action; AssertionError where the backend does something else than the model."""
        player = self.players[of]
        if action == "read":
            term = player.state.lease.read()
            assert (term.epoch if term is not None else 0, term is not None and term.released) == (self.newest, self.released), self.done
            player.seen = self.newest
            return
        if action != "claim" and player.term is None:
            return
        mine = player.seen if action == "claim" else player.term.epoch if player.term is not None else 0
        whose = "another's" if mine != self.newest else "none" if not self.newest else "released" if self.released else "mine"
        self.done.append(f"{player.name} {action} ({whose})")
        assert self._try(player, action) == TABLE[whose, action], self.done

    def _try(self, player: Player, action: str) -> str:
        try:
            getattr(self, f"_{action}")(player)
        except Overtaken:
            return OVERTAKEN
        except Deposed:
            return DEPOSED
        return DONE

    def _claim(self, player: Player) -> None:
        term = player.state.lease.claim(player.name, "", player.seen)
        assert term.epoch == self.newest + 1, self.done
        self.newest, self.released = term.epoch, False
        if player.journal is not None:
            player.journal.close()
        player.term, player.seen, player.journal = term, term.epoch, player.state.journal(term)
        assert [entry.body for entry in player.journal.replay()] == self.kept, self.done

    def _write(self, player: Player) -> None:
        body = f"{player.name} {len(self.kept)}".encode()
        assert player.journal is not None
        assert player.journal.append([Record(1.0, "Submitted", body)]) == len(self.kept) + 1, self.done
        self.kept.append(body)

    def _beat(self, player: Player) -> None:
        assert player.term is not None
        before = player.state.lease.read()
        player.state.lease.beat(player.term)
        after = player.state.lease.read()
        assert before is not None and after is not None and after.beats == before.beats + 1, self.done

    def _release(self, player: Player) -> None:
        assert player.term is not None
        player.state.lease.release(player.term)
        self.released = True

    def close(self) -> None:
        """Let go of everything."""
        for player in self.players:
            if player.journal is not None:
                player.journal.close()
            player.state.close()


def check_walk(one: State, other: State, steps: Sequence[Step]) -> None:
    """Take these steps, each by one of two controllers of the same new state."""
    found = Walk(one, other)
    try:
        for of, action in steps:
            found.step(of, action)
    finally:
        found.close()


def check_random_walks(states: Callable[[], tuple[State, State]], *, seed: int, count: int, length: int) -> None:
    """So many walks, each on a state of its own, the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        check_walk(*states(), [(chance.randrange(2), chance.choice(ACTIONS)) for _ in range(length)])
