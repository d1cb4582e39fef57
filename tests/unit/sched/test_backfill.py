"""Reservations, backfill and forecasts."""

from __future__ import annotations

from slurm.core import requeue
from slurm.core.cluster import Cluster
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.sched.need import Needs
from slurm.sched.plan import plan, plan_one
from slurm.sched.search import MANY_NODES, Field, Search
from slurm.sched.sharing import Sharing
from slurm.sched.space import NodeSpace, Space
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Timeline
from slurm.testing import builders as b


def busy(cluster: Cluster, name: str, cpus: int, seconds: int, memory: int = 0) -> Job:
    """A job that runs on a node for so long."""
    return b.start(cluster, b.submit(cluster, ntasks=cpus, time_limit=seconds), name, cpus=cpus, memory=memory)[0]


def started(cluster: Cluster) -> list[int]:
    """Which jobs a full pass starts."""
    return [proposal.job for proposal in plan(cluster, b.T0).proposals]


def test_a_short_job_slips_in_before_the_first_blocked_one() -> None:
    c = b.cluster(1)
    busy(c, "cn01", 8, 1000)
    b.submit(c, ntasks=16, time_limit=1000)
    short, long = b.submit(c, ntasks=4, time_limit=1000), b.submit(c, ntasks=4, time_limit=1001)
    assert started(c) == [short.id]
    assert plan(c, b.T0).verdicts[long.id].reason == "Priority"


def test_a_long_job_may_use_what_the_first_blocked_one_leaves_over() -> None:
    c = b.cluster(1)
    busy(c, "cn01", 8, 1000)
    b.submit(c, ntasks=12, time_limit=1000)
    fits, too_much = b.submit(c, ntasks=4, time_limit=99_999), b.submit(c, ntasks=1, time_limit=99_999)
    assert started(c) == [fits.id]
    assert too_much.id in plan(c, b.T0).verdicts


def test_memory_that_the_first_blocked_job_needs_is_not_given_away_bit_by_bit() -> None:
    c = b.cluster(1, memory=30_000)
    busy(c, "cn01", 1, 1000, memory=20_000)
    b.submit(c, ntasks=1, mem_per_node=22_000, time_limit=1000)
    first, second = b.submit(c, mem_per_node=8000, time_limit=9999), b.submit(c, mem_per_node=2000, time_limit=9999)
    assert started(c) == [first.id]
    assert second.id in plan(c, b.T0).verdicts


def test_devices_that_the_first_blocked_job_needs_are_kept() -> None:
    c = b.cluster(1, gpus=4)
    b.start(c, b.submit(c, time_limit=1000, gres="gpu:2"), "cn01", gpus=2)
    b.submit(c, gres="gpu:3", time_limit=1000)
    first, second = b.submit(c, gres="gpu:1", time_limit=9999), b.submit(c, gres="gpu:1", time_limit=9999)
    assert started(c) == [first.id]
    assert second.id in plan(c, b.T0).verdicts


def test_an_exclusive_job_gets_its_empty_node_in_time() -> None:
    c = b.cluster(1)
    busy(c, "cn01", 1, 1000)
    b.submit(c, exclusive="node", time_limit=1000)
    short, long = b.submit(c, time_limit=1000), b.submit(c, time_limit=2000)
    assert started(c) == [short.id]
    assert long.id in plan(c, b.T0).verdicts


def test_nodes_that_become_free_later_are_reserved_rather_than_free_ones() -> None:
    c = b.cluster(3, cpus=1)
    busy(c, "cn03", 1, 1000)
    busy(c, "cn02", 1, 1000)
    b.submit(c, nodes_min=2, nodes_max=2, time_limit=1000)
    long = b.submit(c, time_limit=9999)
    assert started(c) == [long.id]


def test_jobs_without_a_time_limit_do_not_stop_reservations() -> None:
    c = b.cluster(1)
    busy(c, "cn01", 8, -1)
    head = b.submit(c, ntasks=16, time_limit=-1)
    behind = b.submit(c, ntasks=4, time_limit=-1)
    outcome = plan(c, b.T0 + 60)
    assert head.id in outcome.forecasts
    assert behind.id in outcome.verdicts
    assert [p.job for p in outcome.proposals] == []


def test_partitions_that_share_nodes_respect_each_others_reservations() -> None:
    c = b.lab_cluster()
    for name in ("cn01", "cn02", "cn03"):
        busy(c, name, 8, 1000)
    c.partitions["batch"].priority_tier = 2
    b.submit(c, partition="batch", nodes_min=3, nodes_max=3, exclusive="node", time_limit=1000)
    short, long = b.submit(c, ntasks=4, time_limit=900, nodelist="cn01"), b.submit(c, ntasks=4, time_limit=3000, nodelist="cn02")
    elsewhere = b.submit(c, ntasks=4, time_limit=3000)
    assert sorted(started(c)) == [short.id, elsewhere.id]
    assert long.id in plan(c, b.T0).verdicts


def test_jobs_behind_the_first_are_told_when_they_are_expected_to_start() -> None:
    c = b.cluster(1)
    busy(c, "cn01", 16, 1000)
    jobs = [b.submit(c, ntasks=16, time_limit=100) for _ in range(3)] + [b.submit(c, ntasks=4, time_limit=60)]
    forecasts = plan(c, b.T0).forecasts
    assert [forecasts[job.id].start - b.T0 for job in jobs] == [1000, 1100, 1200, 1300]
    assert forecasts[jobs[0].id].nodes == ["cn01"]


