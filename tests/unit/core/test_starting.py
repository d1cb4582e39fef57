"""How jobs start: what a proposal must still be, what a start does."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import starting
from slurm.core.effects import Announce, Launch
from slurm.core.illegal import IllegalTransition
from slurm.model.cpu_set import CpuSet
from slurm.model.ids import BATCH_STEP
from slurm.model.job import Allocation
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b


def test_a_started_job_holds_its_share_and_is_launched_on_its_first_node() -> None:
    c = b.cluster()
    job, effects = b.start(c, b.submit(c), "cn02", "cn03", cpus=2, memory=1000)
    assert job.state is JobState.RUNNING
    assert job.reason == Reason.NONE
    assert (job.attempt, job.batch_host, job.nodes_left) == (1, "cn02", ["cn02", "cn03"])
    assert effects == [Announce(job=job.id), Launch(job=job.id, attempt=1, node="cn02")]  # type: ignore[arg-type]
    node = c.nodes[b.NodeName("cn03")]
    assert (node.cpus_used, node.memory_used, node.jobs) == (CpuSet(0b11), 1000, {job.id})


def test_an_allocation_is_announced_but_not_launched() -> None:
    c = b.cluster()
    _, effects = b.start(c, b.submit(c, kind="alloc"))
    assert [type(effect) for effect in effects] == [Announce]


def test_a_launched_job_has_a_batch_step() -> None:
    c = b.cluster()
    job = b.started(c, at=b.T0)
    assert job.launched
    assert job.steps[BATCH_STEP].nodes == ["cn01"]


def test_a_second_confirmation_changes_nothing() -> None:
    c = b.cluster()
    job = b.started(c)
    step = job.steps[BATCH_STEP]
    c.apply(e.Launched(at=b.T0 + 5, job=job.id, attempt=1))
    assert job.steps[BATCH_STEP] is step


@pytest.mark.parametrize(("request_", "why"), [
    ({"hold": True}, "is held"), ({"begin": b.T0 + 60}, "may not start before"), ({"dependency": "afterok:1"}, "waits for other jobs"),
])
def test_a_job_that_must_wait_is_not_started(request_: dict[str, object], why: str) -> None:
    c = b.cluster()
    b.submit(c)
    job = b.submit(c, **request_)
    allocation = Allocation(shares=[b.share(c, "cn01")], partition="debug")
    refusal = starting.refusal(c, job.id, None, allocation, b.T0)
    assert refusal is not None
    assert why in refusal
    assert c.starting(job.id, None, allocation, b.T0) is None


def test_a_stale_proposal_is_refused_with_what_was_taken() -> None:
    c = b.cluster(nodes=1, gpus=2)
    first, second = b.submit(c), b.submit(c)
    allocation = Allocation(shares=[b.share(c, "cn01", memory=60000, gpus=1)], partition="debug")
    b.start(c, first, memory=10000, gpus=1)
    assert "CPUs of node cn01" in (starting.refusal(c, second.id, None, allocation, b.T0) or "")
    allocation.shares[0].cpus = CpuSet(0b10)
    assert "memory of node cn01" in (starting.refusal(c, second.id, None, allocation, b.T0) or "")
    allocation.shares[0].memory = 1
    assert "gpu of node cn01" in (starting.refusal(c, second.id, None, allocation, b.T0) or "")


def test_nodes_that_are_not_usable_are_refused() -> None:
    c = b.cluster()
    job = b.submit(c)
    allocation = Allocation(shares=[b.share(c, "cn01")], partition="debug")
    c.apply(e.NodeSilent(at=b.T0, node=b.NodeName("cn01")))
    assert "does not respond" in (starting.refusal(c, job.id, None, allocation, b.T0) or "")


def test_an_exclusive_job_needs_empty_nodes() -> None:
    c = b.cluster()
    b.started(c)
    job = b.submit(c, exclusive="node")
    shares = [b.share(c, "cn01", 15)]
    assert "is not empty" in (starting.refusal(c, job.id, None, Allocation(shares=shares, partition="debug", exclusive=True), b.T0) or "")


def test_a_node_held_by_a_user_is_closed_to_others() -> None:
    c = b.cluster()
    b.started(c, exclusive="user")
    mine, other = b.submit(c), b.submit(c, by=b.BOB)
    allocation = Allocation(shares=[b.share(c, "cn01")], partition="debug")
    assert starting.refusal(c, mine.id, None, allocation, b.T0) is None
    assert "another user" in (starting.refusal(c, other.id, None, allocation, b.T0) or "")


def test_the_fold_refuses_to_give_a_cpu_twice() -> None:
    c = b.cluster()
    b.started(c)
    other = b.submit(c)
    share = b.share(c, "cn01")
    share.cpus = CpuSet(1)
    with pytest.raises(IllegalTransition, match="CPUs of cn01 that are held"):
        c.apply(e.Started(at=b.T0, job=other.id, allocation=Allocation(shares=[share], partition="debug")))


def test_cpus_may_be_shared_where_the_partition_forces_it() -> None:
    c = b.cluster()
    c.partitions["debug"].oversubscribe = "FORCE:4"
    first = b.started(c)
    second = b.submit(c)
    share = b.share(c, "cn01")
    share.cpus = CpuSet(1)
    c.apply(e.Started(at=b.T0, job=second.id, allocation=Allocation(shares=[share], partition="debug")))
    b.finish(c, first)
    assert c.nodes[b.NodeName("cn01")].cpus_used == CpuSet(1)
