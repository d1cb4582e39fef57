"""Jobs on nodes that fell silent: the next attempt starts when the earlier one is proven over, and none runs twice."""

from __future__ import annotations

import pytest

from slurm.core import cancel, hold, invariants, node_update, recovery, requeue
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Terminate
from slurm.core.illegal import IllegalTransition
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model import msgpack
from slurm.model.ids import BATCH_STEP
from slurm.model.job import Allocation, Job
from slurm.model.node import Remains
from slurm.model.states import JobState, NodeState, Reason
from slurm.sched.explain import explain
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter

CN01, CN02 = b.NodeName("cn01"), b.NodeName("cn02")
LATER = b.T0 + 400


def lose(c: Cluster, *names: b.NodeName, at: float = LATER) -> list[object]:
    """These nodes fall silent at one moment and are given up."""
    effects: list[object] = []
    for name in names:
        c.apply(e.NodeSilent(at=at, node=name))
    for name in names:
        effects += c.apply(e.NodeLost(at=at, node=name, may_run=True, together=list(names)))
    invariants.assert_valid(c)
    return effects


def come_back(c: Cluster, name: b.NodeName, *jobs: Job, at: float = LATER + 60, running: bool = True, **facts: object) -> recovery.Reconciled:
    """A node registers holding the batch steps of these jobs."""
    held = [recovery.Held(job.id, job.attempt, BATCH_STEP, running) for job in jobs]
    c.apply(b.registered(c.nodes[name], at, **facts))
    found = recovery.reconcile(c, name, held, at)
    for event in found.events:
        c.apply(event)
    invariants.assert_valid(c)
    return found


def startable(c: Cluster, job: Job, at: float) -> bool:
    """Whether the job could be given room on cn03 now."""
    return c.starting(job.id, None, Allocation(shares=[b.share(c, "cn03")], partition="debug"), at) is not None


def test_a_requeued_job_of_a_silent_node_waits_and_shows_as_slurm_shows_it() -> None:
    c = b.cluster()
    job = b.started(c)
    lose(c, CN01)
    assert (job.state, job.reason, job.allocation, job.start_time, job.restarts) == (JobState.PENDING, Reason.NODE_DOWN, None, 0.0, 0)
    assert (c.nodes[CN01].state, c.nodes[CN01].reason) == (NodeState.DOWN, "Not responding")
    assert not startable(c, job, LATER + 10_000)


def test_its_explanation_names_the_node_and_what_would_help() -> None:
    c = b.cluster(requeue_unproven=600)
    job = b.started(c)
    lose(c, CN01)
    told = explain(c, job, LATER)
    assert told.reason == "NodeDown"
    assert "attempt 1 may still run on cn01" in told.sentence
    assert any("scontrol update nodename=cn01 state=down reason=fenced" in how for what, how in told.evidence if what == "cn01")
    assert any("may run twice" in how for what, how in told.evidence if what == "requeue_unproven=600")
    assert any("FenceProgram" in cure for cure in told.cures)


def test_the_same_attempt_runs_on_when_its_node_is_back() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=7200)
    lose(c, CN01)
    come_back(c, CN01, job)
    assert (job.state, job.attempt, job.restarts, job.reason, job.held) == (JobState.RUNNING, 1, 0, Reason.NONE, "")
    assert job.allocation is not None and job.start_time == b.T0 and job.batch_host == CN01 and job.launched
    b.finish(c, job, at=LATER + 100)
    assert job.state is JobState.COMPLETED
    invariants.assert_valid(c)


def test_a_job_that_ended_while_nobody_heard_of_it_ended_as_it_did() -> None:
    c = b.cluster()
    job = b.started(c)
    waiting = b.submit(c, dependency=f"afterok:{job.id}")
    lose(c, CN01)
    assert waiting.dependency[0].state == "unfulfilled", "nobody was told of an end"
    come_back(c, CN01, job, running=False)
    b.finish(c, job, at=LATER + 61)
    assert (job.state, job.restarts) == (JobState.COMPLETED, 0)
    assert waiting.dependency[0].state == "fulfilled"


def test_what_a_node_does_not_hold_any_more_is_over_there() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    lose(c, CN01)
    come_back(c, CN01)
    assert (job.state, job.restarts, job.lost) == (JobState.PENDING, 1, None)
    assert startable(c, job, LATER + 61)


def test_a_script_whose_start_was_never_confirmed_is_found_running() -> None:
    c = b.cluster()
    job = b.started(c, launched=False)
    lose(c, CN01)
    come_back(c, CN01, job)
    assert (job.state, job.launched, job.attempt) == (JobState.RUNNING, True, 1)


