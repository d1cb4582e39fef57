"""Heterogeneous jobs: several records that are submitted, started, requeued and ended together."""

from __future__ import annotations

import pytest

from slurm.core import cancel, hold, invariants, requeue, starting, steps, timers, update
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Launch, Terminate
from slurm.core.illegal import IllegalTransition
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.ids import INTERACTIVE_STEP, JobId, NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.request import StepRequest
from slurm.model.states import JobState
from slurm.sched.plan import plan
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter


def running(c: Cluster, **request: object) -> list[Job]:
    """A heterogeneous job of three components on nodes of their own, its script confirmed."""
    jobs = b.submit_het(c, {"nodelist": "cn01"}, {"nodelist": "cn02"}, {"nodelist": "cn03"}, **request)
    b.start_planned(c, plan(c, b.T0))
    c.apply(e.Launched(at=b.T0, job=jobs[0].id, attempt=1))
    return jobs


def states(jobs: list[Job]) -> list[str]:
    return [job.state.name for job in jobs]


def free_all(c: Cluster, jobs: list[Job], at: float = b.T0 + 2) -> None:
    for job in jobs:
        b.free(c, job, at=at)


def ask(c: Cluster, *ids: str, by: e.Caller = b.ALICE, **more: int) -> cancel.Outcome:
    outcome = cancel.cancel(c, JobFilter(ids=list(ids)), by, b.T0 + 1, **more)  # type: ignore[arg-type]
    for event in outcome.events:
        c.apply(event)
    return outcome


def test_components_get_ids_in_a_row_and_show_the_leaders() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {"ntasks": 2}, {})
    assert [(job.id, job.shown_id) for job in jobs] == [(1, "1+0"), (2, "1+1"), (3, "1+2")]
    assert b.submit(c).id == 4
    assert c.find("1+1") is jobs[1] and c.find("1+3") is None and c.find("4+0") is None
    assert c.tasks_of(1) == jobs and c.tasks_of(2) == [jobs[1]]


def test_with_whole_hetjob_the_number_of_any_component_means_all() -> None:
    c = b.cluster(whole_hetjob=True)
    jobs = b.submit_het(c, {}, {})
    assert c.tasks_of(2) == jobs


def test_one_component_that_is_not_taken_keeps_all_from_being_taken() -> None:
    c = b.cluster()
    with pytest.raises(InvalidRequest) as caught:
        b.submit_het(c, {}, {"partition": "nope"})
    assert caught.value.name == "ESLURM_INVALID_PARTITION_NAME" and not c.jobs and c.next_job_id == 1


def test_an_array_cannot_be_heterogeneous() -> None:
    with pytest.raises(InvalidRequest) as caught:
        b.submit_het(b.cluster(), {"array": "1-2"}, {})
    assert caught.value.name == "ESLURM_INVALID_ARRAY"


def test_all_components_need_room_in_the_queue() -> None:
    c = b.cluster(max_job_count=2)
    with pytest.raises(NotNow):
        b.submit_het(c, {}, {}, {})
    assert len(b.submit_het(c, {}, {})) == 2


def test_ids_begin_again_and_skip_those_in_use() -> None:
    c = b.cluster(first_job_id=1, max_job_id=5)
    old = [b.submit(c) for _ in range(5)]
    ask(c, "5", "2")
    for event in timers.due(c, b.T0 + 10_000):
        c.apply(event)
    assert sorted(job.id for job in b.submit_het(c, {}, {})) == [2, 5] and len(c.jobs) == len(old)


def test_components_start_at_one_event_and_only_the_first_one_runs_the_script() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {})
    effects = b.start_planned(c, plan(c, b.T0))
    assert states(jobs) == ["RUNNING", "RUNNING"]
    assert [effect.job for effect in effects if isinstance(effect, Launch)] == [1]


def test_a_component_cannot_be_started_alone() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {})
    alone = Allocation(shares=[b.share(c, "cn01")], partition="debug")
    assert c.starting(jobs[0].id, None, alone, b.T0) is None
    with pytest.raises(IllegalTransition):
        c.apply(e.Started(at=b.T0, job=jobs[0].id, allocation=alone))
    assert states(jobs) == ["PENDING", "PENDING"] and not c.active


