"""Reports wait until they are acknowledged."""

from __future__ import annotations

from slurm.slurmd.outbox import Outbox
from slurm.wire.node_messages import BatchLaunched, JobGone


def test_reports_go_out_in_order_once_somebody_listens_and_again_after_a_break():
    outbox, sent = Outbox(100), []
    outbox.put(BatchLaunched(serial=0, job=1, attempt=1))
    outbox.open(sent.append)
    outbox.put(JobGone(serial=0, job=1, attempt=1))
    assert [report.serial for report in sent] == [100, 101]
    outbox.shut()
    outbox.put(JobGone(serial=0, job=2, attempt=1))
    assert len(sent) == 2
    outbox.acknowledge(100)
    outbox.open(sent.append)
    assert [report.serial for report in sent[2:]] == [101, 102]


def test_an_acknowledgement_calls_back_once():
    outbox, done = Outbox(1), []
    outbox.put(JobGone(serial=0, job=1, attempt=1), lambda: done.append(1))
    outbox.acknowledge(1)
    outbox.acknowledge(1)
    assert done == [1]
    assert len(outbox) == 0


def test_reports_of_an_unwanted_attempt_are_withdrawn():
    outbox, sent = Outbox(1), []
    outbox.put(JobGone(serial=0, job=1, attempt=1))
    outbox.put(JobGone(serial=0, job=1, attempt=2))
    outbox.withdraw(1, 1)
    outbox.open(sent.append)
    assert [(report.job, report.attempt) for report in sent] == [(1, 2)]