PROOFS = {
    "a new boot id": lambda c, job: c.apply(b.registered(c.nodes[CN01], LATER + 9, rebooted=True)),
    "a fence": lambda c, job: c.apply(e.NodeFenced(at=LATER + 9, node=CN01, attempts=[(job.id, 1)], why="fenced by FenceProgram")),
    "an operator": lambda c, job: [c.apply(event) for event in node_update.update_nodes(
        c, "cn01", {"State": "down", "Reason": "Fenced: pulled the plug"}, b.ROOT, LATER + 9)],
}


@pytest.mark.parametrize("what", PROOFS)
def test_each_proof_lets_the_next_attempt_start(what: str) -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    lose(c, CN01)
    PROOFS[what](c, job)
    invariants.assert_valid(c)
    assert (job.lost, job.restarts) == (None, 1)
    assert startable(c, job, LATER + 10)


def test_an_operators_other_reason_is_no_proof_and_ends_the_attempt_when_the_node_returns() -> None:
    c = b.cluster()
    job = b.started(c)
    c.apply(e.NodeSilent(at=LATER, node=CN01))
    for event in node_update.update_nodes(c, "cn01", {"State": "down", "Reason": "smells of smoke"}, b.ROOT, LATER):
        c.apply(event)
    assert job.lost is not None and not startable(c, job, LATER + 10_000)
    found = come_back(c, CN01, job)
    assert found.effects == [Terminate(job=job.id, attempt=1, nodes=(CN01,), why="node_fail", at=LATER)]
    c.apply(e.NodeFreed(at=LATER + 61, job=job.id, attempt=1, node=CN01))
    assert (job.lost, job.restarts) == (None, 1)


def test_a_fence_speaks_only_of_the_attempts_that_it_was_run_for() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    c.apply(e.NodeFenced(at=LATER, node=CN01, attempts=[(job.id, 0)], why="fenced by FenceProgram"))
    assert job.state is JobState.RUNNING


def test_a_job_on_several_nodes_ends_where_it_is_heard_of_and_waits_for_the_silent_node() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c, "cn01", "cn02")
    effects = lose(c, CN01)
    assert any(isinstance(effect, Terminate) and CN02 in effect.nodes for effect in effects)
    assert job.completing
    c.apply(e.NodeFreed(at=LATER + 1, job=job.id, attempt=1, node=CN02))
    assert not job.completing and job.lost is not None and not job.lost.intact
    assert not c.nodes[CN02].cpus_used
    found = come_back(c, CN01, job)
    assert [effect for effect in found.effects if isinstance(effect, Terminate)], "its processes elsewhere were ended: it cannot go on"
    c.apply(e.NodeFreed(at=LATER + 62, job=job.id, attempt=1, node=CN01))
    assert (job.state, job.restarts, job.lost) == (JobState.PENDING, 1, None)


def test_a_job_all_of_whose_nodes_fell_silent_together_goes_on_once_all_are_back() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02")
    effects = lose(c, CN01, CN02)
    assert not any(isinstance(effect, Terminate) for effect in effects)
    come_back(c, CN02)
    assert job.state is JobState.PENDING
    come_back(c, CN01, job)
    assert (job.state, job.attempt, job.nodes_left) == (JobState.RUNNING, 1, [CN01, CN02])


def test_one_of_two_silent_nodes_was_started_anew_and_the_other_ends_the_attempt() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c, "cn01", "cn02")
    lose(c, CN01, CN02)
    come_back(c, CN01, job)
    effects = c.apply(b.registered(c.nodes[CN02], LATER + 99, rebooted=True))
    assert Terminate(job=job.id, attempt=1, nodes=(CN01,), why="node_fail", at=LATER + 99) in effects
    assert job.completing
    c.apply(e.NodeFreed(at=LATER + 100, job=job.id, attempt=1, node=CN01))
    assert (job.state, job.restarts) == (JobState.PENDING, 1)


def test_a_job_that_may_not_be_requeued_failed_for_good_and_its_remains_keep_the_node() -> None:
    c = b.cluster(return_to_service=2)
    job = b.started(c, requeue=False)
    lose(c, CN01)
    assert (job.state, job.completing) == (JobState.NODE_FAIL, False)
    found = come_back(c, CN01, job)
    assert found.unknown == []
    assert found.effects == [Terminate(job=job.id, attempt=1, nodes=(CN01,), why="node_fail")]
    assert not c.nodes[CN01].usable, "its CPUs are not free before the remains are ended"
    c.apply(e.NodeFreed(at=LATER + 70, job=job.id, attempt=1, node=CN01))
    assert c.nodes[CN01].usable and c.nodes[CN01].remains == []


def test_a_cancelled_job_ends_for_good_and_is_not_run_again_by_hand_before_a_proof() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    lose(c, CN01)
    for event in cancel.cancel(c, JobFilter(ids=[str(job.id)]), b.ALICE, LATER + 1).events:
        c.apply(event)
    invariants.assert_valid(c)
    assert (job.state, job.completing) == (JobState.CANCELLED, False)
    assert c.nodes[CN01].remains == [Remains(job.id, 1)]
    for event in requeue.requeue(c, [str(job.id)], b.ALICE, LATER + 2):
        c.apply(event)
    assert job.unproven == [CN01]
    assert not startable(c, job, LATER + 3)
    assert explain(c, job, LATER + 3).reason == "NodeDown"
    c.apply(e.NodeFenced(at=LATER + 4, node=CN01, attempts=[(job.id, 1)]))
    assert startable(c, job, LATER + 5)