def test_two_components_are_not_given_the_same() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {})
    same = Allocation(shares=[b.share(c, "cn01")], partition="debug")
    again = Allocation(shares=[b.share(c, "cn01")], partition="debug")
    assert c.starting(jobs[0].id, None, same, b.T0, None, [e.Start(job=jobs[1].id, allocation=again)]) is None
    with pytest.raises(IllegalTransition):
        c.apply(e.Started(at=b.T0, job=jobs[0].id, allocation=same, components=[e.Start(job=jobs[1].id, allocation=again)]))
    assert not c.active


@pytest.mark.parametrize(("code", "state", "reason"), [(0, "COMPLETED", "None"), (3, "FAILED", "NonZeroExitCode")])
def test_the_end_of_the_script_ends_all_components_alike(code: int, state: str, reason: str) -> None:
    c = b.cluster()
    jobs = running(c)
    effects = b.exit_batch(c, jobs[0], code)
    assert {(job.state.name, job.reason, job.exit_status) for job in jobs} == {(state, reason, code << 8)}
    assert [effect.job for effect in effects if isinstance(effect, Terminate)] == [1, 2, 3]
    free_all(c, jobs)
    assert not c.active and not c.pending
    invariants.assert_valid(c)


def test_cancelling_the_leader_ends_all_of_it() -> None:
    c = b.cluster()
    jobs = running(c)
    assert ask(c, "1").done == ["1"]
    assert states(jobs) == ["CANCELLED"] * 3


def test_a_running_component_can_be_cancelled_alone() -> None:
    c = b.cluster()
    jobs = running(c)
    ask(c, "1+1")
    assert states(jobs) == ["RUNNING", "CANCELLED", "RUNNING"]
    ask(c, "3")
    assert states(jobs) == ["RUNNING", "CANCELLED", "CANCELLED"]


def test_the_time_limit_of_a_component_ends_that_one() -> None:
    c = b.cluster()
    jobs = running(c)
    c.apply(e.TimedOut(at=b.T0 + 60, job=jobs[1].id, attempt=1))
    assert states(jobs) == ["RUNNING", "TIMEOUT", "RUNNING"]
    c.apply(e.TimedOut(at=b.T0 + 60, job=jobs[0].id, attempt=1))
    assert states(jobs) == ["TIMEOUT", "TIMEOUT", "TIMEOUT"]


@pytest.mark.parametrize("text", ["2", "1+1"])
def test_a_waiting_component_cannot_be_cancelled_alone(text: str) -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {})
    assert ask(c, text).refused[0][1:] == (
        "ESLURM_NOT_WHOLE_HET_JOB", "Operation not permitted on individual component of heterogeneous job")
    assert states(jobs) == ["PENDING", "PENDING"]


def test_who_cancels_all_his_jobs_cancels_a_waiting_heterogeneous_job_without_a_complaint() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {})
    outcome = cancel.cancel(c, JobFilter(users=["alice"]), b.ALICE, b.T0 + 1)
    for event in outcome.events:
        c.apply(event)
    assert outcome.refused == [] and states(jobs) == ["CANCELLED", "CANCELLED"]
    invariants.assert_valid(c)


def test_the_leader_is_requeued_with_all_components_and_they_start_together_again() -> None:
    c = b.cluster(requeue_delay=0)
    jobs = running(c)
    ask(c, "1+2")
    b.free(c, jobs[2])
    for event in requeue.requeue(c, ["1"], b.ALICE, b.T0 + 2):
        c.apply(event)
    assert plan(c, b.T0 + 2).proposals == []
    free_all(c, jobs, b.T0 + 3)
    assert states(jobs) == ["PENDING"] * 3 and [job.restarts for job in jobs] == [1, 1, 1]
    b.start_planned(c, plan(c, b.T0 + 3), b.T0 + 3)
    assert states(jobs) == ["RUNNING"] * 3
    invariants.assert_valid(c)


