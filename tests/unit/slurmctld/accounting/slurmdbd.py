"""A slurmdbd in memory, with faults on order, and the link to it: what it says is what wire.dbd_messages promises."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from slurm.core.effects import Record
from slurm.net.link import Listener
from slurm.wire import dbd_messages as d
from slurm.wire import frames
from slurm.wire.messages import Failure, Message
from tests.properties.database import Database

DECODE = msgspec.msgpack.Decoder(d.FromController).decode
ENCODE = msgspec.msgpack.Encoder().encode
ANSWER, LOSE_ANSWER, LOSE_MESSAGE, REFUSE = "answer", "lose the answer", "lose the message", "refuse"


class Slurmdbd:
    """Keeps records by journal as promised. `faults` are met by the next TakeRecords, one each."""

    def __init__(self) -> None:
        self.through: dict[str, int] = {}
        self.database = Database()
        self.highest = 0
        self.going_on = 0  # jobs of earlier journals that have not ended
        self.complete_until = 0.0
        self.duplicates = 0
        self.slices: list[int] = []
        self.registered: list[d.RegisterCluster] = []
        self.faults: list[str] = []
        self.policy: list[d.TakePolicy] = []
        """What is told to whoever asks for the policy."""
        self.followed = 0  # times that somebody asked for it
        self.taken: list[int] = []

    def register(self, message: d.RegisterCluster) -> Message:
        """Says what it had; takes what comes from the first record that can still come."""
        self.registered.append(message)
        had = self.through.get(message.journal, 0)
        self.through[message.journal] = max(had, message.first - 1)
        if self.through[message.journal] != self.database.sequence:
            self.database.sequence = self.through[message.journal]
        return d.ClusterRegistered(through=had, highest_job=self.highest, going_on=self.going_on)  # type: ignore[arg-type]

    def take(self, journal: str, message: d.TakeRecords) -> Message:
        """All or nothing; a gap is refused."""
        last = self.through[journal]
        fresh = [outgoing for outgoing in message.records if outgoing.sequence > last]
        self.duplicates += len(message.records) - len(fresh)
        self.slices.append(len(message.records))
        if fresh and fresh[0].sequence != last + 1:
            return Failure(kind="InvalidRequest", name="ESLURM_INVALID_OPTION", message=f"record {last + 1} is missing")
        self.database.take(Record(sequence=outgoing.sequence, record=outgoing.record) for outgoing in fresh)
        if fresh:
            self.through[journal] = fresh[-1].sequence
        self.highest = max([self.highest, *(job for job, _ in self.database.jobs)])
        self.complete_until = max(self.complete_until, message.complete_until)
        return d.RecordsTaken(through=self.through[journal])


class DbdLink:
    """A link to it. `reachable` False: slurmdbd is away."""

    def __init__(self, dbd: Slurmdbd, listener: Listener) -> None:
        self.dbd = dbd
        self.reachable = True
        self.up = False
        self._listener = listener
        self._journal = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            if self.reachable and not self.up:
                self.up = True
                self._listener.on_up()
            await asyncio.sleep(0.002)

    def reconnect(self, why: str) -> None:
        """Break the connection."""
        if self.up:
            self.up = False
            self._listener.on_down(why)

    def send(self, frame: bytes) -> bool:
        """The answer comes in a later turn of the loop, as faults allow."""
        if not self.up:
            return False
        assert frames.unpack_header(frame[:frames.HEADER_SIZE])[0] == frames.MSGPACK
        message: Any = DECODE(frame[frames.HEADER_SIZE:])
        if isinstance(message, d.RegisterCluster):
            self._journal = message.journal
            self._answer(self.dbd.register(message))
            return True
        if isinstance(message, d.FollowPolicy):
            self.dbd.followed += 1
            for told in self.dbd.policy:
                self.tell(told)
            return True
        if isinstance(message, d.PolicyTaken):
            self.dbd.taken.append(message.version)
            return True
        fault = self.dbd.faults.pop(0) if self.dbd.faults else ANSWER
        if fault == REFUSE:
            self._answer(Failure(kind="StoreBusy", name="", message="the database is away"))
        elif fault == LOSE_MESSAGE:
            asyncio.get_running_loop().call_soon(self.reconnect, fault)
        else:
            answer = self.dbd.take(self._journal, message)
            if fault == LOSE_ANSWER:
                asyncio.get_running_loop().call_soon(self.reconnect, fault)
            else:
                self._answer(answer)
        return True

    def tell(self, message: d.TakePolicy) -> None:
        """Something of the policy."""
        self._answer(message)

    def _answer(self, message: Message) -> None:
        asyncio.get_running_loop().call_soon(self._listener.on_message, frames.MSGPACK, ENCODE(message))

    async def drained(self) -> None:
        """Nothing is queued."""

    async def close(self) -> None:
        """Stay down."""
        if self._task is not None:
            self._task.cancel()
        self.up = False
