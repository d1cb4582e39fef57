"""SchedulerParameters: each switch changes what a pass does."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.ids import JobId
from slurm.model.policy import Association, PolicyRecord, Qos
from slurm.sched.plan import plan
from slurm.sched.proposal import Plan
from slurm.testing import builders as b


def busy(cluster: Cluster, name: str, cpus: int, seconds: int) -> None:
    b.start(cluster, b.submit(cluster, ntasks=cpus, time_limit=seconds), name, cpus=cpus)


def full(cluster: Cluster, at: float = b.T0) -> Plan:
    return plan(cluster, at)


def quick(cluster: Cluster, depth: int = 100) -> Plan:
    return plan(cluster, b.T0, depth=depth, backfill=False)


def started(found: Plan) -> list[int]:
    return [proposal.job for proposal in found.proposals]


@pytest.mark.parametrize(("resolution", "start"), [(1, 1000), (60, 1040), (300, 1100)])
def test_bf_resolution_is_the_grain_of_planned_starts(resolution: int, start: int) -> None:
    c = b.cluster(1, backfill_resolution=resolution)
    busy(c, "cn01", 16, 1000)
    job = b.submit(c, ntasks=16, time_limit=100)
    assert full(c).forecasts[job.id].start - b.T0 == start


def test_with_a_coarse_resolution_a_job_may_start_that_ends_before_the_rounded_start() -> None:
    for resolution, begun in ((1, False), (60, True)):
        c = b.cluster(1, backfill_resolution=resolution)
        busy(c, "cn01", 8, 1000)
        b.submit(c, ntasks=16, time_limit=1000)
        late = b.submit(c, ntasks=4, time_limit=1030)
        assert (late.id in started(full(c))) is begun


@pytest.mark.parametrize(("key", "looked"), [
    ("backfill_max_user", [1, 3]), ("backfill_max_partition", [1]), ("backfill_max_user_partition", [1, 3]), ("backfill_max_association", [1, 3])])
def test_a_pass_with_backfill_looks_at_as_many_jobs_of_a_kind_as_it_may(key: str, looked: list[int]) -> None:
    c = b.cluster(4, **{key: 1})
    for by in (b.ALICE, b.ALICE, b.BOB):
        b.submit(c, by=by)
    found = full(c)
    assert started(found) == looked
    left = found.verdicts[JobId(2)]
    assert left.reason == "Priority" and "=1" in left.sentence
    assert started(quick(c)) == [1, 2, 3]


def test_partition_job_depth_bounds_quick_passes_and_no_others() -> None:
    c = b.cluster(4, partition_job_depth=2)
    for _ in range(3):
        b.submit(c)
    assert started(quick(c)) == [1, 2]
    assert started(full(c)) == [1, 2, 3]


def test_default_queue_depth_ends_a_quick_pass() -> None:
    c = b.cluster(4)
    for _ in range(3):
        b.submit(c)
    found = quick(c, depth=2)
    assert (started(found), found.ended_by) == ([1, 2], "default_queue_depth")
    assert quick(c, depth=3).ended_by == "end_job_queue"


def test_a_pass_starts_no_more_than_it_may() -> None:
    c = b.cluster(4, backfill_max_starts=2, sched_max_starts=1)
    for _ in range(3):
        b.submit(c)
    assert (started(full(c)), full(c).ended_by, full(c).everybody) == ([1, 2], "bf_max_job_start", False)
    assert (started(quick(c)), quick(c).ended_by) == ([1], "max_job_start")


def test_a_pass_that_takes_too_long_ends_and_says_so() -> None:
    c = b.cluster(4)
    for _ in range(40):
        b.submit(c)
    found = plan(c, b.T0, over=lambda: True)
    assert found.ended_by == "bf_max_time" and not found.everybody and 0 < len(found.proposals) < 40
    assert plan(c, b.T0, backfill=False, depth=100, over=lambda: True).ended_by == "max_sched_time"


def test_bf_max_job_test_ends_a_pass_and_says_so() -> None:
    c = b.cluster(4, backfill_max_jobs=1)
    for _ in range(2):
        b.submit(c)
    assert (started(full(c)), full(c).ended_by) == ([1], "bf_max_job_test")


def test_nothing_is_kept_for_a_job_that_has_not_waited_long_enough() -> None:
    c = b.cluster(1, backfill_min_age=600)
    busy(c, "cn01", 8, 1000)
    head, long = b.submit(c, ntasks=16, time_limit=1000), b.submit(c, ntasks=4, time_limit=9999)
    assert started(full(c, b.T0 + 599)) == [long.id]
    assert full(c, b.T0 + 599).verdicts[head.id].reason == "Resources"
    assert started(full(c, b.T0 + 600)) == []


def test_nothing_is_kept_for_a_job_of_too_low_a_priority() -> None:
    for least, begun in ((500, True), (100, False)):
        c = b.cluster(1, backfill_min_priority=least)
        busy(c, "cn01", 8, 1000)
        head, long = b.submit(c, ntasks=16, time_limit=1000, priority=100, by=b.ROOT), b.submit(c, ntasks=4, time_limit=9999, priority=50, by=b.ROOT)
        head.priority = 100
        assert (long.id in started(full(c))) is begun


@pytest.mark.parametrize(("count", "begun"), [(1, True), (2, False), (0, False)])
def test_bf_job_part_count_reserve_keeps_the_starts_of_so_many(count: int, begun: bool) -> None:
    c = b.cluster(2, cpus=8, backfill_reservations=count)
    busy(c, "cn01", 8, 1000)
    busy(c, "cn02", 4, 2000)
    b.submit(c, ntasks=8, time_limit=9000, nodelist="cn01")
    b.submit(c, ntasks=8, time_limit=9000, nodelist="cn02")
    long = b.submit(c, ntasks=4, time_limit=9000, nodelist="cn02")
    assert (long.id in started(full(c))) is begun


@pytest.mark.parametrize(("one", "begun"), [(False, False), (True, True)])
def test_bf_one_resv_per_job_keeps_the_start_in_one_partition_only(one: bool, begun: bool) -> None:
    first, second = b.node("cn01", 8, position=1), b.node("cn02", 8, position=2)
    rules = b.Settings(def_mem_per_cpu=500, backfill_resolution=1, backfill_one_reservation=one)
    c = b.build([first, second], [b.partition("a", [first], default=True), b.partition("b", [second])], rules)
    for name, partition in (("cn01", "a"), ("cn02", "b")):
        b.start(c, b.submit(c, ntasks=4, time_limit=1000, partition=partition), name, cpus=4)
    b.submit(c, ntasks=8, partition="a,b", time_limit=1000)
    long = b.submit(c, ntasks=4, partition="b", time_limit=9000)
    assert (long.id in started(full(c))) is begun


@pytest.mark.parametrize(("stop", "begun"), [(False, [2]), (True, [])])
def test_assoc_limit_stop_lets_nobody_pass_a_job_that_a_limit_keeps_back(stop: bool, begun: list[int]) -> None:
    c = b.cluster(2, assoc_limit_stop=stop, accounting_enforce=["associations", "limits"])
    records: list[PolicyRecord] = [
               Qos(id=1, name="normal"), Association(id=1, cluster="c", account="root", qos=["normal"]), Association(id=2, cluster="c", account="lab", parent=1),
               Association(id=3, cluster="c", account="lab", user="alice", parent=2, limits={"GrpTRES": {"cpu": 4}})]
    c.apply(e.PolicyChanged(at=b.T0, records=records, whole=True))
    for count in (8, 2):
        b.submit(c, ntasks=count, account="lab")
    assert started(full(c)) == begun and started(quick(c)) == begun


