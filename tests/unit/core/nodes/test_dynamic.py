"""Nodes and partitions that are made and deleted while the cluster runs: the fold, and what is refused."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import partition_update
from slurm.core.cluster import Cluster
from slurm.core.nodes import dynamic
from slurm.model.errors import SlurmError
from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.settings import Settings
from slurm.testing import builders as b

D1 = NodeName("d1")


def made(name: str = "d1") -> Node:
    return b.node(name, 4, 8000, line=f"NodeName={name} CPUs=4 RealMemory=8000 State=CLOUD")


def with_node(c: Cluster) -> Node:
    c.apply(e.NodesCreated(at=b.T0, nodes=[made()], members={"debug": [D1]}))
    return c.nodes[D1]


def refused(work: object, *arguments: object) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        work(*arguments)  # type: ignore[operator]
    return raised.value


def test_a_node_that_is_made_stands_behind_all_others_and_in_its_partitions() -> None:
    c = b.lab_cluster()
    node = with_node(c)
    assert node.position == 1 + max(other.position for name, other in c.nodes.items() if name != D1)
    assert D1 in c.partitions["debug"].nodes and D1 not in c.partitions["batch"].nodes


def test_a_node_that_was_made_runs_jobs_once_it_has_registered() -> None:
    c = b.lab_cluster()
    node = with_node(c)
    assert not node.usable
    c.apply(b.registered(node))
    job = b.started(c, "d1")
    assert node.jobs == {job.id}


def test_a_node_is_deleted_only_when_nothing_has_it_and_slurm_conf_does_not() -> None:
    c = b.lab_cluster()
    node = with_node(c)
    c.apply(b.registered(node))
    assert "slurm.conf" in refused(dynamic.deleted, c, [NodeName("cn01")], b.ROOT, b.T0).hints[0]
    assert refused(dynamic.deleted, c, [D1], b.BOB, b.T0).name == "ESLURM_USER_ID_MISSING"
    job = b.started(c, "d1")
    assert refused(dynamic.deleted, c, [D1], b.ROOT, b.T0).message == "Requested nodes are busy"
    b.finish(c, job)
    for event in dynamic.deleted(c, [D1], b.ROOT, b.T0 + 9):
        c.apply(event)
    assert D1 not in c.nodes and D1 not in c.partitions["debug"].nodes


def test_max_node_count_bounds_how_many_there_are() -> None:
    c = b.lab_cluster(max_node_count=5)
    dynamic.room(c, 1)
    assert "MaxNodeCount=5" in refused(dynamic.room, c, 2).hints[0]
    assert "not set" in refused(dynamic.room, b.lab_cluster(), 1).hints[0]


def test_a_partition_is_made_with_the_keys_of_its_line_and_may_become_the_default() -> None:
    c = b.lab_cluster()
    for event in partition_update.create_partition(c, "night", {"Nodes": "cn[01-02]", "MaxTime": "10", "Default": "YES"}, b.ROOT, b.T0):
        c.apply(event)
    night = c.partitions["night"]
    assert (night.nodes, night.max_time, night.position, c.default_partition()) == (["cn01", "cn02"], 600, 3, "night")
    assert refused(partition_update.create_partition, c, "night", {}, b.ROOT, b.T0).message == "Invalid partition name specified"
    assert refused(partition_update.create_partition, c, "new", {"Foo": "1"}, b.ROOT, b.T0).message.startswith("Update of this parameter")
    assert refused(partition_update.create_partition, c, "new", {}, b.ALICE, b.T0).message == "Invalid user id"


def test_a_partition_is_not_deleted_while_jobs_use_it() -> None:
    c = b.lab_cluster()
    running = b.started(c, "cn01", partition="batch")
    waiting = b.submit(c, partition="batch,debug")
    assert refused(partition_update.delete_partition, c, "batch", b.ROOT, b.T0).message == "Partition is in use"
    b.finish(c, running)
    assert refused(partition_update.delete_partition, c, "batch", b.ROOT, b.T0).message == "Partition is in use"
    c.apply(e.Cancelled(at=b.T0 + 2, job=waiting.id, by=b.ROOT.uid))
    for event in partition_update.delete_partition(c, "batch", b.ROOT, b.T0 + 3):
        c.apply(event)
    assert "batch" not in c.partitions
    assert refused(partition_update.delete_partition, c, "batch", b.ROOT, b.T0).message == "Invalid partition name specified"


@pytest.mark.parametrize(("keeps", "state", "time", "there"), [("", "UP", 3600, False), ("state", "DOWN", 3600, False), ("all", "DOWN", 60, True)])
def test_what_stays_of_partitions_when_slurm_conf_is_read_is_said_by_the_event(keeps: str, state: str, time: int, there: bool) -> None:
    nodes = [b.node("cn01"), b.node("cn02")]
    c = b.build(nodes, [b.partition("debug", nodes, default=True, max_time=3600)])
    c.apply(e.PartitionCreated(at=b.T0, partition=b.partition("night", nodes)))
    for event in partition_update.update_partition(c, "debug", {"State": "DOWN", "MaxTime": "1"}, b.ROOT, b.T0):
        c.apply(event)
    c.apply(e.Configured(
        at=b.T0 + 9, settings=Settings(), nodes=nodes[:1], partitions=[b.partition("debug", nodes[:1], default=True, max_time=3600)], keeps=keeps))
    debug = c.partitions["debug"]
    assert (debug.state, debug.max_time, "night" in c.partitions) == (state, time, there)
    assert all(name in c.nodes for partition in c.partitions.values() for name in partition.nodes)
