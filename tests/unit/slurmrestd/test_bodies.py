"""Bodies of requests: whose are read, how large one may be and all of them together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from slurm.model.errors import NotPermitted
from slurm.net.discovery import Site
from slurm.slurmrestd.application import Application, Settings
from slurm.slurmrestd.authentication import JWT, Claim
from slurm.slurmrestd.bodies import LARGEST_BODY, LARGEST_OF_A_USER, LARGEST_TOGETHER
from slurm.slurmrestd.replies import Asker

SITE = Site(cluster="test", conf="/nowhere/slurm.conf", endpoints=())


class Doors:
    """What slurmctld would open to alice and bob; it counts who has left."""

    closed = 0

    def __init__(self, site: Site, claimed: Claim, source: str) -> None:
        if claimed.token not in ("good", "bob"):
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR")
        self.asker = Asker(user="alice" if claimed.token == "good" else "bob")

    def close(self) -> None:
        Doors.closed += 1


class Posting:
    """A request that submits a job, its body in the test's hands."""

    def __init__(self, application: Application, token: str, **headers: str) -> None:
        self.read = 0
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.waiting = asyncio.Event()
        self.status = 0
        self.content = b""
        named = [(b"x-slurm-user-token", token.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
        path = "/slurm/v0.0.44/job/submit"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": named, "state": {}}
        self.task = asyncio.ensure_future(application.asgi(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self.waiting.set()
        piece = await self.pieces.get()
        self.read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def _send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.content += message.get("body", b"")

    async def say(self, piece: bytes) -> None:
        """The next piece, which has been taken when this returns, or the reply is there."""
        await self.waiting.wait()
        self.waiting.clear()
        self.pieces.put_nowait(piece)
        more = asyncio.ensure_future(self.waiting.wait())
        await asyncio.wait({self.task, more}, return_when=asyncio.FIRST_COMPLETED)
        more.cancel()


def application() -> Application:
    Doors.closed = 0
    return Application(Settings(SITE, (JWT,)), opening=Doors)  # type: ignore[arg-type]


def test_of_whom_slurmctld_does_not_know_no_body_is_read() -> None:
    async def scene() -> None:
        posting = Posting(application(), "forged")
        posting.pieces.put_nowait(b"x" * 1000)
        await asyncio.wait_for(posting.task, 20)
        assert (posting.status, posting.read) == (401, 0)

    asyncio.run(scene())


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(announced: bool) -> None:
    async def scene() -> None:
        headers = {"content-length": str(LARGEST_BODY + 1)} if announced else {}
        posting = Posting(application(), "good", **headers)
        if not announced:
            for _ in range(LARGEST_BODY >> 20):
                await posting.say(bytes(1 << 20))
            assert not posting.task.done()
            await posting.say(b"x")
        await asyncio.wait_for(posting.task, 20)
        assert posting.status == 413 and Doors.closed == 1

    asyncio.run(scene())


def test_all_bodies_together_are_bounded_and_make_room_when_they_are_done() -> None:
    async def scene() -> None:
        served = application()
        many = [Posting(served, "good") for _ in range(LARGEST_OF_A_USER // LARGEST_BODY)]
        for posting in many:
            await posting.say(bytes(LARGEST_BODY))
        one_more = Posting(served, "good")
        await one_more.say(b"x")
        await asyncio.wait_for(one_more.task, 20)
        assert one_more.status == 503 and "of yours" in json.loads(one_more.content)["errors"][0]["description"]
        bobs = [Posting(served, "bob") for _ in range((LARGEST_TOGETHER - LARGEST_OF_A_USER) // LARGEST_BODY)]
        many += bobs
        for posting in bobs:
            await posting.say(bytes(LARGEST_BODY))
        late = Posting(served, "good")
        await late.say(b"x")
        await asyncio.wait_for(late.task, 20)
        assert late.status == 503 and "too many large requests" in json.loads(late.content)["errors"][0]["description"]
        await many[0].say(b"")  # which is no JSON: refused as such, and gone
        await asyncio.wait_for(many[0].task, 20)
        assert many[0].status == 400
        again = Posting(served, "good")
        await again.say(b"x")
        assert not again.task.done()
        for posting in (*many[1:], again):
            await posting.say(b"")
            await asyncio.wait_for(posting.task, 20)
        assert Doors.closed == len(many) + 3

    asyncio.run(scene())