def test_without_a_proof_the_site_may_decide_not_to_wait_and_the_remains_are_ended_later() -> None:
    c = b.cluster(requeue_delay=0, return_to_service=2)
    job = b.started(c)
    lose(c, CN01)
    c.apply(e.ProofWaived(at=LATER + 60, job=job.id, attempt=1, why="requeue_unproven"))
    invariants.assert_valid(c)
    assert "without proof" in job.reason_text and "cn01" in job.reason_text
    b.start(c, job, "cn03", at=LATER + 61)
    assert job.attempt == 2
    held = [recovery.Held(job.id, 1, BATCH_STEP)]
    c.apply(b.registered(c.nodes[CN01], LATER + 90))
    found = recovery.reconcile(c, CN01, held, LATER + 90)
    assert (found.unknown, found.effects) == ([], [Terminate(job=job.id, attempt=1, nodes=(CN01,), why="node_fail")])
    assert job.state is JobState.RUNNING


def test_a_lost_job_can_be_held_released_and_requeued_held() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    lose(c, CN01)
    for event in hold.hold(c, [str(job.id)], b.ALICE, LATER):
        c.apply(event)
    assert job.reason == Reason.JOB_HELD_USER
    for event in hold.release(c, [str(job.id)], b.ALICE, LATER):
        c.apply(event)
    assert job.reason == Reason.NODE_DOWN
    for event in requeue.requeue(c, [str(job.id)], b.ALICE, LATER, hold=True):
        c.apply(event)
    assert job.lost is not None and not job.lost.intact, "who asks for another run does not want this attempt to go on"
    PROOFS["a fence"](c, job)
    assert (job.held, job.state) == ("user", JobState.PENDING)


def test_a_lost_job_survives_a_restart_of_the_controller() -> None:
    c = b.cluster()
    job = b.started(c, "cn01", "cn02")
    lose(c, CN01, CN02)
    again = restored(rows.whole(c).values(), Reader({}))
    invariants.assert_valid(again)
    come_back(again, CN01, job)
    come_back(again, CN02)
    assert again.jobs[job.id].state is JobState.RUNNING


def test_a_node_that_leaves_the_configuration_is_no_proof_either() -> None:
    c = b.cluster(nodes=3)
    job = b.started(c)
    left = [node for node in c.nodes.values() if node.name != CN01]
    c.apply(e.Configured(at=LATER, settings=c.settings, nodes=left, partitions=[b.partition("debug", left, default=True)], may_run=True))
    invariants.assert_valid(c)
    assert job.lost is not None and job.awaited == [CN01]
    assert c.nodes[CN01].state is NodeState.FUTURE
    found = come_back(c, CN01, job)
    assert [effect for effect in found.effects if isinstance(effect, Terminate)]
    c.apply(e.NodeFreed(at=LATER + 61, job=job.id, attempt=1, node=CN01))
    assert job.restarts == 1
    c.apply(e.Configured(at=LATER + 70, settings=c.settings, nodes=left, partitions=[], may_run=True))
    assert CN01 not in c.nodes


def test_a_journal_of_before_is_read_as_it_was_meant_then() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    c.apply(msgpack.decode(msgpack.encode({"type": "NodeLost", "at": LATER, "node": "cn01"}), type=e.AnyEvent))
    assert (job.lost, job.restarts) == (None, 1)
    assert startable(c, job, LATER + 1)


def test_a_time_limit_that_the_node_kept_by_itself_is_a_timeout() -> None:
    c = b.cluster()
    job = b.started(c, time_limit=60)
    c.apply(e.BatchExited(at=LATER, job=job.id, attempt=1, status=15, limit="timeout"))
    assert (job.state, job.reason) == (JobState.TIMEOUT, Reason.TIME_LIMIT)


def test_a_job_that_its_lease_ended_runs_again() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    lose(c, CN01)
    come_back(c, CN01, job, running=False)
    c.apply(e.BatchExited(at=LATER + 60, job=job.id, attempt=1, status=15, limit="lease"))
    c.apply(e.NodeFreed(at=LATER + 60, job=job.id, attempt=1, node=CN01))
    assert (job.state, job.restarts) == (JobState.PENDING, 1)


def test_news_of_an_attempt_that_never_was_is_still_illegal() -> None:
    c = b.cluster()
    job = b.started(c)
    lose(c, CN01)
    with pytest.raises(IllegalTransition):
        c.apply(e.NodeReturned(at=LATER, job=job.id, attempt=2, node=CN01))


