"""Batch jobs through the controller: exit codes that requeue, payloads kept once, a disk that takes nothing for a while."""

import pytest

from slurm.store.memory import Fault
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import CONF, ROOT, Play, Stage


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
