"""Notices: who is told of what, decided in the fold: once for a job, once for an array unless its owner wants to hear of each task."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Tell
from slurm.model.ids import JobId, Uid
from slurm.model.notice import JOBCOMP, MAIL, Notice
from slurm.testing import builders as b

MINUTE = 60.0


def listening() -> Cluster:
    """A cluster with somebody who takes mail and hears of ended jobs."""
    cluster = b.cluster(2)
    cluster.recording.mail = cluster.recording.completions = True
    return cluster


def notices(effects: list[Effect], destination: str = MAIL) -> list[Notice]:
    """What a destination is told."""
    return [effect.notice for effect in effects if isinstance(effect, Tell) and effect.destination == destination]


def told(effects: list[Effect], destination: str = MAIL) -> list[str]:
    """The same in words: "END 3_* Mixed" for an array, "BEGIN 1 RUNNING"."""
    return [f"{n.what} {n.record.array_job}_* {n.array.state}" if n.array is not None else f"{n.what} {n.record.id} {n.record.state.name}"
            for n in notices(effects, destination)]


def test_a_job_s_owner_hears_of_what_he_asked_for_and_of_nothing_else() -> None:
    cluster = listening()
    job = b.submit(cluster, mail_type="BEGIN,END", mail_user="alice@example.org")
    job, effects = b.start(cluster, job)
    assert told(effects) == ["BEGIN 1 RUNNING"]
    assert notices(effects)[0].receiver == "alice@example.org"
    assert told(b.finish(cluster, job, 3)) == ["END 1 FAILED"]
    quiet = b.started(cluster)
    assert told(b.finish(cluster, quiet)) == []


def test_fail_is_told_of_what_failed_and_not_of_what_was_cancelled() -> None:
    cluster = listening()
    assert told(b.finish(cluster, b.started(cluster, mail_type="FAIL"))) == []
    assert told(b.finish(cluster, b.started(cluster, mail_type="FAIL"), 1)) == ["END 2 FAILED"]
    cancelled = b.started(cluster, mail_type="FAIL")
    effects = cluster.apply(e.Cancelled(at=b.T0 + 1, job=cancelled.id, by=Uid(1000)))
    assert told(effects + b.free(cluster, cancelled)) == []
    wanted = b.submit(cluster, mail_type="END")
    assert told(cluster.apply(e.Cancelled(at=b.T0 + 1, job=wanted.id, by=Uid(1000)))) == ["END 4 CANCELLED"]


def test_none_wins_over_all_words_beside_it() -> None:
    cluster = listening()
    assert told(b.finish(cluster, b.started(cluster, mail_type="ALL,NONE"), 1)) == []


def test_an_array_is_told_of_as_a_whole() -> None:
    cluster = listening()
    array = b.submit(cluster, mail_type="ALL", array="1-3")
    effects: list[Effect] = []
    tasks = []
    for task in (1, 2, 3):
        started, more = b.start(cluster, array.id, task=task)
        tasks.append(started)
        effects += more
    assert [n.what for n in notices(effects)] == ["BEGIN"]
    effects = b.finish(cluster, tasks[0]) + b.finish(cluster, tasks[1], 1)
    assert told(effects) == []
    effects = b.finish(cluster, tasks[2])
    assert told(effects) == ["END 1_* Mixed"]
    summary = notices(effects)[0].array
    assert summary is not None
    assert (summary.tasks, summary.least_status, summary.highest_status) == (3, 0, 1 << 8)


def test_the_first_task_is_told_even_when_others_were_cancelled_before_and_no_second_one() -> None:
    cluster = listening()
    array = b.submit(cluster, mail_type="BEGIN", array="1-4")
    cluster.apply(e.Cancelled(at=b.T0, job=array.id, by=Uid(1000), tasks=[(1, 1, 1)]))
    first, effects = b.start(cluster, array.id, task=2)
    assert [n.what for n in notices(effects)] == ["BEGIN"]
    effects = b.finish(cluster, first, 1)
    _, more = b.start(cluster, array.id, task=3)
    assert told(effects + more) == []


def test_array_tasks_are_told_one_by_one_on_request() -> None:
    cluster = listening()
    array = b.submit(cluster, mail_type="END,ARRAY_TASKS", array="1-2")
    first, _ = b.start(cluster, array.id, task=1)
    assert told(b.finish(cluster, first)) == [f"END {first.id} COMPLETED"]


def test_a_requeue_the_end_of_the_time_and_a_dependency_that_cannot_come_are_told() -> None:
    cluster = listening()
    job = b.started(cluster, mail_type="REQUEUE,TIME_LIMIT", time_limit=60)
    effects = cluster.apply(e.Requeued(at=b.T0 + 1, job=job.id, by=Uid(1000))) + b.free(cluster, job)
    assert told(effects) == [f"REQUEUE {job.id} CANCELLED"]
    job = b.started(cluster, mail_type="REQUEUE,TIME_LIMIT", time_limit=60)
    effects = cluster.apply(e.TimedOut(at=b.T0 + MINUTE, job=job.id, attempt=job.attempt))
    assert told(effects) == [f"TIME_LIMIT {job.id} TIMEOUT"]
    before = b.started(cluster)
    b.submit(cluster, mail_type="INVALID_DEPEND", dependency=f"afterok:{before.id}", kill_on_invalid_dep=False)
    assert told(b.finish(cluster, before, 1)) == [f"INVALID_DEPEND {before.id + 1} PENDING"]


def test_every_life_that_ends_is_told_to_job_completion() -> None:
    cluster = listening()
    job = b.started(cluster)
    effects = b.finish(cluster, job)
    assert told(effects, JOBCOMP) == ["END 1 COMPLETED"]
    assert notices(effects, JOBCOMP)[0].record.end_time == b.T0 + 1
    array = b.submit(cluster, array="1-5")
    effects = cluster.apply(e.Cancelled(at=b.T0, job=array.id, by=Uid(1000), tasks=[(4, 5, 1)]))
    assert [(n.record.array_tasks, n.record.state.name) for n in notices(effects, JOBCOMP)] == [("4-5", "CANCELLED")]
    effects = cluster.apply(e.Cancelled(at=b.T0, job=array.id, by=Uid(1000)))
    assert [n.record.array_tasks for n in notices(effects, JOBCOMP)] == ["1-3"]


def test_a_replay_tells_nobody_and_without_a_listener_nothing_is_made() -> None:
    cluster = listening()
    job = b.started(cluster, mail_type="ALL")
    cluster.recording.silent = True
    assert told(b.finish(cluster, job)) == []
    silent = b.cluster(2)
    job = b.started(silent, mail_type="ALL")
    effects = b.finish(silent, job)
    assert told(effects) + told(effects, JOBCOMP) == []
    assert job.id == JobId(1)
