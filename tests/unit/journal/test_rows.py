"""Rows: what comes back is what was, indices and timers included; only what changed is written."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core import invariants, timers
from slurm.core.cluster import Cluster
from slurm.journal import rows, version1
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model import msgpack
from slurm.model.states import Reason
from slurm.testing import builders as b


def restarted(c: Cluster) -> Cluster:
    again = restored(rows.whole(c).values(), Reader({}))
    assert again is not None
    invariants.assert_valid(again)
    assert rows.whole(again) == rows.whole(c)
    assert not again.unsaved
    assert rows.count(c) == len(rows.whole(c))
    return again


def test_a_busy_cluster_survives_a_restart() -> None:
    c = b.lab_cluster()
    first = b.started(c, time_limit=60, signal="USR1@10")
    array = b.submit(c, array="1-9%2")
    b.finish(c, b.start(c, array)[0])
    b.start(c, array)
    b.submit(c, dependency=f"afterok:{first.id},after:{array.id}+1")
    b.submit(c, begin=b.T0 + 500, dependency="singleton", name="one")
    b.exit_batch(c, b.started(c, "cn01", "cn02"))
    again = restarted(c)
    assert again.next_job_id == c.next_job_id
    assert list(again.pending) == list(c.pending)
    assert again.running_tasks(array.id) == 1
    assert [type(event).__name__ for event in timers.due(again, b.T0 + 55)] == ["Warned"]


def test_dependents_are_told_after_a_restart() -> None:
    c = b.cluster()
    first = b.started(c)
    job = b.submit(c, dependency=f"afterok:{first.id}")
    again = restarted(c)
    b.finish(again, again.jobs[first.id])
    assert again.jobs[job.id].reason == Reason.NONE


def test_a_running_delay_goes_on_after_a_restart() -> None:
    c = b.cluster()
    first = b.submit(c)
    job = b.submit(c, dependency=f"after:{first.id}+1")
    b.start(c, first)
    again = restarted(c)
    for event in timers.due(again, b.T0 + 60):
        again.apply(event)
    assert again.jobs[job.id].reason == Reason.NONE


def test_old_snapshots_without_newer_fields_are_read() -> None:
    raw = msgpack.encode({"settings": {}, "next_job_id": 7})
    again = restored(version1.rows(raw), Reader({}))
    assert again is not None
    assert again.next_job_id == 7


def test_only_what_changed_is_given_out_and_what_is_gone_is_told() -> None:
    c = b.cluster(nodes=2)
    jobs = [b.started(c), b.started(c, "cn02")]
    assert {row.name for row in rows.unsaved(c)} >= {("job", jobs[0].id), ("node", "cn01"), ("partition", "debug")}
    assert not c.unsaved
    b.finish(c, jobs[1])
    assert {row.name for row in rows.unsaved(c)} == {("job", jobs[1].id), ("node", "cn02")}
    c.apply(e.Purged(at=b.T0 + 1000, jobs=[jobs[1].id]))
    assert [(row.name, row.body) for row in rows.unsaved(c)] == [(("job", jobs[1].id), None)]


def test_what_is_not_taken_stays_unsaved() -> None:
    c = b.cluster(nodes=3)
    given = rows.unsaved(c)
    first = next(given)
    assert len(c.unsaved) == 3
    rows.unsave(c, [first.name])
    assert len(c.unsaved) == 4


def test_events_survive_the_journal() -> None:
    c = b.lab_cluster()
    job = b.submit(c, array="1-3", dependency="singleton")
    event = e.Submitted(at=b.T0, job=job)
    assert msgpack.decode(msgpack.encode(event), type=e.AnyEvent) == event
