"""The job state machine: every pair of phase and event is carried out, passed over or refused."""

from __future__ import annotations

from typing import get_args

import pytest

from slurm.core import events as e
from slurm.core import lifecycle
from slurm.core.illegal import IllegalTransition
from slurm.core.lifecycle import ENDED, ENDING, IGNORED, RUNNING, TABLE, WAITING, phase
from slurm.journal import rows
from slurm.model.states import JobState
from slurm.testing import builders as b

JOB_EVENTS = [kind for kind in get_args(e.AnyEvent) if "job" in kind.__struct_fields__ and kind is not e.Submitted]


def test_no_pair_is_both_carried_out_and_ignored() -> None:
    assert not TABLE.keys() & IGNORED.keys()


def test_the_table_speaks_only_of_job_events() -> None:
    assert {kind for _, kind in (*TABLE, *IGNORED)} <= set(JOB_EVENTS)


def test_every_job_event_can_happen_in_some_phase() -> None:
    assert {kind for _, kind in TABLE} == set(JOB_EVENTS)


def test_phases_follow_state_and_completing() -> None:
    c = b.cluster()
    job = b.submit(c)
    assert phase(job) is WAITING
    b.start(c, job)
    assert phase(job) is RUNNING
    b.exit_batch(c, job)
    assert phase(job) is ENDING
    b.free(c, job)
    assert phase(job) is ENDED


def test_an_illegal_event_is_refused_with_the_story_and_changes_nothing() -> None:
    c = b.cluster()
    job = b.started(c)
    before = rows.whole(c)
    with pytest.raises(IllegalTransition, match=r"CronPlanned cannot happen to a job that is running: job 1 of alice is RUNNING, attempt 1"):
        c.apply(e.CronPlanned(at=b.T0, job=job.id, moment=b.T0))
    assert rows.whole(c) == before


def test_a_job_cannot_start_twice() -> None:
    c = b.cluster()
    job = b.started(c)
    assert job.allocation is not None
    with pytest.raises(IllegalTransition, match="Started cannot happen"):
        c.apply(e.Started(at=b.T0, job=job.id, allocation=job.allocation))


def test_an_event_for_an_unknown_job_is_refused() -> None:
    with pytest.raises(IllegalTransition, match="job 99, which is not known"):
        b.cluster().apply(e.Held(at=b.T0, job=b.JobId(99)))


def test_news_of_a_job_that_left_memory_is_passed_over() -> None:
    event = e.BatchExited(at=b.T0, job=b.JobId(99), attempt=1, status=0)
    assert b.cluster().apply(event) == []
    assert lifecycle.ignored(b.cluster(), event) == lifecycle.GONE


def test_news_of_an_earlier_attempt_is_passed_over() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    c.apply(e.Requeued(at=b.T0, job=job.id, by=b.ROOT.uid))
    b.free(c, job)
    b.start(c, job)
    stale = e.BatchExited(at=b.T0, job=job.id, attempt=1, status=0)
    assert lifecycle.ignored(c, stale) == lifecycle.STALE
    assert c.apply(stale) == []
    assert job.state is JobState.RUNNING
    assert job.attempt == 2


def test_news_of_an_attempt_that_never_was_is_refused() -> None:
    c = b.cluster()
    job = b.started(c)
    with pytest.raises(IllegalTransition, match="attempt 7, which never was"):
        c.apply(e.BatchExited(at=b.T0, job=job.id, attempt=7, status=0))


def test_late_news_says_why_it_is_passed_over() -> None:
    c = b.cluster()
    job = b.started(c)
    b.finish(c, job)
    assert lifecycle.ignored(c, e.TimedOut(at=b.T0, job=job.id, attempt=1)) == "late news of a job that ended"


def test_one_request_may_end_a_job_that_another_of_its_events_has_ended() -> None:
    c = b.cluster()
    first = b.submit(c)
    second = b.submit(c, dependency=f"afterok:{first.id}", kill_on_invalid_dep=True)
    for job in (first, second):
        c.apply(e.Cancelled(at=b.T0, job=job.id, by=b.ROOT.uid))
    assert second.state is JobState.CANCELLED
    assert second.reason == "DependencyNeverSatisfied"
