"""Who gives way to whom, how, in which order; what was freed stays promised; and no job gives way in vain."""

from __future__ import annotations

import random

import pytest

from slurm.core import cancel, hold, invariants, preempting, suspend
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Signal, Terminate
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.policy import Qos
from slurm.model.states import JobState
from slurm.sched import preemption
from slurm.sched.board import Board, Usage
from slurm.sched.explain import explain
from slurm.sched.plan import plan
from slurm.sched.policy import Policy
from slurm.sched.preemption import Giver, Preemption
from slurm.sched.proposal import Plan
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter


def by_qos(nodes: int = 1, cpus: int = 4, mode: str = "requeue", **fields: object) -> Cluster:
    """A cluster in which QOS high preempts normal and low, normal preempts low."""
    made = b.cluster(nodes=nodes, cpus=cpus, preempt_type="qos", preempt_modes=[mode], requeue_delay=0, **fields)
    made.apply(e.PolicyChanged(at=b.T0, records=[
        Qos(id=1, name="low"), Qos(id=2, name="normal", preempts=["low"], priority=10),
        Qos(id=3, name="high", preempts=["low", "normal"], priority=20)]))
    return made


def by_partition(mode: str = "CANCEL", cpus: int = 4, **fields: object) -> Cluster:
    """Two partitions over the same node: `urgent` has the higher tier."""
    node = b.node("cn01", cpus)
    rules = b.Settings(def_mem_per_cpu=100, preempt_type="partition_prio", preempt_modes=["requeue"], requeue_delay=0,
                       backfill_resolution=1, **fields)  # type: ignore[arg-type]
    return b.build([node], [b.partition("low", [node], default=True, preempt_mode=mode, oversubscribe="FORCE:1"),
                            b.partition("urgent", [node], priority_tier=10)], rules)


def run(on: Cluster, at: float) -> Plan:
    found = plan(on, at, backfill=False, depth=100)
    b.start_planned(on, found, at)
    invariants.assert_valid(on)
    return found


def starts(on: Cluster, at: float, **request: object) -> Job:
    """A job that is submitted and can start at once."""
    job = b.submit(on, at=at, **request)
    run(on, at)
    assert job.state is JobState.RUNNING, job.reason
    on.apply(e.Launched(at=at, job=job.id, attempt=job.attempt))
    return job


def test_a_job_of_a_higher_qos_has_a_lower_one_requeued_and_starts_when_it_is_gone() -> None:
    on = by_qos()
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    high = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    found = run(on, b.T0 + 10)
    assert [(victim.job, victim.mode) for change in found.changes for victim in change.victims] == [(low.id, "requeue")]  # type: ignore[union-attr]
    assert low.completing and high.state is JobState.PENDING and high.promise is not None
    assert found.verdicts[high.id].sentence == "a job gives way to it: it starts when that is gone"
    told = explain(on, high, b.T0 + 10, refusal=found.verdicts[high.id])
    assert (f"job {low.id}", "gives way to it and is being ended") in told.evidence
    hidden = explain(on, high, b.T0 + 10, refusal=found.verdicts[high.id], sees=lambda job: job is high)
    assert ("a job", "gives way to it and is being ended") in hidden.evidence
    assert not run(on, b.T0 + 11).changes
    b.free(on, low, at=b.T0 + 12)
    run(on, b.T0 + 12)
    assert (high.state, low.state, low.restarts) == (JobState.RUNNING, JobState.PENDING, 1)


