"""Requests of one user: so many a second; who asks more often is answered 429, and slurmctld is not asked for that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from slurm.net.discovery import Site
from slurm.slurmrestd import replies
from slurm.slurmrestd.authentication import Claim
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.rates import REMEMBERED, Rates, TooMany
from slurm.slurmrestd.replies import Asker
from slurm.slurmrestd.visitors import Limited, Visit, Visitors, recognising

ALICE, ALICE_AGAIN, BOB = Claim("a"), Claim("b", "alice"), Claim("c")
SITE = Site(cluster="test", conf="/nowhere/slurm.conf", endpoints=())


def test_a_user_has_a_rate_whatever_token_he_shows_and_root_has_none() -> None:
    now = [0.0]
    rates = Rates(5, lambda: now[0])
    for claim in (ALICE, ALICE_AGAIN) * 5:
        rates.ask(claim)
        rates.take(claim, "alice")
    for claim in (ALICE, ALICE_AGAIN):
        with pytest.raises(TooMany, match="more than 5 times a second"):
            rates.ask(claim)
    with pytest.raises(TooMany):
        rates.take(Claim("new"), "alice")
    rates.ask(BOB)
    rates.take(BOB, "bob")
    for _ in range(100):
        rates.take(Claim(), "root")
    now[0] += 0.2
    rates.ask(ALICE)
    rates.take(ALICE, "alice")
    with pytest.raises(TooMany):
        rates.ask(ALICE)


def test_tokens_that_nobody_believed_use_up_nobodys_requests_and_little_is_remembered() -> None:
    rates = Rates(1, lambda: 0.0)
    for number in range(10):
        rates.ask(Claim(f"forged {number}", "alice"))
    rates.take(ALICE, "alice")
    for number in range(REMEMBERED + 5):
        rates.take(Claim(str(number)), f"user{number}")
    assert len(rates._users) == len(rates._left) == REMEMBERED


def test_without_a_rate_nothing_is_counted() -> None:
    rates = Rates(0)
    for _ in range(1000):
        rates.ask(ALICE)
        rates.take(ALICE, "alice")
    assert not rates._users


class _Opened:
    asker = Asker(user="alice")

    def close(self) -> None:
        pass


def test_who_asks_too_often_is_answered_429_with_retry_after_and_slurmctld_hears_nothing() -> None:
    asked: list[Claim] = []

    def opening(site: Site, claim: Claim, place: str) -> Any:
        asked.append(claim)
        return _Opened()

    opened = recognising(opening)  # type: ignore[arg-type]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            made: Connections = opened(SITE, ALICE, "here")
            made.close()
            reply = PlainTextResponse("well")
        except TooMany as error:
            reply = PlainTextResponse("no", replies.status_of(error))
        await reply(scope, receive, send)

    visitors = Visitors(10, rates=Rates(2, lambda: 0.0))
    limited = Limited(app, visitors)
    starts: list[Any] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            starts.append(message)

    async def main() -> None:
        for _ in range(6):
            visit = Visit("a", lambda: None)
            visitors.enter(visit)
            await limited({"type": "http", "state": {"visit": visit}}, None, send)

    asyncio.run(main())
    assert [one["status"] for one in starts] == [200] * 4 + [429] * 2
    assert len(asked) == 4
    assert (b"retry-after", b"1") in starts[-1]["headers"] and b"retry-after" not in dict(starts[0]["headers"])
