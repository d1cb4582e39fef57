"""sbatch -W, scontrol wait_job and event streams: answered when it is so on disk, forgotten when the caller goes."""

import asyncio

from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ROOT, Play, Stage


def test_the_end_of_a_job_is_told_with_its_status(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit()
        waiting = client.begin("WaitJob", job_id=job)
        await s.until(lambda: node.of(n.LaunchBatch))
        node.finish(job, status=3 << 8)
        reply = await waiting
        assert (reply["type"], reply["state"], reply["exit_status"]) == ("JobEnded", "FAILED", 3 << 8)
        assert (await client.ask("WaitJob", job_id=job))["exit_status"] == 3 << 8

    play(scene)


def test_an_array_ends_with_its_last_task_and_the_highest_status(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit(array="0-5")
        waiting = client.begin("WaitJob", job_id=job)
        for count in range(6):
            await s.until(lambda count=count: len(node.of(n.LaunchBatch)) > count)
            assert not waiting.done()
            order = node.of(n.LaunchBatch)[count]
            node.finish(order.job, status=(7 if count == 2 else 0) << 8)
        assert (await waiting)["exit_status"] == 7 << 8
        assert len(s.ctl.watchers) == 0

    play(scene)


def test_tasks_that_left_memory_meanwhile_still_count(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit(array="0-1", cpus_per_task=4)
        waiting = client.begin("WaitJob", job_id=job)
        await s.until(lambda: node.of(n.LaunchBatch))
        node.finish(node.of(n.LaunchBatch)[0].job, status=9 << 8)
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        first = node.of(n.LaunchBatch)[0].job
        await s.until(lambda: first not in s.ctl.cluster.jobs)
        node.finish(node.of(n.LaunchBatch)[1].job)
        assert (await waiting)["exit_status"] == 9 << 8

    play(scene, conf=_conf("MinJobAge=1"))


def test_an_unknown_job_is_not_waited_for(play: Play) -> None:
    async def scene(s: Stage) -> None:
        reply = await s.client().ask("WaitJob", job_id=4711)
        assert (reply["type"], reply["message"]) == ("Failure", "Invalid job id specified")
        assert (await s.client().ask("WaitReady", job_id=4711))["type"] == "Failure"

    play(scene)


def test_a_caller_who_goes_leaves_nothing_behind(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        job = await client.submit()
        waiting = [client.begin("WaitJob", job_id=job), client.begin("WaitReady", job_id=job), client.begin("WatchEvents")]
        await s.until(lambda: len(s.ctl.watchers) == 3)
        client.hang_up()
        await asyncio.wait(waiting, timeout=30)
        assert all(task.done() for task in waiting)
        assert len(s.ctl.watchers) == 0
        assert s.state(job) == "PENDING"

    play(scene)


def test_a_job_that_runs_again_is_waited_for_again(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit()
        waiting = client.begin("WaitJob", job_id=job)
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        assert (await client.ask("RequeueJobs", ids=[str(job)]))["type"] == "Done"
        await s.until(lambda: node.of(n.TerminateJob))
        node.report(n.StepEnded, job=job, attempt=1, step=-5, status=15)
        node.report(n.JobGone, job=job, attempt=1)
        await s.until(lambda: job in s.ctl.cluster.pending)
        assert not waiting.done()
        assert (await client.ask("ReleaseJobs", ids=[str(job)]))["type"] == "Done"
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        node.finish(job, attempt=2)
        assert (await waiting)["state"] == "COMPLETED"

    play(scene)


def test_a_stream_tells_every_visible_change(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        watcher, client = s.client(), s.client()
        watcher.begin("WatchEvents")
        await asyncio.sleep(0)
        job = await client.submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.finish(job)
        await s.until(lambda: any(said["state"] == "COMPLETED" for said in watcher.said))
        assert {said["job_id"] for said in watcher.said} == {job}

    play(scene)


def test_an_operator_makes_the_planner_rest(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        assert (await s.client().ask("Quiesce", seconds=0.4))["type"] == "Failure"
        assert (await s.client(ROOT).ask("Quiesce", seconds=0.4))["type"] == "Done"
        await s.client().submit()
        await asyncio.sleep(0.2)
        assert not node.of(n.LaunchBatch)
        await s.until(lambda: node.of(n.LaunchBatch))

    play(scene)


def _conf(*lines: str) -> str:
    from tests.cluster.slurmctld.conftest import CONF
    return CONF + "\n".join(lines) + "\n"
