"""What commands ask about the past, passed on to slurmdbd with who asks, on a connection of its own that is made when somebody asks first.

So a command needs no way to slurmdbd, and nothing but slurmctld to prove itself to. Not here: records on their way to slurmdbd, and its
answers' meaning.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from slurm.model.errors import NotNow, SlurmError, Unreachable
from slurm.net.endpoint import Endpoint
from slurm.net.link import Prover, SocketLink, Wanted
from slurm.net.tls import Trust
from slurm.wire import accounting_messages as a
from slurm.wire import frames
from slurm.wire import policy_messages as p
from slurm.wire import sacctmgr_messages as s
from slurm.wire.dbd_messages import AskFor, Told
from slurm.wire.messages import Failure, Message

log = logging.getLogger("slurmctld.past")
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
"""A million jobs of a database on a slow disk take their time; whoever does not want to wait hangs up."""
MOST_WAITING = 1024
MOST_OF_ONE = 64
"""Questions of one user that wait at once; of root, SlurmUser and operators as many as there are."""
PASSED_ON: tuple[type[Message], ...] = (
    a.FindJobs, a.FindEvents, a.FindReservations, a.FetchPayload, s.ModifyJobs,
    s.SumUsage, s.PingDatabase, s.ShowDatabaseStats, s.ShowDatabaseConfig, s.ArchiveDump,
    s.ArchiveLoad, s.EndRunaways,
    s.ClearDatabaseStats, s.StopDatabaseDaemon, s.ReconfigureDatabaseDaemon, p.ChangePolicy, p.ListPolicy)
"""What slurmdbd answers; none of it may have the name of what slurmctld answers itself."""
QUESTION = re.compile(rb'\s*\{\s*"type"\s*:\s*"(' + "|".join(each.__name__ for each in PASSED_ON).encode() + rb')"')
"""How what is passed on begins."""
_decode = msgspec.msgpack.Decoder(Told | Failure).decode
_encode = msgspec.msgpack.Encoder().encode


class Past:
    """The way to slurmdbd for questions: `ways` to it, best first; `trust` or `prover` proves both ends on TCP, `owners` are the uids that
    it may run as."""

    def __init__(self, cluster: str, ways: Sequence[Endpoint], trust: Trust | None, prover: Prover | None, owners: frozenset[int]) -> None:
        self._cluster = cluster
        self._link = SocketLink(
            ways, self, trust=trust, prover=prover, wanted=Wanted("slurmdbd", owners=owners), log=log, longest_pause=1.0)
        self._up = asyncio.Event()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._askers: Counter[int] = Counter()

    async def ask(self, uid: int, request: bytes, *, unelevated: bool = False, first: bool = False) -> bytes:
        """The reply to this user's question, both JSON; Unreachable without a slurmdbd, NotNow when too many wait already.

        `unelevated`: AskFor's. `first`: who is never refused for others' questions.
        """
        if not first and (self._askers[uid] >= MOST_OF_ONE or self._askers.total() >= MOST_WAITING):
            whose = "you ask" if self._askers[uid] >= MOST_OF_ONE else "it is asked"
            raise NotNow(message="slurmdbd is asked too much at once", hints=[f"{whose} more than it answers: try again in a moment"])
        self._askers[uid] += 1
        try:
            return await self._asked(AskFor(number=0, uid=uid, cluster=self._cluster, request=request, unelevated=unelevated))
        finally:
            self._askers[uid] -= 1
            if not self._askers[uid]:
                del self._askers[uid]

    async def _asked(self, question: AskFor) -> bytes:
        self._link.start()
        try:
            await asyncio.wait_for(self._up.wait(), CONNECT_SECONDS)
        except TimeoutError:
            raise _unreachable("it does not answer") from None
        self._number += 1
        number = self._number
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            if not self._link.send(frames.pack(frames.MSGPACK, _encode(msgspec.structs.replace(question, number=number)))):
                raise _unreachable("the connection to it broke")
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            raise _unreachable(f"it has not answered within {ANSWER_SECONDS:.0f} s") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Hang up."""
        await self._link.close()

    def on_up(self) -> None:
        """slurmdbd answers."""
        self._up.set()

    def on_message(self, codec: int, payload: bytes) -> None:
        """A reply came."""
        message = _decode(payload)
        if isinstance(message, Failure):  # it takes no questions from us at all
            self._fail(_unreachable("; ".join([message.message, *message.hints])))
            return
        answer = self._waiting.get(message.number)
        if answer is not None and not answer.done():
            answer.set_result(message.reply)

    def on_down(self, why: str) -> None:
        """It has gone."""
        self._up.clear()
        self._fail(_unreachable(why))

    def _fail(self, error: SlurmError) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)


def _unreachable(why: str) -> Unreachable:
    return Unreachable("ESLURM_DB_CONNECTION", hints=[f"slurmdbd: {why}"])
