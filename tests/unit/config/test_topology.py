"""topology.conf, topology.yaml and the Topology= of nodes and partitions."""

from __future__ import annotations

import pytest

from slurm.config.config import Config
from slurm.model.errors import ConfigError
from slurm.model.topology import Topology, Unit

HEAD = "SlurmctldHost=head\nNodeName=n[1-8]{node}\nPartitionName=p Nodes=ALL{partition}\nTopologyPlugin=topology/{plugin}\n"
YAML = """
- topology: wires
  cluster_default: true
  tree:
    switches:
      - switch: top
        children: s[0-1]
      - switch: s0
        nodes: n[1-4]
      - switch: s1
        nodes: n[5-8]
- topology: racks
  cluster_default: false
  block:
    block_sizes:
      - 2
      - 4
    blocks:
      - block: b0
        nodes: n[1-4]
      - block: b1
        nodes: n[5-8]
- topology: even
  flat: true
"""


def conf(text: str, plugin: str = "tree", name: str = "topology.conf", *, node: str = "", partition: str = "", more: str = "") -> Config:
    return Config("slurm.conf", HEAD.format(plugin=plugin, node=node, partition=partition) + more, {name: text})


def wrong(text: str, plugin: str = "tree", name: str = "topology.conf", **more: str) -> str:
    with pytest.raises(ConfigError) as caught:
        conf(text, plugin, name, **more)
    return "\n".join(caught.value.lines())


def test_switches_are_read_and_their_speed_is_kept() -> None:
    found = conf("SwitchName=s0 Nodes=n[1-4] LinkSpeed=100\nSwitchName=s1 Nodes=n[5-8]\nSwitchName=top Switches=s[0-1]\n")
    assert found.topologies == [Topology(kind="tree", units=[Unit("s0", "n[1-4]", speed="100"), Unit("s1", "n[5-8]"), Unit("top", children="s[0-1]")])]
    assert found.warnings == []


def test_blocks_are_read_and_without_sizes_the_smallest_is_the_base() -> None:
    lines = "BlockName=b0 Nodes=n[1-3]\nBlockName=b1 Nodes=n[4-8]\n"
    assert conf(lines, "block").topologies[0].sizes == [3]
    assert conf(f"{lines}BlockSizes=3,6\n", "block").topologies[0].sizes == [3, 6]


def test_without_a_plugin_the_file_is_not_looked_at_and_a_plugin_without_a_file_is_told_of() -> None:
    assert conf("SwitchName=s0 Nodes=n1\n", "flat").topologies == []
    assert any("without topology.conf" in line for line in conf("", "tree", "gres.conf").warnings)


def test_a_topology_yaml_describes_several_and_counts_before_topology_conf() -> None:
    found = conf(YAML, "flat", "topology.yaml", partition=" Topology=racks")
    assert [(one.name, one.kind, one.default, one.sizes) for one in found.topologies] == [
        ("wires", "tree", True, []), ("racks", "block", False, [2, 4]), ("even", "flat", False, [])]
    assert found.partitions[0].topology == "racks"
    both = Config("slurm.conf", HEAD.format(plugin="tree", node="", partition=""), {"topology.conf": "SwitchName=x Nodes=n1\n", "topology.yaml": YAML})
    assert [one.name for one in both.topologies] == ["wires", "racks", "even"]


def test_a_node_may_say_itself_where_it_lies() -> None:
    found = conf("SwitchName=s0 Nodes=n[1-4]\nSwitchName=s1 Nodes=n[5-6]\nSwitchName=top Switches=s[0-1]\n", node="\nNodeName=n9 Topology=default:top.s1")
    assert found.topologies[0].units[1].nodes == "n[5-6,9]"
    assert "Topology=default:s7 is no place for node n9" in wrong("SwitchName=s0 Nodes=n[1-8]\n", node="\nNodeName=n9 Topology=default:s7")


def test_topo_optional_is_read_and_what_is_not_carried_out_is_told_of() -> None:
    lines = "SwitchName=s0 Nodes=n[1-8]\n"
    assert conf(lines, more="TopologyParam=TopoOptional,RouteTree\n").topologies[0].optional
    assert conf(lines, more="TopologyParam=Dragonfly\n").warnings == ["slurm.conf:5: TopologyParam=Dragonfly is not carried out yet"]


def test_nodes_that_are_unknown_outside_or_under_two_switches_are_told_of() -> None:
    told = conf("SwitchName=s0 Nodes=n[1-4],x1\nSwitchName=s1 Nodes=n[4-6]\nSwitchName=top Switches=s[0-1]\n").warnings
    assert [line.partition(": ")[2] for line in told] == [
        "SwitchName=s0: x1 is no node of this cluster and is left out", "node n4 lies under s0 and s1: s0 counts",
        "n[7-8] lies under none of topology default: no job has it together with other nodes"]


@pytest.mark.parametrize(("text", "plugin", "name", "words"), [
    ("SwitchName=s0 Nodes=n[1-4]\nSwitchName=s0 Nodes=n5\n", "tree", "topology.conf", "Duplicate SwitchName s0"),
    ("SwitchName=s0\n", "tree", "topology.conf", "neither nodes nor switches below it"),
    ("SwitchName=s0 Nodes=n1 Switches=s0\n", "tree", "topology.conf", "both nodes and switches below it"),
    ("SwitchName=s0 Nodes=n[1-8]\nSwitchName=t Switches=s1\n", "tree", "topology.conf", "there is no switch s1"),
    ("SwitchName=a Switches=b\nSwitchName=b Switches=a\n", "tree", "topology.conf", "lies below itself"),
    ("BlockName=b0 Nodes=n1\n", "tree", "topology.conf", "BlockName in a topology of the kind tree"),
    ("LinkSpeed=3\n", "tree", "topology.conf", "a line of topology.conf without SwitchName"),
    ("BlockName=b0 Nodes=n1\nBlockSizes=4\n", "block", "topology.conf", "a block has 1 nodes"),
    ("BlockName=b0 Nodes=n[1-8]\nBlockSizes=2,6\n", "block", "topology.conf", "6 is no size of blocks of 2"),
    ("BlockName=b0 Nodes=n[1-8]\nBlockSizes=two\n", "block", "topology.conf", "BlockSizes=two is no number of nodes"),
    ("- topology: [", "flat", "topology.yaml", "no valid YAML"),
    ("- topology: a\n", "flat", "topology.yaml", "an entry that is no topology"),
    ("- topology: a\n  tree: {switches: [{nodes: n1}]}\n", "flat", "topology.yaml", "an entry that is no topology"),
    ("- topology: a\n  flat: true\n- topology: a\n  flat: true\n", "flat", "topology.yaml", "Duplicate topology a"),
])
def test_a_description_that_makes_no_sense_is_refused(text: str, plugin: str, name: str, words: str) -> None:
    assert words in wrong(text, plugin, name)


def test_a_partition_of_an_unknown_topology_is_refused() -> None:
    assert "Topology=racks of partition p: there is no such topology" in wrong("SwitchName=s0 Nodes=n[1-8]\n", partition=" Topology=racks")
