"""Large answers do not keep others waiting."""

import asyncio
import logging
import os
import time

import pytest
import uvloop

from slurm.slurmctld.beside import Beside, Places
from slurm.slurmctld.handlers import looking
from slurm.wire.messages import Describe
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, Play, Stage


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_done_beside_comes_back_whole_and_leaves_no_process(factory: object) -> None:
    async def main() -> None:
        beside = Beside()
        answers = await asyncio.gather(*(beside.run(lambda n=n: bytes([n]) * 3_000_000) for n in range(5)))
        assert [(answer[0], len(answer), len(set(answer))) for answer in answers] == [(n, 3_000_000, 1) for n in range(5)]
        with pytest.raises(RuntimeError, match="ended with status"):
            await beside.run(lambda: bytes(1 // 0))
        waiting = asyncio.ensure_future(beside.run(lambda: time.sleep(60) or b""))  # type: ignore[func-returns-value]
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]
        runner.run(main())


def test_the_state_is_that_of_the_moment_of_asking() -> None:
    async def main() -> None:
        seen = ["before"]
        asked = asyncio.ensure_future(Beside().run(lambda: (time.sleep(0.1), seen[0].encode())[1]))
        await asyncio.sleep(0.02)
        seen[0] = "after"
        assert await asked == b"before"

    asyncio.run(main())


def test_nobodys_costly_questions_keep_others_from_an_answer() -> None:
    async def main() -> None:
        beside = Beside()
        costly = [asyncio.ensure_future(beside.run(lambda: time.sleep(60) or b"", asker)) for asker in (ALICE, ALICE, ALICE)]  # type: ignore[func-returns-value]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            assert await beside.run(lambda: b"bob's", BOB) == b"bob's"
        costly.append(asyncio.ensure_future(beside.run(lambda: time.sleep(60) or b"", BOB)))  # type: ignore[func-returns-value]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            assert await beside.run(lambda: b"root's", 0, first=True) == b"root's"
        for one in costly:
            one.cancel()
        assert [type(found) for found in await asyncio.gather(*costly, return_exceptions=True)] == [asyncio.CancelledError] * 4
        assert await asyncio.gather(*(beside.run(lambda n=n: bytes([n]), asker) for n, asker in enumerate((ALICE, ALICE, BOB)))) == [b"\0", b"\1", b"\2"]
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    asyncio.run(main())


def test_places_are_given_asker_after_asker() -> None:
    async def main() -> None:
        places, seen = Places(), []

        async def take(asker: str) -> None:
            async with places.place(asker, first=False):
                seen.append(asker)
                await asyncio.sleep(0)

        await asyncio.gather(*(take(asker) for asker in ["a"] * 6 + ["b", "c"]))
        assert sorted(seen[:4]) == ["a", "a", "b", "c"] and seen[4:] == ["a"] * 4

    asyncio.run(main())


@pytest.mark.alone
def test_others_are_answered_while_a_hundred_thousand_rows_are_made(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        client = s.client(ALICE)
        job = await client.submit(array="0-99999")
        fields = ["JobArrayID", "Partition", "Name", "UserName", "StateCompact", "TimeUsed", "NumNodes", "ReasonList"]
        large = s.client().begin("ListJobs", fields=fields, expand_arrays=True)
        longest, count = 0.0, 0
        other = s.client()
        while not large.done():
            began = time.process_time()
            await other.ask("Ping")
            await asyncio.sleep(0.002)
            longest = max(longest, time.process_time() - began)
            count += 1
        rows = (await large)["rows"]
        assert len(rows) == 100_000 and rows[-1][0] == f"{job}_99999"
        assert count > 10
        assert longest < 1.0, longest  # the reply is read in this process too: most of this is json.loads

    with caplog.at_level(logging.ERROR):
        play(scene, conf=CONF + "MaxArraySize=1000001\nMaxJobCount=1000000\n")
    assert not caplog.records


def test_a_job_that_is_asked_for_by_its_number_is_found_among_thousands_without_a_process_beside(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(s: Stage) -> None:
        client = s.client(ALICE)
        first, second, array = [str(await client.submit(**asked)) for asked in ({}, {"hold": True}, {"array": "0-3", "hold": True})]
        monkeypatch.setattr(looking, "MICROSECONDS", looking.A_JOB_IN_FULL + 1.5)  # three jobs are many
        texts = [await client.ask("Describe", what="job", names=[name]) for name in (first, second)]
        assert [text["text"].count("JobId=") for text in texts] == [1, 1]
        assert "JobHeldUser" in texts[1]["text"] and f"JobId={first} " in texts[0]["text"]
        monkeypatch.setattr(s.ctl.beside, "run", lambda *_, **__: 1 / 0)
        assert await client.ask("Describe", what="job", names=[second]) == texts[1]
        with pytest.raises(ZeroDivisionError):
            await answer_of(s, array)

    async def answer_of(s: Stage, job: str) -> object:
        return await looking.on_describe(s.ctl, s.client(ALICE).session, Describe(what="job", names=[job]))

    play(scene)
