"""CompleteWait: nothing is started while jobs complete, but not for longer than so many seconds."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.policy import Qos
from slurm.sched.plan import plan
from slurm.sched.proposal import Plan
from slurm.testing import builders as b


def quick(on: Cluster, at: float) -> Plan:
    return plan(on, at, depth=100, backfill=False)


def test_jobs_wait_until_who_completes_has_ended_or_the_wait_is_over() -> None:
    on = b.cluster(4, complete_wait=32)
    ending = b.started(on, "cn01", "cn02")
    b.exit_batch(on, ending, at=b.T0 + 10)
    large, small = b.submit(on, ntasks=64, time_limit=600), b.submit(on, time_limit=600)
    found, whole = quick(on, b.T0 + 11), plan(on, b.T0 + 11)
    assert not (found.proposals or whole.proposals) and found.again == whole.again == b.T0 + 42
    refusal = found.verdicts[small.id]
    assert refusal.reason == "Resources" and "32 seconds" in refusal.sentence and "NodeFreed" in refusal.cures
    assert refusal.evidence == (("job 1", "completes on 2 nodes"),) and refusal is found.verdicts[large.id]
    late = quick(on, b.T0 + 42)
    assert not late.again and late.verdicts[large.id].sentence != refusal.sentence, "the wait is over, and there is no room"
    b.free(on, ending, at=b.T0 + 12)
    assert [one.job for one in quick(on, b.T0 + 12).proposals] == [large.id], "the small one has taken none of its nodes"


def test_without_complete_wait_the_nodes_that_are_free_are_given_away_at_once() -> None:
    on = b.cluster(2)
    b.exit_batch(on, b.started(on, "cn01"), at=b.T0 + 10)
    waiting = b.submit(on)
    found = quick(on, b.T0 + 11)
    assert [one.job for one in found.proposals] == [waiting.id] and not found.again


def test_a_job_for_which_others_gave_way_does_not_wait_for_other_completing_jobs() -> None:
    on = b.cluster(2, cpus=4, complete_wait=60, preempt_type="qos", preempt_modes=["requeue"], requeue_delay=0)
    on.apply(e.PolicyChanged(at=b.T0, records=[Qos(id=1, name="low"), Qos(id=2, name="high", preempts=["low"], priority=10)]))
    low, other = b.submit(on, qos="low", cpus_per_task=4, nodelist="cn01"), b.submit(on, qos="high", nodelist="cn02")
    b.start_planned(on, quick(on, b.T0))
    high = b.submit(on, at=b.T0 + 1, qos="high", cpus_per_task=4, nodelist="cn01")
    b.start_planned(on, quick(on, b.T0 + 1), b.T0 + 1)
    on.apply(e.Launched(at=b.T0 + 1, job=other.id, attempt=other.attempt))
    assert high.promise is not None and low.completing
    b.exit_batch(on, other, at=b.T0 + 2)
    b.free(on, low, at=b.T0 + 3)
    assert [one.job for one in quick(on, b.T0 + 3).proposals] == [high.id]
