"""Batch jobs through the controller: exit codes that requeue, payloads kept once, a disk that takes nothing for a while."""

import pytest

from slurm.store.memory import Fault
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import BOB, CONF, ROOT, Play, Stage


@pytest.mark.parametrize(("code", "held"), [(5, ""), (6, "user")])
def test_exit_codes_of_the_configuration_send_a_job_back_to_the_queue(play: Play, code: int, held: str) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.finish(job, status=code << 8)
        await s.until(lambda: job in s.ctl.cluster.pending)
        assert s.ctl.cluster.job(job).restarts == 1 and bool(s.ctl.cluster.job(job).held) == bool(held)

    play(scene, conf=CONF + "RequeueExit=5\nRequeueExitHold=6\n")


def test_equal_scripts_and_environments_are_kept_once(play: Play) -> None:
    async def scene(s: Stage) -> None:
        for _ in range(20):
            await s.client().submit(hold=True)
        assert len(s.disk.payloads) == 2

    play(scene)


def test_the_order_to_a_node_carries_script_and_environment_as_submitted(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        order = node.of(n.LaunchBatch)[0]
        assert (order.job, order.attempt, order.script) == (job, 1, "#!/bin/sh\n")
        assert order.environment["A"] == "b" and order.environment["SLURM_JOB_ID"] == str(job)

    play(scene)


@pytest.mark.parametrize(("kind", "fields"), [
    ("SubmitJob", {"request": {"name": "x", "work_dir": "/tmp"}, "payload": {"script": "#!/bin/sh\n", "argv": [], "environment": {}}}),
    ("CancelJobs", {"filter": {"ids": ["1"]}}), ("HoldJobs", {"ids": ["1"]}), ("UpdateNode", {"nodes": "cn01", "changes": {"State": "DRAIN", "Reason": "x"}})])
def test_changes_are_refused_while_the_disk_is_full_and_questions_answered(play: Play, kind: str, fields: dict[str, object]) -> None:
    async def scene(s: Stage) -> None:
        client = s.client(ROOT)
        job = await client.submit(hold=True)
        s.disk.faults = [Fault.FULL] * 1000
        first = await client.ask("UpdateJob", ids=str(job), changes={"Comment": "x"})
        assert (first["type"], first["kind"]) == ("Failure", "StoreError"), first
        assert s.ctl.engine.stalled
        reply = await client.ask(kind, **fields)
        assert (reply["type"], reply["message"]) == ("Failure", "Unable to write the state of the cluster"), reply
        assert any("running jobs go on" in hint for hint in reply["hints"])
        assert (await client.ask("ListJobs", fields=["JobID"]))["rows"] == [[str(job)]]
        s.disk.faults.clear()
        await s.until(lambda: not s.ctl.engine.stalled)
        assert (await client.ask(kind, **fields))["type"] != "Failure"

    play(scene)


def test_a_change_of_several_jobs_passes_over_ended_ones_and_is_refused_as_a_whole_for_one_that_may_not_be_changed(play: Play) -> None:
    async def scene(s: Stage) -> None:
        alice, bob = s.client(), s.client(BOB)
        ended, mine, other = await alice.submit(hold=True, name="x"), await alice.submit(hold=True, name="x"), await bob.submit(hold=True, name="y")
        await alice.ask("CancelJobs", filter={"ids": [str(ended)]})
        assert (await alice.ask("UpdateJob", ids=f"{ended},{mine}", changes={"TimeLimit": "7"}))["type"] == "Done"
        assert s.ctl.cluster.job(mine).time_limit == 7 * 60
        assert (await alice.ask("UpdateJob", ids=f"{mine},{other}", changes={"TimeLimit": "5"}))["name"] == "ESLURM_USER_ID_MISSING"
        assert s.ctl.cluster.job(mine).time_limit == 7 * 60
        assert (await alice.ask("UpdateJob", ids="name=x", changes={"TimeLimit": "3"}))["type"] == "Done"
        assert s.ctl.cluster.job(mine).time_limit == 3 * 60
        assert (await alice.ask("UpdateJob", ids=f"{ended}", changes={"TimeLimit": "3"}))["name"] == "ESLURM_ALREADY_DONE"

    play(scene)


def test_an_array_and_a_job_of_the_same_name_are_held_together(play: Play) -> None:
    async def scene(s: Stage) -> None:
        alice = s.client()
        array, single = await alice.submit(array="0-9", name="x", begin=s.ctl.now() + 1e6), await alice.submit(name="x", begin=s.ctl.now() + 1e6)
        assert (await alice.ask("HoldJobs", ids=["name=x"]))["type"] == "Done"
        assert [s.ctl.cluster.job(job).held for job in (array, single)] == ["user", "user"]
        assert (await alice.ask("ReleaseJobs", ids=[f"{array}_[1,3]"]))["type"] == "Done"
        held = {job.id: job.held for job in s.ctl.cluster.pending.values() if job.id != single}
        assert held.pop(array) == "user" and list(held.values()) == ["", ""]

    play(scene)