def test_an_ended_heterogeneous_job_is_requeued_whole() -> None:
    c = b.cluster(requeue_delay=0)
    jobs = running(c)
    b.exit_batch(c, jobs[0], 1)
    free_all(c, jobs)
    for event in requeue.requeue(c, ["1"], b.ALICE, b.T0 + 9):
        c.apply(event)
    assert states(jobs) == ["PENDING"] * 3


def test_a_component_cannot_be_requeued_alone() -> None:
    c = b.cluster()
    running(c)
    with pytest.raises(InvalidRequest) as caught:
        requeue.requeue(c, ["2"], b.ALICE, b.T0 + 1)
    assert caught.value.message == "Job not heterogeneous job leader"


def test_the_loss_of_one_components_node_has_all_of_it_run_again() -> None:
    c = b.cluster(requeue_delay=0)
    jobs = running(c)
    c.apply(e.NodeUpdated(at=b.T0 + 5, node=NodeName("cn02"), by=b.ROOT.uid, state="down", reason="dead"))
    assert all(job.completing and job.requeue_after for job in jobs)
    free_all(c, jobs, b.T0 + 6)
    assert states(jobs) == ["PENDING"] * 3
    invariants.assert_valid(c)


def test_the_silence_of_one_components_node_has_the_others_end_and_all_wait_for_the_proof() -> None:
    c = b.cluster(requeue_delay=0)
    jobs = running(c)
    c.apply(e.NodeSilent(at=b.T0 + 5, node=NodeName("cn02")))
    c.apply(e.NodeLost(at=b.T0 + 300, node=NodeName("cn02"), may_run=True, together=[NodeName("cn02")]))
    free_all(c, [jobs[0], jobs[2]], b.T0 + 301)
    assert states(jobs) == ["PENDING"] * 3 and jobs[1].lost is not None and not jobs[1].lost.intact
    outcome = plan(c, b.T0 + 301)
    assert outcome.proposals == [] and outcome.verdicts[jobs[0].id].reason == "Cleaning"
    invariants.assert_valid(c)
    c.apply(e.NodeFreed(at=b.T0 + 400, job=jobs[1].id, attempt=1, node=NodeName("cn02")))
    assert all(job.id in c.pending for job in jobs)


def test_all_nodes_silent_at_once_let_all_components_go_on_when_they_return() -> None:
    c = b.cluster()
    jobs = running(c)
    names = [NodeName(f"cn{i:02d}") for i in (1, 2, 3)]
    for name in names:
        c.apply(e.NodeSilent(at=b.T0 + 5, node=name))
    for name in names:
        c.apply(e.NodeLost(at=b.T0 + 300, node=name, may_run=True, together=names))
    assert all(job.lost is not None and job.lost.intact for job in jobs)
    for job, name in zip(jobs, names, strict=True):
        c.apply(e.NodeReturned(at=b.T0 + 400, job=job.id, attempt=1, node=name))
    assert states(jobs) == ["RUNNING"] * 3
    invariants.assert_valid(c)


def test_a_component_that_can_no_longer_end_in_time_ends_all_that_wait() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {"hold": True}, {"deadline": b.T0 + 600, "time_limit": 60})
    c.apply(e.DeadlinePassed(at=b.T0 + 600, job=jobs[1].id))
    assert states(jobs) == ["DEADLINE", "DEADLINE"]
    invariants.assert_valid(c)


