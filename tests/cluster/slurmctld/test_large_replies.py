"""Large answers do not keep others waiting."""

import asyncio
import logging
import os
import time

import pytest
import uvloop

from slurm.slurmctld.beside import Beside
from tests.cluster.slurmctld.conftest import ALICE, CONF, Play, Stage


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
