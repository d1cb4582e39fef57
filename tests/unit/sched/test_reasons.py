"""Why jobs wait, in the words of squeue."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.sched.plan import plan
from slurm.testing import builders as b

UNAVAILABLE = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"


def why(cluster: Cluster, job: Job, *, full: bool = True) -> Refusal | None:
    """The verdict of one pass, None when the job starts."""
    outcome = plan(cluster, b.T0) if full else plan(cluster, b.T0, depth=100, backfill=False)
    return outcome.verdicts.get(job.id)


def reason(cluster: Cluster, job: Job) -> str:
    """The reason code, the same in a quick and in a full pass."""
    full, quick = why(cluster, job), why(cluster, job, full=False)
    assert full is not None
    assert quick is None or quick.reason == full.reason
    return full.reason


def drain(cluster: Cluster, *names: str) -> None:
    """Drain nodes for a bad dimm."""
    for name in names:
        cluster.apply(e.NodeUpdated(at=b.T0, node=b.NodeName(name), by=b.Uid(0), state="drain", reason="bad dimm"))


@pytest.mark.parametrize(("request_", "expected"), [
    ({"nodes_min": 3, "nodes_max": 3, "partition": "gpu"}, "PartitionNodeLimit"),
    ({"nodes_min": 5, "nodes_max": 5}, "PartitionNodeLimit"),
    ({"nodes_min": 64, "nodes_max": 64}, "PartitionNodeLimit"),
    ({"nodes_min": 65, "nodes_max": 65}, "PartitionConfig"),
    ({"nodes_min": 100, "nodes_max": 100}, "PartitionConfig"),
    ({"ntasks": 1000, "partition": "batch"}, "PartitionConfig"),
    ({"ntasks": 49, "partition": "batch"}, "PartitionConfig"),
    ({"nodes_min": 9, "nodes_max": 12}, "PartitionNodeLimit"),
    ({"time_limit": 99 * 86400}, "PartitionTimeLimit"),
    ({"hold": True}, "JobHeldUser"),
    ({"begin": b.T0 + 7200}, "BeginTime"),
])
def test_requests_beyond_the_partition_wait_as_in_real_slurm(request_: dict[str, object], expected: str) -> None:
    c = b.lab_cluster()
    assert reason(c, b.submit(c, **request_)) == expected


def test_the_first_blocked_job_waits_for_resources_and_those_behind_it_for_priority() -> None:
    c = b.lab_cluster()
    for name in ("cn01", "cn02", "cn03"):
        b.start(c, b.submit(c, partition="batch", time_limit=600), name, cpus=16)
    first, second = b.submit(c, partition="batch", ntasks=4), b.submit(c, partition="batch", ntasks=4)
    assert [reason(c, first), reason(c, second)] == ["Resources", "Priority"]
    verdict = why(c, first)
    assert verdict is not None and verdict.evidence[0] == ("cn01", "0 of 16 CPUs, 64000 of 64000 MB free")


def test_the_queue_of_the_reference_shows_the_same_reasons() -> None:
    c = b.lab_cluster(priority_weight_age=0, priority_weight_job_size=0)
    c.partitions["gpu"].priority_job_factor = 2
    train = b.submit(c, ntasks=4, nodes_min=1, time_limit=1800)
    b.start(c, train, "cn01", cpus=4)
    b.start(c, b.submit(c, by=b.BOB, nodes_min=2, nodes_max=2, exclusive="node", time_limit=1800, partition="batch"), "cn02", "cn03", cpus=16)
    sweep = b.submit(c, array="1-200%2", time_limit=600)
    for _ in range(2):
        b.start(c, sweep, "cn01")
    post = b.submit(c, dependency=f"afterok:{train.id}")
    later = b.submit(c, begin=b.T0 + 7200)
    held = b.submit(c, hold=True)
    impossible = b.submit(c, nodes_min=3, nodes_max=3, partition="gpu")
    b.start(c, b.submit(c, partition="gpu", gres="gpu:a100:2", time_limit=1200), "cn04", gpus=2)
    waits = b.submit(c, partition="gpu", gres="gpu:a100:1", time_limit=1200)
    big = b.submit(c, by=b.BOB, nodes_min=4, nodes_max=4, exclusive="node", time_limit=1200)
    outcome = plan(c, b.T0)
    assert {job.id: outcome.verdicts[job.id].reason for job in (sweep, post, later, held, impossible, waits, big)} == {
        sweep.id: "JobArrayTaskLimit", post.id: "Dependency", later.id: "BeginTime", held.id: "JobHeldUser",
        impossible.id: "PartitionNodeLimit", waits.id: "Resources", big.id: UNAVAILABLE}
    assert outcome.forecasts[waits.id].nodes == ["cn04"] and outcome.forecasts[waits.id].start == b.T0 + 1200
    assert outcome.forecasts[big.id].nodes == ["cn01", "cn02", "cn03", "cn04"] and outcome.forecasts[big.id].start == b.T0 + 2400


def test_a_job_that_names_a_drained_node_waits_for_that_node() -> None:
    c = b.lab_cluster()
    drain(c, "cn03")
    job = b.submit(c, nodelist="cn03")
    verdict = why(c, job)
    assert verdict is not None and verdict.reason == "ReqNodeNotAvail, May be reserved for other job"
    assert verdict.evidence == (("cn03", "idle, drained: bad dimm"),)


def test_a_job_that_needs_drained_nodes_waits_for_nodes_and_keeps_nobody_behind_it() -> None:
    c = b.lab_cluster()
    drain(c, "cn02", "cn03")
    by_nodes = b.submit(c, nodes_min=2, nodes_max=2, partition="batch")
    by_cpus = b.submit(c, ntasks=20, partition="batch")
    small = b.submit(c, ntasks=2, partition="batch")
    assert reason(c, by_nodes) == UNAVAILABLE
    assert reason(c, by_cpus) == UNAVAILABLE
    assert [proposal.job for proposal in plan(c, b.T0, depth=100, backfill=False).proposals] == [small.id]


def test_a_job_that_no_node_suits_any_more_has_bad_constraints() -> None:
    c = b.lab_cluster()
    job = b.submit(c, features="gpu")
    c.apply(e.NodeUpdated(at=b.T0, node=b.NodeName("cn04"), by=b.Uid(0), features=["amd"]))
    assert reason(c, job) == "BadConstraints"


def test_partitions_out_of_service_are_named() -> None:
    for state, expected in (("DOWN", "PartitionDown"), ("INACTIVE", "PartitionInactive")):
        c = b.lab_cluster()
        job = b.submit(c)
        c.partitions["debug"].state = state
        assert reason(c, job) == expected


def test_an_array_stops_at_its_limit_within_one_pass() -> None:
    c = b.lab_cluster()
    job = b.submit(c, array="0-9%3")
    outcome = plan(c, b.T0)
    assert [proposal.task for proposal in outcome.proposals] == [0, 1, 2]
    assert outcome.verdicts[job.id].reason == "JobArrayTaskLimit"


def test_a_job_with_several_partitions_starts_in_the_first_that_has_room() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, exclusive="node"), "cn04", cpus=16)
    job = b.submit(c, partition="gpu,batch")
    assert [p.allocation.partition for p in plan(c, b.T0).proposals if p.job == job.id] == ["batch"]


def test_a_quick_pass_closes_the_nodes_of_a_blocked_partition_to_others() -> None:
    c = b.lab_cluster()
    for name in ("cn01", "cn02"):
        b.start(c, b.submit(c, partition="batch", time_limit=600), name, cpus=16)
    b.submit(c, partition="batch", nodes_min=2, nodes_max=2)
    c.partitions["batch"].priority_tier = 2
    other = b.submit(c, ntasks=2)
    quick = plan(c, b.T0, depth=100, backfill=False)
    assert [(proposal.job, proposal.allocation.nodes) for proposal in quick.proposals] == [(other.id, ["cn04"])]
