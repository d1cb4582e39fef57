"""Requests that come twice, since their reply did not arrive: one job."""

from __future__ import annotations

from tests.cluster.slurmctld.conftest import ALICE, BOB, Client, Play, Stage

PAYLOAD = {"script": "#!/bin/sh\n", "argv": [], "environment": {}}


async def submit(client: Client, key: str) -> int:
    """A batch job by a request with this key."""
    reply = await client.ask("SubmitJob", request={"name": "job", "work_dir": "/tmp"}, payload=PAYLOAD, key=key)
    assert reply["type"] == "Submitted", reply
    return int(reply["job_id"])


def test_the_same_key_makes_one_job_also_after_a_restart(play: Play) -> None:
    async def scene(s: Stage) -> None:
        first = await submit(s.client(), "k")
        assert await submit(s.client(), "k") == first
        await s.restart()
        assert await submit(s.client(), "k") == first
        assert await submit(s.client(), "other") != first
        assert await submit(s.client(BOB), "k") not in (first, first + 1)
        assert len(s.ctl.cluster.jobs) == 3

    play(scene)


def test_two_at_once_make_one(play: Play) -> None:
    async def scene(s: Stage) -> None:
        request = {"request": {"name": "job", "work_dir": "/tmp"}, "payload": PAYLOAD, "key": "k"}
        tasks = [s.client().begin("SubmitJob", **request) for _ in range(5)]
        assert len({(await task)["job_id"] for task in tasks}) == 1

    play(scene)


def test_a_job_that_was_cancelled_meanwhile_is_told_of_and_not_made_again(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        job = await submit(client, "k")
        await client.ask("CancelJobs", filter={"ids": [str(job)]})
        reply = await client.ask("SubmitJob", request={"name": "job", "work_dir": "/tmp"}, payload=PAYLOAD, key="k")
        assert (reply["job_id"], reply["warnings"]) == (job, [f"job {job} was cancelled meanwhile"])

    play(scene)


def test_an_allocation_that_was_asked_for_twice_is_one_and_held_by_the_later(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.node("cn01")
        one, two = s.client(ALICE), s.client(ALICE)
        request = {"request": {"name": "a", "kind": "alloc", "work_dir": "/tmp"}, "key": "k"}
        lost = one.begin("AllocateJob", **request)
        await s.until(lambda: [said for said in one.said if said["type"] == "Granted"])
        held = two.begin("AllocateJob", **request)
        await s.until(lambda: [said for said in two.said if said["type"] == "Granted"])
        one.hang_up()
        await lost
        assert len(s.ctl.cluster.jobs) == 1
        job = next(iter(s.ctl.cluster.jobs))
        assert s.state(job) == "RUNNING"
        await two.ask("Relinquish", job_id=job)
        await held

    play(scene)


def test_a_key_has_a_bound(play: Play) -> None:
    async def scene(s: Stage) -> None:
        reply = await s.client().ask("SubmitJob", request={"name": "job", "work_dir": "/tmp"}, payload=PAYLOAD, key="k" * 65)
        assert reply["type"] == "Failure"

    play(scene)
