"""Keys of submissions: one job for a request that comes twice, for as long as anybody may ask again, in bounded memory."""

from __future__ import annotations

from slurm.core import admission, keys
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.request import JobRequest, PayloadRef
from slurm.testing import builders as b


def submit(c: Cluster, key: str, *, by: e.Caller = b.ALICE, at: float = b.T0, array: str = "") -> Job:
    """A submission with a key."""
    event = admission.admit(c, JobRequest(name="job", work_dir="/", array=array), PayloadRef(), by, at).event
    event.job.key = key
    c.apply(event)
    return c.jobs[event.job.id]


def end(c: Cluster, job: Job, at: float) -> None:
    """The job is cancelled and leaves memory."""
    c.apply(e.Cancelled(at=at, job=job.id, by=job.owner.uid))
    c.apply(e.Purged(at=at, jobs=[job.id]))


def test_a_key_finds_its_users_job_and_nobody_elses() -> None:
    c = b.cluster()
    job = submit(c, "k1")
    assert c.keys.find(b.ALICE.uid, "k1") == job.id
    assert c.keys.find(b.BOB.uid, "k1") is None
    assert c.keys.find(b.ALICE.uid, "k2") is None
    assert c.keys.find(b.ALICE.uid, "") is None


def test_it_is_kept_for_a_while_after_the_job_left_memory_and_over_a_snapshot() -> None:
    c = b.cluster()
    job = submit(c, "k1")
    kept = submit(c, "k2")
    end(c, job, b.T0 + 10)
    again = restored(rows.whole(c).values(), Reader({}))
    assert (again.keys.find(b.ALICE.uid, "k1"), again.keys.find(b.ALICE.uid, "k2")) == (job.id, kept.id)
    end(again, again.jobs[kept.id], b.T0 + 10 + keys.KEPT_SECONDS)
    assert again.keys.find(b.ALICE.uid, "k1") is None
    assert again.keys.find(b.ALICE.uid, "k2") == kept.id


def test_the_key_of_an_array_is_that_of_all_its_tasks_until_the_last_has_gone() -> None:
    c = b.cluster()
    array = submit(c, "k1", array="0-1")
    task, _ = b.start(c, array, task=0)
    assert task.id != array.id
    b.finish(c, task)
    c.apply(e.Purged(at=b.T0 + 400, jobs=[task.id]))
    again = restored(rows.whole(c).values(), Reader({}))
    assert again.keys.find(b.ALICE.uid, "k1") == array.id
    assert not again.keys.past


def test_memory_is_bounded() -> None:
    found = keys.Keys(set())
    for number in range(keys.MOST + 500):
        found.add(b.ALICE.uid, f"k{number}", JobId(number))
        found.retire(b.ALICE.uid, f"k{number}", b.T0)
    assert len(found.past) == keys.MOST and not found.live
    assert found.find(b.ALICE.uid, "k0") is None
