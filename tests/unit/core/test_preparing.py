"""What a started job waits for before it runs, and after it ended: scripts of nodes and of the controller, as the fold sees them."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import recovery
from slurm.core.effects import Launch, Prepare, RunScript, Terminate
from slurm.model.ids import BATCH_STEP, EXTERN_STEP, NodeName, Uid
from slurm.model.job import Job
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b

T = b.T0 + 10


def cluster(**settings: object) -> b.Cluster:
    return b.cluster(2, **settings)


def started(c: b.Cluster, *nodes: str, **request: object) -> tuple[Job, list[object]]:
    job, effects = b.start(c, b.submit(c, **request), *nodes, at=T)
    return job, [effect for effect in effects if isinstance(effect, Launch | Prepare | RunScript)]


def prepared(c: b.Cluster, job: Job, node: str) -> list[object]:
    found = c.apply(e.Prepared(at=T + 1, job=job.id, attempt=job.attempt, node=NodeName(node)))
    return [effect for effect in found if isinstance(effect, Launch | Prepare | RunScript)]


def test_without_scripts_a_batch_job_is_launched_at_once() -> None:
    job, effects = started(cluster(), "cn01")
    assert effects == [Launch(job=job.id, attempt=1, node=NodeName("cn01"))]
    assert "configuring" not in job.flags


def test_the_controllers_prolog_comes_first_then_those_of_the_nodes_then_the_script() -> None:
    c = cluster(controller_prolog=True, prolog_flags=["alloc", "deferbatch"])
    job, effects = started(c, "cn01", "cn02")
    assert effects == [RunScript(job=job.id, attempt=1, kind="prolog")] and job.flags == ["configuring"]
    assert prepared(c, job, "") == [Prepare(job=job.id, attempt=1, nodes=(NodeName("cn01"), NodeName("cn02")))]
    assert prepared(c, job, "cn02") == [] and job.flags == ["configuring"]
    assert prepared(c, job, "cn01") == [Launch(job=job.id, attempt=1, node=NodeName("cn01"))] and job.flags == []


def test_with_alloc_alone_the_batch_host_is_told_at_once_and_sees_to_the_order_itself() -> None:
    job, effects = started(cluster(prolog_flags=["alloc"]), "cn01", "cn02")
    assert [type(effect) for effect in effects] == [Prepare, Launch] and job.flags == ["configuring"]


def test_with_nohold_nobody_waits_for_the_nodes() -> None:
    job, _ = started(cluster(prolog_flags=["alloc", "nohold"]), "cn01", "cn02", kind="alloc")
    assert job.flags == [] and job.preparing == ["cn01", "cn02"]


def test_what_was_lost_on_its_way_is_found_again_from_state() -> None:
    c = cluster(controller_prolog=True, controller_epilog=True, prolog_flags=["alloc", "deferbatch"])
    job, _ = started(c, "cn01", "cn02")
    assert recovery.pending_effects(c) == [RunScript(job=job.id, attempt=1, kind="prolog")]
    prepared(c, job, "")
    prepared(c, job, "cn01")
    assert recovery.pending_effects(c) == [Prepare(job=job.id, attempt=1, nodes=(NodeName("cn02"),))]
    b.free(c, job, at=T + 2)
    c.apply(e.Cancelled(at=T + 3, job=job.id, by=b.ROOT.uid))
    assert RunScript(job=job.id, attempt=1, kind="epilog") in recovery.pending_effects(c)


def test_a_node_that_comes_back_without_a_trace_of_an_ending_job_still_runs_its_epilog() -> None:
    for epilog, kind in ((True, Terminate), (False, e.NodeFreed)):
        c = cluster(node_epilog=epilog)
        job, _ = started(c, "cn01")
        c.apply(e.Cancelled(at=T + 1, job=job.id, by=b.ROOT.uid))
        found = recovery.reconcile(c, NodeName("cn01"), [], T + 2)
        assert [type(each) for each in (*found.events, *found.effects)] == [kind]


def test_an_ended_job_completes_until_its_nodes_are_clean_and_the_controllers_epilog_is_over() -> None:
    c = cluster(controller_epilog=True)
    job, _ = started(c, "cn01")
    c.apply(e.Cancelled(at=T + 1, job=job.id, by=b.ROOT.uid))
    b.free(c, job, at=T + 2)
    assert job.completing and not job.nodes_left
    c.apply(e.EpilogEnded(at=T + 3, job=job.id, attempt=1))
    assert not job.completing and job.state is JobState.CANCELLED


def failed(c: b.Cluster, node: str, **request: object) -> Job:
    job, _ = started(c, "cn01", **request)
    c.apply(e.PreparationFailed(at=T + 1, job=job.id, attempt=1, node=NodeName(node), why="Prolog error"))
    assert job.nodes_left == ["cn01"], "the node is free only after its epilog"
    b.free(c, job, at=T + 2)
    return job


def test_a_failed_prolog_of_a_node_holds_a_requeued_job() -> None:
    job = failed(cluster(prolog_flags=[]), "cn01")
    assert (job.state, job.held, job.reason) == (JobState.PENDING, "admin", Reason.LAUNCH_FAILED_REQUEUED_HELD)


def test_nohold_on_prolog_fail_and_the_controllers_own_prolog_hold_nothing() -> None:
    assert failed(cluster(hold_on_prolog_fail=False), "cn01").held == ""
    c = cluster(controller_prolog=True)
    assert failed(c, "").held == ""


def test_a_job_that_may_not_be_requeued_is_cancelled_unless_the_site_forces_it() -> None:
    assert failed(cluster(), "cn01", requeue=False).state is JobState.CANCELLED
    assert failed(cluster(prolog_flags=["forcerequeueonfail"]), "cn01", requeue=False).state is JobState.PENDING
    assert failed(cluster(prolog_flags=["forcerequeueonfail"]), "cn01", kind="alloc").state is JobState.CANCELLED


def test_with_contain_a_job_has_an_extern_step_on_all_of_its_nodes_from_its_start_which_counts_for_nothing_of_its_own() -> None:
    c = cluster(prolog_flags=["alloc", "contain"])
    job, effects = started(c, "cn01", "cn02")
    assert [type(effect) for effect in effects] == [Prepare, Launch]
    step = job.steps[EXTERN_STEP]
    assert (step.name, step.nodes_left, step.ntasks, step.start_time) == ("extern", ["cn01", "cn02"], 2, T)
    for name in ("cn01", "cn02"):
        c.apply(e.StepExited(at=T + 5, job=job.id, attempt=1, step=EXTERN_STEP, node=NodeName(name), status=9))
    assert EXTERN_STEP not in job.steps and job.derived_status == 0


def test_a_node_that_refuses_a_script_has_the_extern_step_still_and_is_told_to_end_it() -> None:
    c = cluster(prolog_flags=["alloc", "contain"])
    job, _ = started(c, "cn01")
    effects = c.apply(e.LaunchFailed(at=T + 1, job=job.id, attempt=1, node=NodeName("cn01"), why="no room"))
    assert [effect.nodes for effect in effects if isinstance(effect, Terminate)] == [("cn01",)]
    assert job.completing and job.nodes_left == ["cn01"]
    c.apply(e.StepExited(at=T + 2, job=job.id, attempt=1, step=EXTERN_STEP, node=NodeName("cn01"), status=0))
    c.apply(e.NodeFreed(at=T + 3, job=job.id, attempt=1, node=NodeName("cn01")))
    assert not job.completing and job.state is JobState.PENDING


def test_an_extern_step_alone_is_no_sign_that_the_script_has_begun_and_one_that_left_no_trace_has_ended() -> None:
    c = cluster(prolog_flags=["alloc", "contain"])
    job, _ = started(c, "cn01")
    found = recovery.reconcile(c, NodeName("cn01"), [recovery.Held(job.id, 1, EXTERN_STEP)], T + 1)
    assert found.events == [] and [type(effect) for effect in found.effects] == [Launch, Prepare]
    prepared(c, job, "cn01")
    c.apply(e.Launched(at=T + 2, job=job.id, attempt=1))
    found = recovery.reconcile(c, NodeName("cn01"), [recovery.Held(job.id, 1, BATCH_STEP)], T + 99)
    assert [(event.step, event.status) for event in found.events if isinstance(event, e.StepExited)] == [(EXTERN_STEP, 9)]
    c.apply(e.Cancelled(at=T + 100, job=job.id, by=Uid(0)))
    found = recovery.reconcile(c, NodeName("cn01"), [recovery.Held(job.id, 1, EXTERN_STEP)], T + 101)
    assert [type(effect) for effect in found.effects] == [Terminate]
