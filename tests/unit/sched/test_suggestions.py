"""What would let a waiting job start sooner, each change tried by the planner."""

from __future__ import annotations

import random

import pytest

from slurm.core import update
from slurm.core.cluster import Cluster
from slurm.model.job import Job
from slurm.model.request import JobRequest
from slurm.sched.suggestions import suggest
from slurm.sim.engine import Arrival, Simulator
from slurm.testing import builders as b


def commands(c: Cluster, job: Job) -> dict[str, float]:
    return {one.command.removeprefix(f"scontrol update JobId={job.shown_id} "): one.start for one in suggest(c, job, b.T0)}


def test_a_job_is_told_how_much_less_of_each_would_start_it_now() -> None:
    c = b.cluster(1, cpus=16, memory=64000)
    b.start(c, b.submit(c, ntasks=4, mem_per_node=24 * 1024, time_limit=7200), "cn01", cpus=4, memory=24 * 1024)
    job = b.submit(c, ntasks=4, mem_per_node=60 * 1024, time_limit=4 * 3600)
    [found] = suggest(c, job, b.T0)
    assert found.change == "with at most 38G of memory on a node instead of 60G" and found.start == b.T0
    assert found.command == f"scontrol update JobId={job.id} MinMemoryNode=38912M"
    other = b.submit(c, ntasks=16, time_limit=3600)
    assert commands(c, other)["NumTasks=12"] == b.T0


def test_a_shorter_limit_is_suggested_where_a_gap_before_another_job_has_room_and_its_moment_is_told() -> None:
    c = b.cluster(2)
    b.start(c, b.submit(c, ntasks=16, time_limit=1800), "cn01", cpus=16)
    b.start(c, b.submit(c, ntasks=16, time_limit=7200), "cn02", cpus=16)
    b.submit(c, ntasks=32, time_limit=3600)
    job = b.submit(c, ntasks=16, time_limit=4 * 3600)
    assert commands(c, job) == {"TimeLimit=1:00:00": b.T0 + 1800}


def test_another_partition_is_suggested_when_its_owner_may_go_there_and_not_otherwise() -> None:
    c = b.lab_cluster()
    for name in ("cn01", "cn02", "cn03"):
        b.start(c, b.submit(c, partition="batch", time_limit=6000), name, cpus=16)
    job = b.submit(c, partition="batch", ntasks=4, time_limit=600)
    assert commands(c, job)["Partition=gpu"] == b.T0
    c.partitions["gpu"].allow_groups = c.partitions["debug"].allow_groups = "wheel"
    assert not [one for one in commands(c, job) if one.startswith("Partition=")]


@pytest.mark.parametrize("request_", [{"hold": True}, {"dependency": "singleton"}, {"ntasks": 1}])
def test_nothing_is_suggested_to_who_waits_for_no_room_or_could_start_anyway(request_: dict[str, object]) -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=8, time_limit=7200), "cn01", cpus=8)
    assert suggest(c, b.submit(c, time_limit=60, **request_), b.T0) == []


def test_nothing_of_the_cluster_is_changed_by_looking() -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=12, time_limit=7200), "cn01", cpus=12)
    job = b.submit(c, array="1-4", ntasks=8, time_limit=7200)
    before = (job.request, job.partition, job.time_limit, list(c.pending), c.nodes[b.NodeName("cn01")].cpus_used, set(c.touched))
    assert suggest(c, job, b.T0)
    assert before == (job.request, job.partition, job.time_limit, list(c.pending), c.nodes[b.NodeName("cn01")].cpus_used, set(c.touched))


def test_a_search_that_is_over_suggests_nothing_unfinished() -> None:
    c = b.cluster(1)
    b.start(c, b.submit(c, ntasks=12, time_limit=7200), "cn01", cpus=12)
    assert suggest(c, b.submit(c, ntasks=8, time_limit=7200), b.T0, lambda: True) == []


def crowded(seed: int) -> Simulator:
    """A cluster where everybody runs to the limit and starts are promised to all who wait, at the moment b.T0."""
    chance = random.Random(seed)

    def arrival(ntasks: int) -> Arrival:
        limit = 60 * chance.randint(10, 300)
        return Arrival(b.T0, JobRequest(ntasks=ntasks, time_limit=limit, work_dir="/scratch"), b.ALICE, 10.0 * limit)

    simulated = Simulator(b.cluster(3, backfill_reservations=0), [arrival(chance.choice([4, 8, 16, 32])) for _ in range(12)])
    simulated.run(b.T0)
    return simulated


def test_each_suggestion_carried_out_in_the_simulator_starts_the_job_by_the_time_that_was_said() -> None:
    tried = 0
    for seed in range(12):
        first = crowded(seed).cluster
        last = max(first.pending)
        for suggestion in suggest(first, first.jobs[last], b.T0):
            tried += 1
            simulated = crowded(seed)
            key, _, text = suggestion.command.rpartition(" ")[2].partition("=")
            for event in update.update_job(simulated.cluster, str(last), {key: text.strip("'")}, b.ALICE, b.T0):
                simulated.happen(event)
            if not simulated.cluster.jobs[last].start_time:
                simulated.run(suggestion.start + 60)
            assert 0 < simulated.cluster.jobs[last].start_time <= suggestion.start + 60, (seed, suggestion)
    assert tried > 8
