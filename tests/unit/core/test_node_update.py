"""scontrol update nodename=."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import node_update
from slurm.core.cluster import Cluster
from slurm.core.effects import Terminate
from slurm.model.cpu_set import NOTHING
from slurm.model.errors import SlurmError
from slurm.model.states import JobState, NodeState
from slurm.testing import builders as b


def change(c: Cluster, nodes: str, by: e.Caller = b.ROOT, **changes: str) -> None:
    for event in node_update.update_nodes(c, nodes, changes, by, b.T0 + 5):
        c.apply(event)


def refused(c: Cluster, nodes: str = "cn01", by: e.Caller = b.ROOT, **changes: str) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        change(c, nodes, by, **changes)
    return raised.value


def test_a_drained_node_keeps_its_jobs_and_takes_no_more() -> None:
    c = b.lab_cluster()
    job = b.started(c)
    change(c, "cn[01-02]", State="DRAIN", Reason="bad dimm")
    node = c.nodes[b.NodeName("cn01")]
    assert (node.drain, node.usable, node.reason, node.reason_user, node.reason_time) == (True, False, "bad dimm", "root", b.T0 + 5)
    assert job.state is JobState.RUNNING


def test_resume_makes_it_usable_and_forgets_the_reason() -> None:
    c = b.lab_cluster()
    change(c, "cn03", State="drain", Reason="bad dimm")
    change(c, "cn03", State="resume")
    node = c.nodes[b.NodeName("cn03")]
    assert (node.usable, node.reason) == (True, "")


def test_a_node_set_down_loses_its_jobs_and_comes_back_by_resume() -> None:
    c = b.lab_cluster()
    job = b.started(c, requeue=False)
    change(c, "cn01", State="down", Reason="smoke")
    node = c.nodes[b.NodeName("cn01")]
    assert (job.state, node.state, job.completing) == (JobState.NODE_FAIL, NodeState.DOWN, True)
    c.apply(e.NodeFreed(at=b.T0, job=job.id, attempt=job.attempt, node=node.name))
    assert (job.completing, node.cpus_used) == (False, NOTHING)
    change(c, "cn01", State="resume")
    assert node.usable


def test_a_job_of_a_node_set_down_runs_again_only_when_its_processes_are_gone() -> None:
    c = b.lab_cluster()
    job = b.started(c, requeue=True)
    node = c.nodes[b.NodeName("cn01")]
    update = node_update.update_nodes(c, "cn01", {"State": "down", "Reason": "smoke"}, b.ROOT, b.T0)
    effects = [effect for event in update for effect in c.apply(event)]
    assert [each.why for each in effects if isinstance(each, Terminate)] == ["node_fail"]
    assert job.id not in c.pending
    c.apply(e.NodeFreed(at=b.T0, job=job.id, attempt=job.attempt, node=node.name))
    assert (job.id in c.pending, node.cpus_used) == (True, NOTHING)


def test_a_node_that_does_not_answer_is_set_down_with_nothing_to_wait_for() -> None:
    c = b.lab_cluster()
    job = b.started(c, requeue=False)
    c.apply(e.NodeSilent(at=b.T0, node=b.NodeName("cn01")))
    change(c, "cn01", State="down", Reason="smoke")
    assert (job.state, job.completing, c.nodes[b.NodeName("cn01")].cpus_used) == (JobState.NODE_FAIL, False, NOTHING)


def test_undrain_leaves_a_down_node_down() -> None:
    c = b.lab_cluster()
    change(c, "cn01", State="down", Reason="smoke")
    change(c, "cn01", State="undrain")
    assert c.nodes[b.NodeName("cn01")].state is NodeState.DOWN


def test_other_fields_are_set() -> None:
    c = b.lab_cluster()
    change(c, "ALL", Weight="7", AvailableFeatures="x,y", Comment="hi")
    node = c.nodes[b.NodeName("cn04")]
    assert (node.weight, node.features, node.comment) == (7, ["x", "y"], "hi")


def test_refusals_have_slurms_words() -> None:
    c = b.lab_cluster()
    assert refused(c, by=b.BOB, State="drain", Reason="x").message == "Invalid user id"
    assert refused(c, "nosuch", State="resume").message == "Invalid node name specified"
    assert refused(c, State="drain").message == "You must specify a reason when DOWNING or DRAINING a node. Request denied"
    assert refused(c, State="down").message == "You must specify a reason when DOWNING or DRAINING a node. Request denied"
    assert refused(c, State="bogus").message.splitlines()[:2] == ["Invalid input: state=bogus", "Request aborted"]
    assert refused(c, Bogus="1").message == "Update of this parameter is not supported: Bogus=1"
    assert refused(c, State="fail").name == "ESLURM_UNSUPPORTED"
    assert refused(c, State="power_up").name == "ESLURM_INVALID_NODE_STATE"
    assert refused(c, Weight="x").message == "Weight value (x) is not a valid number"
