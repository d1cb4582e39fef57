"""Questions of slurmctld that take a while to answer: what steps use now, and pieces of files."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from slurm.slurmd import usage
from slurm.slurmd.file_reading import FileReading
from slurm.slurmd.roster import Roster
from slurm.wire import node_messages as n
from slurm.wire.messages import Message
from slurm.wire.output_messages import ReadFile


class Questions:
    """Of one node. Answers go by `send` while `accepted`: whoever asks on another connection later has asked anew."""

    def __init__(self, node: str, roster: Roster, send: Callable[[Message], None], accepted: Callable[[], bool],
            spawn: Callable[[Coroutine[object, object, None]], None]) -> None:
        self._node = node
        self._roster = roster
        self._send = send
        self._accepted = accepted
        self._spawn = spawn
        self._reading = FileReading()

    def usage(self, order: n.AskUsage) -> None:
        """What steps use."""
        self._spawn(self._answered(usage.answer(self._node, order, self._roster)))

    def file(self, order: ReadFile) -> None:
        """A piece of a file, as a user."""
        self._spawn(self._answered(self._reading.answer(order)))

    async def close(self) -> None:
        """Answer no more."""
        await self._reading.close()

    async def _answered(self, answer: Coroutine[object, object, Message]) -> None:
        told = await answer
        if self._accepted():
            self._send(told)
