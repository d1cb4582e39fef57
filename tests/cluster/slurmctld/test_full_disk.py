"""A disk without room: whoever asks is refused at once, and what was refused does not happen when there is room again."""

import asyncio

from slurm.slurmctld.dispatch import answer
from slurm.store.memory import Fault
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import Play, Stage

REQUEST = {"name": "job", "work_dir": "/tmp"}
PAYLOAD = {"script": "#!/bin/sh\n", "argv": [], "environment": {}}


def test_a_submission_is_refused_at_once_and_its_job_never_runs(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        await s.ctl.engine.settled()
        s.disk.faults = [Fault.FULL]
        reply = await asyncio.wait_for(s.client().ask("SubmitJob", request=REQUEST, payload=PAYLOAD), 0.9)
        assert reply["type"] == "Failure" and reply["kind"] == "StoreError"
        assert reply["hints"][-1] == "the job was not submitted; submit it again when there is space"
        again = await s.client().ask("SubmitJob", request=REQUEST, payload=PAYLOAD)
        assert again["type"] == "Failure"
        await s.until(lambda: not s.ctl.engine.stalled)
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        assert [order.job for order in node.of(n.LaunchBatch)] == [job]
        others = [each for each in s.ctl.cluster.jobs.values() if each.id != job]
        assert [each.state.name for each in others] == ["CANCELLED"]

    play(scene)


def test_scontrol_ping_and_sdiag_say_that_the_state_cannot_be_written(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.ctl.engine.settled()
        assert (await s.client().ask("Ping")).get("trouble", "") == ""
        s.disk.faults = [Fault.FULL]
        await s.client().ask("SubmitJob", request=REQUEST, payload=PAYLOAD)
        for kind in ("Ping", "ReadStatistics"):
            reply = await asyncio.wait_for(s.client().ask(kind), 0.9)
            assert "cannot be written, nothing new is taken and running jobs go on" in reply["trouble"], reply
        await s.until(lambda: not s.ctl.engine.stalled)
        assert (await s.client().ask("Ping")).get("trouble", "") == ""

    play(scene)


def test_an_allocation_is_refused_at_once_and_never_granted(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        await s.ctl.engine.settled()
        s.disk.faults = [Fault.FULL]
        client = s.client()
        reply = await asyncio.wait_for(client.ask("AllocateJob", request={**REQUEST, "kind": "alloc"}), 0.9)
        assert reply["type"] == "Failure" and not client.said
        await s.until(lambda: not s.ctl.engine.stalled)
        assert [each.state.name for each in s.ctl.cluster.jobs.values()] == ["CANCELLED"]

    play(scene)


def test_a_change_is_told_to_come_later_and_does(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job = await s.client().submit(hold=True)
        s.disk.faults = [Fault.FULL]
        reply = await asyncio.wait_for(s.client().ask("UpdateJob", ids=str(job), changes={"Name": "other"}), 0.9)
        assert reply["type"] == "Failure" and "as soon as there is space" in reply["hints"][-1]
        await s.until(lambda: not s.ctl.engine.stalled)
        assert s.ctl.cluster.job(job).request.name == "other"  # type: ignore[arg-type]

    play(scene)


def test_what_is_no_message_is_refused_in_one_line(play: Play) -> None:
    async def scene(s: Stage) -> None:
        for payload in (b"", b"{", b'{"type": "\xff"}', b'{"type": "Ping", "x": ' + b"[" * 50_000, b'{"type": "NoSuch"}', b"[]"):
            reply = await answer(s.ctl, s.client().session, payload)
            assert getattr(reply, "name", "") == "SLURM_MALFORMED_MESSAGE", payload[:40]

    play(scene)
