"""Nodes that are switched on for jobs and off when idle: jobs that wait for them, those that never come up, and those started anew."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import node_update
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Launch
from slurm.core.nodes import rebooting, saving
from slurm.model.errors import SlurmError
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import JobState, NodeState, Power
from slurm.testing import builders as b

C1, C2 = NodeName("cn01"), NodeName("cn02")
ROOT = b.ROOT


def switched(nodes: int = 2, *, off: bool = True, **settings: object) -> Cluster:
    """Cloud nodes that are off, or plain ones that are on."""
    c = b.cluster(nodes=nodes, suspends=True, resumes=True, reboots=True, suspend_time=60, suspend_timeout=10, resume_timeout=30, **settings)
    if off:
        for node in c.nodes.values():
            node.cloud, node.power, node.responding, node.registered = True, Power.OFF, False, False
    return c


def due(c: Cluster, at: float, **given: object) -> list[e.Event]:
    """What is due, carried out."""
    events = saving.due(c, saving.plan(c), at, **given)  # type: ignore[arg-type]
    for event in events:
        c.apply(event)
    return events


def kinds(events: list[e.Event]) -> list[tuple[str, str]]:
    return [(event.node, event.power.value if isinstance(event, e.PowerChanged) else type(event).__name__) for event in events]  # type: ignore[attr-defined]


def booting(c: Cluster, *names: str, **request: object) -> Job:
    job, effects = b.start(c, b.submit(c, **request), *names)  # type: ignore[arg-type]
    assert not launches(effects) and "configuring" in job.flags
    return job


def launches(effects: list[Effect]) -> list[Launch]:
    return [effect for effect in effects if isinstance(effect, Launch)]


def register(c: Cluster, node: Node, at: float) -> list[Effect]:
    return c.apply(b.registered(node, at, boot_id=f"boot-{at}", rebooted=bool(node.boot_id)))


def test_a_job_on_a_node_that_is_off_is_configuring_until_it_has_registered_and_its_time_begins_then() -> None:
    c = switched()
    job = booting(c, "cn01", time_limit=100)
    assert c.kill_time(job) == b.T0 + 30 + 100
    assert kinds(due(c, b.T0 + 1)) == [("cn01", "coming_up")]
    effects = register(c, c.nodes[C1], b.T0 + 20)
    assert [launch.node for launch in launches(effects)] == ["cn01"] and job.flags == []
    assert (job.start_time, c.kill_time(job), c.nodes[C1].power) == (b.T0 + 20, b.T0 + 120, Power.ON)


def test_a_job_waits_for_all_of_its_nodes() -> None:
    c = switched()
    booting(c, "cn01", "cn02")
    due(c, b.T0 + 1)
    assert not launches(register(c, c.nodes[C2], b.T0 + 5))
    assert launches(register(c, c.nodes[C1], b.T0 + 9))


def test_a_node_that_never_comes_up_is_down_and_off_and_its_job_runs_again() -> None:
    c = switched()
    job = booting(c, "cn01")
    due(c, b.T0 + 1)
    assert due(c, b.T0 + 30) == []
    assert kinds(due(c, b.T0 + 31)) == [("cn01", "ResumeFailed")]
    node = c.nodes[C1]
    assert (job.state, job.restarts, node.state, node.reason, node.jobs) == (JobState.PENDING, 1, NodeState.DOWN, "ResumeTimeout reached", set())
    assert kinds(due(c, b.T0 + 32)) == [("cn01", "going_down")]
    due(c, b.T0 + 42)
    assert (node.power, node.usable) == (Power.OFF, False)


def test_an_allocation_whose_node_never_comes_up_ends() -> None:
    c = switched()
    job = booting(c, "cn01", kind="alloc")
    due(c, b.T0 + 1)
    due(c, b.T0 + 31)
    assert job.state is JobState.NODE_FAIL and not job.completing


def test_a_job_that_is_cancelled_while_its_node_comes_up_is_over_at_once() -> None:
    c = switched()
    job = booting(c, "cn01")
    c.apply(e.Cancelled(at=b.T0 + 1, job=job.id, by=b.ALICE.uid))
    assert (job.state, job.completing, c.nodes[C1].jobs, c.nodes[C1].power_asked) == (JobState.CANCELLED, False, set(), "")


def test_an_idle_node_goes_down_after_suspend_time_and_is_off_after_suspend_timeout() -> None:
    c = switched(off=False)
    job = b.started(c, "cn02")
    assert due(c, b.T0 + 59) == []
    assert kinds(due(c, b.T0 + 60)) == [("cn01", "going_down")]
    assert not c.nodes[C1].usable
    assert kinds(due(c, b.T0 + 70)) == [("cn01", "off")]
    assert c.nodes[C1].usable
    b.finish(c, job, at=b.T0 + 100)
    assert due(c, b.T0 + 159) == []
    assert kinds(due(c, b.T0 + 160)) == [("cn02", "going_down")]


def test_rates_bound_how_many_nodes_go_down_and_come_up_at_once() -> None:
    c = switched(4, off=False)
    assert len(due(c, b.T0 + 60, most_down=3)) == 3
    on = switched(4)
    for name in list(on.nodes):
        booting(on, name)
    assert len(due(on, b.T0 + 1, most_up=1)) == 1
    assert len(due(on, b.T0 + 2)) == 3


@pytest.mark.parametrize("settings", [
    {"suspend_exc_nodes": "cn01"}, {"suspend_exc_nodes": "cn[01-02]:1"}, {"suspend_exc_parts": ["debug"]}, {"suspend_exc_states": ["CLOUD"]}])
def test_what_is_excepted_stays_on(settings: dict[str, object]) -> None:
    c = switched(off=False, **settings)
    for node in c.nodes.values():
        node.cloud = True
    found = {node for node, _ in kinds(due(c, b.T0 + 1000))}
    assert "cn01" not in found
    assert found == ({"cn02"} if "suspend_exc_nodes" in settings else set())


def test_a_partition_has_times_of_its_own_and_the_longest_counts() -> None:
    c = switched(off=False)
    c.partitions["debug"].suspend_time = 500
    assert due(c, b.T0 + 499) == []
    c.apply(e.PartitionCreated(at=b.T0, partition=b.partition("quick", [c.nodes[C1]], power_down_on_idle=True)))
    assert saving.plan(c).times[C1].idle == 500
    c.partitions["debug"].suspend_time = None
    assert kinds(due(c, b.T0 + 1)) == [("cn01", "going_down")]


def test_a_node_that_died_is_switched_off_which_proves_that_its_job_is_over() -> None:
    c = switched(off=False, slurmd_timeout=10)
    job = b.started(c, "cn01", requeue=True)
    c.apply(e.NodeSilent(at=b.T0 + 5, node=C1))
    c.apply(e.NodeLost(at=b.T0 + 15, node=C1, may_run=True, together=[C1]))
    assert job.lost is not None
    assert ("cn01", "going_down") in kinds(due(c, b.T0 + 75))
    due(c, b.T0 + 85, proven={C1})
    assert (job.lost, job.state, job.restarts) == (None, JobState.PENDING, 1)


def died(c: Cluster) -> Job:
    """A job whose node nobody hears of, which is being switched off."""
    job = b.started(c, "cn01", requeue=True)
    c.apply(e.NodeSilent(at=b.T0 + 5, node=C1))
    c.apply(e.NodeLost(at=b.T0 + 15, node=C1, may_run=True, together=[C1]))
    assert ("cn01", "going_down") in kinds(due(c, b.T0 + 75))
    return job


def test_a_program_that_takes_longer_than_suspend_timeout_proves_as_much_when_it_is_over() -> None:
    c = switched(off=False, slurmd_timeout=10)
    job = died(c)
    assert ("cn01", "off") in kinds(due(c, b.T0 + 85))
    assert job.lost is not None and due(c, b.T0 + 86) == []
    due(c, b.T0 + 120, proven={C1})
    assert (job.lost, job.state, job.restarts) == (None, JobState.PENDING, 1)
    assert due(c, b.T0 + 121, proven={C1}) == []


def test_the_words_of_scontrol_update_switch_nodes() -> None:
    c = switched(off=False)
    job = b.started(c, "cn01")

    def say(word: str) -> None:
        for event in node_update.update_nodes(c, "cn01", {"State": word}, ROOT, b.T0 + 1):
            c.apply(event)

    node = c.nodes[C1]
    say("POWER_DOWN")
    assert (node.power_asked, node.usable, due(c, b.T0 + 2)) == ("down", True, [])
    say("POWER_DOWN_ASAP")
    assert (node.power_asked, node.usable) == ("down_asap", False)
    b.finish(c, job, at=b.T0 + 3)
    assert kinds(due(c, b.T0 + 4)) == [("cn01", "going_down")]
    due(c, b.T0 + 14)
    assert (node.power, node.drain, node.reason) == (Power.OFF, False, "")
    say("POWER_UP")
    assert kinds(due(c, b.T0 + 15)) == [("cn01", "coming_up")]
    register(c, node, b.T0 + 16)
    running = b.started(c, "cn01", at=b.T0 + 17)
    say("POWER_DOWN_FORCE")
    assert running.completing and kinds(due(c, b.T0 + 18)) == [("cn01", "going_down")]
    due(c, b.T0 + 28, proven={C1})
    assert (node.state, node.power, running.completing) == (NodeState.IDLE, Power.OFF, False)


def test_nodes_are_not_switched_where_no_program_does_it() -> None:
    c = b.cluster()
    with pytest.raises(SlurmError, match="Invalid node state") as raised:
        node_update.update_nodes(c, "cn01", {"State": "POWER_UP"}, ROOT, b.T0)
    assert "ResumeProgram" in raised.value.hints[0]


def ask(c: Cluster, *, asap: bool = False, following: str = "", reason: str = "") -> None:
    for event in rebooting.asked(c, "cn01", asap, following, reason, ROOT, b.T0 + 1):
        c.apply(event)


def test_a_reboot_waits_for_jobs_and_is_over_when_the_node_registers_after_a_boot() -> None:
    c = switched(off=False)
    node = c.nodes[C1]
    register(c, node, b.T0)
    job = b.started(c, "cn01")
    ask(c, asap=True, following="RESUME")
    assert (node.drain, node.reason, node.reboot, due(c, b.T0 + 2)) == (True, "Reboot ASAP", "requested", [])
    b.finish(c, job, at=b.T0 + 3)
    assert kinds(due(c, b.T0 + 4)) == [("cn01", "RebootIssued")]
    assert (node.reason, node.usable) == ("Reboot ASAP : reboot issued", False)
    c.apply(b.registered(node, b.T0 + 5, boot_id=node.boot_id))
    assert node.reboot == "issued"
    register(c, node, b.T0 + 6)
    assert (node.reboot, node.drain, node.reason, node.usable) == ("", False, "", True)


@pytest.mark.parametrize(("reason", "shown"), [("", "reboot issued : reboot timed out"), ("kernel", "kernel : reboot issued : reboot timed out")])
def test_a_node_that_does_not_come_back_from_a_reboot_is_down(reason: str, shown: str) -> None:
    c = switched(off=False)
    ask(c, reason=reason)
    due(c, b.T0 + 2)
    assert kinds(due(c, b.T0 + 32)) == [("cn01", "ResumeFailed")]
    assert (c.nodes[C1].state, c.nodes[C1].reason) == (NodeState.DOWN, shown)


def test_a_pending_reboot_can_be_cancelled_and_one_that_was_issued_cannot() -> None:
    c = switched(off=False)
    ask(c, asap=True)
    for event in rebooting.cancelled(c, "cn01", ROOT, b.T0 + 2):
        c.apply(event)
    assert (c.nodes[C1].reboot, c.nodes[C1].drain, c.nodes[C1].reason) == ("", False, "")
    ask(c)
    due(c, b.T0 + 3)
    with pytest.raises(SlurmError):
        rebooting.cancelled(c, "cn01", ROOT, b.T0 + 4)


def test_a_job_with_reboot_has_its_node_started_anew_first() -> None:
    c = switched(off=False)
    register(c, c.nodes[C1], b.T0)
    job = booting(c, "cn01", reboot=True, by=ROOT)
    assert kinds(due(c, b.T0 + 1)) == [("cn01", "RebootIssued")]
    assert launches(register(c, c.nodes[C1], b.T0 + 9))
    assert job.state is JobState.RUNNING and job.start_time == b.T0 + 9


def test_a_node_resumes_by_itself_when_it_was_told_to() -> None:
    c = switched(off=False)
    for event in node_update.update_nodes(c, "cn01", {"State": "DOWN", "Reason": "x", "ResumeAfter": "100"}, ROOT, b.T0):
        c.apply(event)
    assert "NodeUpdated" not in [what for _, what in kinds(due(c, b.T0 + 50))]
    c.nodes[C1].power = Power.ON
    due(c, b.T0 + 100)
    assert (c.nodes[C1].state, c.nodes[C1].resume_after) == (NodeState.IDLE, 0.0)


def test_what_is_excepted_is_read_with_its_counts() -> None:
    assert saving.excepted("a[1-9,12]:4,b[1-3]") == [("a[1-9,12]", 4), ("b[1-3]", None)]
    assert saving.excepted("") == []
    with pytest.raises(ValueError, match="number of nodes"):
        saving.excepted("a:x")


def test_reboot_is_for_operators_and_nothing_where_no_program_does_it() -> None:
    """sbatch --reboot, srun --reboot, salloc --reboot."""
    c = switched(off=False)
    with pytest.raises(SlurmError, match="Access"):
        b.submit(c, reboot=True)
    assert b.submit(c, reboot=True, by=ROOT).request.exclusive == "node"
    assert not b.submit(b.cluster(), reboot=True).request.reboot
