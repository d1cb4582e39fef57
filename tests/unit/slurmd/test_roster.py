"""Which steps are on a node, and when slurmctld may hear that a job is gone from it."""

from __future__ import annotations

from slurm.slurmd.roster import Roster
from slurm.slurmd.stepd.folder import Ended, StepKey

BATCH = StepKey(12, 1, -5)
STEP = StepKey(12, 1, 0)
GOOD = Ended(0)


def begun(roster, key):
    return roster.begin(key, f"/spool/{key.folder_name}")


def test_a_batch_script_that_ends_alone_takes_its_job_with_it():
    roster = Roster()
    assert roster.end(begun(roster, BATCH), GOOD) is True
    assert roster.is_past(12, 1)


def test_a_job_is_gone_only_when_its_last_step_ended():
    roster = Roster()
    batch, step = begun(roster, BATCH), begun(roster, STEP)
    assert roster.end(batch, GOOD) is False
    assert roster.end(step, GOOD) is True


def test_steps_that_end_do_not_end_a_job_without_a_batch_script():
    roster = Roster()
    assert roster.end(begun(roster, STEP), GOOD) is False
    assert not roster.is_past(12, 1)
    roster.close(12, 1)
    assert roster.is_past(12, 1)


def test_a_step_is_remembered_after_its_folder_is_gone_and_an_attempt_after_its_job():
    roster = Roster()
    step = begun(roster, STEP)
    roster.end(step, GOOD)
    roster.drop_step(step)
    assert roster.has_seen(STEP)
    assert roster.holdings() == []
    roster.close(12, 1)
    roster.drop_job(12, 1)
    assert roster.find(12, 1) is None
    assert roster.is_past(12, 1)
    assert not roster.is_past(12, 2)


def test_a_step_that_could_not_be_started_may_be_tried_again():
    roster = Roster()
    roster.never_begun(begun(roster, BATCH))
    assert roster.find(12, 1) is None
    assert not roster.has_seen(BATCH)
    roster.close(12, 1)
    roster.never_begun(begun(roster, BATCH))
    assert roster.is_past(12, 1)


def test_a_job_with_running_steps_is_not_dropped():
    roster = Roster()
    begun(roster, STEP)
    roster.drop_job(12, 1)
    assert roster.running == 1


def test_holdings_say_what_runs_and_what_ended_and_leave_out_the_unwanted():
    roster = Roster()
    begun(roster, BATCH)
    roster.end(begun(roster, STEP), GOOD)
    assert {(h.step, h.running) for h in roster.holdings()} == {(-5, True), (0, False)}
    roster.close(12, 1).unwanted = True
    assert roster.holdings() == []
