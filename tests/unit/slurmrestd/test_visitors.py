"""Connections: who shows nothing keeps nobody out, and one user does not have all places."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from slurm.model.errors import NotNow
from slurm.slurmrestd import serving
from slurm.slurmrestd.visitors import SILENT, SILENT_OF_ONE, SLOW_SECONDS, Visit, Visitors

HEAD = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


class Cast:
    """Visitors with a clock in the test's hands; `ended` are those whose connection was ended."""

    def __init__(self, places: int) -> None:
        self.now = 0.0
        self.ended: list[Visit] = []
        self.visitors = Visitors(places, lambda: self.now)

    def come(self, source: str) -> Visit:
        visit = Visit(source, lambda: self.ended.append(visit))
        self.now += 0.01
        self.visitors.enter(visit)
        return visit

    def ask(self, source: str, user: str = "") -> Visit:
        visit = self.come(source)
        assert self.visitors.begin(visit)
        if user:
            self.visitors.recognise(visit, user)
        return visit


def test_silent_connections_take_no_place_and_the_oldest_of_the_largest_crowd_goes() -> None:
    cast = Cast(places=2)
    first = cast.come("a")
    for _ in range(SILENT_OF_ONE - 1):
        cast.come("a")
    assert (len(cast.visitors), cast.ended) == (0, [])
    cast.come("a")
    assert cast.ended == [first]
    for number in range(SILENT - SILENT_OF_ONE):
        cast.come(f"other {number}")
    assert cast.ended == [first]
    second = next(iter(cast.visitors._silent))
    late = cast.come("late")
    assert cast.ended == [first, second] and second.source == "a"
    assert cast.visitors.begin(late)


def test_an_idle_connection_of_whoever_has_most_gives_way_and_one_that_is_answered_does_not() -> None:
    cast = Cast(places=4)
    alice = [cast.ask("a", "alice") for _ in range(2)]
    bob, busy = cast.ask("b", "bob"), cast.ask("c", "carol")
    for each in (*alice, bob):
        cast.visitors.done(each)
    newcomer = cast.come("d")
    assert cast.visitors.begin(newcomer)
    assert cast.ended == [alice[0]]
    cast.ask("e", "eve")
    cast.ask("f", "frank")
    assert cast.ended == [alice[0], alice[1], bob] or set(cast.ended) == {*alice, bob}
    assert not cast.visitors.begin(cast.come("g"))
    assert busy not in cast.ended


def test_a_request_of_somebody_unknown_that_does_not_come_to_an_end_gives_way() -> None:
    cast = Cast(places=2)
    slow, known = cast.ask("a"), cast.ask("b", "bob")
    assert not cast.visitors.begin(cast.come("c"))
    cast.now += SLOW_SECONDS + 1
    assert cast.visitors.begin(cast.come("c"))
    assert cast.ended == [slow] and known.asking


def test_one_user_has_half_of_the_places_and_root_has_no_bound() -> None:
    cast = Cast(places=4)
    for _ in range(2):
        cast.ask("a", "alice")
    with pytest.raises(NotNow, match="2 requests of yours"):
        cast.ask("a", "alice")
    other = Cast(places=4)
    for _ in range(4):
        other.ask("a", "root")


def test_who_was_refused_is_a_stranger_again_and_who_was_believed_is_not() -> None:
    cast = Cast(places=4)
    stranger, alice = cast.ask("a"), cast.ask("a", "alice")
    for each in (stranger, alice):
        cast.visitors.done(each)
    assert list(cast.visitors._silent) == [stranger] and len(cast.visitors) == 1
    cast.visitors.leave(alice)
    cast.visitors.leave(stranger)
    assert (len(cast.visitors), len(cast.visitors._silent)) == (0, 0)


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


def test_two_hundred_connections_that_say_nothing_or_half_a_head_keep_nobody_out() -> None:
    (stream,) = serving.listening("127.0.0.1:0")
    place = stream.getsockname()

    async def attack() -> None:
        held = [socket.create_connection(place) for _ in range(200)]
        for each in held[::2]:
            each.sendall(HEAD[:20])
        reader, writer = await asyncio.open_connection(*place)
        writer.write(HEAD)
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200")
        writer.close()
        for each in held:
            each.close()

    _served(stream, attack)


def _served(stream: socket.socket, attack: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        ready = asyncio.Event()
        serves = asyncio.ensure_future(serving.serve(_hello, [stream], 2, 124, ready.set))
        await asyncio.wait_for(ready.wait(), 10)
        await attack()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serves, 20)

    asyncio.run(main())