def test_hold_release_and_update_mean_all_by_the_leaders_number_and_one_by_a_components() -> None:
    c = b.cluster()
    jobs = b.submit_het(c, {}, {})
    for events, held in (
            (hold.hold(c, ["2"], b.ALICE, b.T0), ["", "user"]), (hold.hold(c, ["1"], b.ALICE, b.T0), ["user", "user"]),
            (hold.release(c, ["1+1"], b.ALICE, b.T0), ["user", ""]), (hold.release(c, ["1"], b.ALICE, b.T0), ["", ""])):
        for event in events:
            c.apply(event)
        assert [job.held for job in jobs] == held
    for ids, limits in (("1", [300, 300]), ("1+1", [300, 420])):
        for event in update.update_job(c, ids, {"TimeLimit": str(limits[1] // 60)}, b.ALICE, b.T0):
            c.apply(event)
        assert [job.time_limit for job in jobs] == limits


def test_who_waits_for_the_leader_waits_for_all_components() -> None:
    c = b.cluster()
    jobs = running(c)
    after = b.submit(c, dependency="afterok:1")
    b.exit_batch(c, jobs[0])
    b.free(c, jobs[0])
    b.free(c, jobs[2])
    assert after.reason == "Dependency"
    b.free(c, jobs[1])
    assert after.reason == "None"


def test_components_stay_in_memory_as_long_as_one_of_them_lasts() -> None:
    c = b.cluster(min_job_age=10)
    jobs = running(c)
    ask(c, "1+1")
    b.free(c, jobs[1])
    assert b.pass_time(c, b.T0 + 100) == [] and c.tasks_of(1) == jobs
    b.exit_batch(c, jobs[0], at=b.T0 + 100)
    free_all(c, jobs, b.T0 + 100)
    b.pass_time(c, b.T0 + 200)
    assert not c.jobs


def test_mail_is_about_the_leader() -> None:
    jobs = b.submit_het(b.cluster(), {"mail_type": "END"}, {"mail_type": "END"})
    assert [job.request.mail_type for job in jobs] == ["END", ""]


def effects_of(effects: list[Effect], kind: type[Effect]) -> list[JobId]:
    return [effect.job for effect in effects if isinstance(effect, kind)]  # type: ignore[attr-defined]


def test_a_script_that_ends_with_a_requeue_code_has_all_of_it_run_again() -> None:
    c = b.cluster(requeue_exit=[42], requeue_delay=0)
    jobs = running(c)
    assert effects_of(b.exit_batch(c, jobs[0], 42), Terminate) == [1, 2, 3]
    free_all(c, jobs)
    assert all(job.state is JobState.PENDING and job.restarts == 1 for job in jobs)


def test_components_together_are_not_given_memory_that_is_set_aside_for_the_system() -> None:
    node = b.node("cn01", 16, 64_000, spec_memory=4_000)
    c = b.build([node], [b.partition("debug", [node], default=True)])
    jobs = b.submit_het(c, {}, {})
    parts = []
    for cpu, memory in ((0, 30_000), (1, 30_001)):
        share = NodeShare(node=NodeName("cn01"), cpus=CpuSet.run(1, cpu), memory=memory, tasks=1)
        parts.append(e.Start(job=jobs[cpu].id, allocation=Allocation(shares=[share], partition="debug")))
    assert starting.refusal_together(c, parts, b.T0) == "node cn01 has not enough memory for all components"
    parts[1].allocation.shares[0].memory = 30_000
    assert starting.refusal_together(c, parts, b.T0) is None


def test_a_step_of_several_components_has_a_number_that_none_of_them_had() -> None:
    c = b.cluster()
    jobs = running(c)
    alone = steps.plan_step(c, jobs[1], StepRequest(), b.T0)
    c.apply(e.StepCreated(at=b.T0, job=jobs[1].id, step=alone))
    made = steps.plan_steps(c, [(jobs[0], StepRequest(overlap=True)), (jobs[1], StepRequest(overlap=True))], b.T0)
    assert [step.id for step in made] == [1, 1]
    for job, step in zip(jobs, made, strict=False):
        c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))


@pytest.mark.parametrize("interactive", [(True, True), (True, False), (False, True)])
def test_a_step_of_several_components_is_not_interactive(interactive: tuple[bool, bool]) -> None:
    c = b.cluster()
    wanted = [(job, StepRequest(interactive=one, overlap=True)) for job, one in zip(running(c), interactive, strict=False)]
    with pytest.raises(InvalidRequest) as caught:
        steps.plan_steps(c, wanted, b.T0)
    assert "interactive" in caught.value.hints[0]
    assert steps.plan_steps(c, [(wanted[0][0], StepRequest(interactive=True))], b.T0)[0].id == INTERACTIVE_STEP
