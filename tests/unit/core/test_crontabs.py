"""Jobs that run again and again, and the crontabs they come from."""

from __future__ import annotations

import pytest

from slurm.core import cancel, crontab_lines, timers
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.invariants import check
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.crontab import CronEntry
from slurm.model.job import Job
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter

TEXT = "A=b\n#SCRON -t 5\n*/10 * * * * first\n@hourly second\n"


def installed(c: Cluster, text: str = TEXT) -> tuple[Job, Job]:
    made = []
    for spec, first, last in (("*/10 * * * *", 2, 3), ("@hourly", 4, 4)):
        record = b.submit(b.cluster(), name=spec)
        record.id = c.next_job_id
        record.not_before = b.T0 + 60
        record.cron = CronEntry(spec=spec, first_line=first, last_line=last, planned=record.not_before)
        c.apply(e.Submitted(at=b.T0, job=record))
        made.append(c.jobs[record.id])
    c.apply(e.CrontabReplaced(at=b.T0, uid=b.ALICE.uid, user="alice", by=b.ALICE.uid, text=text, jobs=[job.id for job in made]))
    return made[0], made[1]


def pass_to(c: Cluster, moment: float) -> None:
    for event in timers.due(c, moment):
        c.apply(event)


def run(c: Cluster, job: Job, code: int = 0, *, at: float) -> None:
    pass_to(c, at)
    started, _ = b.start(c, job, at=at)
    b.finish(c, started, code, at=at + 5)


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_waits_for_its_next_time_however_it_ended(code: int) -> None:
    c = b.cluster()
    job, _ = installed(c)
    assert job.reason == Reason.BEGIN_TIME
    run(c, job, code, at=b.T0 + 60)
    assert (job.state, job.allocation, job.id in c.pending, job.restarts) == (JobState.PENDING, None, True, 0)
    pass_to(c, b.T0 + 66)
    assert job.not_before > b.T0 + 66 and job.not_before % 600 == 0 and job.reason == Reason.BEGIN_TIME
    planned = job.not_before
    pass_to(c, planned - 1)
    assert job.not_before == planned
    run(c, job, at=planned)
    assert job.attempt == 2
    check(c)


def test_its_end_is_recorded_and_counted_each_time() -> None:
    c = b.cluster(accounting=True)
    job, _ = installed(c)
    pass_to(c, b.T0 + 60)
    started, _ = b.start(c, job, at=b.T0 + 60)
    b.exit_batch(c, started, 3, at=b.T0 + 65)
    effects = b.free(c, started, at=b.T0 + 65)
    recorded = [effect.record for effect in effects if hasattr(effect, "record")]
    assert [record.state for record in recorded] == [JobState.FAILED, JobState.PENDING]
    assert c.ends[JobState.FAILED] == 1


def test_who_waits_for_it_learns_how_the_run_ended() -> None:
    c = b.cluster()
    job, _ = installed(c)
    waiting = b.submit(c, dependency=f"afterok:{job.id}")
    run(c, job, at=b.T0 + 60)
    assert waiting.reason == Reason.NONE


def test_a_cancelled_job_ends_and_its_lines_become_remarks() -> None:
    c = b.cluster()
    job, other = installed(c)
    for event in cancel.cancel(c, JobFilter(ids=[str(job.id)]), b.ALICE, b.T0 + 1).events:
        c.apply(event)
    assert job.state is JobState.CANCELLED
    assert c.crontabs[b.ALICE.uid].text == "A=b\n#DISABLED: #SCRON -t 5\n#DISABLED: */10 * * * * first\n@hourly second\n"
    assert c.crontabs[b.ALICE.uid].jobs == [other.id]


def test_a_running_job_that_is_cancelled_does_not_come_back() -> None:
    c = b.cluster()
    job, _ = installed(c)
    pass_to(c, b.T0 + 60)
    b.start(c, job, at=b.T0 + 60)
    for event in cancel.cancel(c, JobFilter(ids=[str(job.id)]), b.ALICE, b.T0 + 61).events:
        c.apply(event)
    b.free(c, job, at=b.T0 + 62)
    assert job.state is JobState.CANCELLED and job.id not in c.pending
    assert "#DISABLED: */10" in c.crontabs[b.ALICE.uid].text


def test_another_crontab_lets_what_runs_end_and_cancels_what_waits() -> None:
    c = b.cluster()
    running, waiting = installed(c)
    pass_to(c, b.T0 + 60)
    b.start(c, running, at=b.T0 + 60)
    c.apply(e.CrontabReplaced(at=b.T0 + 61, uid=b.ALICE.uid, user="alice", by=b.ALICE.uid, text="# none\n"))
    assert (running.state, waiting.state) == (JobState.RUNNING, JobState.CANCELLED)
    b.finish(c, running, at=b.T0 + 70)
    assert running.state is JobState.COMPLETED and running.id not in c.pending
    assert c.crontabs[b.ALICE.uid].text == "# none\n"
    c.apply(e.CrontabReplaced(at=b.T0 + 80, uid=b.ALICE.uid, user="alice", by=b.ALICE.uid))
    assert b.ALICE.uid not in c.crontabs


def test_explicit_scancel_keeps_jobs_of_crontabs_from_being_cancelled_by_mistake() -> None:
    c = b.cluster(cron_explicit_cancel=True)
    job, _ = installed(c)
    outcome = cancel.cancel(c, JobFilter(mine=True), b.ALICE, b.T0)
    assert not outcome.events and {name for _, name, _ in outcome.refused} == {"ESLURM_CANNOT_CANCEL_CRON_JOB"}
    assert len(cancel.cancel(c, JobFilter(ids=[str(job.id)]), b.ALICE, b.T0, cron=True).events) == 1


def test_a_snapshot_has_the_crontab_and_the_time_that_is_not_planned_yet() -> None:
    c = b.cluster()
    job, _ = installed(c)
    run(c, job, at=b.T0 + 60)
    again = restored(rows.whole(c).values(), Reader({}))
    assert again is not None and again.crontabs == c.crontabs
    pass_to(again, b.T0 + 70)
    assert again.jobs[job.id].not_before % 600 == 0


def test_a_requeued_run_is_the_same_run() -> None:
    c = b.cluster(requeue_delay=0)
    job, _ = installed(c)
    pass_to(c, b.T0 + 60)
    b.start(c, job, at=b.T0 + 60)
    c.apply(e.Requeued(at=b.T0 + 61, job=job.id, by=b.ALICE.uid))
    b.free(c, job, at=b.T0 + 62)
    assert (job.restarts, job.not_before, job.reason) == (1, 0.0, Reason.NONE)


def test_lines_that_are_remarks_already_stay_as_they_are() -> None:
    c = b.cluster()
    first, second = installed(c)
    second.cron = CronEntry(spec="@hourly", first_line=2, last_line=4)
    for job in (first, second):
        crontab_lines.give_up(c, job)
    assert c.crontabs[b.ALICE.uid].text.count(crontab_lines.DISABLED) == 3
