"""Efficiencies of many jobs, put together."""

import pytest

from slurm.model.accounting import JobRecord, JobRow, StepRecord, Usage
from slurm.model.ids import Gid, JobId, StepId, Uid
from slurm.model.states import JobState
from slurm.render import efficiency_report
from tests.compat import past

NOON = 1795262400.0
MB = 1024 * 1024


def _row(number: int, user: str = "alice", cpu: float | None = 1800.0, **fields: object) -> JobRow:
    values: dict[str, object] = {
        "state": JobState.COMPLETED, "start_time": NOON - 3600, "end_time": NOON, "allocated": {"cpu": 1, "mem": 1024}, "node_count": 1, **fields}
    job = JobRecord(id=JobId(number), uid=Uid(1), gid=Gid(1), user=user, group="g", **values)  # type: ignore[arg-type]
    usage = None if cpu is None else Usage(user_seconds=cpu, taken={"mem": past.used(256 * MB)})
    return JobRow("lab", number, job, [StepRecord(job=job.id, step=StepId(-5), name="batch", start_time=NOON - 3600, end_time=NOON, usage=usage)])


def test_jobs_of_a_user_are_one_line_and_those_not_measured_are_counted_and_not_guessed() -> None:
    rows = [_row(1), _row(2, cpu=None, state=JobState.FAILED), _row(3, cpu=3600.0), _row(4, "bob", cpu=360.0)]
    alice, bob = efficiency_report.lines(rows, "user", NOON)
    assert (alice.key, alice.jobs, alice.failed, alice.unmeasured) == ("alice", 3, 1, 1)
    assert alice.cpu.percent == pytest.approx(75.0) and bob.cpu.percent == pytest.approx(10.0)
    assert alice.cells() == ["3", "1", "02:00:00", "75.0%", "25.0% of 2.00 GB", "", "1"]


def test_tasks_of_an_array_are_one_line_or_many() -> None:
    rows = [_row(number, array_job=JobId(5), array_task=number) for number in (5, 6)]
    assert [line.key for line in efficiency_report.lines(rows, "array", NOON)] == ["5"]
    assert [line.key for line in efficiency_report.lines(rows, "job", NOON)] == ["5_5", "5_6"]


def test_days_are_those_on_which_jobs_ended() -> None:
    past.use_utc()
    assert [line.key for line in efficiency_report.lines([_row(1), _row(2, end_time=NOON + 86400)], "day", NOON)] == ["2026-11-21", "2026-11-22"]


def test_what_never_ran_is_left_out_and_what_was_not_measured_has_no_percent() -> None:
    assert efficiency_report.lines([_row(1, start_time=0.0, allocated={})], "job", NOON) == []
    facts = efficiency_report.lines([_row(1, cpu=None)], "job", NOON)[0].facts()
    assert facts["cpu"] == {"used": None, "held": 0.0, "percent": None}
