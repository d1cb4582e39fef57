"""scontrol notify at the controller: who is told, and who may tell."""

from __future__ import annotations

from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import BOB, Play, Stage
from tests.cluster.slurmctld.test_suspending import running


def test_the_node_of_a_running_script_is_told_what_its_owner_has_to_say(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job, node = await running(s)
        assert (await s.client().ask("NotifyJob", job=str(job), text="the disk is full"))["type"] == "Done"
        await s.until(lambda: [(order.job, order.text) for order in node.of(n.NotifyJob)] == [(job, "the disk is full")])

    play(scene)


def test_others_and_jobs_that_do_not_run_are_refused(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job, node = await running(s)
        assert (await s.client(BOB).ask("NotifyJob", job=str(job), text="x"))["name"] == "ESLURM_USER_ID_MISSING"
        assert (await s.client().ask("NotifyJob", job="4711", text="x"))["message"] == "Invalid job id specified"
        waiting = await s.client().submit(hold=True)
        assert (await s.client().ask("NotifyJob", job=str(waiting), text="x"))["name"] == "ESLURM_JOB_PENDING"
        assert not node.of(n.NotifyJob)

    play(scene)
