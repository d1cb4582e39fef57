"""What running steps use now: nodes are asked, and those that do not answer in time are named instead of waited for.

One question goes to each node, whatever it is about; not here: who may ask about what (`handlers.usage`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm.model.accounting import told_by
from slurm.model.errors import NotNow
from slurm.model.ids import NodeName
from slurm.wire import node_messages as n
from slurm.wire.messages import Message

PATIENCE_SECONDS = 3.0
"""So long nodes have to answer."""
MOST_AT_ONCE = 64
MOST_OF_A_USER = 8
"""So many questions are under way at most, and of one user who is no operator; another one is told to come back.

Operators are never sent away.
"""
_BREATH = 100
"""After so many nodes others have their turn."""
Wanted = tuple[int, int, int]
"""Job, attempt, step (node_messages.EVERY_STEP: all)."""


class Told(NamedTuple):
    """What came: per node its steps; `silent` are those that are not connected or did not answer."""

    steps: Mapping[NodeName, Sequence[n.StepNow]]
    silent: Sequence[NodeName]


class _Question:
    """One question under way: the nodes that are still to answer."""

    def __init__(self, missing: set[NodeName], uid: int) -> None:
        self.missing = missing
        self.uid = uid
        self.steps: dict[NodeName, Sequence[n.StepNow]] = {}
        self.answered = asyncio.Event()


class LiveUsage:
    """Asks nodes through `send(node, message)`, which is False for one that is not connected."""

    def __init__(self, send: Callable[[NodeName, Message], bool], patience: float = PATIENCE_SECONDS) -> None:
        self._send = send
        self.patience = patience
        self._number = 0
        self._questions: dict[int, _Question] = {}

    async def ask(self, wanted: Mapping[NodeName, Sequence[Wanted]], *, pids: bool, uid: int = 0, first: bool = False) -> Told:
        """What these steps use on these nodes, for this user (`first`: an operator). NotNow when too many ask, or this one too much."""
        if not first:
            mine = sum(question.uid == uid for question in self._questions.values())
            if len(self._questions) >= MOST_AT_ONCE or mine >= MOST_OF_A_USER:
                raise NotNow(message=f"slurmctld is asking nodes for {'you' if mine >= MOST_OF_A_USER else 'many others'} already",
                    hints=["ask again in a few seconds"])
        self._number += 1
        number = self._number
        question = self._questions[number] = _Question(set(wanted), uid)
        try:
            silent = []
            for count, (node, steps) in enumerate(wanted.items(), 1):
                if not self._send(node, n.AskUsage(number=number, wanted=list(steps[:n.MOST_STEPS]), pids=pids)):
                    question.missing.discard(node)
                    silent.append(node)
                if not count % _BREATH:
                    await asyncio.sleep(0)
            if question.missing:
                try:
                    await asyncio.wait_for(question.answered.wait(), self.patience)
                except TimeoutError:
                    silent += question.missing
            return Told(question.steps, sorted(silent))
        finally:
            del self._questions[number]

    def told(self, node: NodeName, message: n.UsageTold) -> None:
        """A node has answered; what nobody waits for any more is passed over, and what was not asked of it too."""
        question = self._questions.get(message.number)
        if question is None or node not in question.missing:
            return
        question.missing.discard(node)
        for step in message.steps:
            step.usage = step.usage and told_by(step.usage, node)
        question.steps[node] = message.steps
        if not question.missing:
            question.answered.set()
