"""What running steps use: who may ask, what nodes answer, and those that do not."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from slurm.client import usage
from slurm.model.accounting import Extreme, TresUsage, Usage
from slurm.model.errors import InvalidRequest, NotPermitted
from slurm.model.ids import NodeName
from slurm.net.signing import Checker
from slurm.slurmctld import live_usage
from slurm.slurmctld.handlers import steps
from slurm.wire import node_messages as n
from slurm.wire.step_credential import opened
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Client, FakeNode, Play, Stage


def used(seconds: float, memory: int, node: str, *tasks: int) -> Usage:
    """Of tasks that each took as much."""
    extremes = [Extreme(memory, NodeName(node), task) for task in tasks]
    return Usage(seconds, 0.0, {"mem": TresUsage(memory * len(tasks), len(tasks), extremes[0], extremes[-1])})


async def told(s: Stage, node: FakeNode, *steps: n.StepNow, nth: int = 0) -> None:
    """The node answers the question that it is asked."""
    await s.until(lambda: len(node.of(n.AskUsage)) > nth)
    node.send(n.UsageTold(number=node.of(n.AskUsage)[nth].number, steps=list(steps)))


async def running(s: Stage, nodes: list[FakeNode]) -> int:
    """A batch job with a step of three tasks on two nodes."""
    job = await s.client().submit(nodes_min=2, ntasks=3)
    await s.until(lambda: nodes[0].of(n.LaunchBatch))
    nodes[0].report(n.BatchLaunched, job=job, attempt=1)
    granted = await s.client().ask("CreateStep", job_id=job, request={"name": "s", "ntasks": 3, "nodes_min": 2, "nodes_max": 2})
    assert granted["type"] == "StepGranted", granted
    return job


class Line:
    """A command's connection as the typed door needs it: what a blocking call would answer is answered before."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self._reply = reply

    def call(self, message: dict[str, object]) -> dict[str, Any]:
        """The reply."""
        assert message["type"] == "FindUsage"
        return self._reply


async def answered(client: Client, *ids: str, **fields: object) -> dict[str, Any]:
    return await client.ask("FindUsage", ids=list(ids), **fields)


