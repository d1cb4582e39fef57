"""Files that nodes read for users: one question, one node, one answer within a deadline."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from slurm.model.errors import NotNow, Unreachable
from slurm.model.ids import NodeName
from slurm.wire.messages import Message
from slurm.wire.output_messages import FileRead, ReadFile

PATIENCE_SECONDS = 5.0
MOST_AT_ONCE, MOST_OF_A_USER = 128, 16
"""Questions under way, in all and of one user who is no operator."""


class FileReads:
    """Asks nodes through `send(node, message)`, which is False for one that is not connected."""

    def __init__(self, send: Callable[[NodeName, Message], bool], patience: float = PATIENCE_SECONDS) -> None:
        self._send = send
        self._patience = patience
        self._number = 0
        self._questions: dict[int, tuple[NodeName, asyncio.Future[FileRead]]] = {}
        self._of_user: Counter[int] = Counter()

    async def ask(self, node: NodeName, order: ReadFile, *, uid: int, first: bool) -> FileRead:
        """What a node reads for this user (`first`: an operator); the order gets its number here.

        NotNow when too many ask or the file cannot be read, Unreachable for a node that is silent.
        """
        if not first and (len(self._questions) >= MOST_AT_ONCE or self._of_user[uid] >= MOST_OF_A_USER):
            raise NotNow(message="slurmctld is asking nodes for too many files already", hints=["ask again in a few seconds"])
        self._number += 1
        order.number = self._number
        answer: asyncio.Future[FileRead] = asyncio.get_running_loop().create_future()
        self._questions[order.number] = node, answer
        self._of_user[uid] += 1
        try:
            if not self._send(node, order):
                raise Unreachable(message=f"Node {node} is not connected")
            told = await asyncio.wait_for(answer, self._patience)
        except TimeoutError as error:
            raise Unreachable(message=f"Node {node} has not answered within {self._patience:.0f} seconds") from error
        finally:
            del self._questions[order.number]
            self._of_user[uid] -= 1
            self._of_user += Counter()  # without those that have none
        if told.error:
            raise NotNow(message=told.error)
        return told

    def told(self, node: NodeName, message: FileRead) -> None:
        """A node has answered; what nobody waits for any more, or was not asked of it, is passed over."""
        asked, answer = self._questions.get(message.number, (None, None))
        if answer is not None and asked == node and not answer.done():
            answer.set_result(message)
