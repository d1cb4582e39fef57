"""Arrays: one record until a task starts, a ledger of the rest, and what they cost."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from slurm.core import arrays, invariants
from slurm.core import events as e
from slurm.model.states import JobState, Reason
from slurm.testing import builders as b


@pytest.mark.parametrize(("runs", "task", "left"), [
    ([(1, 5, 1)], 1, [(2, 5, 1)]), ([(1, 5, 1)], 5, [(1, 4, 1)]), ([(1, 5, 1)], 3, [(1, 2, 1), (4, 5, 1)]),
    ([(0, 8, 4)], 4, [(0, 0, 1), (8, 8, 1)]), ([(0, 12, 4)], 0, [(4, 12, 4)]), ([(7, 7, 1)], 7, []),
])
def test_taking_a_task_leaves_the_others(runs: list[arrays.Run], task: int, left: list[arrays.Run]) -> None:
    arrays.take(runs, task)
    assert runs == left


@pytest.mark.parametrize("task", [0, 2, 6])
def test_a_task_that_does_not_wait_cannot_be_taken(task: int) -> None:
    with pytest.raises(ValueError, match="does not wait"):
        arrays.take([(1, 5, 2)], task)


def test_started_tasks_get_ids_of_their_own_and_the_last_takes_the_arrays() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-3%2")
    ids = []
    for _ in range(3):
        task, _ = b.start(c, array)
        ids.append((task.id, task.shown_id))
        b.finish(c, task)
    assert ids == [(2, "1_1"), (3, "1_2"), (1, "1_3")]
    assert c.next_job_id == 4
    assert c.arrays[array.id].finished


def test_the_percent_limit_counts_running_tasks() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-5%2")
    first, _ = b.start(c, array)
    b.start(c, array)
    with pytest.raises(ValueError, match="cannot be started"):
        b.start(c, array)
    assert (c.running_tasks(array.id), c.array_limit(array.id)) == (2, 2)
    b.finish(c, first)
    b.start(c, array)


def test_a_requeued_task_counts_against_the_limit_of_its_array() -> None:
    c = b.cluster(requeue_delay=0)
    array = b.submit(c, array="1-3%1")
    task, _ = b.start(c, array)
    c.apply(e.Requeued(at=b.T0, job=task.id, by=b.ROOT.uid))
    b.free(c, task)
    b.start(c, array)
    with pytest.raises(ValueError, match="cannot be started"):
        b.start(c, task)


def test_tasks_are_found_by_their_number() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-3")
    task, _ = b.start(c, array, task=2)
    assert c.find("1_2") is task
    assert c.find("1_3") is array
    assert c.find("1_9") is None
    assert c.find("bogus") is None
    assert {job.id for job in c.tasks_of(array.id)} == {1, 2}


def test_cancelling_some_waiting_tasks_leaves_the_others() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-10")
    c.apply(e.Cancelled(at=b.T0, job=array.id, by=b.ROOT.uid, tasks=[(3, 5, 1), (8, 20, 1)]))
    assert array.array_part is not None
    assert array.array_part.ranges == [(1, 2, 1), (6, 7, 1)]
    assert c.arrays[array.id].done_badly.show() == "3-5,8-10"


def test_cancelling_all_waiting_tasks_ends_the_record() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-4")
    c.apply(e.Cancelled(at=b.T0, job=array.id, by=b.ROOT.uid, tasks=[(1, 4, 1)]))
    assert array.state is JobState.CANCELLED
    assert array.array_part is not None
    assert array.array_part.ranges == [(1, 4, 1)]
    assert not c.pending


def test_holding_one_task_splits_it_off() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-3")
    c.apply(e.Held(at=b.T0, job=array.id, task=2))
    task = c.find("1_2")
    assert task is not None
    assert (task.id, task.reason, array.reason) == (2, Reason.JOB_HELD_USER, Reason.NONE)


def test_a_task_that_was_cancelled_requeued_and_cancelled_again_counts_once_as_started() -> None:
    c = b.cluster(requeue_delay=0)
    array = b.submit(c, array="1-3")
    c.apply(e.Held(at=b.T0, job=array.id, task=2))
    task = c.find("1_2")
    assert task is not None
    c.apply(e.Cancelled(at=b.T0, job=task.id, by=b.ROOT.uid))
    c.apply(e.Requeued(at=b.T0, job=task.id, by=b.ROOT.uid))
    c.apply(e.Cancelled(at=b.T0, job=task.id, by=b.ROOT.uid))
    assert c.arrays[array.id].started == 1
    c.apply(e.Requeued(at=b.T0, job=task.id, by=b.ROOT.uid))
    c.apply(e.Released(at=b.T0, job=task.id))
    b.start(c, task)
    assert c.arrays[array.id].started == 1


def test_an_array_leaves_memory_with_its_last_task() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-2")
    tasks = [b.start(c, array)[0] for _ in range(2)]
    for task in tasks:
        b.finish(c, task)
    c.apply(e.Purged(at=b.T0, jobs=[tasks[0].id]))
    assert array.id in c.arrays
    c.apply(e.Purged(at=b.T0, jobs=[tasks[1].id]))
    assert not c.arrays
    assert not c.jobs


def test_an_array_of_100000_tasks_is_submitted_in_less_than_a_megabyte() -> None:
    c = b.cluster(cpus=64, max_array_size=1_000_000)
    b.submit(c, array="1-2")
    tracemalloc.start()
    try:
        array = b.submit(c, array="0-99999%50")
        for _ in range(40):
            b.start(c, array)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 1_000_000
    invariants.assert_valid(c)


@pytest.mark.alone
def test_a_thousand_tasks_pass_through_the_fold_quickly() -> None:
    c = b.cluster()
    array = b.submit(c, array="1-1000")
    began = time.process_time()
    for _ in range(1000):
        task, _ = b.start(c, array)
        c.apply(e.Launched(at=b.T0, job=task.id, attempt=1))
        b.finish(c, task)
    assert time.process_time() - began < 0.5, "the aim is 0.1 s on an idle machine"
    assert c.arrays[array.id].finished
