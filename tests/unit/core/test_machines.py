"""Nodes and configuration: registration, silence, loss, return, reconfiguration."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from slurm.core import events as e
from slurm.core import invariants
from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.model import msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.node import GresPool
from slurm.model.settings import Settings
from slurm.model.states import JobState, NodeState
from slurm.testing import builders as b

CN01 = b.NodeName("cn01")


def test_nodes_are_unknown_until_they_register() -> None:
    node = b.node()
    c = b.build([node], [b.partition("debug", [node])], up=False)
    assert c.nodes[CN01].state is NodeState.UNKNOWN
    c.apply(b.registered(node, version="26.11.0"))
    assert c.nodes[CN01].usable
    assert c.nodes[CN01].version == "26.11.0"


def test_a_silent_node_is_not_used_until_it_is_back() -> None:
    c = b.cluster()
    job = b.started(c)
    c.apply(e.NodeSilent(at=b.T0, node=CN01))
    assert not c.nodes[CN01].usable
    c.apply(b.registered(c.nodes[CN01]))
    assert c.nodes[CN01].usable
    assert job.state is JobState.RUNNING


@pytest.mark.parametrize(("rule", "why", "back"), [(0, "Not responding", False), (1, "Not responding", True), (1, "smoke", False), (2, "smoke", True)])
def test_return_to_service_decides_about_lost_nodes(rule: int, why: str, back: bool) -> None:
    c = b.cluster(return_to_service=rule)
    c.apply(e.NodeLost(at=b.T0, node=CN01, why=why))
    assert (c.nodes[CN01].state, c.nodes[CN01].reason) == (NodeState.DOWN, why)
    c.apply(b.registered(c.nodes[CN01]))
    assert c.nodes[CN01].usable is back


@pytest.mark.parametrize(("less", "reason"), [
    ({"memory": 900}, "Low RealMemory (reported:900 < 100.00% of configured:64000)"), ({"cpus": 4}, "Low CPUs (reported:4 < configured:16)"),
    ({"gres": [GresPool(name="gpu", type="a100", count=1)]}, "gres/gpu count reported lower than configured (1 < 2)"),
])
def test_a_machine_with_less_than_configured_is_drained(less: dict[str, object], reason: str) -> None:
    c = b.cluster(gpus=2)
    c.apply(b.registered(c.nodes[CN01], **less))
    assert (c.nodes[CN01].drain, c.nodes[CN01].reason) == (True, reason)


def test_emulated_nodes_keep_what_the_file_says() -> None:
    c = b.lab_cluster()
    c.apply(b.registered(c.nodes[CN01], cpus=2, memory=100))
    assert c.nodes[CN01].usable
    assert c.nodes[CN01].cpus == 16


def test_detected_device_files_are_noted() -> None:
    node = b.node(gpus=2)
    node.gres[0].files = []
    c = b.build([node], [b.partition("debug", [node])], up=False)
    c.apply(b.registered(node, gres=[GresPool(name="gpu", type="", count=2, files=["/dev/nvidia0", "/dev/nvidia1"], cores=CpuSet(0b11))]))
    assert c.nodes[CN01].gres[0].files == ["/dev/nvidia0", "/dev/nvidia1"]


def test_detected_devices_near_different_cores_become_pools_that_a_new_configuration_keeps() -> None:
    node = b.node(gpus=3)
    node.gres[0].files = []
    c = b.build([node], [b.partition("debug", [node])], up=False)
    found = [GresPool(name="gpu", type="a", count=2, files=["/dev/n0", "/dev/n1"], cores=CpuSet(0b0011)),
             GresPool(name="gpu", type="a", count=1, first=2, files=["/dev/n2"], cores=CpuSet(0b1100))]
    found = [replace(pool, type=node.gres[0].type) for pool in found]
    c.apply(b.registered(node, gres=found))
    assert c.nodes[CN01].gres == found
    again = b.node(gpus=3)
    again.gres[0].files = []
    c.apply(e.Configured(at=b.T0 + 9, settings=Settings(), nodes=[again], partitions=[b.partition("debug", [again])], keeps="state"))
    assert c.nodes[CN01].gres == found


def test_a_rebooted_node_has_lost_its_jobs() -> None:
    c = b.cluster()
    job = b.started(c, requeue=False)
    c.apply(b.registered(c.nodes[CN01], rebooted=True))
    assert job.state is JobState.NODE_FAIL
    assert c.nodes[CN01].usable


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(IllegalTransition, match="node cn99 is not known"):
        b.cluster().apply(e.NodeSilent(at=b.T0, node=b.NodeName("cn99")))


def test_a_new_configuration_keeps_jobs_drains_and_partition_states() -> None:
    c = b.cluster(nodes=2)
    job = b.started(c)
    c.apply(e.NodeUpdated(at=b.T0, node=CN01, by=b.ROOT.uid, by_name="root", state="DRAIN", reason="bad dimm"))
    c.partitions["debug"].state = "DOWN"
    nodes = [b.node(f"cn{i:02d}", memory=70000) for i in (1, 2, 3)]
    c.apply(e.Configured(at=b.T0 + 9, settings=Settings(kill_wait=7), nodes=nodes, partitions=[b.partition("debug", nodes)], keeps="state"))
    node = c.nodes[CN01]
    assert (node.drain, node.reason, node.memory, node.jobs) == (True, "bad dimm", 70000, {job.id})
    assert (c.partitions["debug"].state, c.settings.kill_wait, len(c.nodes)) == ("DOWN", 7, 3)
    invariants.assert_valid(c)


def test_jobs_on_a_node_that_left_the_configuration_lose_it() -> None:
    c = b.cluster(nodes=2)
    job = b.started(c, "cn01", requeue=False)
    rest = [b.node("cn02")]
    c.apply(e.Configured(at=b.T0, settings=Settings(), nodes=rest, partitions=[b.partition("debug", rest)]))
    assert job.state is JobState.NODE_FAIL
    assert list(c.nodes) == ["cn02"]
    invariants.assert_valid(c)


def test_the_fold_leaves_its_events_as_they_were() -> None:
    nodes = [b.node(gpus=2)]
    event = e.Configured(at=b.T0, settings=Settings(), nodes=nodes, partitions=[b.partition("debug", nodes, default=True)])
    before = msgpack.encode(event)
    c = Cluster()
    c.apply(event)
    c.apply(b.registered(nodes[0]))
    b.started(c)
    assert msgpack.encode(event) == before
