"""Allocations: granted when the disk knows, held by a connection, given up when nobody comes back."""

import asyncio

from slurm.slurmctld import holders
from slurm.store.memory import Fault
from tests.cluster.slurmctld.conftest import ALICE, BOB, Play, Stage

ALLOC = {"kind": "alloc", "name": "sh", "work_dir": "/tmp"}


def test_a_grant_is_told_with_nodes_and_environment_and_the_end_on_the_same_connection(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        client = s.client()
        waiting = client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        granted = client.said[0]
        assert granted["type"] == "Granted" and granted["nodes"] == "cn01" and granted["environment"]["SLURM_JOB_ID"] == str(granted["job_id"])
        assert (await s.client().ask("Relinquish", job_id=granted["job_id"], status=0))["type"] == "Done"
        ended = await waiting
        assert ended["type"] == "JobEnded" and ended["state"] == "COMPLETED"
        assert len(s.ctl.holders) == 0 and len(s.ctl.watchers) == 0

    play(scene)


def test_one_that_waits_is_told_so_first(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        waiting = client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        assert client.said[0]["type"] == "Pending"
        await s.node("cn01")
        await s.until(lambda: len(client.said) == 2)
        assert client.said[1]["type"] == "Granted" and client.said[1]["waited"]
        waiting.cancel()

    play(scene)


def test_no_grant_leaves_before_the_start_is_on_disk(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        blocker = await s.client().submit(cpus_per_task=4, nodelist="cn01")
        await s.until(lambda: s.state(blocker) == "RUNNING")
        client = s.client()
        waiting = client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        await s.ctl.engine.settled()
        s.disk.faults = [Fault.FULL] * 2
        s.nodes[0].finish(blocker)
        job = client.said[0]["job_id"]
        await s.until(lambda: s.ctl.engine.stalled)
        await asyncio.sleep(0.05)
        assert len(client.said) == 1
        await s.until(lambda: len(client.said) == 2)
        assert client.said[1]["type"] == "Granted"
        assert "Started" in [record.kind for record in s.disk.events.values()] and s.state(job) == "RUNNING"
        waiting.cancel()

    play(scene)


def test_one_who_asks_while_the_disk_is_full_is_refused_and_holds_nothing(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        client = s.client()
        s.disk.faults = [Fault.FULL]
        for _ in range(2):
            reply = await client.ask("AllocateJob", request=ALLOC)
            assert reply["type"] == "Failure" and reply["kind"] == "StoreError", reply
        await s.until(lambda: not s.ctl.engine.stalled)
        assert client.said == [] and len(s.ctl.holders) == 0
        assert all(job.state.name == "CANCELLED" for job in s.ctl.cluster.jobs.values())

    play(scene)


def test_an_allocation_whose_holder_was_killed_is_given_up_soon(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        client = s.client()
        client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        job = client.said[0]["job_id"]
        client.hang_up()
        await s.until(lambda: s.ctl.cluster.job(job).state.finished, seconds=holders.PROMPT_SECONDS + 3)
        assert len(s.ctl.watchers) == 0

    play(scene)


def test_a_waiting_one_whose_asker_was_killed_is_cancelled_soon(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        client.hang_up()
        await s.until(lambda: s.state(client.said[0]["job_id"]) == "CANCELLED", seconds=holders.PROMPT_SECONDS + 3)

    play(scene)


def test_a_holder_that_comes_back_in_time_keeps_it(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = s.client()
        first.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: first.said)
        job = first.said[0]["job_id"]
        first.hang_up()
        again = s.client()
        again.begin("AttachAllocation", job_id=job)
        await s.until(lambda: again.said)
        assert again.said[0]["type"] == "Granted"
        await asyncio.sleep(holders.PROMPT_SECONDS + 0.3)
        assert s.state(job) == "RUNNING"

    play(scene)


def test_an_allocation_lasts_through_a_restart_of_the_controller(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        first = s.client()
        first.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: first.said)
        job = first.said[0]["job_id"]
        await s.restart()
        again = s.client()
        again.begin("AttachAllocation", job_id=job)
        await s.until(lambda: again.said)
        assert again.said[0]["type"] == "Granted" and again.said[0]["job_id"] == job

    play(scene)


def test_the_end_of_the_controller_gives_no_allocation_up(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        client = s.client()
        client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        await s.ctl.close()
        client.hang_up()
        await asyncio.sleep(holders.PROMPT_SECONDS + 0.3)
        assert s.state(client.said[0]["job_id"]) == "RUNNING"

    play(scene)


def test_nobody_takes_up_or_gives_back_what_belongs_to_another(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        client = s.client(ALICE)
        client.begin("AllocateJob", request=ALLOC)
        await s.until(lambda: client.said)
        job = client.said[0]["job_id"]
        bob = s.client(BOB)
        for kind in ("AttachAllocation", "Relinquish"):
            reply = await bob.ask(kind, job_id=job)
            assert reply["type"] == "Failure" and reply["kind"] == "NotPermitted"
        assert s.state(job) == "RUNNING"

    play(scene)


def test_immediate_is_refused_when_it_cannot_start_at_once(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        reply = await client.ask("AllocateJob", request={**ALLOC, "immediate": 1})
        assert reply["type"] == "Failure" and reply["message"] == "Requested nodes are busy"
        assert client.said == []
        reply = await client.ask("AllocateJob", request={**ALLOC, "immediate": 1, "nodes_min": 5})
        assert reply["message"] == "Requested partition configuration not available now"
        assert not s.ctl.cluster.pending

    play(scene)


def test_immediate_is_granted_when_it_can(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        client = s.client()
        waiting = client.begin("AllocateJob", request={**ALLOC, "immediate": 1})
        await s.until(lambda: client.said)
        assert client.said[0]["type"] == "Granted"
        waiting.cancel()

    play(scene)
