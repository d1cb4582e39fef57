"""What time alone brings about."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import timers
from slurm.core.cluster import Cluster
from slurm.core.timer_heap import Timer
from slurm.model.crontab import CronEntry
from slurm.model.states import JobState
from slurm.testing import builders as b


def due(c: Cluster, now: float) -> list[str]:
    events = timers.due(c, now)
    for event in events:
        c.apply(event)
    return [type(event).__name__ for event in events]


def test_nothing_is_due_in_an_empty_cluster() -> None:
    c = b.cluster()
    assert timers.due(c, b.T0 + 1e6) == []
    assert timers.next_due(c) is None


def test_time_limits_count_in_seconds() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=90, at=b.T0 + 10)
    assert timers.next_due(c) == b.T0 + 100
    assert due(c, b.T0 + 99.9) == []
    assert due(c, b.T0 + 100) == ["TimedOut"]
    assert job.state is JobState.TIMEOUT


def test_overtimelimit_gives_more_time_and_a_partition_may_say_otherwise() -> None:
    c = b.cluster(over_time_limit=60)
    b.started(c, time_limit=90)
    assert due(c, b.T0 + 149) == []
    c.partitions["debug"].over_time_limit = 0
    assert c.kill_time(c.jobs[b.JobId(1)]) == b.T0 + 90


def test_a_job_without_limit_is_never_due() -> None:
    c = b.cluster()
    b.started(c, time_limit=-1)
    assert due(c, b.T0 + 1e9) == []


def test_the_warning_comes_before_the_limit_and_once() -> None:
    c = b.cluster()
    b.started(c, time_limit=60, signal="USR1@20")
    assert due(c, b.T0 + 39) == []
    assert due(c, b.T0 + 41) == ["Warned"]
    assert due(c, b.T0 + 42) == []


def test_the_warning_waits_for_the_script() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=60, signal="USR1@20", launched=False)
    assert due(c, b.T0 + 45) == []
    c.apply(e.Launched(at=b.T0 + 46, job=job.id, attempt=1))
    assert due(c, b.T0 + 46) == ["Warned"]


def test_a_warning_longer_than_the_job_comes_at_its_start() -> None:
    c = b.cluster()
    b.started(c, time_limit=60, signal="USR1@600")
    assert due(c, b.T0) == ["Warned"]


def test_begin_times_come() -> None:
    c = b.cluster()
    b.submit(c, begin=b.T0 + 30)
    assert timers.next_due(c) == b.T0 + 30
    assert due(c, b.T0 + 30) == ["Eligible"]
    assert due(c, b.T0 + 31) == []


def test_a_begin_time_that_was_moved_is_due_at_its_new_time() -> None:
    c = b.cluster()
    job = b.submit(c, begin=b.T0 + 30)
    job.not_before = b.T0 + 60
    assert due(c, b.T0 + 30) == []


def test_a_job_that_can_not_end_before_its_deadline_is_given_up() -> None:
    c = b.cluster()
    job = b.submit(c, time_limit=60, deadline=b.T0 + 100)
    assert due(c, b.T0 + 39) == []
    assert due(c, b.T0 + 40) == ["DeadlinePassed"]
    assert job.state is JobState.DEADLINE


def test_ended_jobs_leave_memory_after_minjobage() -> None:
    c = b.cluster(min_job_age=300)
    b.finish(c, b.started(c), at=b.T0 + 10)
    b.finish(c, b.started(c), at=b.T0 + 10)
    assert due(c, b.T0 + 309) == []
    assert timers.due(c, b.T0 + 310) == [e.Purged(at=b.T0 + 310, jobs=[b.JobId(1), b.JobId(2)])]


def test_a_requeued_job_is_not_purged() -> None:
    c = b.cluster(min_job_age=300, requeue_delay=0)
    job = b.started(c)
    b.finish(c, job)
    c.apply(e.Requeued(at=b.T0 + 5, job=job.id, by=b.ROOT.uid))
    assert due(c, b.T0 + 1000) == []
    assert job.id in c.jobs


def test_short_jobs_with_long_limits_leave_no_timers_behind() -> None:
    c = b.cluster(min_job_age=60)
    most = 0
    for second in range(6000):
        job = b.started(c, time_limit=86400, signal="USR1@60", at=b.T0 + second)
        b.finish(c, job, at=b.T0 + second)
        due(c, b.T0 + second)
        most = max(most, c.timers.size)
    assert most < 2 * 61 + 1024 + 10
    due(c, b.T0 + 1e6)
    assert len(c.timers) == 0 and timers.next_due(c) is None


def test_of_several_delays_each_is_looked_at_in_its_time() -> None:
    c = b.cluster()
    first = b.started(c)
    waits = b.submit(c, dependency=f"after:{first.id}+1,after:{first.id}+3")
    assert timers.next_due(c) == b.T0 + 60
    assert due(c, b.T0 + 60) == ["Eligible"]
    assert waits.reason == "Dependency"
    assert timers.next_due(c) == b.T0 + 180
    assert due(c, b.T0 + 180) == ["Eligible"]
    assert waits.reason == "None"


def test_a_limit_that_a_partition_moves_later_is_looked_at_again() -> None:
    c = b.cluster()
    b.started(c, time_limit=60)
    c.partitions["debug"].over_time_limit = 60
    assert due(c, b.T0 + 61) == []
    assert due(c, b.T0 + 121) == ["TimedOut"]


def test_an_event_that_cannot_be_told_costs_nobody_elses_and_is_tried_again() -> None:
    c = b.cluster(nodes=2)
    broken = b.submit(c, name="broken")
    broken = c.jobs[broken.id]
    broken.cron = CronEntry(spec="61 * * * *")
    c.timers.set(b.T0 + 90, Timer.CRON, broken.id)
    b.started(c, time_limit=60)
    b.started(c, time_limit=100)
    told: list[tuple[Timer, int]] = []

    def ask(moment: float) -> list[str]:
        return [type(event).__name__ for event in timers.due(c, moment, failed=lambda what, number, _: told.append((what, number)))]

    assert ask(b.T0 + 100) == ["TimedOut", "TimedOut"]
    assert told == [(Timer.CRON, broken.id)]
    broken.cron = CronEntry(spec="* * * * *")
    assert ask(b.T0 + 100 + timers.AGAIN_SECONDS) == ["CronPlanned"]
