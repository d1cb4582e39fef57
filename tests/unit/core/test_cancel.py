"""scancel: which jobs, with what right, to which effect."""

from __future__ import annotations

from slurm.core import cancel, recovery, steps
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import EndStep, Signal
from slurm.model.ids import BATCH_STEP, EXTERN_STEP, NodeName, StepId
from slurm.model.request import StepRequest
from slurm.model.states import JobState
from slurm.render.job_filter import in_states
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter


def ask(c: Cluster, by: e.Caller = b.ALICE, *, signal: int = 0, batch: bool = False, full: bool = False, **wanted: object) -> cancel.Outcome:
    outcome = cancel.cancel(c, JobFilter(**wanted), by, b.T0 + 5, signal=signal, batch=batch, full=full)  # type: ignore[arg-type]
    for event in outcome.events:
        c.apply(event)
    return outcome


def states(c: Cluster) -> dict[str, str]:
    return {job.shown_id: job.state.compact for job in c.jobs.values()}


def test_a_job_is_cancelled_by_its_id() -> None:
    c = b.cluster()
    b.submit(c)
    b.started(c)
    assert ask(c, ids=["1", "2"]).done == ["1", "2"]
    assert states(c) == {"1": "CA", "2": "CA"}


def test_unknown_ids_are_named_apart() -> None:
    outcome = ask(b.cluster(), ids=["999999", "5_1"])
    assert (outcome.done, outcome.unknown) == ([], ["999999", "5_1"])


def test_other_peoples_jobs_are_refused_by_name() -> None:
    c = b.cluster()
    b.submit(c)
    assert ask(c, b.BOB, ids=["1"]).refused == [("1", "ESLURM_ACCESS_DENIED", "Access/permission denied")]
    assert ask(c, b.ROOT, ids=["1"]).done == ["1"]


def test_a_job_that_ended_is_refused() -> None:
    c = b.cluster()
    b.finish(c, b.started(c))
    assert ask(c, ids=["1"]).refused == [("1", "ESLURM_ALREADY_DONE", "Job/step already completed")]


def test_ranges_of_array_tasks_are_cancelled_started_or_not() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-200%2")
    b.start(c, array)
    assert ask(c, ids=["1_[1,50-99]"]).done == ["1_[1,50-99]"]
    assert array.array_part is not None
    assert array.array_part.ranges == [(2, 49, 1), (100, 200, 1)]
    assert states(c) == {"1": "PD", "1_1": "CA"}


def test_an_array_is_cancelled_with_all_its_tasks() -> None:
    c = b.cluster()
    b.start(c, b.submit(c, array="1-5"))
    assert ask(c, ids=["1"]).done == ["1"]
    assert states(c) == {"1": "CA", "1_1": "CA"}


def test_filters_choose_among_jobs_that_live() -> None:
    c = b.lab_cluster()
    b.submit(c, name="sim")
    b.submit(c, name="sim", by=b.BOB)
    b.submit(c, partition="gpu")
    b.start(c, b.submit(c))
    assert ask(c, b.ROOT, names=["sim"], users=["alice"]).done == ["1"]
    assert ask(c, b.ROOT, states=["RUNNING"]).done == ["4"]
    assert ask(c, b.ROOT, partitions=["gpu"]).done == ["3"]
    assert ask(c, b.BOB, mine=True).done == ["2"]


def test_ids_and_filters_must_both_hold() -> None:
    c = b.cluster()
    b.submit(c)
    outcome = ask(c, ids=["1"], states=["running"])
    assert (outcome.done, outcome.refused, outcome.unknown) == ([], [], [])