def test_room_for_a_large_job_is_made_of_hundreds_of_small_ones_with_few_looks_at_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at what one gives back costs the controller's loop: it was some 75 for each of them."""
    on, looks = by_qos(nodes=100, cpus=8), [0]
    given = preemption._given

    def counted(board: Board, giver: Giver) -> Usage:
        looks[0] += 1
        return given(board, giver)

    monkeypatch.setattr(preemption, "_given", counted)
    for _ in range(400):
        b.submit(on, qos="low", cpus_per_task=2)
    run(on, b.T0)
    terrain = Terrain(on)
    b.submit(on, at=b.T0 + 10, qos="high", nodes_min=100, cpus_per_task=5)
    found = plan(on, b.T0 + 10, backfill=False, depth=10, terrain=terrain)
    assert sum(len(change.victims) for change in found.changes if isinstance(change, e.Preempted)) >= 80
    assert looks[0] <= 400
    again, fresh = (plan(on, b.T0 + 10, backfill=False, depth=10, terrain=one) for one in (terrain, Terrain(on)))
    assert again.changes == found.changes == fresh.changes, "what was tried has left nothing behind"
    b.start_planned(on, found, b.T0 + 10)
    invariants.assert_valid(on)


def test_what_is_kept_for_a_job_is_taken_from_the_room_of_the_others_once_however_many_passes_there_are() -> None:
    """On a cluster large enough for arrays each quick pass took it again from what is kept between passes, until others found nothing."""
    on = by_qos(nodes=100, cpus=8)
    for _ in range(100):
        b.submit(on, qos="low", cpus_per_task=6)
    b.start_planned(on, plan(on, b.T0, backfill=False, depth=1000), b.T0)
    terrain = Terrain(on)
    b.submit(on, at=b.T0 + 10, qos="high", nodes_min=100, cpus_per_task=3)
    b.start_planned(on, plan(on, b.T0 + 10, backfill=False, depth=10, terrain=terrain), b.T0 + 10)
    assert on.promised
    for passes in range(5):
        plan(on, b.T0 + 11 + passes, backfill=False, depth=10, terrain=terrain)
    small = b.submit(on, at=b.T0 + 20, qos="low", cpus_per_task=1, priority=None)
    found = plan(on, b.T0 + 20, backfill=False, depth=10, terrain=terrain)
    fresh = plan(on, b.T0 + 20, backfill=False, depth=10)
    assert [one.job for one in found.proposals] == [one.job for one in fresh.proposals]
    terrain.refresh()
    now, right = terrain.board.now, Terrain(on).board.now
    assert (now.cpus == right.cpus).all() and (now.memory == right.memory).all() and (now.tenants == right.tenants).all(), small.reason


@pytest.mark.parametrize("nodes", [3, 100, 1001])
@pytest.mark.parametrize("backfill", [False, True])
@pytest.mark.parametrize("reserved", ["", "now", "now+1minutes", "now+1day"])
def test_room_is_made_by_full_passes_as_by_quick_ones_however_many_nodes_there_are(nodes: int, backfill: bool, reserved: str) -> None:
    """From 65 nodes on full passes found none, so that who was not among the first of the queue waited for who would have given way."""
    on = by_qos(nodes=nodes, cpus=8)
    if reserved:
        b.reserve(on, "r", StartTime=reserved, Nodes="cn01", Flags="IGNORE_JOBS")
    b.submit(on, qos="low", nodes_min=nodes - bool(reserved), exclusive="node", time_limit=3600)
    b.start_planned(on, plan(on, b.T0, backfill=False, depth=10), b.T0)
    high = b.submit(on, at=b.T0 + 10, qos="high", nodes_min=2, cpus_per_task=5, time_limit=600)
    terrain = Terrain(on)
    found = plan(on, b.T0 + 10, backfill=backfill, depth=None if backfill else 10, terrain=terrain)
    made = [change for change in found.changes if isinstance(change, e.Preempted)]
    assert [change.job for change in made] == [high.id]
    assert reserved in ("", "now+1day") or "cn01" not in made[0].allocation.nodes
    b.start_planned(on, found, b.T0 + 10)
    invariants.assert_valid(on)
    terrain.refresh()
    assert (terrain.board.now.cpus == Terrain(on).board.now.cpus).all() and (terrain.board.now.tenants == Terrain(on).board.now.tenants).all()


