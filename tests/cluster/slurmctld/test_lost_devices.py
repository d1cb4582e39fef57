"""A GPU that a node loses: the node is drained with that as its reason, its jobs go on, and the one that has it is told."""

from __future__ import annotations

from slurm.model.ids import NodeName
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import CONF, Play, Stage

GPUS = CONF.replace("NodeName=cn[01-02]", "GresTypes=gpu\nNodeName=cn[01-02] Gres=gpu:2")


def test_a_lost_gpu_drains_its_node_and_the_job_that_has_it_is_told(play: Play) -> None:
    async def scene(s: Stage) -> None:
        node = await s.node("cn01")
        first, second = [await s.client().submit(gres="gpu:1") for _ in range(2)]
        await s.until(lambda: len(node.of(n.LaunchBatch)) == 2)
        for job in (first, second):
            node.report(n.BatchLaunched, job=job, attempt=1)
        lost = [n.LostDevice(name="gpu", index=1, why="/dev/nvidia1 is gone"), n.LostDevice(name="gpu", index=7, why="there is none")]
        node.send(n.DevicesLost(lost=lost))
        await s.until(lambda: node.of(n.NotifyJob))
        record = s.ctl.cluster.nodes[NodeName("cn01")]
        assert (record.drain, record.reason, record.reason_user) == (True, "gpu 1 lost: /dev/nvidia1 is gone", "slurm")
        assert [s.state(job) for job in (first, second)] == ["RUNNING", "RUNNING"]
        assert (await s.client(0).ask("UpdateNode", nodes="cn01", changes={"State": "RESUME"}))["type"] == "Done"
        node.send(n.DevicesLost(lost=lost))
        await s.until(lambda: record.drain)
        (told,) = node.of(n.NotifyJob)
        assert (told.job, told.text) == (second, "cn01: gpu 1 of this job is lost: /dev/nvidia1 is gone")
        assert (await s.client(0).ask("UpdateNode", nodes="cn01", changes={"State": "RESUME"}))["type"] == "Done"
        node.send(n.DevicesLost(lost=[]))
        node.finish(first)
        await s.until(lambda: s.state(first) == "COMPLETED")
        assert not record.drain

    play(scene, conf=GPUS, gres="Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