def test_a_small_job_is_expected_beside_larger_ones_where_it_delays_none() -> None:
    c = b.cluster(1)
    busy(c, "cn01", 16, 1000)
    first, second, small = (b.submit(c, ntasks=n, time_limit=t) for n, t in ((12, 500), (16, 100), (4, 400)))
    forecasts = plan(c, b.T0).forecasts
    assert [forecasts[job.id].start - b.T0 for job in (first, second, small)] == [1000, 1500, 1000]


def test_forecasts_end_with_the_backfill_window() -> None:
    c = b.cluster(1, backfill_window=2000)
    busy(c, "cn01", 16, 1000)
    jobs = [b.submit(c, ntasks=16, time_limit=1500) for _ in range(3)]
    assert [job.id in plan(c, b.T0).forecasts for job in jobs] == [True, False, False]


def test_a_job_that_would_be_submitted_is_told_its_start() -> None:
    c = b.cluster(1)
    job = b.submit(c, ntasks=4, time_limit=100)
    now = plan_one(Terrain(c), job, b.T0)
    assert now is not None and (now.start, now.nodes) == (b.T0, ["cn01"])
    assert now.allocation is not None and now.allocation.cpu_count == 4
    busy(c, "cn01", 16, 1000)
    later = plan_one(Terrain(c), job, b.T0 + 5)
    assert later is not None and later.start == b.T0 + 1000
    assert later.allocation is not None and (later.allocation.cpu_count, later.allocation.partition) == (4, "debug")


def test_planning_changes_nothing() -> None:
    c = b.cluster(2, gpus=2)
    busy(c, "cn01", 8, 1000)
    b.submit(c, array="0-20", ntasks=3, gpus_per_task="1")
    b.submit(c, exclusive="node")
    before = repr(c.nodes), repr(c.jobs)
    plan(c, b.T0)
    assert (repr(c.nodes), repr(c.jobs)) == before


def test_a_job_for_several_nodes_does_not_look_at_each_node_by_itself_on_a_large_cluster() -> None:
    c = b.cluster(MANY_NODES * 4, cpus=4)
    job = b.submit(c, ntasks=10, time_limit=100)
    terrain = Terrain(c)
    looked: list[str] = []

    class Counted(Space):
        def of(self, name: NodeName) -> NodeSpace:
            looked.append(name)
            return super().of(name)

    field = Field(terrain, Counted(c.nodes), Sharing(c), set(), Timeline(c, terrain.board, b.T0), b.T0)
    search = Search(field, job, Needs().of(job.request, c.settings, c.partitions[job.partition]), c.partitions[job.partition])
    found = search.find()
    assert found is not None and found.cpu_count == 10
    assert len(looked) < MANY_NODES


def head_in(c: Cluster, seconds: int) -> None:
    """A job that waits for the whole of cn01, which is half free until then."""
    busy(c, "cn01", 8, seconds)
    b.submit(c, ntasks=16, time_limit=1000)


def test_with_time_min_a_job_starts_with_as_much_time_as_the_first_blocked_one_leaves_it() -> None:
    c = b.cluster(1)
    head_in(c, 1000)
    job = b.submit(c, ntasks=4, time_limit=5000, time_min=300)
    [proposal] = plan(c, b.T0).proposals
    assert (proposal.job, proposal.time_limit) == (job.id, 960), "1,000 s in whole minutes"
    event = c.starting(proposal.job, None, proposal.allocation, b.T0, proposal.time_limit)
    assert event is not None
    c.apply(event)
    assert job.time_limit == 960 and c.expected_end(job) == b.T0 + 960


def test_no_job_is_cut_below_its_time_min_nor_without_need_nor_in_a_pass_without_backfill() -> None:
    c = b.cluster(1)
    head_in(c, 1000)
    b.submit(c, ntasks=4, time_limit=5000, time_min=1001)
    assert started(c) == []
    fits = b.submit(c, ntasks=4, time_limit=800, time_min=10)
    assert [(one.job, one.time_limit) for one in plan(c, b.T0).proposals] == [(fits.id, None)]
    assert plan(c, b.T0, depth=9, backfill=False).proposals == []


def test_all_elements_of_an_array_are_cut_alike() -> None:
    c = b.cluster(1)
    head_in(c, 1000)
    b.submit(c, array="0-9", ntasks=2, time_limit=5000, time_min=60)
    assert [one.time_limit for one in plan(c, b.T0).proposals] == [960] * 4


def test_a_job_that_was_cut_has_its_own_limit_again_when_it_runs_again() -> None:
    c = b.cluster(1, requeue_delay=0)
    head_in(c, 1000)
    job = b.submit(c, ntasks=4, time_limit=5000, time_min=300, requeue=True)
    [proposal] = plan(c, b.T0).proposals
    event = c.starting(proposal.job, None, proposal.allocation, b.T0, proposal.time_limit)
    assert event is not None and c.starting(proposal.job, None, proposal.allocation, b.T0, 299) is None
    c.apply(event)
    for again in requeue.requeue(c, [str(job.id)], b.ROOT, b.T0 + 5):
        c.apply(again)
    b.free(c, job, at=b.T0 + 6)
    assert job.state is JobState.PENDING and job.time_limit == 5000
