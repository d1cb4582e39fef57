"""How jobs end, and how their nodes come back."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.effects import Announce, Signal, Terminate
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b


@pytest.mark.parametrize(("status", "oom", "state", "reason"), [
    (0, False, JobState.COMPLETED, "None"), (7 << 8, False, JobState.FAILED, "NonZeroExitCode"),
    (9, False, JobState.FAILED, "RaisedSignal:9(Killed)"), (10, False, JobState.FAILED, "RaisedSignal:10(User_defined_signal_1)"),
    (9, True, JobState.OUT_OF_MEMORY, "OutOfMemory"),
])
def test_the_wait_status_decides_how_a_job_ended(status: int, oom: bool, state: JobState, reason: str) -> None:
    c = b.cluster()
    job = b.started(c)
    c.apply(e.BatchExited(at=b.T0 + 3, job=job.id, attempt=1, status=status, oom=oom))
    assert (job.state, job.reason, job.exit_status, job.end_time) == (state, reason, status, b.T0 + 3)


def test_an_ended_job_holds_its_nodes_until_each_is_clean() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02")
    effects = b.exit_batch(c, job)
    assert effects == [Announce(job=job.id), Terminate(job=job.id, attempt=1, nodes=("cn01", "cn02"), why="", at=b.T0 + 1)]  # type: ignore[arg-type]
    assert job.completing
    assert c.nodes[b.NodeName("cn01")].completing == {job.id}
    assert c.apply(e.NodeFreed(at=b.T0 + 2, job=job.id, attempt=1, node=b.NodeName("cn02"))) == []
    assert c.nodes[b.NodeName("cn02")].cpus_used == NOTHING
    assert c.nodes[b.NodeName("cn01")].cpus_used == CpuSet(1)
    assert c.apply(e.NodeFreed(at=b.T0 + 2, job=job.id, attempt=1, node=b.NodeName("cn01"))) == [Announce(job=job.id)]
    assert not job.completing
    assert job.id not in c.active


def test_a_node_that_says_twice_that_it_is_clean_changes_nothing() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02")
    b.exit_batch(c, job)
    freed = e.NodeFreed(at=b.T0 + 2, job=job.id, attempt=1, node=b.NodeName("cn02"))
    c.apply(freed)
    assert c.apply(freed) == []


def test_a_cancelled_job_keeps_who_did_it_and_its_processes_are_ended() -> None:
    c = b.cluster()
    job = b.started(c)
    effects = c.apply(e.Cancelled(at=b.T0 + 5, job=job.id, by=b.ALICE.uid))
    assert Terminate(job=job.id, attempt=1, nodes=(b.NodeName("cn01"),), why="cancelled", at=b.T0 + 5) in effects
    assert (job.state, job.reason_text) == (JobState.CANCELLED, "1001")
    b.exit_batch(c, job, 0)
    assert job.state is JobState.CANCELLED
    assert job.exit_status == 0


def test_a_job_over_its_limit_is_timed_out() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=60)
    effects = c.apply(e.TimedOut(at=b.T0 + 60, job=job.id, attempt=1))
    assert job.state is JobState.TIMEOUT
    assert job.reason == Reason.TIME_LIMIT
    assert any(isinstance(effect, Terminate) and effect.why == "timeout" for effect in effects)


def test_the_warning_is_a_signal_to_whom_it_asks_for() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=60, signal="B:USR1@10")
    assert c.apply(e.Warned(at=b.T0 + 50, job=job.id, attempt=1)) == [
        Signal(job=job.id, attempt=1, nodes=(b.NodeName("cn01"),), signal=10, batch=True)]
    assert job.signalled


def test_a_given_back_allocation_ends_with_its_holders_status() -> None:
    c = b.cluster()
    job = b.started(c, kind="alloc")
    c.apply(e.AllocationRelinquished(at=b.T0 + 1, job=job.id, status=256))
    assert (job.state, job.reason) == (JobState.FAILED, "NonZeroExitCode")


def test_a_pending_job_that_is_cancelled_is_over_at_once() -> None:
    c = b.cluster()
    job = b.submit(c)
    c.apply(e.Cancelled(at=b.T0 + 5, job=job.id, by=b.ROOT.uid))
    assert job.state is JobState.CANCELLED
    assert not c.pending
    assert job.end_time == b.T0 + 5


def test_cancelling_a_job_that_is_being_requeued_ends_it_for_good() -> None:
    c = b.cluster()
    job = b.started(c)
    c.apply(e.Requeued(at=b.T0 + 1, job=job.id, by=b.ROOT.uid))
    c.apply(e.Cancelled(at=b.T0 + 2, job=job.id, by=b.ALICE.uid))
    b.free(c, job)
    assert job.state is JobState.CANCELLED
    assert not c.pending
