"""Suspended jobs: what they keep and what they give, their clocks, and who may ask for it."""

from __future__ import annotations

import pytest

from slurm.core import cancel, invariants, recovery, requeue, suspend
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Launch, Record, SetLimit, Suspend
from slurm.model.accounting import JobRecord, SuspensionRecord
from slurm.model.errors import NotNow, NotPermitted
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.sched.plan import plan
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter


def do(on: Cluster, *events: e.Event) -> list[object]:
    effects: list[object] = []
    for event in events:
        effects += on.apply(event)
        invariants.assert_valid(on)
    return effects


def hold_still(on: Cluster, job: Job, at: float) -> list[object]:
    return do(on, *suspend.suspend(on, [str(job.id)], b.ROOT, at))


def go_on(on: Cluster, job: Job, at: float) -> list[object]:
    return do(on, *suspend.resume(on, [str(job.id)], b.ROOT, at))


def test_a_suspended_job_gives_its_cpus_and_keeps_its_memory_and_devices() -> None:
    on = b.cluster(nodes=1, cpus=4, gpus=1)
    job, _ = b.start(on, b.submit(on), cpus=4, memory=2000, gpus=1)
    node = on.nodes[job.batch_host]
    effects = hold_still(on, job, b.T0 + 10)
    assert job.state is JobState.SUSPENDED and job.suspended_by == "operator"
    assert (len(node.cpus_used), node.memory_used, len(node.gres_used["gpu"])) == (0, 2000, 1)
    assert [type(effect) for effect in effects if isinstance(effect, Suspend | SetLimit)] == [Suspend, SetLimit]
    go_on(on, job, b.T0 + 20)
    assert job.state is JobState.RUNNING and len(node.cpus_used) == 4


def test_others_start_on_the_cpus_of_a_suspended_job_and_share_them_once_it_goes_on() -> None:
    on = b.cluster(nodes=1, cpus=4)
    first = b.started(on, "cn01", cpus_per_task=1)
    hold_still(on, first, b.T0 + 10)
    second, _ = b.start(on, b.submit(on), cpus=4)
    node = on.nodes[first.batch_host]
    go_on(on, first, b.T0 + 20)
    assert len(node.cpus_used) == 4 and len(on.overlaps[node.name][0]) == 1
    b.finish(on, second, at=b.T0 + 30)
    invariants.assert_valid(on)
    assert len(node.cpus_used) == 1 and not on.overlaps


def test_a_whole_node_is_planned_for_a_job_although_a_suspended_one_is_there() -> None:
    on = b.cluster(nodes=1, cpus=4, memory=8000, select_memory=False)
    first = b.started(on, "cn01")
    whole = b.submit(on, exclusive="node")
    assert not plan(on, b.T0 + 1).proposals
    hold_still(on, first, b.T0 + 10)
    b.start_planned(on, plan(on, b.T0 + 11), b.T0 + 11)
    assert whole.state is JobState.RUNNING
    invariants.assert_valid(on)


def test_the_clock_of_a_suspended_job_stands_still() -> None:
    on = b.cluster(nodes=1)
    job = b.started(on, "cn01", time_limit=600)
    assert on.kill_time(job) == b.T0 + 600
    hold_still(on, job, b.T0 + 100)
    assert on.kill_time(job) is None and not b.pass_time(on, b.T0 + 5000)
    go_on(on, job, b.T0 + 5000)
    assert on.kill_time(job) == b.T0 + 600 + 4900
    assert (job.suspend_time, job.suspended_seconds, job.seconds_before_suspension) == (b.T0 + 5000, 4900, 100)
    hold_still(on, job, b.T0 + 5100)
    assert job.seconds_before_suspension == 200
    assert isinstance(b.pass_time(on, b.T0 + 9999) or None, type(None))


def test_every_suspension_and_what_it_makes_of_the_job_is_recorded() -> None:
    on = b.cluster(nodes=1, accounting=True)
    job = b.started(on, "cn01")
    made = [effect.record for effect in hold_still(on, job, b.T0 + 10) + go_on(on, job, b.T0 + 25) if isinstance(effect, Record)]
    assert [(one.start_time, one.end_time) for one in made if isinstance(one, SuspensionRecord)] == [
        (b.T0 + 10, 0.0), (b.T0 + 10, b.T0 + 25)]
    states = [(one.state, one.suspended_seconds) for one in made if isinstance(one, JobRecord)]
    assert states == [(JobState.SUSPENDED, 0), (JobState.RUNNING, 15)]
    hold_still(on, job, b.T0 + 30)
    do(on, *cancel.cancel(on, JobFilter(ids=[str(job.id)]), b.ALICE, b.T0 + 40).events)
    assert (job.state, job.suspended_seconds) == (JobState.CANCELLED, 25)


