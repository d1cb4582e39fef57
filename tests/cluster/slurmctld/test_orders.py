"""Orders to nodes until they are carried out, and what one fault of our own may cost: nothing but what it happened to."""

import asyncio
import time

import pytest

from slurm.core.events import TimedOut
from slurm.slurmctld import controller, faults
from slurm.slurmctld.nodes import CONFIRM_SECONDS
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import CONF, ROOT, Play, Stage
from tests.cluster.slurmctld.test_nodes import Clock


async def later(stage: Stage, clock: Clock, seconds: float = CONFIRM_SECONDS + 1) -> None:
    """Let so much time pass for the orders under way."""
    clock.time += seconds
    stage.ctl.links.repeat()
    await asyncio.sleep(0.01)


def under(stage: Stage) -> Clock:
    """A clock that the test moves, for the silence and the orders of the nodes."""
    clock = Clock()
    clock.time = time.monotonic()
    stage.ctl.links._clock = clock
    return clock


def test_a_launch_that_a_node_does_not_confirm_is_sent_again_and_no_more_once_it_has(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, clock = await s.node("cn01"), under(s)
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        await later(s, clock)
        assert len(node.of(n.LaunchBatch)) == 2
        node.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        await later(s, clock, 100)
        await later(s, clock, 100)
        assert len(node.of(n.LaunchBatch)) == 2

    play(scene)


def test_batch_start_timeout_is_how_long_a_launch_may_go_unconfirmed(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, clock = await s.node("cn01"), under(s)
        await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        await later(s, clock, 29)
        assert len(node.of(n.LaunchBatch)) == 1
        await later(s, clock, 2)
        assert len(node.of(n.LaunchBatch)) == 2

    play(scene, conf=CONF + "BatchStartTimeout=30\n")


def test_the_end_of_a_job_is_ordered_until_its_node_says_that_nothing_is_left(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, clock = await s.node("cn01"), under(s)
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        await s.client().ask("CancelJobs", filter={"ids": [str(job)]})
        await s.until(lambda: node.of(n.TerminateJob))
        for count in (2, 3):
            await later(s, clock, CONFIRM_SECONDS * count)
            assert len(node.of(n.TerminateJob)) == count
        node.report(n.JobGone, job=job, attempt=1)
        await s.until(lambda: not s.ctl.cluster.job(job).completing)
        await later(s, clock, 100)
        assert len(node.of(n.TerminateJob)) == 3
        assert not len(s.ctl.links._unconfirmed)

    play(scene)


def test_a_node_that_a_job_goes_on_without_is_ordered_to_end_it_until_it_says_that_nothing_is_left(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes, clock = [await s.node("cn01"), await s.node("cn02")], under(s)
        job = await s.client().submit(nodes_min=2, no_kill=True)
        await s.until(lambda: nodes[0].of(n.LaunchBatch))
        nodes[0].report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        await s.client(ROOT).ask("UpdateNode", nodes="cn02", changes={"State": "DOWN", "Reason": "disk"})
        await s.until(lambda: nodes[1].of(n.TerminateJob))
        nodes[1].report(n.JobGone, job=job, attempt=1)
        await s.until(lambda: not s.ctl.cluster.nodes[nodes[1].name].remains)
        await later(s, clock, 100)
        assert (s.state(job), len(nodes[1].of(n.TerminateJob))) == ("RUNNING", 1)
        assert not len(s.ctl.links._unconfirmed)

    play(scene)


def test_a_step_that_was_cancelled_is_ended_also_when_its_node_or_the_controller_was_away(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        await client.ask("CreateStep", job_id=job, request={"name": "s", "ntasks": 1})
        await node.link.close()
        await s.until(lambda: not s.ctl.links.is_connected(node.name))
        reply = await client.ask("CancelJobs", filter={"ids": [f"{job}.0"]})
        assert (reply["done"], reply.get("refused", [])) == ([f"{job}.0"], []), reply
        await s.restart()
        back = await s.node("cn01")
        await s.until(lambda: back.of(n.TerminateStep))
        assert (back.of(n.TerminateStep)[0].step, back.of(n.TerminateStep)[0].why) == (0, "cancelled")
        back.report(n.StepEnded, job=job, attempt=1, step=0, status=15)
        await s.until(lambda: 0 not in s.ctl.cluster.job(job).steps)

    play(scene)


def test_scancel_says_which_signals_have_not_arrived_and_they_are_sent_when_they_can_be(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(s: Stage) -> None:
        node, clock = await s.node("cn01"), under(s)
        client = s.client()
        job = await client.submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(job).launched)
        asked = client.begin("CancelJobs", filter={"ids": [str(job)]}, signal=10)
        await s.until(lambda: node.of(n.SignalJob))
        node.send(n.SignalTaken(number=node.of(n.SignalJob)[0].number))
        reply = await asked
        assert reply.get("refused", []) == [], reply
        await node.link.close()
        await s.until(lambda: not s.ctl.links.is_connected(node.name))
        [[shown, _, sentence]] = (await client.ask("CancelJobs", filter={"ids": [str(job)]}, signal=12))["refused"]
        assert shown == str(job) and sentence.startswith("signal 12 has not reached cn01 yet (not connected)")
        node.holdings = [n.Holding(job=job, attempt=1, step=-5)]
        node.link = s.network.link("slurmctld", node)
        node.link.start()
        await s.until(lambda: s.ctl.links.is_connected(node.name))
        await later(s, clock)
        await s.until(lambda: len(node.of(n.SignalJob)) == 2)
        again = node.of(n.SignalJob)[1]
        assert again.signal == 12
        node.send(n.SignalTaken(number=again.number))
        await s.until(lambda: not len(s.ctl.links._unconfirmed))

    play(scene)


def test_a_fault_in_what_is_due_for_one_job_does_not_keep_another_from_its_limit(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(controller, "DUE_AGAIN_SECONDS", 0.05)

    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        jobs = [await s.client().submit() for _ in range(2)]
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        s.ctl._timer.cancel()  # type: ignore[union-attr]
        whole, broken = s.ctl.cluster.apply, True

        def apply(event: object) -> object:
            if broken and getattr(event, "job", 0) == jobs[0]:
                raise OverflowError("too large")
            return whole(event)  # type: ignore[arg-type]

        s.ctl.cluster.apply = apply  # type: ignore[method-assign, assignment]
        for job in jobs:
            s.ctl._record_due(TimedOut(at=time.time(), job=s.ctl.cluster.job(job).id, attempt=1))
        assert [s.state(job) for job in jobs] == ["RUNNING", "TIMEOUT"]
        await asyncio.sleep(0.2)
        assert caplog.text.count("TimedOut was due and failed") == 1
        assert f"job {jobs[0]} of " in caplog.text
        broken = False
        await s.until(lambda: s.state(jobs[0]) == "TIMEOUT")

    play(scene)


def test_a_job_that_cannot_be_started_by_a_fault_keeps_no_other_waiting(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(faults, "REST_SECONDS", 0.1)

    async def scene(s: Stage) -> None:
        whole, broken, seen = s.ctl.engine.record, True, 0

        def record(*events: object, **rest: object) -> object:
            nonlocal seen
            if broken and type(events[0]).__name__ == "Started" and events[0].job == 1:  # type: ignore[attr-defined]
                seen += 1
                raise OverflowError("can't encode")
            return whole(*events, **rest)  # type: ignore[arg-type]

        s.ctl.engine.record = record  # type: ignore[method-assign, assignment]
        client = s.client()
        first = await client.submit(nodes_min=2)
        second = await client.submit(nodes_min=2)
        assert first == 1
        await s.node("cn01")
        await s.node("cn02")
        await s.until(lambda: s.state(second) == "RUNNING")
        assert s.state(first) == "PENDING"
        assert "failed by a fault of slurmctld" in s.ctl.planner.verdicts[s.ctl.cluster.job(first).id].sentence
        assert caplog.text.count("starting it failed") == 1
        broken = False
        await client.ask("CancelJobs", filter={"ids": [str(second)]})
        for node in s.nodes:
            node.report(n.JobGone, job=second, attempt=1)
        await s.until(lambda: s.state(first) == "RUNNING")

    play(scene)


def test_a_job_at_whose_sight_planning_fails_keeps_no_other_waiting(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(s: Stage) -> None:
        client = s.client()
        first, second = await client.submit(), await client.submit()
        s.ctl.cluster.job(first).partition = 7  # type: ignore[assignment]
        await s.node("cn01")
        await s.until(lambda: s.state(second) == "RUNNING")
        assert s.state(first) == "PENDING"
        assert caplog.text.count("planning it failed") == 1
        s.ctl.cluster.job(first).partition = "debug"

    play(scene)


def test_why_a_job_could_not_run_is_its_reason_and_its_exit_code_stays_slurms(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        client = s.client()
        job = await client.submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job, attempt=1)
        node.report(n.StepEnded, job=job, attempt=1, step=-5, status=53, why="Could not open stdout file /x/y: No such file", began=False)
        node.report(n.JobGone, job=job, attempt=1)
        await s.until(lambda: s.state(job) == "FAILED")
        record = s.ctl.cluster.job(job)
        assert (record.reason, record.exit_status) == ("JobLaunchFailure", 53)
        shown = (await client.ask("Describe", what="job", names=[str(job)]))["text"]
        assert "JobState=FAILED Reason=Could_not_open_stdout_file_/x/y:_No_such_file " in shown
        assert "ExitCode=0:53" in shown
        explained = await client.ask("ExplainJob", job_id=str(job))
        assert "Could not open stdout file /x/y" in str(explained)

    play(scene)


def test_a_node_with_processes_that_cannot_be_killed_is_drained_with_the_reason_and_its_job_ends(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        reason = "Kill task failed: step 1.batch, pid 7; when they have ended: scontrol update nodename=cn01 state=resume"
        node.report(n.BatchLaunched, job=job, attempt=1)
        node.report(n.StepEnded, job=job, attempt=1, step=-5, status=9, drain=reason)
        node.report(n.JobGone, job=job, attempt=1)
        await s.until(lambda: not s.ctl.cluster.job(job).completing and s.state(job) == "FAILED")
        drained = s.ctl.cluster.nodes["cn01"]  # type: ignore[index]
        assert drained.reason == reason
        assert not drained.usable

    play(scene)
