"""Holds: whose they are and who may lift them."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import hold
from slurm.core.cluster import Cluster
from slurm.model.errors import NotFound, NotNow, NotPermitted
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b


def apply(c: Cluster, events: list[e.Event]) -> None:
    for event in events:
        c.apply(event)


@pytest.mark.parametrize(("by", "user", "reason"), [
    (b.ALICE, False, Reason.JOB_HELD_USER), (b.ROOT, False, Reason.JOB_HELD_ADMIN), (b.ROOT, True, Reason.JOB_HELD_USER)])
def test_the_reason_says_whose_hold_it_is(by: e.Caller, user: bool, reason: str) -> None:
    c = b.cluster()
    job = b.submit(c)
    apply(c, hold.hold(c, ["1"], by, b.T0, user=user))
    assert (job.reason, job.eligible_time) == (reason, 0.0)


def test_a_released_job_may_start_again() -> None:
    c = b.cluster()
    job = b.submit(c, hold=True)
    apply(c, hold.release(c, ["1"], b.ALICE, b.T0 + 9))
    assert (job.held, job.reason, job.eligible_time) == ("", Reason.NONE, b.T0 + 9)


def test_the_owner_cannot_lift_an_administrators_hold() -> None:
    c = b.cluster()
    job = b.submit(c)
    apply(c, hold.hold(c, ["1"], b.ROOT, b.T0))
    with pytest.raises(NotPermitted, match="Access/permission denied"):
        hold.release(c, ["1"], b.ALICE, b.T0)
    apply(c, hold.hold(c, ["1"], b.ALICE, b.T0))
    assert job.held == "admin"
    apply(c, hold.release(c, ["1"], b.ROOT, b.T0))
    assert job.held == ""


def test_strangers_cannot_hold() -> None:
    c = b.cluster()
    b.submit(c)
    with pytest.raises(NotPermitted, match="Invalid user id"):
        hold.hold(c, ["1"], b.BOB, b.T0)


def test_a_running_job_that_is_held_goes_on_and_stays_in_the_queue_when_it_is_put_back() -> None:
    c = b.cluster()
    job = b.started(c)
    apply(c, hold.hold(c, ["1"], b.ALICE, b.T0))
    assert (job.state, job.reason) == (JobState.RUNNING, Reason.JOB_HELD_USER)
    c.apply(e.Requeued(at=b.T0, job=job.id, by=b.ROOT.uid))
    b.free(c, job)
    assert (job.state, job.reason) == (JobState.PENDING, Reason.JOB_HELD_USER)
    apply(c, hold.release(c, ["1"], b.ALICE, b.T0))
    assert job.held == ""


def test_a_running_job_that_is_released_again_may_start_when_it_is_put_back() -> None:
    c = b.cluster()
    job = b.started(c)
    apply(c, hold.hold(c, ["1"], b.ALICE, b.T0))
    apply(c, hold.release(c, ["1"], b.ALICE, b.T0))
    assert (job.held, job.reason) == ("", Reason.NONE)


def test_an_operators_hold_is_an_administrators_also_of_his_own_job() -> None:
    c = b.cluster()
    job = b.submit(c, by=b.ROOT)
    apply(c, hold.hold(c, ["1"], b.ROOT, b.T0))
    assert job.reason == Reason.JOB_HELD_ADMIN


def test_a_job_that_has_ended_cannot_be_held() -> None:
    c = b.cluster()
    b.finish(c, b.started(c))
    with pytest.raises(NotNow, match="Job/step already completed"):
        hold.hold(c, ["1"], b.ALICE, b.T0)


def test_of_an_array_the_waiting_tasks_are_held() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-5")
    b.start(c, array)
    apply(c, hold.hold(c, ["1"], b.ALICE, b.T0))
    assert array.reason == Reason.JOB_HELD_USER


def test_some_tasks_are_held_and_released() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-5")
    apply(c, hold.hold(c, ["1_[2-3]"], b.ALICE, b.T0))
    assert array.array_part is not None
    assert array.array_part.ranges == [(1, 1, 1), (4, 5, 1)]
    apply(c, hold.release(c, ["1_2"], b.ALICE, b.T0))
    held = {job.shown_id: job.held for job in c.pending.values()}
    assert held == {"1": "", "1_2": "", "1_3": "user"}


def test_jobs_are_held_by_name() -> None:
    c = b.cluster()
    job = b.submit(c, name="sim")
    apply(c, hold.hold(c, ["name=sim"], b.ALICE, b.T0))
    assert job.held == "user"


@pytest.mark.parametrize("text", ["77", "77_1", "name=nosuch"])
def test_unknown_jobs_are_said_to_be_unknown(text: str) -> None:
    with pytest.raises(NotFound, match="Invalid job id specified"):
        hold.hold(b.cluster(), [text], b.ROOT, b.T0)


def test_a_held_job_has_no_priority_and_gets_a_new_one_when_it_is_released() -> None:
    c = b.cluster()
    job = b.submit(c)
    job.priority = 77
    apply(c, hold.hold(c, ["1"], b.ALICE, b.T0))
    assert job.priority == 0
    job.priority = 77
    apply(c, hold.release(c, ["1"], b.ALICE, b.T0 + 9))
    assert job.priority == 0
