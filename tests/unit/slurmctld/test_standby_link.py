"""What a standby learns of the leader on its connection: that its configuration is another one, and what its clock shows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, cast

import msgspec
import pytest

from slurm.net.link import Link
from slurm.slurmctld.seat import Seat
from slurm.slurmctld.standby_link import QUICK_SECONDS, LeadersClock, StandbyLink
from slurm.wire import frames
from slurm.wire.message import Message
from slurm.wire.node_messages import Alive
from slurm.wire.relay_messages import SackdAlive
from slurm.wire.standby_messages import RegisterStandby, StandbyAccepted

BOOTED = 1_800_000_000.0
HOUR = 3600.0


class Sent:
    """A link that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, frame: bytes) -> bool:
        self.messages.append(msgspec.msgpack.decode(frame[frames.HEADER_SIZE:], type=RegisterStandby | SackdAlive))
        return True

    def leave(self, why: str) -> None:
        raise AssertionError(why)


class Scene:
    """A standby's end of the connection on a machine that started at BOOTED, by the leader's clock; its own is `wrong` seconds off."""

    def __init__(self, wrong: float) -> None:
        self.boot = 100.0
        self.sent = Sent()
        self.link = StandbyLink(Seat(1, "b", "b", 2), None, offered=lambda: None, stop=lambda: None, conf="mine", boot=lambda: self.boot,
                                wall=lambda: BOOTED + self.boot + wrong)
        self.link.link = cast(Link, self.sent)

    def hear(self, message: Message) -> None:
        self.link.on_message(frames.MSGPACK, msgspec.msgpack.encode(message))

    async def accepted(self, conf: str = "mine") -> None:
        """It is known to the leader, and has said once that it lives."""
        self.hear(StandbyAccepted(heartbeat=60.0, host="a", conf=conf))
        while not any(isinstance(one, SackdAlive) for one in self.sent.messages):
            await asyncio.sleep(0)


def played(scene: Callable[[Scene], Coroutine[Any, Any, None]], wrong: float = 0.0) -> None:
    async def main() -> None:
        made = Scene(wrong)
        try:
            await scene(made)
        finally:
            made.link.close()

    asyncio.run(main())


@pytest.mark.parametrize(("wrong", "said"), [(3 * HOUR, "10800 s more than that of a"), (-HOUR, "3600 s less than that of a"), (2.0, "")])
def test_a_clock_that_is_hours_off_is_told_once_and_what_the_leaders_shows_is_known(
        wrong: float, said: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Scene) -> None:
        await s.accepted()
        assert s.link.leaders_clock is None
        for _ in range(3):
            s.hear(Alive(now=BOOTED + s.boot))
        assert s.link.leaders_clock == LeadersClock("a", BOOTED)

    with caplog.at_level(logging.WARNING):
        played(scene, wrong)
    assert len(caplog.messages) == bool(said) and said in "".join(caplog.messages)


def test_an_answer_that_lay_there_while_this_process_slept_tells_nothing() -> None:
    async def scene(s: Scene) -> None:
        await s.accepted()
        late = Alive(now=BOOTED + s.boot)
        s.boot += QUICK_SECONDS + HOUR
        s.hear(late)
        s.hear(Alive())
        assert s.link.leaders_clock is None

    played(scene)


@pytest.mark.parametrize(("conf", "told"), [("mine", 0), ("", 0), ("another", 1)])
def test_another_slurm_conf_than_the_leaders_is_told(conf: str, told: int, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Scene) -> None:
        s.link.on_up()
        assert s.sent.messages[0].conf == "mine"
        await s.accepted(conf)

    with caplog.at_level(logging.WARNING):
        played(scene)
    assert [message for message in caplog.messages if "is another one than that of a, which leads" in message] == caplog.messages
    assert len(caplog.messages) == told