def test_the_usage_of_a_step_is_that_of_all_its_nodes_and_says_which_task_is_where(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        job = await running(s, nodes)
        asked = s.client().begin("FindUsage", ids=[str(job)], pids=True)
        await told(s, nodes[0], n.StepNow(job=job, attempt=1, step=-5, usage=used(1.0, 10, "cn01", 0), memory=8, pids=[(70, 0), (71, -1)]),
                   n.StepNow(job=job, attempt=1, step=0, usage=used(2.0, 30, "elsewhere", 0, 1), memory=50, pids=[(80, 0), (81, 1)]))
        await told(s, nodes[1], n.StepNow(job=job, attempt=1, step=0, usage=used(4.0, 20, "cn02", 2), memory=9, pids=[(90, 2)]))
        found = usage.running(Line(await asked), [str(job)], pids=True)  # type: ignore[arg-type]
        step, batch = sorted(found.steps, key=lambda one: one.step)
        assert (batch.step, batch.nodes, batch.ntasks, batch.usage.user_seconds, batch.memory) == (f"{job}.batch", "cn01", 1, 1.0, 8)
        assert [tuple(one) for one in batch.pids] == [("cn01", 70, 0, 0), ("cn01", 71, -1, -1)]
        assert (step.step, step.nodes, step.ntasks, step.usage.user_seconds, step.memory, step.silent) == (f"{job}.0", "cn[01-02]", 3, 6.0, 59, "")
        memory = step.usage.taken["mem"]
        assert (memory.total, memory.tasks) == (80, 3)
        assert (memory.most.node, memory.most.task, memory.least.node, memory.least.task) == ("cn01", 0, "cn02", 2)
        assert [tuple(one) for one in step.pids] == [("cn01", 80, 0, 0), ("cn01", 81, 1, 1), ("cn02", 90, 2, 0)]
        assert step.allocated["cpu"] >= 3 and step.allocated["node"] == 2 and "billing" not in step.allocated

    play(scene)


def test_a_node_that_says_nothing_is_named_and_keeps_nobody_waiting(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        job = await running(s, nodes)
        s.ctl.links.usage.patience = 0.2
        asked = s.client().begin("FindUsage", ids=[f"{job}.0"])
        await told(s, nodes[0], n.StepNow(job=job, attempt=1, step=0, usage=used(2.0, 30, "cn01", 0, 1), memory=50))
        step = (await asked)["steps"][0]
        assert (step["silent"], step["usage"]["user_seconds"], step["memory"]) == ("cn02", 2.0, 50)
        await told(s, nodes[1], n.StepNow(job=job, attempt=1, step=0, memory=9))  # too late: nobody is confused by it
        asked = s.client().begin("FindUsage", ids=[f"{job}.0"])
        await told(s, nodes[0], nth=1)
        await told(s, nodes[1], n.StepNow(job=job, attempt=2, step=0, memory=9), nth=1)  # another attempt
        nodes[1].send(n.UsageTold(number=nodes[1].of(n.AskUsage)[1].number, steps=[n.StepNow(job=job, attempt=1, step=0, memory=77)]))  # twice
        step = (await asked)["steps"][0]
        assert (step["silent"], step.get("usage")) == ("cn[01-02]", None)

    play(scene)


def test_a_node_that_is_away_is_not_waited_for(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        job = await running(s, nodes)
        s.ctl.links.usage.patience = 60.0
        await nodes[1].link.close()
        await s.until(lambda: not s.ctl.links.is_connected(NodeName("cn02")))
        asked = s.client().begin("FindUsage", ids=[f"{job}.0"])
        await told(s, nodes[0], n.StepNow(job=job, attempt=1, step=0, memory=50))
        assert (await asked)["steps"][0]["silent"] == "cn02"

    play(scene)


def test_only_owner_and_operators_are_told(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        job = await running(s, nodes)
        waiting = await s.client().submit(hold=True)
        refused = await answered(s.client(BOB), str(job), f"{job}.0", "4711", str(waiting))
        assert refused["steps"] == []
        assert [(what, name) for what, name, _ in refused["refused"]] == [
            (str(job), "ESLURM_ACCESS_DENIED"), (f"{job}.0", "ESLURM_ACCESS_DENIED"), ("4711", "ESLURM_INVALID_JOB_ID"), (str(waiting), "ESLURM_ACCESS_DENIED")]
        assert (await answered(s.client(BOB)))["steps"] == []
        own = await answered(s.client(ALICE), str(waiting), f"{job}.7", "nonsense")
        assert [name for _, name, _ in own["refused"]] == ["ESLURM_JOB_PENDING", "ESLURM_INVALID_JOB_ID", "ESLURM_INVALID_JOB_ID"]
        assert not nodes[0].of(n.AskUsage)
        s.ctl.links.usage.patience = 0.05
        for uid in (ALICE, ROOT):
            assert {step["step"] for step in (await answered(s.client(uid)))["steps"]} == {f"{job}.batch", f"{job}.0"}
        here = await answered(s.client(), nodes=["cn02"])
        assert [(step["step"], step["silent"]) for step in here["steps"]] == [(f"{job}.0", "cn02")]
        assert (await answered(s.client(), nodes=["cn77"]))["type"] == "Failure"
        typed = usage.running(Line(refused))  # type: ignore[arg-type]
        assert not typed.steps and isinstance(typed.refused[str(job)], NotPermitted)

    play(scene)


def test_each_node_is_asked_once_and_only_so_many_ask_at_a_time(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        jobs = [await s.client().submit() for _ in range(3)]
        await s.until(lambda: sum(len(node.of(n.LaunchBatch)) for node in nodes) == 3)
        s.ctl.links.usage.patience = 5.0
        many = [s.client(ALICE).begin("FindUsage", ids=list(map(str, jobs))) for _ in range(live_usage.MOST_OF_A_USER)]
        await asyncio.sleep(0)
        refused = await answered(s.client(ALICE), str(jobs[0]))
        assert refused["type"] == "Failure" and "asking nodes for you" in refused["message"]
        many += [s.client(ROOT).begin("FindUsage", ids=list(map(str, jobs))) for _ in range(live_usage.MOST_AT_ONCE)]
        await asyncio.sleep(0)
        refused = await answered(s.client(ALICE), str(jobs[0]))
        assert refused["type"] == "Failure" and "asking nodes for" in refused["message"]
        busy = [node for node in nodes if node.of(n.LaunchBatch)]
        await s.until(lambda: all(len(node.of(n.AskUsage)) == len(many) for node in busy))
        for node in busy:
            for question in node.of(n.AskUsage):
                node.send(n.UsageTold(number=question.number))
        assert all(reply["type"] == "UsageFound" for reply in await asyncio.gather(*many))

    play(scene)


def test_what_a_node_answers_is_bounded(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        job = await s.client().submit()
        await s.until(lambda: node.of(n.LaunchBatch))
        s.ctl.links.usage.patience = 0.2
        asked = s.client().begin("FindUsage", ids=[str(job)])
        await s.until(lambda: node.of(n.AskUsage))
        bad = msgspec.structs.replace(used(1.0, 10, "cn01", 0), user_seconds=-1.0)
        node.send(n.UsageTold(number=node.of(n.AskUsage)[0].number, steps=[n.StepNow(job=job, attempt=1, step=-5, usage=bad)]))
        step = (await asked)["steps"][0]
        assert (step["silent"], step.get("usage")) == ("cn01", None)
        assert [type(error) for error in s.network.errors] == [InvalidRequest], "its connection was closed"
        s.network.errors.clear()

    play(scene)


def test_how_often_usage_is_looked_at_travels_with_job_and_step(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        jobs = [await s.client().submit(), await s.client().submit(sample_seconds=7)]
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        assert [order.sampling for order in node.of(n.LaunchBatch)] == [-1, 7]
        key = Checker(node.of(n.NodeAccepted)[0].step_key).genuine
        for job, asked, found in ((jobs[0], {}, -1), (jobs[1], {}, 7), (jobs[1], {"sample_seconds": 0}, 0)):
            granted = await s.client().ask("CreateStep", job_id=job, request={"name": "s", "ntasks": 1, "overlap": True, **asked})
            assert opened(granted["credential"], key).sampling == found

    play(scene)


def test_a_step_of_which_srun_says_that_it_is_over_waits_for_what_its_nodes_report(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        job = await running(s, nodes)
        finished = s.client().begin("FinishStep", job_id=job, step_id=0, status=0)
        nodes[0].report(n.StepEnded, job=job, attempt=1, step=0, status=0, usage=used(2.0, 30, "cn01", 0, 1))
        await s.until(lambda: s.ctl.cluster.job(job).steps[0].nodes_left == ["cn02"])
        assert not finished.done()
        assert s.ctl.cluster.job(job).steps[0].usage.user_seconds == 2.0
        nodes[1].report(n.StepEnded, job=job, attempt=1, step=0, status=0, usage=used(4.0, 30, "cn02", 2))
        assert (await finished)["type"] == "Done"
        assert 0 not in s.ctl.cluster.job(job).steps

    play(scene)


def test_a_node_that_is_away_or_never_reports_keeps_no_srun_waiting_for_long(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(s: Stage) -> None:
        nodes = [await s.node("cn01"), await s.node("cn02")]
        job = await running(s, nodes)
        monkeypatch.setattr(steps, "REPORT_SECONDS", 0.2)
        assert (await s.client().ask("FinishStep", job_id=job, step_id=0, status=0))["type"] == "Done"
        assert 0 not in s.ctl.cluster.job(job).steps

    play(scene)
