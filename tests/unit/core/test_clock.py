"""A clock that was set: no job gains or loses time by it."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.states import JobState
from slurm.model.trigger import Pull, Trigger
from slurm.testing import builders as b
from tests.unit.core.test_policy import book
from tests.unit.core.test_policy import cluster as counted

DAY = 86400.0


def set_clock(c: Cluster, by: float, at: float = b.T0 + 10) -> float:
    c.apply(e.ClockSet(at=at + by, by=by))
    return at + by


def happens(c: Cluster, until: float) -> list[str]:
    return [type(event).__name__ for event in b.pass_time(c, until)]


@pytest.mark.parametrize("by", [2 * DAY, -DAY])
def test_a_running_job_has_the_time_that_was_left_to_it(by: float) -> None:
    c = b.cluster()
    job = b.started(c, time_limit=90)
    now = set_clock(c, by)
    assert now - job.start_time == 10
    assert c.expected_end(job) == now + 80
    assert happens(c, now + 79.9) == []
    assert happens(c, now + 80) == ["TimedOut"]


@pytest.mark.parametrize("by", [2 * DAY, -DAY])
def test_what_jobs_used_grows_by_the_seconds_that_went_by(by: float) -> None:
    c = counted(book())
    job = b.submit(c)
    b.start(c, job, at=b.T0)
    keys = list(c.policy.usage.counters)
    before = [c.policy.usage.of(key, "cpu", b.T0 + 10) for key in keys]
    now = set_clock(c, by)
    assert keys and [c.policy.usage.of(key, "cpu", now) for key in keys] == pytest.approx(before)


@pytest.mark.parametrize("by", [2 * DAY, -DAY])
def test_the_delay_of_a_requeued_job_and_of_after_are_as_long_as_they_were(by: float) -> None:
    c = b.cluster(requeue_delay=120)
    first = b.started(c, time_limit=3600)
    late = b.submit(c, dependency=f"after:{first.id}+1")
    again = b.started(c, "cn02")
    c.apply(e.Requeued(at=b.T0 + 5, job=again.id, by=b.ROOT.uid))
    b.free(c, again, at=b.T0 + 5)
    assert again.state is JobState.PENDING and again.not_before == b.T0 + 125
    now = set_clock(c, by)
    assert again.not_before == now + 115
    b.pass_time(c, now + 49)
    assert not late.eligible_time and again.not_before
    b.pass_time(c, now + 50)
    assert late.eligible_time and again.not_before
    b.pass_time(c, now + 115)
    assert not again.not_before


def test_a_begin_time_and_what_is_over_stay_where_they_were() -> None:
    c = b.cluster()
    planned = b.submit(c, begin=b.T0 + DAY)
    over = b.started(c)
    b.finish(c, over, at=b.T0 + 7)
    set_clock(c, 2 * DAY)
    assert (planned.not_before, over.start_time, over.end_time) == (b.T0 + DAY, b.T0, b.T0 + 7)
    assert "Eligible" in happens(c, b.T0 + 2 * DAY)


def test_waiting_jobs_do_not_grow_old_by_it() -> None:
    c = b.cluster(nodes=1, cpus=1)
    b.started(c)
    waits = b.submit(c)
    assert waits.accrue_time == b.T0
    now = set_clock(c, 2 * DAY)
    assert now - waits.accrue_time == 10


def test_a_submission_that_comes_again_finds_its_job_as_long_as_before() -> None:
    c = b.cluster()
    job = b.submit(c)
    c.keys.add(job.owner.uid, "twice", job.id)
    c.keys.retire(job.owner.uid, "twice", b.T0)
    now = set_clock(c, 2 * DAY)
    c.keys.retire(job.owner.uid, "other", now)
    assert c.keys.find(job.owner.uid, "twice") == job.id


def test_the_program_of_a_trigger_that_was_pulled_runs_as_long_after_it_as_was_asked_for() -> None:
    c = b.cluster()
    c.apply(e.TriggerSet(at=b.T0, trigger=Trigger(
        id=1, uid=b.ROOT.uid, gid=b.ROOT.gid, user="root", kind="node", what="down", program="/bin/true", nodes="*", offset=600)))
    c.apply(e.TriggerPulled(at=b.T0, trigger=1, pull=Pull("cn01", b.T0 + 600)))
    now = set_clock(c, -DAY)
    assert [pull.moment for pull in c.triggers[1].pulled] == [now + 590]
