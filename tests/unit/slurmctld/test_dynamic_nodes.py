"""NodeName lines that become nodes while the cluster runs: their partitions, their refusals, and what a restart makes of them."""

from __future__ import annotations

import pytest

from slurm.config.config import Config, parse
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.errors import SlurmError
from slurm.model.ids import NodeName
from slurm.model.states import NodeState, Power
from slurm.slurmctld import dynamic_nodes, setup
from slurm.testing import builders as b

TEXT = """
ClusterName=c
SlurmctldHost=head
MaxNodeCount=10
ResumeProgram=/bin/true
GresTypes=gpu
NodeSet=ns1 Feature=f1
NodeName=DEFAULT CPUs=8
NodeName=cn[1-2] RealMemory=1000
PartitionName=all Nodes=ALL Default=YES
PartitionName=dyn Nodes=ns1
PartitionName=two Nodes=cn[1-2]
"""


def begun(text: str = TEXT) -> tuple[Config, Cluster]:
    conf = parse(text)
    c = Cluster()
    c.apply(setup.configured(conf, b.T0, [0]))
    return conf, c


def create(conf: Config, c: Cluster, **changes: str) -> e.Event:
    [event] = dynamic_nodes.created(conf, c, changes, b.T0 + 1)
    c.apply(event)
    return event


def refused(conf: Config, c: Cluster, **changes: str) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        create(conf, c, **changes)
    return raised.value


def test_nodes_are_made_as_their_line_says_in_the_partitions_of_all_and_of_their_features() -> None:
    conf, c = begun()
    create(conf, c, NodeName="d[1-2]", CPUs="2", RealMemory="500", Features="f1", Gres="gpu:2", State="cloud")
    node = c.nodes[NodeName("d2")]
    assert (node.cpus, node.memory, node.cloud, node.power, node.state) == (2, 500, True, Power.OFF, NodeState.IDLE)
    assert node.line == "NodeName=d2 CPUs=2 RealMemory=500 Features=f1 Gres=gpu:2 State=cloud"
    assert {name for name, partition in c.partitions.items() if "d1" in partition.nodes} == {"all", "dyn"}


def test_each_node_of_a_line_keeps_its_own_address_and_port() -> None:
    conf, c = begun()
    create(conf, c, NodeName="d[1-2]", CPUs="2", NodeAddr="10.0.0.[1-2]", Port="7001-7002", State="CLOUD")
    assert c.nodes[NodeName("d2")].line == "NodeName=d2 NodeAddr=10.0.0.2 Port=7002 CPUs=2 State=CLOUD"


def test_what_cannot_be_made_is_refused_with_a_sentence() -> None:
    conf, c = begun()
    assert refused(conf, c, NodeName="d1", CPUs="2").preface == ("Only State=FUTURE and State=CLOUD allowed for nodes created by scontrol",)
    assert "unrecognized key: Foo" in refused(conf, c, NodeName="d1", Foo="2", State="CLOUD").hints[0]
    assert "slurm.conf" in refused(conf, c, NodeName="cn1", State="CLOUD").hints[0]
    assert "MaxNodeCount=10" in refused(conf, c, NodeName="d[1-9]", CPUs="2", State="CLOUD").hints[0]
    assert "one line" in refused(conf, c, NodeName="d1", Reason="x\nSlurmUser=root", State="CLOUD").hints[0]
    assert refused(conf, c, NodeName="d1", Reason='x" State=DOWN', State="CLOUD").name == "ESLURM_INVALID_OPTION"
    create(conf, c, NodeName="d1", CPUs="2", State="FUTURE")
    assert "already" in refused(conf, c, NodeName="d1", CPUs="2", State="FUTURE").hints[0]


def test_what_was_made_is_there_after_a_restart_unless_slurm_conf_has_it_or_cannot_have_it() -> None:
    conf, c = begun()
    create(conf, c, NodeName="d1", CPUs="2", Gres="gpu:1", Features="f1", State="CLOUD")
    create(conf, c, NodeName="d2", CPUs="2", State="CLOUD")
    again, made, wrong = setup.with_made(conf, c.nodes.values())
    c.apply(setup.configured(again, b.T0 + 9, [0], lines=made))
    assert wrong == [] and c.nodes[NodeName("d1")].line and "d1" in c.partitions["dyn"].nodes
    changed = parse(TEXT.replace("GresTypes=gpu", "").replace("NodeName=cn[1-2] RealMemory=1000", "NodeName=cn[1-2],d2"))
    final, made, wrong = setup.with_made(changed, c.nodes.values())
    assert len(wrong) == 1 and "d1" in wrong[0] and made == {}
    c.apply(setup.configured(final, b.T0 + 10, [0], lines=made))
    assert "d1" not in c.nodes and (c.nodes[NodeName("d2")].line, c.nodes[NodeName("d2")].cpus) == ("", 8)


def test_a_slurmd_that_describes_itself_is_made_once_and_anew_when_its_machine_is_another() -> None:
    conf, c = begun()
    name = NodeName("z1")
    line = "NodeName=z1 CPUs=4 RealMemory=100"
    for event in dynamic_nodes.registered(conf, c, name, line, b.T0 + 1):
        c.apply(event)
    assert c.nodes[name].by_slurmd and "z1" in c.partitions["all"].nodes
    assert dynamic_nodes.registered(conf, c, name, line, b.T0 + 2) == []
    bigger = dynamic_nodes.registered(conf, c, name, line.replace("CPUs=4", "CPUs=6"), b.T0 + 3)
    for event in bigger:
        c.apply(event)
    assert [type(event).__name__ for event in bigger] == ["NodesDeleted", "NodesCreated"] and c.nodes[name].cpus == 6
    for bad in ("NodeName=other CPUs=4", "NodeName=z[1-5] CPUs=1", "NodeName=z1 CPUs=1 State=x", "PartitionName=z1 Nodes=ALL"):
        with pytest.raises(SlurmError):
            dynamic_nodes.registered(conf, c, NodeName("z9") if "other" in bad else name, bad, b.T0 + 4)


def test_a_node_that_scontrol_made_is_not_changed_by_its_slurmd() -> None:
    conf, c = begun()
    create(conf, c, NodeName="d1", CPUs="2", State="CLOUD")
    assert dynamic_nodes.registered(conf, c, NodeName("d1"), "NodeName=d1 CPUs=64", b.T0 + 2) == []