def test_who_waits_for_room_is_looked_at_again_when_an_operator_suspends_a_job() -> None:
    on = by_qos()
    running = starts(on, b.T0, cpus_per_task=4)
    waiting = b.submit(on, at=b.T0 + 1, cpus_per_task=4)
    policy = Policy()
    policy.begin(full=True)
    found = plan(on, b.T0 + 1)
    policy.looked(found.verdicts.values(), full=True, everybody=found.everybody)
    [event] = suspend.suspend(on, [str(running.id)], b.ROOT, b.T0 + 2)
    on.apply(event)
    assert policy.noticed(type(event).__name__)
    assert [one.job for one in plan(on, b.T0 + 2).proposals] == [waiting.id]


def test_levels_of_qos_are_counted_at_once_however_many_there_are() -> None:
    on = by_qos()
    many = 200
    on.apply(e.PolicyChanged(at=b.T0, records=[
        Qos(id=10 + level, name=f"level{level}", preempts=[f"level{below}" for below in range(level)]) for level in range(many)]))
    made = Preemption(on, b.T0)
    assert [made.rank(on.policy.book.qos[f"level{level}"]) for level in (many - 1, 0, 7)] == [many - 1, 0, 7]
    assert [made.rank(on.policy.book.qos[name]) for name in ("low", "normal", "high")] == [0, 1, 2]
    on.apply(e.PolicyChanged(at=b.T0, records=[Qos(id=1000, name="a", preempts=["b"]), Qos(id=1001, name="b", preempts=["a", "b"])]))
    assert Preemption(on, b.T0).rank(on.policy.book.qos["a"]) == 1


def test_with_cancel_or_where_a_job_may_not_run_again_it_ends_as_preempted() -> None:
    for mode, fields in (("cancel", {"requeue": True}), ("requeue", {"requeue": False}), ("requeue", {"kind": "alloc"})):
        on = by_qos(mode=mode)
        low = starts(on, b.T0, qos="low", cpus_per_task=4, **fields) if "kind" not in fields else b.started(on, "cn01", qos="low", kind="alloc")
        high = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
        run(on, b.T0 + 10)
        assert (low.state, low.completing) == (JobState.PREEMPTED, True)
        b.free(on, low, at=b.T0 + 11)
        run(on, b.T0 + 11)
        assert high.state is JobState.RUNNING


def test_the_order_to_end_says_that_it_is_preemption() -> None:
    on = by_qos()
    starts(on, b.T0, qos="low", cpus_per_task=4)
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    effects = b.start_planned(on, plan(on, b.T0 + 10, backfill=False), b.T0 + 10)
    assert [effect.why for effect in effects if isinstance(effect, Terminate)] == ["preempted"]


def test_nobody_gives_way_to_his_own_or_a_lower_qos_or_when_preemption_is_off() -> None:
    for qos, fields in (("low", {}), ("high", {"preempt_type": "none"})):
        on = by_qos(**({"mode": "requeue"} | {}))
        if fields:
            on.settings.preempt_type = "none"
        starts(on, b.T0, qos="normal", cpus_per_task=4)
        b.submit(on, at=b.T0 + 10, qos=qos, cpus_per_task=4)
        assert not run(on, b.T0 + 10).changes


def test_the_cheapest_jobs_give_way_and_no_more_than_are_needed() -> None:
    on = by_qos(cpus=6)
    normal = starts(on, b.T0, qos="normal", cpus_per_task=2)
    old = starts(on, b.T0, qos="low", cpus_per_task=2)
    young = starts(on, b.T0 + 5, qos="low", cpus_per_task=2)
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=2)
    run(on, b.T0 + 10)
    assert (young.completing, old.completing, normal.completing) == (True, False, False)


def test_one_large_job_gives_way_rather_than_many_that_do_not_suffice() -> None:
    on = by_qos(cpus=8)
    large = starts(on, b.T0, qos="low", cpus_per_task=6)
    small = [starts(on, b.T0 + 1 + i, qos="low", cpus_per_task=1) for i in range(2)]
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=6)
    run(on, b.T0 + 10)
    assert large.completing and not any(job.completing for job in small)


