"""What jobs write, followed: pieces until the job has ended, broken off where it cannot be read, bounded for each user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from slurm.model.errors import InvalidRequest, NotFound, NotPermitted, Unreachable
from slurm.slurmrestd import job_output
from slurm.slurmrestd.job_output import MOST_OF_A_USER, Outputs, Wish, wish
from slurm.slurmrestd.rates import TooMany
from slurm.slurmrestd.turns import Turns
from slurm.wire.output_messages import OutputRead

Reading = Callable[[str, str, int], OutputRead]


class Opened:
    """A way to a cluster in which `reading` gives what there is."""

    def __init__(self, reading: Reading) -> None:
        self.asker = SimpleNamespace(user="alice")
        self.rights = SimpleNamespace(expires=0.0)
        self.cluster = SimpleNamespace(output=reading)
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


async def _body(outputs: Outputs, opened: Opened, wanted: Wish) -> bytes:
    response: Any = await outputs.answer(opened, wanted)  # type: ignore[arg-type]
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        await asyncio.sleep(3600)

    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    return b"".join(sent)


def test_what_is_asked_for_is_read_from_path_and_query() -> None:
    assert wish("12_3", [("follow", ""), ("stream", "stderr"), ("offset", "7")]) == Wish("12_3", "stderr", 7, True)
    assert wish("12", []) == Wish("12")
    for query in ([("folow", "1")], [("stream", "both")], [("offset", "-1")], [("follow", "perhaps")]):
        with pytest.raises(InvalidRequest):
            wish("12", query)
    with pytest.raises(NotFound):
        wish("../etc", [])


def test_a_job_is_followed_to_its_end_and_the_connection_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_output, "SOON", 0.001)
    written = b"one two three"
    asked: list[int] = []

    def reading(job: str, stream: str, offset: int) -> OutputRead:
        asked.append(offset)
        there = len(asked) * 3
        return OutputRead(data=written[offset:min(there, offset + 2)], offset=offset, size=min(there, len(written)), ended=there > len(written) + 6)

    opened = Opened(reading)
    outputs = Outputs(Turns(), lambda: False)
    assert asyncio.run(_body(outputs, opened, Wish("7", follow=True))) == written
    assert opened.closed == 1 and not outputs._users
    assert asked == sorted(asked)


def test_without_follow_what_is_there_is_sent_and_no_more() -> None:
    opened = Opened(lambda job, stream, offset: OutputRead(data=b"abc"[offset:], offset=offset, size=3))
    assert asyncio.run(_body(Outputs(Turns(), lambda: False), opened, Wish("7"))) == b"abc"


def test_a_node_that_goes_silent_breaks_the_reply_off() -> None:
    def reading(job: str, stream: str, offset: int) -> OutputRead:
        if offset:
            raise Unreachable(message="Node cn01 is not connected")
        return OutputRead(data=b"abc", size=9)

    opened = Opened(reading)
    with pytest.raises(Unreachable):
        asyncio.run(_body(Outputs(Turns(), lambda: False), opened, Wish("7")))
    assert opened.closed == 1


def test_who_may_not_read_is_told_so_and_nothing_stays_open() -> None:
    def reading(job: str, stream: str, offset: int) -> OutputRead:
        raise NotPermitted()

    async def main() -> None:
        outputs, opened = Outputs(Turns(), lambda: False), Opened(reading)
        with pytest.raises(NotPermitted):
            await outputs.answer(opened, Wish("7"))  # type: ignore[arg-type]
        assert opened.closed == 1 and not outputs._users

    asyncio.run(main())


def test_one_user_has_so_many_replies_at_once() -> None:
    async def main() -> None:
        outputs = Outputs(Turns(), lambda: False)
        for _ in range(MOST_OF_A_USER):
            await outputs.answer(Opened(lambda job, stream, offset: OutputRead()), Wish("7"))  # type: ignore[arg-type]
        late = Opened(lambda job, stream, offset: OutputRead())
        with pytest.raises(TooMany):
            await outputs.answer(late, Wish("7"))  # type: ignore[arg-type]
        assert late.closed == 1

    asyncio.run(main())


def test_a_slurmrestd_that_ends_lets_those_go_who_follow() -> None:
    opened = Opened(lambda job, stream, offset: OutputRead(offset=offset, size=offset))
    assert asyncio.run(_body(Outputs(Turns(), lambda: True), opened, Wish("7", follow=True))) == b""
