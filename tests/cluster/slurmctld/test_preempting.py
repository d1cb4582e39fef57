"""Preemption through the controller: the node is told why, the job starts when it is free, also after a restart between; gangs take turns."""

from __future__ import annotations

from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import CONF, FakeNode, Play, Stage

TWO = (CONF + "PartitionName=urgent Nodes=cn01 PriorityTier=10\nPreemptType=preempt/partition_prio\nPreemptMode=REQUEUE,GANG\n"
       "SchedulerTimeSlice=5\n")


async def full(s: Stage) -> tuple[int, FakeNode, int]:
    """A job that has all CPUs of the node."""
    node = await s.node("cn01")
    cpus = s.ctl.cluster.nodes[node.name].cpus  # type: ignore[index]
    job = await s.client().submit(cpus_per_task=cpus, nodelist="cn01")
    await s.until(lambda: node.of(n.LaunchBatch))
    node.report(n.BatchLaunched, job=job, attempt=1)
    await s.until(lambda: s.ctl.cluster.job(job).launched)
    return job, node, cpus


def test_a_job_gives_way_and_what_it_leaves_is_kept_through_a_restart(play: Play) -> None:
    async def scene(s: Stage) -> None:
        low, node, cpus = await full(s)
        urgent = await s.client().submit(cpus_per_task=cpus, nodelist="cn01", partition="urgent")
        await s.until(lambda: node.of(n.TerminateJob))
        assert [order.why for order in node.of(n.TerminateJob)] == ["preempted"]
        assert s.ctl.cluster.job(urgent).promise is not None
        node.holdings = [n.Holding(job=low, attempt=1, step=-5)]
        await s.restart()
        assert s.ctl.cluster.job(urgent).promise is not None
        await s.until(lambda: len(node.of(n.TerminateJob)) > 1)
        assert {order.why for order in node.of(n.TerminateJob)} == {"preempted"}
        node.finish(low)
        await s.until(lambda: s.state(urgent) == "RUNNING")
        assert s.ctl.cluster.job(low).restarts == 1

    play(scene, conf=TWO)