def test_youngest_first_prefers_the_young_even_of_a_higher_qos() -> None:
    on = by_qos(preempt_youngest_first=True)
    low = starts(on, b.T0, qos="low", cpus_per_task=2)
    normal = starts(on, b.T0 + 5, qos="normal", cpus_per_task=2)
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=2)
    run(on, b.T0 + 10)
    assert (normal.completing, low.completing) == (True, False)


def test_no_job_gives_way_to_one_that_could_not_start_all_the_same() -> None:
    on = by_qos(nodes=2)
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    starts(on, b.T0, qos="high", cpus_per_task=4)
    b.submit(on, at=b.T0 + 10, qos="high", nodes_min=2, ntasks=2, cpus_per_task=4)
    assert not run(on, b.T0 + 10).changes
    held = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4, hold=True)
    assert not run(on, b.T0 + 11).changes and not low.completing and held.state is JobState.PENDING


def test_what_was_freed_stays_promised_to_whom_it_was_freed_for() -> None:
    on = by_qos()
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    high = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    run(on, b.T0 + 10)
    rival = b.submit(on, at=b.T0 + 11, qos="high", cpus_per_task=4)
    rival.request.priority = 4_000_000_000
    b.free(on, low, at=b.T0 + 12)
    found = run(on, b.T0 + 12)
    assert high.state is JobState.RUNNING and rival.state is JobState.PENDING and not found.changes


def test_a_promise_ends_when_its_job_is_cancelled_held_or_its_node_goes() -> None:
    for what in ("cancel", "hold", "drain"):
        on = by_qos()
        low = starts(on, b.T0, qos="low", cpus_per_task=4, requeue=False)
        high = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
        run(on, b.T0 + 10)
        if what == "cancel":
            for event in cancel.cancel(on, JobFilter(ids=[str(high.id)]), b.ALICE, b.T0 + 11).events:
                on.apply(event)
        elif what == "hold":
            for event in hold.hold(on, [str(high.id)], b.ROOT, b.T0 + 11):
                on.apply(event)
        else:
            on.apply(e.NodeUpdated(at=b.T0 + 11, node=low.batch_host, by=b.ROOT.uid, state="drain", reason="x"))
        run(on, b.T0 + 11)
        assert not on.promised
        b.free(on, low, at=b.T0 + 12)
        other = b.submit(on, at=b.T0 + 13, qos="low", cpus_per_task=4)
        run(on, b.T0 + 13)
        assert (other.state is JobState.RUNNING) == (what != "drain")


def test_a_job_has_its_grace_and_is_told_at_once() -> None:
    on = by_qos()
    on.apply(e.PolicyChanged(at=b.T0, records=[Qos(id=1, name="low", grace_time=60)]))
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    high = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    effects = b.start_planned(on, plan(on, b.T0 + 10, backfill=False), b.T0 + 10)
    assert [effect.signal for effect in effects if isinstance(effect, Signal)] == [18, 15]
    assert (low.state, low.preempt_time, low.kill_at) == (JobState.RUNNING, b.T0 + 10, b.T0 + 70)
    assert not run(on, b.T0 + 30).changes
    b.pass_time(on, b.T0 + 70)
    assert low.completing and low.requeue_after
    b.free(on, low, at=b.T0 + 71)
    run(on, b.T0 + 71)
    assert high.state is JobState.RUNNING


@pytest.mark.parametrize(("status", "state", "again"), [(0, JobState.COMPLETED, 0), (1, JobState.PENDING, 1)])
def test_a_job_that_ends_in_its_grace_is_done_when_it_ended_well_else_it_was_preempted(status: int, state: JobState, again: int) -> None:
    on = by_qos()
    on.apply(e.PolicyChanged(at=b.T0, records=[Qos(id=1, name="low", grace_time=60)]))
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    run(on, b.T0 + 10)
    b.finish(on, low, status, at=b.T0 + 20)
    assert (low.state, low.restarts) == (state, again)


