"""What slurmctld finds by looking: jobs that may age, jobs whose group is out of minutes, periods of usage that are over."""

from __future__ import annotations

import datetime

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.slurmctld.policy_clock import PolicyClock, period_begin
from slurm.testing import builders as b
from tests.unit.core.test_policy import book, cluster


class Applying:
    """An engine without a journal."""

    def __init__(self, of: Cluster) -> None:
        self.cluster = of
        self.recorded: list[e.Event] = []

    def record(self, event: e.Event) -> None:
        self.recorded.append(event)
        self.cluster.apply(event)


def test_the_clock_lets_jobs_age_and_ends_those_whose_group_is_out_of_minutes() -> None:
    c = cluster(book(assoc={"MaxJobsAccrue": {"": 1}}, account={"GrpWall": {"": 2}}))
    running = b.started(c)
    waiting = [b.submit(c) for _ in range(2)]
    engine, now = Applying(c), [b.T0]
    clock = PolicyClock(engine, lambda: now[0])  # type: ignore[arg-type]
    clock.look()
    now[0] += 1
    clock.look()
    assert [job.accrue_time > 0 for job in waiting] == [True, False]
    for now[0] in (b.T0 + 110, b.T0 + 111, b.T0 + 125, b.T0 + 126):
        clock.look()
    assert running.reason == "AssocGrpWallLimit" and running.completing
    assert [type(event).__name__ for event in engine.recorded] == ["Accrued", "TimedOut"]


def test_usage_is_set_back_once_a_period_and_with_now_once_for_each_reading_of_the_configuration() -> None:
    c = cluster(book(), usage_reset_period="DAILY")
    engine, now = Applying(c), [b.T0]
    clock = PolicyClock(engine, lambda: now[0])  # type: ignore[arg-type]
    for now[0] in (b.T0 + 1, b.T0 + 86401, b.T0 + 86403, b.T0 + 86405):
        clock.look()
    assert len(engine.recorded) == 1
    c.settings.usage_reset_period = "NOW"
    clock = PolicyClock(engine, lambda: now[0])  # type: ignore[arg-type]
    for now[0] in (b.T0 + 86410, b.T0 + 86412):
        clock.look()
    assert len(engine.recorded) == 2


@pytest.mark.parametrize(("period", "begun"), [
    ("DAILY", "2026-08-19"), ("WEEKLY", "2026-08-16"), ("MONTHLY", "2026-08-01"), ("QUARTERLY", "2026-07-01"), ("YEARLY", "2026-01-01")])
def test_a_period_begins_at_midnight_of_its_first_day(period: str, begun: str) -> None:
    now = datetime.datetime(2026, 8, 19, 15, 30).timestamp()
    assert period_begin(period, now) == datetime.datetime.fromisoformat(begun).timestamp()
    assert period_begin("NONE", now) is None


@pytest.mark.parametrize(("words", "kinds"), [([], {"job", "step"}), (["nosteps"], {"job"}), (["nojobs"], set())])
def test_nojobs_and_nosteps_keep_records_from_leaving(words: list[str], kinds: set[str]) -> None:
    c = b.cluster(accounting=True, accounting_enforce=words)
    job = b.submit(c)
    _, effects = b.start(c, job)
    effects += c.apply(e.Launched(at=b.T0 + 1, job=job.id, attempt=1))
    assert {type(effect.record).__name__.removesuffix("Record").lower() for effect in effects if hasattr(effect, "record")} == kinds