def test_a_suspended_job_is_cancelled_and_what_it_kept_is_free() -> None:
    on = b.cluster(nodes=1, cpus=4)
    job, _ = b.start(on, b.submit(on), cpus=4, memory=2000)
    hold_still(on, job, b.T0 + 10)
    other, _ = b.start(on, b.submit(on), cpus=4)
    do(on, *cancel.cancel(on, JobFilter(ids=[str(job.id)]), b.ALICE, b.T0 + 11).events)
    b.free(on, job)
    node = on.nodes[other.batch_host]
    assert (len(node.cpus_used), node.memory_used, node.suspended) == (4, 0, set())
    invariants.assert_valid(on)


def test_a_suspended_job_that_is_requeued_is_held() -> None:
    on = b.cluster(nodes=1, requeue_delay=0)
    job = b.started(on, "cn01", requeue=True)
    hold_still(on, job, b.T0 + 10)
    do(on, *requeue.requeue(on, [str(job.id)], b.ALICE, b.T0 + 11))
    b.free(on, job)
    assert (job.state, job.held, job.suspended_seconds, job.without_cpus) == (JobState.PENDING, "user", 0, False)
    invariants.assert_valid(on)


def test_only_operators_suspend_and_resume() -> None:
    on = b.cluster(nodes=1)
    job = b.started(on, "cn01")
    for asked in (suspend.suspend, suspend.resume):
        with pytest.raises(NotPermitted):
            asked(on, [str(job.id)], b.ALICE, b.T0)


def test_what_cannot_be_suspended_or_resumed_is_refused_with_the_reason() -> None:
    on = b.cluster(nodes=1)
    waiting, job = b.submit(on), b.started(on, "cn01")
    for asked, one, name in ((suspend.suspend, waiting, "ESLURM_JOB_PENDING"), (suspend.resume, job, "ESLURM_JOB_NOT_SUSPENDED")):
        with pytest.raises(NotNow) as caught:
            asked(on, [str(one.id)], b.ROOT, b.T0)
        assert caught.value.name == name
    hold_still(on, job, b.T0 + 1)
    with pytest.raises(NotNow):
        suspend.suspend(on, [str(job.id)], b.ROOT, b.T0 + 2)
    b.finish(on, job)
    with pytest.raises(NotNow):
        suspend.resume(on, [str(job.id)], b.ROOT, b.T0 + 2)


def test_of_an_array_the_tasks_that_run_are_suspended() -> None:
    on = b.cluster(nodes=1)
    record = b.submit(on, array="0-2")
    one, _ = b.start(on, record, task=0)
    assert [event.job for event in suspend.suspend(on, [str(record.id)], b.ROOT, b.T0)] == [one.id]  # type: ignore[attr-defined]


def test_a_job_that_is_suspended_before_its_script_began_is_launched_and_held_still_then() -> None:
    on = b.cluster(nodes=1)
    job = b.started(on, "cn01", launched=False)
    hold_still(on, job, b.T0 + 1)
    assert any(isinstance(effect, Launch) for effect in recovery.pending_effects(on))
    effects = do(on, e.Launched(at=b.T0 + 2, job=job.id, attempt=1))
    assert any(isinstance(effect, Suspend) for effect in effects)


def test_a_suspended_job_whose_node_was_away_is_suspended_when_it_comes_back() -> None:
    on = b.cluster(nodes=1, return_to_service=2)
    job = b.started(on, "cn01", requeue=True)
    hold_still(on, job, b.T0 + 10)
    name = job.batch_host
    do(on, e.NodeSilent(at=b.T0 + 20, node=name), e.NodeLost(at=b.T0 + 300, node=name, may_run=True, together=[name]))
    assert job.lost is not None and job.state is JobState.PENDING
    do(on, b.registered(on.nodes[name], b.T0 + 400), e.NodeReturned(at=b.T0 + 400, job=job.id, attempt=1, node=name))
    assert job.state is JobState.SUSPENDED and not on.nodes[name].cpus_used
    go_on(on, job, b.T0 + 410)
    assert job.suspended_seconds == 400
