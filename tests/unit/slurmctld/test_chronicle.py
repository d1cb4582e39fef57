"""What the log says of events."""

import logging

import pytest

from slurm.core import events as e
from slurm.daemon.logs import VERBOSE
from slurm.model.ids import Uid
from slurm.slurmctld import chronicle
from slurm.testing import builders as b


def test_the_life_of_a_job_reads_as_sentences() -> None:
    cluster = b.cluster(4)
    job = b.started(cluster, "cn01", "cn02")
    assert job.allocation is not None
    assert chronicle.sentence(cluster, e.Submitted(at=b.T0, job=job)) == f"Job {job.id} ({job.request.name}) of alice waits in partition debug"
    assert chronicle.sentence(cluster, e.Started(at=b.T0, job=job.id, allocation=job.allocation)).startswith(f"Job {job.id} starts on cn[01-02] with ")
    assert chronicle.sentence(cluster, e.BatchExited(at=b.T0, job=job.id, attempt=1, status=3 << 8)) == f"Job {job.id}: its script ended with 3:0"
    assert chronicle.sentence(cluster, e.BatchExited(at=b.T0, job=job.id, attempt=1, status=9, oom=True)).endswith("0:9 for lack of memory")
    assert chronicle.sentence(cluster, e.Cancelled(at=b.T0, job=job.id, by=Uid(1001))) == f"Job {job.id} cancelled by uid 1001"
    assert chronicle.sentence(cluster, e.TimedOut(at=b.T0, job=job.id, attempt=1)) == f"Job {job.id} reached its time limit"


def test_what_operators_do_is_logged_at_the_usual_level_and_jobs_only_verbosely(caplog: pytest.LogCaptureFixture) -> None:
    cluster = b.cluster(1)
    job = b.submit(cluster)
    told = [e.Held(at=b.T0, job=job.id), e.NodeUpdated(at=b.T0, node=cluster.nodes[next(iter(cluster.nodes))].name, by=Uid(0), by_name="root",
                                                       state="drain", reason="fan")]
    with caplog.at_level(logging.INFO):
        chronicle.tell(cluster, told)
    assert [record.getMessage() for record in caplog.records] == ["Node cn01 set to drain by root: fan"]
    caplog.clear()
    with caplog.at_level(VERBOSE):
        chronicle.tell(cluster, told)
    assert len(caplog.records) == 2


def test_every_sentence_can_be_said_of_a_job_that_has_left_memory() -> None:
    cluster = b.cluster(1)
    gone = b.cluster(1)
    job = b.started(gone, "cn01")
    for event in (
            e.TimedOut(at=1.0, job=job.id, attempt=1), e.Held(at=1.0, job=job.id), e.Released(at=1.0, job=job.id), e.Requeued(at=1.0, job=job.id, by=Uid(0)),
            e.AllocationRelinquished(at=1.0, job=job.id), e.DeadlinePassed(at=1.0, job=job.id), e.JobUpdated(at=1.0, job=job.id, changes={}),
            e.Cancelled(at=1.0, job=job.id, by=Uid(0), tasks=[(0, 9, 1)]), e.Purged(at=1.0, jobs=[job.id])):
        assert chronicle.sentence(cluster, event)


def test_events_that_nobody_misses_have_no_sentence() -> None:
    cluster = b.cluster(1)
    assert chronicle.sentence(cluster, e.Launched(at=1.0, job=b.started(cluster, "cn01").id, attempt=1)) == ""
