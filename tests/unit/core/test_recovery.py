"""Recovery: effects that a crash may have lost, and what returning nodes tell."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import recovery, steps
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, EndStep, Launch, Terminate
from slurm.core.recovery import Held
from slurm.model.ids import BATCH_STEP, StepId
from slurm.model.job import Step
from slurm.model.request import StepRequest
from slurm.model.states import JobState
from slurm.testing import builders as b

CN01 = b.NodeName("cn01")


def reconcile(c: Cluster, *held: Held, node: str = "cn01") -> recovery.Reconciled:
    result = recovery.reconcile(c, b.NodeName(node), held, b.T0 + 100)
    for event in result.events:
        c.apply(event)
    return result


def test_unconfirmed_launches_and_unclean_nodes_are_found_again() -> None:
    c = b.cluster()
    b.started(c)
    starting, _ = b.start(c, b.submit(c))
    ending = b.started(c, "cn01", "cn02")
    c.apply(e.Cancelled(at=b.T0 + 7, job=ending.id, by=b.ROOT.uid))
    c.apply(e.NodeFreed(at=b.T0 + 8, job=ending.id, attempt=1, node=CN01))
    b.submit(c)
    expected: list[Effect] = [
        Launch(job=starting.id, attempt=1, node=CN01),
        Terminate(job=ending.id, attempt=1, nodes=(b.NodeName("cn02"),), why="cancelled", at=b.T0 + 7)]
    assert recovery.pending_effects(c) == expected
    assert all(recovery.still_due(c, effect) for effect in expected)


def test_effects_that_state_has_overtaken_are_not_due() -> None:
    c = b.cluster()
    job, effects = b.start(c, b.submit(c))
    launch = next(effect for effect in effects if isinstance(effect, Launch))
    c.apply(e.Launched(at=b.T0, job=job.id, attempt=1))
    assert not recovery.still_due(c, launch)
    terminate = next(effect for effect in b.exit_batch(c, job) if isinstance(effect, Terminate))
    assert recovery.still_due(c, terminate)
    b.free(c, job)
    assert not recovery.still_due(c, terminate)


def test_the_reason_of_an_end_survives_a_restart() -> None:
    c = b.cluster()
    jobs = [b.started(c, time_limit=60) for _ in range(5)]
    c.apply(e.TimedOut(at=b.T0, job=jobs[0].id, attempt=1))
    c.apply(e.Cancelled(at=b.T0, job=jobs[1].id, by=b.ROOT.uid))
    c.apply(e.Requeued(at=b.T0, job=jobs[2].id, by=b.ROOT.uid))
    b.exit_batch(c, jobs[3], 1)
    assert [recovery.why_ended(job) for job in jobs[:4]] == ["timeout", "cancelled", "requeue", ""]


def test_a_node_that_holds_what_it_should_is_left_alone() -> None:
    c = b.cluster()
    job = b.started(c)
    assert reconcile(c, Held(job.id, 1, BATCH_STEP)) == ([], [], [])


def test_what_a_node_should_not_hold_is_to_be_ended() -> None:
    c = b.cluster(requeue_delay=0)
    job = b.started(c)
    c.apply(e.NodeLost(at=b.T0 + 9, node=CN01))
    b.start(c, job, "cn02")
    result = reconcile(c, Held(job.id, 1, BATCH_STEP), Held(b.JobId(77), 1, BATCH_STEP))
    assert result.unknown == [(1, 1), (77, 1)]
    assert job.state is JobState.RUNNING


def test_an_unconfirmed_launch_is_sent_again_or_confirmed() -> None:
    c = b.cluster()
    lost, _ = b.start(c, b.submit(c))
    runs, _ = b.start(c, b.submit(c))
    assert reconcile(c, Held(runs.id, 1, BATCH_STEP)).effects == [Launch(job=lost.id, attempt=1, node=CN01)]
    assert (lost.launched, runs.launched) == (False, True)


def test_a_running_job_that_left_no_trace_is_lost() -> None:
    c = b.cluster()
    keeps, fails = b.started(c), b.started(c, requeue=False)
    reconcile(c)
    assert (keeps.state, fails.state) == (JobState.PENDING, JobState.NODE_FAIL)
    assert fails.reason_text == "cn01: the node lost all trace of the running job"


def test_an_ending_job_of_which_nothing_is_left_is_clean() -> None:
    c = b.cluster()
    gone, left = b.started(c), b.started(c)
    for job in (gone, left):
        c.apply(e.Cancelled(at=b.T0 + 1, job=job.id, by=b.ROOT.uid))
    result = reconcile(c, Held(left.id, 1, BATCH_STEP, running=False))
    assert (gone.completing, left.completing) == (False, True)
    assert [effect.job for effect in result.effects if isinstance(effect, Terminate)] == [left.id]


def test_steps_that_left_no_trace_have_ended() -> None:
    c = b.cluster()
    job = b.started(c)
    step = Step(id=StepId(0), name="x", start_time=b.T0, shares=[b.share(c, "cn01")], nodes_left=[CN01])
    c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))
    reconcile(c, Held(job.id, 1, BATCH_STEP))
    assert 0 not in job.steps
    assert job.state is JobState.RUNNING
    assert job.derived_status == 9


def test_an_allocation_without_steps_is_not_lost_by_a_restart_of_its_node() -> None:
    c = b.cluster()
    job = b.started(c, kind="alloc")
    assert reconcile(c) == ([], [], [])
    assert job.state is JobState.RUNNING


def test_a_step_that_was_granted_a_moment_ago_is_not_lost_because_its_node_does_not_know_it_yet() -> None:
    c = b.cluster(1)
    job = b.started(c, "cn01")
    assert job.allocation is not None
    for number, granted in ((0, b.T0 + 1), (1, b.T0 + 99)):
        c.apply(e.StepCreated(at=granted, job=job.id, step=Step(
            id=StepId(number), name="s", start_time=granted, shares=[job.allocation.shares[0]], nodes_left=[CN01])))
    found = recovery.reconcile(c, CN01, [Held(job.id, 1, BATCH_STEP)], b.T0 + 100)
    assert [event.step for event in found.events if isinstance(event, e.StepExited)] == [0]


def test_a_step_that_its_srun_gave_up_while_the_node_was_away_is_ended_there() -> None:
    c = b.cluster()
    job = b.started(c)
    step = steps.plan_step(c, job, StepRequest(ntasks=1), b.T0)
    c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))
    c.apply(e.StepExited(at=b.T0 + 1, job=job.id, attempt=1, step=step.id, node=CN01, status=256))
    held = [recovery.Held(job.id, 1, BATCH_STEP), recovery.Held(job.id, 1, step.id), recovery.Held(job.id, 1, step.id, running=False)]
    found = recovery.reconcile(c, CN01, held, b.T0 + 60)
    assert found.effects == [EndStep(job=job.id, attempt=1, step=step.id, nodes=(CN01,))]