def test_a_signal_goes_to_the_steps_or_to_whom_is_named() -> None:
    c = b.cluster()
    b.started(c)
    node = (b.NodeName("cn01"),)
    assert ask(c, ids=["1"], signal=10).effects == [Signal(job=b.JobId(1), attempt=1, nodes=node, signal=10)]
    assert ask(c, ids=["1"], signal=10, batch=True).effects == [Signal(job=b.JobId(1), attempt=1, nodes=node, signal=10, batch=True)]
    assert ask(c, ids=["1"], signal=10, full=True).effects == [Signal(job=b.JobId(1), attempt=1, nodes=node, signal=10, full=True)]
    assert states(c) == {"1": "R"}


def test_sigkill_ends_the_job() -> None:
    c = b.cluster()
    b.started(c)
    ask(c, ids=["1"], signal=9)
    assert states(c) == {"1": "CA"}


def test_a_pending_job_cannot_be_signalled() -> None:
    c = b.cluster()
    b.submit(c)
    assert ask(c, ids=["1"], signal=10).refused == [("1", "ESLURM_JOB_PENDING", "Job is pending execution")]


def test_one_step_is_ended_or_signalled() -> None:
    c = b.cluster()
    job = b.started(c)
    step = cancel_step(c, job.id)
    node = (b.NodeName("cn01"),)
    [ending] = ask(c, ids=["1.0"]).events
    assert c.apply(ending) == [EndStep(job=job.id, attempt=1, step=step, nodes=node, why="cancelled")]
    assert recovery.pending_effects(c)[-1:] == [EndStep(job=job.id, attempt=1, step=step, nodes=node, why="cancelled")], "also after a restart"
    assert ask(c, ids=["1.0"], signal=10).effects == [Signal(job=job.id, attempt=1, nodes=node, signal=10, step=step)]
    assert ask(c, ids=["1.batch"], signal=15).effects == [Signal(job=job.id, attempt=1, nodes=node, signal=15, step=BATCH_STEP)]
    assert ask(c, ids=["1.7"]).unknown == ["1.7"]
    assert ask(c, b.BOB, ids=["1.0"]).refused == [("1.0", "ESLURM_ACCESS_DENIED", "Access/permission denied")]


def test_an_extern_step_is_ended_by_its_name_only() -> None:
    c = b.cluster(1, prolog_flags=["alloc", "contain"])
    job = b.started(c, "cn01")
    [ending] = ask(c, ids=["1.extern"]).events
    assert (ending.job, ending.step) == (job.id, EXTERN_STEP)  # type: ignore[attr-defined]
    c.apply(ending)
    c.apply(e.StepExited(at=b.T0, job=job.id, attempt=1, step=EXTERN_STEP, node=NodeName("cn01"), status=0))
    assert ask(c, ids=["1.extern"]).unknown == ["1.extern"]


def cancel_step(c: Cluster, job: int) -> StepId:
    step = steps.plan_step(c, c.jobs[b.JobId(job)], StepRequest(), b.T0)
    c.apply(e.StepCreated(at=b.T0, job=b.JobId(job), step=step))
    return step.id


def test_a_job_that_is_ending_already_is_left_alone() -> None:
    c = b.cluster()
    job = b.started(c)
    c.apply(e.Requeued(at=b.T0, job=job.id, by=b.ROOT.uid))
    assert len(ask(c, ids=["1"]).events) == 1
    assert ask(c, ids=["1"]).events == []


def test_a_job_that_is_stopped_shows_it_until_it_goes_on_or_ends() -> None:
    c = b.cluster()
    job = b.started(c)
    assert [effect.signal for effect in ask(c, ids=["1"], signal=19).effects if isinstance(effect, Signal)] == [19]
    assert job.flags == ["stopped"] and job.state is JobState.RUNNING
    assert not in_states(job, frozenset({"running"})) and in_states(job, frozenset({"stopped"}))
    ask(c, ids=["1"], signal=19)
    assert job.flags == ["stopped"]
    ask(c, ids=["1"], signal=18)
    assert job.flags == [] and in_states(job, frozenset({"running"}))
    ask(c, ids=["1"], signal=19, batch=True)
    ask(c, ids=["1"])
    assert job.flags == ["completing"]
