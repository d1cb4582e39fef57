"""Light nodes (slurm.testing.light_nodes): what they must have in common with slurmd, and a thousand of them at once."""

import asyncio
from pathlib import Path

import pytest

from bench.scale import Scale
from slurm.testing.light_nodes import LightNode, LightNodes
from tests.cluster.slurmctld.conftest import CONF, Play, Stage

THOUSAND = CONF.replace("NodeName=cn[01-02] CPUs=4 RealMemory=4000 NodeHostname=localhost", "MaxArraySize=10001\nNodeName=cn[0001-1000] CPUs=4 RealMemory=4000 NodeHostname=localhost")


async def light(stage: Stage, seconds: float = 0.0) -> list[LightNode]:
    """Light nodes on every node of the stage, registered."""
    nodes = [LightNode(conf, lambda order: seconds) for conf in stage.config.nodes]
    for node in nodes:
        node.link = stage.network.link("slurmctld", node, uid=0)
        node.link.start()
    await asyncio.wait_for(asyncio.gather(*(node.accepted.wait() for node in nodes)), 60)
    return nodes


def test_an_array_runs_through_a_thousand_light_nodes(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = await light(s)
        array = await s.client().submit(array="1-3000")
        await s.until(lambda: sum(node.launched for node in nodes) == 3000, 60)
        await s.until(lambda: not s.ctl.cluster.active)
        assert s.ctl.cluster.arrays[array].finished
        assert sum(node.launched > 0 for node in nodes) > 700
        await asyncio.gather(*(node.close() for node in nodes))

    play(scene, THOUSAND)


def test_what_a_light_node_runs_outlives_the_controller_and_is_reported_to_the_next(play: Play) -> None:
    async def scene(s: Stage) -> None:
        nodes = await light(s, 0.5)
        job = await s.client().submit()
        await s.until(lambda: any(node.running for node in nodes))
        await s.restart()
        await s.until(lambda: s.state(job) == "COMPLETED")
        assert sum(node.launched for node in nodes) == 1
        await asyncio.gather(*(node.close() for node in nodes))

    play(scene)


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_cancelled_job_is_ended_on_all_of_its_light_nodes(play: Play, nodes: int) -> None:
    async def scene(s: Stage) -> None:
        all_of_them = await light(s, 600.0)
        job = await s.client().submit(nodes_min=nodes, ntasks=nodes)
        await s.until(lambda: any(node.running for node in all_of_them))
        await s.client().ask("CancelJobs", filter={"ids": [str(job)]})
        await s.until(lambda: not s.ctl.cluster.active)
        assert s.state(job) == "CANCELLED" and not any(node.running for node in all_of_them)
        await asyncio.gather(*(node.close() for node in all_of_them))

    play(scene)


def test_light_nodes_serve_a_slurmctld_of_its_own_over_its_socket(tmp_path: Path) -> None:
    scale = Scale(tmp_path, 20, 40)
    scale.start()
    try:
        row = asyncio.run(scale.measure(rest_seconds=0.1))
    finally:
        scale.stop()
    assert row.nodes == 20 and row.jobs_second > 1 and row.job_ms > 0
    assert LightNodes(str(scale.conf), ["n1", "n7"]).nodes[1].name == "n7"