def test_a_job_is_exempt_for_a_time_and_a_pass_says_when_that_is_over() -> None:
    on = by_qos(preempt_exempt_time=100)
    starts(on, b.T0, qos="low", cpus_per_task=4)
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    found = run(on, b.T0 + 10)
    assert not found.changes and found.again == b.T0 + 100
    assert run(on, b.T0 + 100).changes
    of_qos = by_qos(preempt_exempt_time=100)
    of_qos.apply(e.PolicyChanged(at=b.T0, records=[Qos(id=1, name="low", preempt_exempt_time=0)]))
    starts(of_qos, b.T0, qos="low", cpus_per_task=4)
    b.submit(of_qos, at=b.T0 + 10, qos="high", cpus_per_task=4)
    assert run(of_qos, b.T0 + 10).changes


def test_jobs_of_a_high_priority_are_exempt_where_the_site_says_so() -> None:
    on = by_qos(preempt_min_exempt_priority=500)
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    low.priority = 500
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    assert not run(on, b.T0 + 10).changes
    low.priority = 499
    assert run(on, b.T0 + 11).changes


def test_within_a_qos_the_job_of_higher_priority_has_the_lower_one_give_way() -> None:
    on = by_qos()
    on.settings.preempt_modes = ["requeue", "within"]
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    low.priority = low.request.priority = 10
    other = b.submit(on, at=b.T0 + 10, qos="low", cpus_per_task=4)
    other.priority = other.request.priority = 5
    assert not run(on, b.T0 + 10).changes
    urgent = b.submit(on, at=b.T0 + 11, qos="low", cpus_per_task=4)
    urgent.priority = urgent.request.priority = 20
    assert run(on, b.T0 + 11).changes and low.completing


def test_a_partition_of_a_higher_tier_has_those_of_a_lower_one_give_way_as_that_one_says() -> None:
    for mode, state in (("CANCEL", JobState.PREEMPTED), ("", JobState.PENDING)):
        on = by_partition(mode)
        low = starts(on, b.T0, cpus_per_task=4, requeue=True)
        urgent = b.submit(on, at=b.T0 + 10, partition="urgent", cpus_per_task=4)
        run(on, b.T0 + 10)
        assert (low.state, low.completing) == (state, True)
        b.free(on, low, at=b.T0 + 11)
        run(on, b.T0 + 11)
        assert urgent.state is JobState.RUNNING
    off = by_partition("OFF")
    starts(off, b.T0, cpus_per_task=4)
    b.submit(off, at=b.T0 + 10, partition="urgent", cpus_per_task=4)
    assert not run(off, b.T0 + 10).changes


def test_a_suspended_job_goes_on_when_the_one_it_gave_way_to_has_ended_and_not_before() -> None:
    on = by_partition("SUSPEND", preempt_reorder_count=1)
    low = starts(on, b.T0, cpus_per_task=4)
    urgent = b.submit(on, at=b.T0 + 10, partition="urgent", cpus_per_task=4)
    run(on, b.T0 + 10)
    assert (low.state, low.suspended_by) == (JobState.SUSPENDED, "preemption")
    run(on, b.T0 + 11)
    assert urgent.state is JobState.RUNNING
    for moment in (12, 13):
        assert not run(on, b.T0 + moment).changes
    waiting = b.submit(on, at=b.T0 + 14, cpus_per_task=4)
    b.finish(on, urgent, at=b.T0 + 20)
    run(on, b.T0 + 20)
    assert (low.state, low.suspended_seconds, waiting.state) == (JobState.RUNNING, 10, JobState.PENDING)


