"""The order in which jobs are looked at, and what is remembered of it."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.sched import priority
from slurm.sched.plan import plan
from slurm.sched.queue import Queue
from slurm.testing import builders as b


def order(queue: Queue, cluster: Cluster) -> list[int]:
    """Ids as a quick pass sees them."""
    return [job.id for job in queue.first(cluster, b.T0)]


def test_partition_tiers_go_before_priority_and_priority_before_age_in_the_queue() -> None:
    c = b.lab_cluster()
    c.partitions["gpu"].priority_tier = 5
    plain = b.submit(c, at=b.T0)
    nice = b.submit(c, at=b.T0, nice=-50, by=b.ROOT)
    gpu = b.submit(c, at=b.T0 + 5, partition="gpu")
    assert [job.id for job in Queue().all(c, b.T0)] == [gpu.id, nice.id, plain.id]


def test_jobs_that_join_and_leave_between_fresh_looks_are_noticed() -> None:
    c = b.lab_cluster()
    first, second = b.submit(c), b.submit(c)
    queue = Queue()
    assert order(queue, c) == [first.id, second.id]
    b.start(c, first, "cn01")
    urgent = b.submit(c, nice=-10, by=b.ROOT)
    assert order(queue, c) == [urgent.id, second.id]


def test_held_and_dependent_jobs_do_not_count_and_join_when_they_may_start() -> None:
    c = b.lab_cluster()
    held, plain = b.submit(c, hold=True, nice=-10, by=b.ROOT), b.submit(c)
    waits = b.submit(c, dependency=f"after:{plain.id}")
    queue = Queue()
    assert order(queue, c) == [plain.id]
    c.apply(e.Released(at=b.T0, job=held.id))
    b.start(c, plain, "cn01")
    assert order(queue, c) == [held.id, waits.id]


def test_a_requeued_job_is_in_the_queue_again() -> None:
    c = b.lab_cluster(requeue_delay=0)
    job = b.started(c)
    queue = Queue()
    assert order(queue, c) == []
    c.apply(e.Requeued(at=b.T0, job=job.id, by=b.Uid(0)))
    b.free(c, job)
    assert order(queue, c) == [job.id]


def test_the_depth_of_a_quick_pass_counts_jobs_that_may_start() -> None:
    c = b.cluster(1)
    for _ in range(5):
        b.submit(c, hold=True)
    last = b.submit(c)
    assert [proposal.job for proposal in plan(c, b.T0, depth=1, backfill=False).proposals] == [last.id]


def test_priority_counts_age_size_partition_and_nice() -> None:
    c = b.lab_cluster(priority_max_age=1000)
    c.partitions["debug"].priority_job_factor = 2
    job = b.submit(c, nodes_min=2, nodes_max=2, nice=11)
    assert priority.value(c, job, b.T0 + 500) == int(500 + 500 * (2 / 4 + 2 / 64) / 2 + 2000) - 11
    assert priority.value(c, job, b.T0 + 99999) == int(1000 + 500 * (2 / 4 + 2 / 64) / 2 + 2000) - 11


def test_priority_of_held_jobs_is_zero_and_an_administrators_word_holds() -> None:
    c = b.lab_cluster()
    assert priority.value(c, b.submit(c, hold=True), b.T0) == 0
    assert priority.value(c, b.submit(c, priority=77, by=b.ROOT), b.T0) == 77


def test_basic_priority_is_first_come_first_served() -> None:
    c = b.cluster(priority_type="basic")
    first, second = b.submit(c), b.submit(c)
    assert priority.value(c, first, b.T0) == priority.value(c, second, b.T0) + 1
