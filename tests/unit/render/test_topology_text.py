"""`scontrol show topology`, as a real Slurm 22.05 prints the same topology.conf, and where a node lies as its jobs read it."""

from __future__ import annotations

import pytest

from slurm.core import network
from slurm.model.errors import NotFound
from slurm.model.topology import Topology, Unit
from slurm.render.topology_text import show

TREE = Topology(kind="tree", units=[
    Unit("s0", "cn[01-04]"), Unit("s1", "cn[05-06]", speed="100"), Unit("s2", "cn[07-09]"), Unit("t0", children="s[0-1]"), Unit("root", children="t0,s2")])
BLOCKS = Topology(name="racks", kind="block", sizes=[2, 4], default=False, units=[Unit(f"b{i}", f"cn0{2 * i + 1},cn0{2 * i + 2}") for i in range(3)])
LINES = [
    "SwitchName=s0 Level=0 LinkSpeed=1 Nodes=cn[01-04]", "SwitchName=s1 Level=0 LinkSpeed=100 Nodes=cn[05-06]", "SwitchName=s2 Level=0 LinkSpeed=1 Nodes=cn[07-09]",
    "SwitchName=t0 Level=1 LinkSpeed=1 Nodes=cn[01-06] Switches=s[0-1]", "SwitchName=root Level=2 LinkSpeed=1 Nodes=cn[01-09] Switches=t0,s2"]


def test_switches_are_shown_leaves_first_and_those_above_a_node_or_one_by_its_name() -> None:
    assert show([TREE], []) == LINES
    assert show([TREE], ["cn05"]) == [LINES[1], LINES[3], LINES[4]]
    assert show([TREE], ["t0"]) == show([TREE], ["switch=t0"]) == [LINES[3]]
    assert show([], []) == show([Topology()], []) == show([], ["cn01"]) == []


def test_a_name_that_is_none_is_refused_in_slurms_words() -> None:
    with pytest.raises(NotFound, match="Topology information contains no switch, block or node named nope"):
        show([TREE], ["nope"])


def test_blocks_are_shown_with_those_that_they_make_up() -> None:
    assert show([TREE, BLOCKS], ["racks"]) == [
        "BlockName=b0 BlockIndex=0 Nodes=cn[01-02] BlockSize=2", "BlockName=b1 BlockIndex=1 Nodes=cn[03-04] BlockSize=2",
        "BlockName=b2 BlockIndex=2 Nodes=cn[05-06] BlockSize=2", "AggregatedBlock=b[0-1] BlockIndex=3 Nodes=cn[01-04] BlockSize=4"]
    assert show([BLOCKS], ["block=b1"]) == ["BlockName=b1 BlockIndex=1 Nodes=cn[03-04] BlockSize=2"]
    assert show([BLOCKS], ["racks", "node=cn04"]) == [
        "BlockName=b1 BlockIndex=1 Nodes=cn[03-04] BlockSize=2", "AggregatedBlock=b[0-1] BlockIndex=3 Nodes=cn[01-04] BlockSize=4"]


@pytest.mark.parametrize(("wanted", "node", "address", "pattern"), [
    ("", "cn05", "root.t0.s1.cn05", "switch.switch.switch.node"), ("", "cn08", "root.s2.cn08", "switch.switch.node"), ("", "elsewhere", "elsewhere", "node"),
    ("racks", "cn05", "b2.cn05", "block.node"), ("none", "cn05", "cn05", "node")])
def test_a_job_reads_the_way_to_its_node(wanted: str, node: str, address: str, pattern: str) -> None:
    assert network.address([TREE, BLOCKS], wanted, node) == (address, pattern)


def test_a_cluster_without_topology_knows_nodes_only() -> None:
    assert network.address([], "", "cn01") == ("cn01", "node")