def test_a_partition_without_oversubscription_suspends_nobody_as_in_slurm() -> None:
    on = by_partition("SUSPEND")
    on.partitions["low"].oversubscribe = "NO"
    starts(on, b.T0, cpus_per_task=4)
    b.submit(on, at=b.T0 + 10, partition="urgent", cpus_per_task=4)
    assert not run(on, b.T0 + 10).changes


def test_tasks_of_an_array_have_others_give_way_one_after_the_other() -> None:
    on = by_qos()
    low = [starts(on, b.T0 + i, qos="low", cpus_per_task=2) for i in range(2)]
    array = b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=2, array="0-3%1")
    run(on, b.T0 + 10)
    run(on, b.T0 + 11)
    assert sorted(job.completing for job in low) == [False, True], "one task at a time may run, so one job gives way"
    for job in low:
        if job.completing:
            b.free(on, job, at=b.T0 + 12)
    run(on, b.T0 + 12)
    assert on.running_tasks(array.id) == 1


def test_on_many_nodes_those_with_the_least_to_lose_give_way() -> None:
    on = by_qos(nodes=100, cpus=2)
    jobs = [starts(on, b.T0 + i, qos="low", cpus_per_task=2) for i in range(100)]
    high = b.submit(on, at=b.T0 + 200, qos="high", cpus_per_task=2, nodes_min=3, ntasks=3)
    run(on, b.T0 + 200)
    assert [job.id for job in jobs if job.completing] == [job.id for job in jobs[-3:]]
    for job in jobs[-3:]:
        b.free(on, job, at=b.T0 + 201)
    run(on, b.T0 + 201)
    assert high.state is JobState.RUNNING


def test_a_proposal_that_has_become_impossible_is_not_carried_out() -> None:
    on = by_qos()
    low = starts(on, b.T0, qos="low", cpus_per_task=4)
    b.submit(on, at=b.T0 + 10, qos="high", cpus_per_task=4)
    found = plan(on, b.T0 + 10, backfill=False)
    b.finish(on, low, at=b.T0 + 11)
    assert not preempting.possible(on, found.changes[0])


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_no_job_gives_way_in_vain_twice_or_for_ever(seed: int) -> None:
    dice = random.Random(seed)
    mode = dice.choice(["requeue", "cancel"])
    on = by_qos(nodes=3, cpus=4, mode=mode)
    jobs: list[Job] = []
    at, served = b.T0, set[JobId]()
    for _ in range(150):
        at += dice.choice([0.5, 1, 3])
        if dice.random() < 0.6:
            jobs.append(b.submit(on, at=at, qos=dice.choice(["low", "normal", "high"]), cpus_per_task=dice.choice([1, 2, 4]),
                                 nodes_min=(nodes := dice.choice([1, 1, 2])), ntasks=nodes, requeue=True))
        found = run(on, at)
        for change in found.changes:
            assert isinstance(change, e.Preempted)
            ranks = [("low", "normal", "high").index(on.jobs[victim.job].request.qos) for victim in change.victims]
            assert max(ranks) < ("low", "normal", "high").index(on.jobs[change.job].request.qos)
            assert change.job not in served, "nobody has others give way for it twice in one wait"
            served.add(change.job)
        for job in list(on.active.values()):
            if job.completing and dice.random() < 0.7:
                b.free(on, job, at=at)
            elif not job.completing and dice.random() < 0.1:
                b.finish(on, job, at=at)
                served.discard(job.id)
        for job_id in list(served):
            if on.jobs[job_id].state is not JobState.PENDING or on.jobs[job_id].promise is None:
                assert on.jobs[job_id].attempt, "others gave way, and it did not start"
                served.discard(job_id)
    for _ in range(400):
        at += 1
        run(on, at)
        for job in list(on.active.values()):
            b.free(on, job, at=at) if job.completing else b.finish(on, job, at=at)
    ended = {JobState.COMPLETED, JobState.PREEMPTED} if mode == "cancel" else {JobState.COMPLETED}
    assert {job.state for job in jobs} <= ended, "no job is lost"
