"""Nodes of 256 and 4,096 CPUs and of more than 64 devices, from submission to the order that a node gets, and back from the disk."""

from __future__ import annotations

import re
from typing import Any

from slurm.model.cpu_set import CpuSet
from slurm.wire import node_messages as n
from slurm.wire.step_credential import opened
from tests.cluster.slurmctld.conftest import CONF, Client, Play, Stage

LARGE = re.sub(r"NodeName=.*", """GresTypes=gpu
SelectType=select/cons_tres
NodeName=cn01 CPUs=256 Sockets=4 CoresPerSocket=64 RealMemory=100000 NodeHostname=localhost Gres=gpu:h100:2,gpu:1g.10gb:98
NodeName=cn02 CPUs=4096 Sockets=8 CoresPerSocket=512 RealMemory=100000 NodeHostname=localhost""", CONF)
GRES = """
NodeName=cn01 Name=gpu Type=h100 File=/dev/nvidia[0-1] Cores=0-127
NodeName=cn01 Name=gpu Type=1g.10gb File=/dev/nvidia-caps/nvidia-cap[2-99] Cores=128-255
"""


async def shown(client: Client, job: int) -> str:
    """The line of `scontrol -d show job` about what a job holds."""
    text = str((await client.ask("Describe", what="job", names=[str(job)], detail=True))["text"])
    [line] = [line.strip() for line in text.splitlines() if line.startswith("     Nodes=")]
    return line


async def step(client: Client, job: int, **request: Any) -> Any:
    """What the step that a request gets has on its node, as slurmd reads it."""
    granted = await client.ask("CreateStep", job_id=job, request={"name": "s", **request})
    assert granted["type"] == "StepGranted", granted
    [share] = opened(granted["credential"], lambda signature, text: True).shares
    return share


def test_a_job_takes_the_cpus_from_64_on_and_the_order_the_step_and_scontrol_say_so(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, client = await s.node("cn01"), s.client()
        first = await client.submit(ntasks=64, nodelist="cn01", distribution="block:block")
        second = await client.submit(ntasks=100, nodelist="cn01", distribution="block:block")
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        assert [order.cpus for order in node.of(n.LaunchBatch)] == [CpuSet.run(64), CpuSet.run(100, 64)]
        assert await shown(client, first) == "Nodes=cn01 CPU_IDs=0-63 Mem=640 GRES="
        assert await shown(client, second) == "Nodes=cn01 CPU_IDs=64-163 Mem=1000 GRES="
        node.report(n.BatchLaunched, job=second, attempt=1)
        await s.until(lambda: s.ctl.cluster.job(second).launched)
        assert (await step(client, second, ntasks=2, cpus_per_task=35)).cpus == CpuSet.run(70, 64)
        assert (await step(client, second, ntasks=1, cpus_per_task=30)).cpus == CpuSet.run(30, 134)
        waits = await client.submit(ntasks=93, nodelist="cn01", distribution="block:block")
        await s.until(lambda: s.ctl.planner.verdicts.get(waits))
        assert "room for 92 of its 93 tasks" in str(await client.ask("ExplainJob", job_id=str(waits)))

    play(scene, LARGE, GRES)


def test_what_was_given_is_the_same_after_a_restart_and_nothing_is_given_twice(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, client = await s.node("cn01"), s.client()
        job = await client.submit(ntasks=200, gres="gpu:1g.10gb:90", nodelist="cn01", distribution="block:block")
        await s.until(lambda: node.of(n.LaunchBatch))
        [order] = node.of(n.LaunchBatch)
        # Near to its devices first.
        assert order.cpus == CpuSet.run(128, 128) | CpuSet.run(72)
        assert order.devices == [f"/dev/nvidia-caps/nvidia-cap{number}" for number in range(2, 92)]
        before = await shown(client, job)
        assert before == "Nodes=cn01 CPU_IDs=0-71,128-255 Mem=2000 GRES=gpu:1g.10gb:90(IDX:2-91)"
        await s.restart()
        assert await shown(s.client(), job) == before
        other = await s.client().submit(ntasks=56, gres="gpu:10", nodelist="cn01", distribution="block:block")
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2 or node.of(n.LaunchBatch)[-1].job == other)
        last = node.of(n.LaunchBatch)[-1]
        assert last.cpus == CpuSet.run(56, 72)
        assert await shown(s.client(), other) == "Nodes=cn01 CPU_IDs=72-127 Mem=560 GRES=gpu:h100:2(IDX:0-1),gpu:1g.10gb:8(IDX:92-99)"

    play(scene, LARGE, GRES)


def test_an_exclusive_job_has_4096_cpus_and_its_steps_parts_of_them(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node, client = await s.node("cn02"), s.client()
        job = await client.submit(exclusive="node", nodelist="cn02")
        await s.until(lambda: node.of(n.LaunchBatch))
        assert node.of(n.LaunchBatch)[0].cpus == CpuSet.run(4096)
        assert (await shown(client, job)).startswith("Nodes=cn02 CPU_IDs=0-4095 Mem=")
        assert (await step(client, job, ntasks=1, cpus_per_task=4000)).cpus == CpuSet.run(4000)
        assert (await step(client, job, ntasks=1, cpus_per_task=96)).cpus == CpuSet.run(96, 4000)
        node.finish(job)
        await s.until(lambda: s.state(job) == "COMPLETED")
        assert not s.ctl.cluster.nodes["cn02"].cpus_used  # type: ignore[index]

    play(scene, LARGE, GRES)
