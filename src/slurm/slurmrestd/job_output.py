"""`GET /slurm/jobs/ID/output`: what a batch job has written, and with `follow` what it writes until it ends, to its owner and operators.

slurmrestd opens no file: slurmctld has the job's node read it as the job's user, a piece at a time. Who follows is asked for nothing else
than patience: it is looked ever less often at a file that does not grow.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from slurm.model.errors import InvalidRequest, NotationError, NotFound
from slurm.notation import jobref
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.rates import TooMany
from slurm.slurmrestd.turns import Turns
from slurm.slurmrestd.watching import FALSE, TRUE, Streamed
from slurm.wire.output_messages import STREAMS, OutputRead

PATH = "/slurm/jobs/{job}/output"
PARAMETERS = ("follow", "offset", "stream")
SOON, LATE = 0.25, 2.0
"""Seconds until it is looked again: after a piece, and at most."""
MOST, MOST_OF_A_USER = 256, 16
"""Replies under way, in all and of one user."""


class Wish(NamedTuple):
    """Of which job, from which byte on, and whether until its end."""

    job: str
    stream: str = STREAMS[0]
    offset: int = 0
    follow: bool = False


def wish(job: str, query: Iterable[tuple[str, str]]) -> Wish:
    """What a path and query parameters ask for. InvalidRequest, NotFound."""
    try:
        name = jobref.parse(job).show()
    except NotationError as error:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error
    found = dict(query)
    if unknown := set(found) - set(PARAMETERS):
        raise InvalidRequest(message=f"Unknown query parameter: {min(unknown)[:64]}", hints=[f"valid: {', '.join(PARAMETERS)}"])
    stream, offset, follow = found.get("stream", STREAMS[0]), found.get("offset", "0"), found.get("follow", "false").lower()
    if stream not in STREAMS:
        raise InvalidRequest(message=f"stream: there is no {stream[:64]}", hints=[f"valid: {', '.join(STREAMS)}"])
    if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise InvalidRequest(message=f"offset: {offset[:64]!r} is no number of bytes")
    if follow not in (*TRUE, *FALSE):
        raise InvalidRequest(message=f"follow: true or false is due, not {follow[:64]!r}")
    return Wish(name, stream, int(offset), follow in TRUE or (follow == "" and "follow" in found))


class Outputs:
    """The replies of one slurmrestd. `closing` says when it ends."""

    def __init__(self, turns: Turns, closing: Callable[[], bool]) -> None:
        self._turns = turns
        self._closing = closing
        self._users: Counter[str] = Counter()

    async def answer(self, opened: Connections, wanted: Wish) -> Response:
        """The reply; the connection is closed behind it. SlurmError where there is nothing to be read."""
        user = opened.asker.user
        try:
            if self._users.total() >= MOST or self._users[user] >= MOST_OF_A_USER:
                raise TooMany(message="slurmrestd is sending too much output of jobs already", hints=["try again when some of it has ended"])
            self._users[user] += 1
        except TooMany:
            opened.close()
            raise

        def over() -> None:
            self._users[user] -= 1
            self._users += Counter()  # without those that have none
            opened.close()

        try:
            expires = (await run_in_threadpool(lambda: opened.rights)).expires if wanted.follow else 0.0
            first = await self._read(opened, wanted, wanted.offset)
        except BaseException:
            over()
            raise
        return Streamed(self._pieces(opened, wanted, first, expires), over, "text/plain; charset=utf-8")

    async def _read(self, opened: Connections, wanted: Wish, offset: int) -> OutputRead:
        async with self._turns.of(opened.asker.user):
            return await run_in_threadpool(opened.cluster.output, wanted.job, wanted.stream, offset)

    async def _pieces(self, opened: Connections, wanted: Wish, found: OutputRead, expires: float) -> AsyncIterator[bytes]:
        """A SlurmError breaks the reply off, so that whoever reads it knows that it is not whole."""
        wait = SOON
        while True:
            if found.data:
                yield found.data
                wait = SOON
            reached = found.offset + len(found.data)
            if reached >= found.size or not found.data:
                if not wanted.follow or found.ended or self._closing() or (expires and time.time() > expires):
                    return
                await asyncio.sleep(wait)
                wait = min(2 * wait, LATE)
            found = await self._read(opened, wanted, reached)
