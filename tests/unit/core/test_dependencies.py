"""Dependencies: fulfilled, never fulfilled, and who is told."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import invariants, timers
from slurm.core.cluster import Cluster
from slurm.core.dependencies import is_behind
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.job import Job
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b

WAITS, NEVER, READY = Reason.DEPENDENCY, Reason.DEPENDENCY_NEVER_SATISFIED, Reason.NONE


def cancelled(c: Cluster, job: Job, at: float = b.T0 + 1) -> None:
    c.apply(e.Cancelled(at=at, job=job.id, by=b.ROOT.uid))


def let_time_pass(c: Cluster, now: float) -> None:
    for event in timers.due(c, now):
        c.apply(event)


@pytest.mark.parametrize(("kind", "code", "reason"), [
    ("afterok", 0, READY), ("afterok", 1, NEVER), ("afternotok", 1, READY), ("afternotok", 0, NEVER), ("afterany", 0, READY),
    ("afterany", 1, READY), ("aftercorr", 0, READY), ("aftercorr", 1, NEVER),
])
def test_the_end_of_a_job_decides(kind: str, code: int, reason: str) -> None:
    c = b.cluster()
    first = b.started(c)
    job = b.submit(c, dependency=f"{kind}:{first.id}")
    assert (job.reason, job.eligible_time) == (WAITS, 0.0)
    b.exit_batch(c, first, code)
    assert job.reason == WAITS
    b.free(c, first, at=b.T0 + 4)
    assert job.reason == reason
    assert job.eligible_time == (b.T0 + 4 if reason == READY else 0.0)


def test_a_requeue_is_not_an_end() -> None:
    c = b.cluster()
    first = b.started(c)
    job = b.submit(c, dependency=f"afterany:{first.id}")
    c.apply(e.Requeued(at=b.T0, job=first.id, by=b.ROOT.uid))
    b.free(c, first)
    assert job.reason == WAITS


def test_a_dependency_on_a_job_that_ended_is_decided_at_once() -> None:
    c = b.cluster()
    b.finish(c, b.started(c))
    assert b.submit(c, dependency="afterok:1").reason == READY
    assert b.submit(c, dependency="afternotok:1").reason == NEVER


def test_after_is_fulfilled_by_a_start_or_a_cancellation() -> None:
    c = b.cluster()
    first, second = b.submit(c), b.submit(c)
    jobs = [b.submit(c, dependency=f"after:{target.id}") for target in (first, second)]
    b.start(c, first)
    cancelled(c, second)
    assert [job.reason for job in jobs] == [READY, READY]


def test_after_with_minutes_counts_from_the_start() -> None:
    c = b.cluster()
    first = b.submit(c)
    job = b.submit(c, dependency=f"after:{first.id}+2")
    b.start(c, first, at=b.T0 + 10)
    assert job.reason == WAITS
    let_time_pass(c, b.T0 + 129)
    assert job.reason == WAITS
    let_time_pass(c, b.T0 + 130)
    assert job.reason == READY


def test_all_clauses_must_hold_or_any() -> None:
    c = b.cluster()
    one, two = b.started(c), b.started(c)
    both = b.submit(c, dependency=f"afterok:{one.id}:{two.id}")
    either = b.submit(c, dependency=f"afterok:{one.id}?afterok:{two.id}")
    b.finish(c, one, 1)
    assert (both.reason, either.reason) == (NEVER, WAITS)
    b.finish(c, two)
    assert (both.reason, either.reason) == (NEVER, READY)


def test_kill_on_invalid_dep_ends_whole_chains() -> None:
    c = b.cluster()
    first = b.started(c)
    chain = [b.submit(c, dependency=f"afterok:{number}", kill_on_invalid_dep=True) for number in range(1, 2000)]
    b.finish(c, first, 1)
    assert {job.state for job in chain} == {JobState.CANCELLED}
    assert {job.reason for job in chain} == {NEVER}
    assert not c.dependents


def test_the_cluster_may_kill_invalid_dependencies_by_default() -> None:
    c = b.cluster(kill_on_invalid_dep=True)
    first = b.started(c)
    dies, stays = b.submit(c, dependency="afterok:1"), b.submit(c, dependency="afterok:1", kill_on_invalid_dep=False)
    b.finish(c, first, 1)
    assert (dies.state, stays.state) == (JobState.CANCELLED, JobState.PENDING)


def test_singleton_lets_one_job_of_a_name_and_user_run() -> None:
    c = b.cluster()
    first = b.submit(c, name="one", dependency="singleton")
    second = b.submit(c, name="one", dependency="singleton")
    third = b.submit(c, name="one", dependency="singleton")
    others = b.submit(c, name="one", dependency="singleton", by=b.BOB)
    assert [job.reason for job in (first, second, third, others)] == [READY, WAITS, WAITS, READY]
    b.start(c, first)
    b.finish(c, first)
    assert [job.reason for job in (second, third)] == [READY, WAITS]
    cancelled(c, second)
    assert third.reason == READY


def test_singleton_waits_again_when_a_namesake_starts_first() -> None:
    c = b.cluster()
    single = b.submit(c, name="one", dependency="singleton")
    other = b.submit(c, name="one")
    b.start(c, other)
    assert single.reason == WAITS
    b.finish(c, other)
    assert single.reason == READY


def test_singleton_runs_the_tasks_of_an_array_one_by_one() -> None:
    c = b.cluster()
    array = b.submit(c, name="one", dependency="singleton", array="1-3")
    task, _ = b.start(c, array)
    assert array.reason == WAITS
    b.finish(c, task)
    assert array.reason == READY


def test_whole_arrays_are_waited_for() -> None:
    c = b.cluster()
    array = b.submit(c, array="0-1")
    ok, started_, any_ = (b.submit(c, dependency=f"{kind}:{array.id}") for kind in ("afterok", "after", "afterany"))
    one, _ = b.start(c, array)
    assert started_.reason == WAITS
    two, _ = b.start(c, array)
    assert started_.reason == READY
    b.finish(c, one)
    assert (ok.reason, any_.reason) == (WAITS, WAITS)
    b.finish(c, two, 1)
    assert (ok.reason, any_.reason) == (NEVER, READY)


def test_one_task_of_an_array_can_be_waited_for() -> None:
    c = b.cluster()
    array = b.submit(c, array="0-3")
    job = b.submit(c, dependency=f"afterok:{array.id}_2")
    task, _ = b.start(c, array, task=2)
    assert job.reason == WAITS
    b.finish(c, task)
    assert job.reason == READY


def test_cancelled_tasks_count_as_ended() -> None:
    c = b.cluster()
    array = b.submit(c, array="0-3")
    job = b.submit(c, dependency=f"afterany:{array.id}")
    task, _ = b.start(c, array, task=0)
    c.apply(e.Cancelled(at=b.T0, job=array.id, by=b.ROOT.uid, tasks=[(1, 3, 1)]))
    assert job.reason == WAITS
    b.finish(c, task)
    assert job.reason == READY


def test_aftercorr_starts_each_task_after_its_counterpart() -> None:
    c = b.cluster()
    first = b.submit(c, array="0-2")
    second = b.submit(c, array="0-2", dependency=f"aftercorr:{first.id}")
    tasks = [b.start(c, first)[0] for _ in range(3)]
    b.finish(c, tasks[1])
    freed = c.task(second.id, 1)
    assert freed is not None
    assert (freed.shown_id, freed.reason) == (f"{second.id}_1", READY)
    assert second.reason == WAITS
    b.finish(c, tasks[0], 1)
    doomed = c.task(second.id, 0)
    assert doomed is not None
    assert doomed.reason == NEVER
    b.finish(c, tasks[2])
    assert (second.array_task, second.reason) == (2, READY)


def test_aftercorr_with_kill_cancels_only_the_tasks_that_can_not_run() -> None:
    c = b.cluster()
    first = b.submit(c, array="0-1")
    second = b.submit(c, array="0-1", dependency=f"aftercorr:{first.id}", kill_on_invalid_dep=True)
    for code in (1, 0):
        task, _ = b.start(c, first)
        b.finish(c, task, code)
    states = sorted((job.array_task, job.state) for job in c.tasks_of(second.id))  # type: ignore[type-var]
    assert states == [(0, JobState.CANCELLED), (1, JobState.PENDING)]


def test_aftercorr_tasks_without_counterpart_wait_for_the_whole_array() -> None:
    c = b.cluster()
    first = b.submit(c, array="0-1")
    second = b.submit(c, array="0-2", dependency=f"aftercorr:{first.id}")
    for _ in range(2):
        assert second.reason == WAITS
        task, _ = b.start(c, first)
        b.finish(c, task)
    last = c.task(second.id, 2)
    assert last is not None
    assert last.reason == READY


# --- more than one event may look at ------------------------------------------------------------------------------------

AT_ONCE = 100


def many(c: Cluster, kind: str, count: int) -> tuple[Job, list[Job]]:
    """A waiting job and so many behind it: a chain of afterok, or all behind the one; each may die of it."""
    c.settings.cascade_at_once = AT_ONCE
    first = before = b.submit(c)
    made = []
    for _ in range(count):
        before = b.submit(c, dependency=f"{kind}:{first.id if kind != 'afterok' else before.id}", kill_on_invalid_dep=True)
        made.append(before)
    return first, made


def taken_in(c: Cluster, now: float) -> list[int]:
    """How many jobs each event changed until nothing is due; none more than AT_ONCE and itself, and no turn has more than AT_ONCE events."""
    sizes = []
    while events := [event for event in timers.due(c, now) if not isinstance(event, e.Purged)]:
        assert len(events) <= AT_ONCE
        for event in events:
            before = len(c.pending)
            c.apply(event)
            sizes.append(before - len(c.pending))
    assert max(sizes, default=0) <= AT_ONCE + 1
    return sizes


@pytest.mark.parametrize("again", [False, True], ids=["", "restarted in between"])
@pytest.mark.parametrize("kind", ["afterok", "afternotok"], ids=["chain", "fan"])
def test_a_long_cascade_is_taken_in_some_jobs_at_a_time_and_to_its_end(kind: str, again: bool) -> None:
    c = b.cluster()
    first, made = many(c, kind, 1_000)
    cancelled(c, first)
    left = sum(job.state == JobState.PENDING and job.reason == WAITS for job in made)
    assert left >= 1_000 - AT_ONCE - 1, "one event looks at so many only"
    if again:
        found = restored(rows.whole(c).values(), Reader({}))
        assert found is not None
        c = found
    sizes = taken_in(c, b.T0 + 1)
    final = [c.jobs[job.id] for job in made]
    if kind == "afterok":
        assert {(job.state, job.reason) for job in final} == {(JobState.CANCELLED, NEVER)} and len(sizes) < 20
    else:
        assert {(job.state, job.reason) for job in final} == {(JobState.PENDING, READY)}
    invariants.assert_valid(c)
    assert not any(is_behind(c, job) for job in c.pending.values())


def test_a_fan_that_dies_is_taken_in_some_jobs_at_a_time() -> None:
    c = b.cluster()
    c.settings.cascade_at_once = AT_ONCE
    first = b.submit(c)
    made = [b.submit(c, dependency=f"afterok:{first.id}", kill_on_invalid_dep=True) for _ in range(350)]
    cancelled(c, first)
    assert sum(job.state == JobState.PENDING for job in made) == 350 - AT_ONCE
    taken_in(c, b.T0 + 1)
    assert {job.state for job in made} == {JobState.CANCELLED}


def test_what_journals_of_before_tell_is_taken_in_at_once() -> None:
    c = b.cluster()
    first, made = many(c, "afterok", 300)
    c.settings.cascade_at_once = 0
    cancelled(c, first)
    assert {job.state for job in made} == {JobState.CANCELLED}
