"""Gangs: jobs that share CPUs have them in turn, none at the same time as another, each as often as the others."""

from __future__ import annotations

from collections import Counter

from slurm.core import events as e
from slurm.core import invariants
from slurm.core.cluster import Cluster
from slurm.model.cpu_set import CpuSet
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.states import JobState
from slurm.sched import gang
from slurm.sched.plan import plan
from slurm.testing import builders as b

SLICE = 30


def shared(cpus: int = 2, **fields: object) -> Cluster:
    """A node whose CPUs up to three jobs share in turn."""
    node = b.node("cn01", cpus)
    rules = b.Settings(def_mem_per_cpu=100, preempt_modes=["gang"], time_slice=SLICE, backfill_resolution=1)
    return b.build([node], [b.partition("debug", [node], default=True, oversubscribe="FORCE:3", **fields)], rules)


def starts(on: Cluster, at: float, *cpus: int, **request: object) -> Job:
    job = b.submit(on, at=at, **request)
    shares = [NodeShare(node=b.NodeName("cn01"), cpus=CpuSet.of(cpus), memory=10)]
    event = on.starting(job.id, None, Allocation(shares=shares, partition="debug"), at)
    assert event is not None
    on.apply(event)
    on.apply(e.Launched(at=at, job=job.id, attempt=1))
    return job


def take(on: Cluster, at: float) -> gang.Turn:
    found = gang.turn(on, at)
    for event in found.events:
        on.apply(event)
    invariants.assert_valid(on)
    running = [job for job in on.active.values() if job.state is JobState.RUNNING]
    for one in running:
        for other in running:
            assert one is other or one.allocation.shares[0].cpus.isdisjoint(other.allocation.shares[0].cpus)  # type: ignore[union-attr]
    return found


def test_who_comes_to_cpus_that_are_in_use_waits_for_its_turn() -> None:
    on = shared()
    first, second = starts(on, b.T0, 0, 1), starts(on, b.T0 + 10, 0, 1)
    found = take(on, b.T0 + 10)
    assert (first.state, second.state, second.suspended_by) == (JobState.RUNNING, JobState.SUSPENDED, "gang")
    assert found.again == b.T0 + SLICE
    assert not take(on, b.T0 + 29).events
    take(on, b.T0 + SLICE)
    assert (first.state, second.state) == (JobState.SUSPENDED, JobState.RUNNING)
    take(on, b.T0 + 2 * SLICE)
    assert (first.state, second.state) == (JobState.RUNNING, JobState.SUSPENDED)


def test_each_has_the_cpus_as_long_as_the_others_and_its_clock_runs_only_then() -> None:
    on = shared()
    jobs = [starts(on, b.T0, 0, 1) for _ in range(3)]
    had: Counter[int] = Counter()
    for turn in range(30):
        take(on, b.T0 + turn * SLICE)
        had.update(job.id for job in jobs if job.state is JobState.RUNNING)
    assert set(had.values()) == {10}
    end = b.T0 + 30 * SLICE
    take(on, end)
    seconds = [end - job.start_time - job.suspended_seconds - (end - job.suspend_time if job.suspended_by else 0) for job in jobs]
    assert all(abs(one - 10 * SLICE) <= SLICE for one in seconds)


def test_those_that_are_in_nobodys_way_run_on() -> None:
    on = shared()
    alone, first, second = starts(on, b.T0, 1), starts(on, b.T0, 0), starts(on, b.T0, 0)
    for turn in range(6):
        take(on, b.T0 + turn * SLICE)
        assert alone.state is JobState.RUNNING and JobState.SUSPENDED in (first.state, second.state)
    assert alone.suspended_seconds == 0


def test_when_one_ends_the_next_goes_on_at_once() -> None:
    on = shared()
    first, second = starts(on, b.T0, 0, 1), starts(on, b.T0, 0, 1)
    take(on, b.T0)
    b.finish(on, first, at=b.T0 + 5)
    assert take(on, b.T0 + 5).again == 0.0
    assert second.state is JobState.RUNNING


def test_without_gang_or_where_a_partition_says_off_they_share_at_the_same_time() -> None:
    for on in (shared(preempt_mode="OFF"), shared()):
        if on.partitions["debug"].preempt_mode != "OFF":
            on.settings.preempt_modes = []
        jobs = [starts(on, b.T0, 0, 1) for _ in range(2)]
        assert not gang.turn(on, b.T0 + 100).events
        assert all(job.state is JobState.RUNNING for job in jobs)


def test_an_operator_who_suspends_one_takes_it_out_of_the_gang() -> None:
    on = shared()
    first, second = starts(on, b.T0, 0, 1), starts(on, b.T0, 0, 1)
    take(on, b.T0)
    on.apply(e.Suspended(at=b.T0 + 1, job=first.id, attempt=1))
    for turn in range(4):
        take(on, b.T0 + 1 + turn * SLICE)
        assert first.suspended_by == "operator" and second.state is JobState.RUNNING
    on.apply(e.Suspended(at=b.T0 + 200, job=second.id, attempt=1, why="gang"))
    on.apply(e.Suspended(at=b.T0 + 201, job=second.id, attempt=1))
    invariants.assert_valid(on)
    assert second.without_cpus


def test_a_plan_starts_as_many_jobs_on_a_cpu_as_the_partition_lets_share_it() -> None:
    on = shared()
    jobs = [b.submit(on, cpus_per_task=2) for _ in range(4)]
    b.start_planned(on, plan(on, b.T0), b.T0)
    take(on, b.T0)
    assert sorted(job.state.name for job in jobs) == ["PENDING", "RUNNING", "SUSPENDED", "SUSPENDED"]
    b.start_planned(on, plan(on, b.T0 + 1), b.T0 + 1)
    assert sum(job.state is JobState.PENDING for job in jobs) == 1, "those that are suspended count"
