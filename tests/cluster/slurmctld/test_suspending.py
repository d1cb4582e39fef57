"""scontrol suspend and resume at the controller: nodes are told, also those that come back, and after a restart."""

from __future__ import annotations

from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import BOB, FakeNode, Play, Stage


async def running(s: Stage) -> tuple[int, FakeNode]:
    node = await s.node("cn01")
    job = await s.client().submit()
    await s.until(lambda: node.of(n.LaunchBatch))
    node.report(n.BatchLaunched, job=job, attempt=1)
    await s.until(lambda: s.ctl.cluster.job(job).launched)
    return job, node


def test_a_node_is_told_to_hold_a_job_still_and_again_when_it_or_the_controller_was_away(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job, node = await running(s)
        assert (await s.client(0).ask("SuspendJobs", ids=[str(job)]))["type"] == "Done"
        await s.until(lambda: [order.suspended for order in node.of(n.SuspendJob)] == [True])
        assert s.state(job) == "SUSPENDED"
        assert node.of(n.LimitJob)[-1].time_left < 0
        node.holdings = [n.Holding(job=job, attempt=1, step=-5)]
        await s.restart()
        assert s.state(job) == "SUSPENDED"
        await s.until(lambda: [order.suspended for order in node.of(n.SuspendJob)] == [True, True])
        assert (await s.client(0).ask("ResumeJobs", ids=[str(job)]))["type"] == "Done"
        await s.until(lambda: [order.suspended for order in node.of(n.SuspendJob)] == [True, True, False])
        assert s.state(job) == "RUNNING"

    play(scene)


def test_users_may_not_suspend_even_their_own_jobs(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job, _ = await running(s)
        for client in (s.client(), s.client(BOB)):
            answer = await client.ask("SuspendJobs", ids=[str(job)])
            assert answer["name"] == "ESLURM_ACCESS_DENIED"
        assert s.state(job) == "RUNNING"

    play(scene)


def test_a_suspended_job_gets_no_new_step_and_says_why(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job, _ = await running(s)
        await s.client(0).ask("SuspendJobs", ids=[str(job)])
        answer = await s.client().ask("CreateStep", job_id=job, request={"ntasks": 1})
        assert answer["name"] == "ESLURM_JOB_SUSPENDED"

    play(scene)


def test_of_jobs_of_one_name_those_that_run_are_suspended_and_for_none_it_is_refused(play: Play) -> None:
    async def scene(s: Stage) -> None:
        job, _ = await running(s)
        waiting = await s.client().submit(hold=True)
        root = s.client(0)
        assert (await root.ask("SuspendJobs", ids=["name=nosuch"]))["name"] == "ESLURM_INVALID_JOB_ID"
        assert (await root.ask("SuspendJobs", ids=[f"{waiting}"]))["name"] == "ESLURM_JOB_PENDING"
        assert (await root.ask("SuspendJobs", ids=[f"name={s.ctl.cluster.job(job).request.name}"]))["type"] == "Done"
        assert (s.state(job), s.state(waiting)) == ("SUSPENDED", "PENDING")

    play(scene)
