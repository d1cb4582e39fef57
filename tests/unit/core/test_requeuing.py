"""How jobs come back to the queue."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import hold, requeue, timers
from slurm.core.effects import Terminate
from slurm.core.invariants import check
from slurm.model.cpu_set import NOTHING
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b


def test_a_requeued_job_waits_for_its_nodes_then_for_the_requeue_delay() -> None:
    c = b.lab_cluster()
    job = b.started(c)
    [event] = requeue.requeue(c, ["1"], b.ALICE, b.T0 + 5)
    effects = c.apply(event)
    assert any(isinstance(effect, Terminate) and effect.why == "requeue" for effect in effects)
    assert (job.state, job.completing, job.id in c.pending) == (JobState.PENDING, True, False)
    b.free(c, job, at=b.T0 + 6)
    assert (job.state, job.reason, job.restarts, job.eligible_time) == (JobState.PENDING, Reason.BEGIN_TIME, 1, b.T0 + 126)
    assert job.allocation is None
    assert timers.due(c, b.T0 + 125) == []
    for due in timers.due(c, b.T0 + 126):
        c.apply(due)
    assert job.reason == Reason.NONE
    b.start(c, job)
    assert job.attempt == 2


def test_release_ends_the_requeue_delay_at_once() -> None:
    c = b.cluster()
    job = b.started(c)
    c.apply(e.Requeued(at=b.T0, job=job.id, by=b.ROOT.uid))
    b.free(c, job)
    for event in hold.release(c, ["1"], b.ALICE, b.T0 + 2):
        c.apply(event)
    assert job.reason == Reason.NONE
    assert job.not_before == 0.0


def test_requeuehold_holds_the_job() -> None:
    c = b.cluster()
    job = b.started(c)
    for event in requeue.requeue(c, ["1"], b.ROOT, b.T0, hold=True):
        c.apply(event)
    b.free(c, job)
    assert (job.held, job.reason) == ("user", "job requeued in held state")
    for event in hold.release(c, ["1"], b.ALICE, b.T0 + 2):
        c.apply(event)
    assert (job.held, job.reason) == ("", Reason.BEGIN_TIME if job.not_before else Reason.NONE)


def test_a_finished_job_can_be_requeued() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    b.finish(c, job, 1)
    for event in requeue.requeue(c, ["1"], b.ALICE, b.T0 + 9):
        c.apply(event)
    assert (job.state, job.exit_status, job.restarts) == (JobState.PENDING, 0, 1)


@pytest.mark.parametrize(("request_", "error", "name"), [
    ({"requeue": False}, NotNow, "ESLURM_DISABLED"), ({"kind": "alloc"}, InvalidRequest, "ESLURM_BATCH_ONLY"),
])
def test_what_cannot_run_again_is_refused(request_: dict[str, object], error: type[Exception], name: str) -> None:
    c = b.cluster()
    b.started(c, **request_)
    with pytest.raises(error) as raised:
        requeue.requeue(c, ["1"], b.ALICE, b.T0)
    assert raised.value.name == name  # type: ignore[attr-defined]


def test_a_pending_job_cannot_be_requeued() -> None:
    c = b.cluster()
    b.submit(c)
    with pytest.raises(NotNow, match="Job is pending execution"):
        requeue.requeue(c, ["1"], b.ALICE, b.T0)


def test_only_the_owner_and_operators_requeue() -> None:
    c = b.cluster()
    b.started(c)
    with pytest.raises(NotPermitted, match="Invalid user id"):
        requeue.requeue(c, ["1"], b.BOB, b.T0)


def test_a_job_that_cannot_be_launched_is_tried_again_and_at_last_held() -> None:
    c = b.cluster(requeue_delay=0, max_batch_requeue=2)
    job = b.submit(c)
    for _ in range(3):
        b.start(c, job)
        c.apply(e.LaunchFailed(at=b.T0, job=job.id, attempt=job.attempt, node=b.NodeName("cn01"), why="no such user"))
        assert job.state is JobState.PENDING
    assert (job.held, job.reason, job.reason_text) == ("admin", Reason.LAUNCH_FAILED_REQUEUED_HELD, "no such user")
    assert c.nodes[b.NodeName("cn01")].cpus_used == NOTHING


def test_a_job_that_may_not_run_again_fails_when_it_cannot_be_launched() -> None:
    c = b.cluster()
    job, _ = b.start(c, b.submit(c, requeue=False))
    c.apply(e.LaunchFailed(at=b.T0, job=job.id, attempt=1, node=b.NodeName("cn01"), why="no such user"))
    assert (job.state, job.reason) == (JobState.FAILED, Reason.JOB_LAUNCH_FAILURE)
    assert not job.completing


@pytest.mark.parametrize(("asks", "state"), [(True, JobState.PENDING), (False, JobState.NODE_FAIL)])
def test_the_loss_of_a_node_requeues_or_fails_its_jobs(asks: bool, state: JobState) -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02", requeue=asks)
    effects = c.apply(e.NodeLost(at=b.T0 + 9, node=b.NodeName("cn02")))
    assert [effect.nodes for effect in effects if isinstance(effect, Terminate)] == [("cn01", "cn02")]
    assert job.nodes_left == ["cn01"]
    b.free(c, job)
    assert job.state is state
    assert job.last_node_failed == "cn02"


def test_no_kill_lets_a_job_go_on_without_the_lost_node() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02", no_kill=True)
    c.apply(e.NodeLost(at=b.T0 + 9, node=b.NodeName("cn02")))
    assert job.state is JobState.RUNNING
    assert job.nodes_left == ["cn01"]
    assert c.nodes[b.NodeName("cn02")].cpus_used == NOTHING


def test_no_kill_lets_a_job_go_on_without_a_node_that_is_set_down_and_its_processes_there_are_ended() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02", no_kill=True)
    effects = c.apply(e.NodeUpdated(at=b.T0 + 9, node=b.NodeName("cn02"), state="DOWN", reason="broken", by=b.ROOT.uid, by_name="root"))
    assert (job.state, job.nodes_left) == (JobState.RUNNING, ["cn01"])
    assert job.allocation is not None and job.allocation.nodes == ["cn01"]
    assert [effect.nodes for effect in effects if isinstance(effect, Terminate)] == [("cn02",)]
    c.apply(e.NodeFreed(at=b.T0 + 10, job=job.id, attempt=job.attempt, node=b.NodeName("cn02")))
    assert job.state is JobState.RUNNING and not c.nodes[b.NodeName("cn02")].remains
    assert not list(check(c))


def test_an_ending_job_is_free_of_a_lost_node() -> None:
    c = b.cluster()
    job = b.started(c)
    b.exit_batch(c, job)
    c.apply(e.NodeLost(at=b.T0 + 9, node=b.NodeName("cn01")))
    assert (job.state, job.completing) == (JobState.COMPLETED, False)


@pytest.mark.parametrize(("code", "held"), [(42, ""), (43, "user")])
def test_exit_codes_of_the_configuration_requeue(code: int, held: str) -> None:
    c = b.cluster(requeue_exit=[42], requeue_exit_hold=[43])
    job = b.started(c)
    b.finish(c, job, code)
    assert (job.state, job.held) == (JobState.PENDING, held)
    assert ("special_exit" in job.flags) == bool(held)


def test_requeuehold_with_a_special_exit_shows_it_until_the_job_is_released() -> None:
    c = b.cluster(requeue_delay=0)
    running, ended = b.started(c), b.started(c)
    b.finish(c, ended, 1)
    for job in (running, ended):
        for event in requeue.requeue(c, [str(job.id)], b.ROOT, b.T0 + 9, hold=True, special=True):
            c.apply(event)
    b.free(c, running, at=b.T0 + 10)
    for job in (running, ended):
        assert (job.state, job.held, job.flags, job.reason_text) == (JobState.PENDING, "user", ["special_exit"], "")
        for event in hold.release(c, [str(job.id)], b.ROOT, b.T0 + 11):
            c.apply(event)
        assert job.flags == []
    check(c)
