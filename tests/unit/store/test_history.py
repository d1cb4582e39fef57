"""What the journal gives up is kept for a while, and any moment of it can be folded again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slurm.core.cluster import Cluster
from slurm.journal.codec import Reader
from slurm.model.errors import InvalidRequest, StoreError
from slurm.render.explanation import lines
from slurm.sched.explain import explain
from slurm.sched.plan import plan
from slurm.sched.queue import Queue
from slurm.slurmctld.looking_back import folded
from slurm.store.history import History
from slurm.testing import builders as b
from tests.written import Written, day

HOUR = 3600.0


def shown(cluster: Cluster, at: float) -> list[object]:
    """What squeue and `slurm explain` would say."""
    queue = Queue()
    found = plan(cluster, at, queue=queue)
    told: list[object] = sorted((job.id, job.shown_id, job.state.name, job.start_time, job.partition) for job in cluster.jobs.values())
    for job in list(cluster.pending.values())[:5]:
        told += lines(explain(cluster, job, at, refusal=found.verdicts.get(job.id), forecast=found.forecasts.get(job.id),
                              queue=queue.first(cluster, at)))
    return told


def at_that_time(cluster: Written, at: float) -> list[object]:
    cluster.write()
    stretch = cluster.history.stretch(at)
    return shown(folded(stretch, Reader(stretch.shapes)), at)


def test_twenty_moments_of_a_recorded_day_are_afterwards_as_they_were_shown_then(tmp_path: Path) -> None:
    cluster = Written(tmp_path)
    simulated = day(cluster)
    then: dict[float, list[object]] = {}
    for number in range(20):
        at = b.T0 + 700.0 * (number + 1) + 0.5
        simulated.run(at)
        then[at] = shown(cluster, at)
    simulated.run()
    assert len(cluster.history.segments()) >= 3, "the day lies in several segments"
    with pytest.raises(StoreError, match="event 1 is missing"):
        list(cluster.journal.replay(0))
    for at, told in then.items():
        assert at_that_time(cluster, at) == told
    cluster.journal.close()


def test_a_young_journal_that_never_gave_anything_up_is_enough(tmp_path: Path) -> None:
    cluster = Written(tmp_path, every=10**6)
    simulated = day(cluster, jobs=5)
    simulated.run(b.T0 + 500)
    then = shown(cluster, b.T0 + 500)
    simulated.run()
    assert cluster.history.segments() == [] and at_that_time(cluster, b.T0 + 500) == then
    cluster.journal.close()


def test_a_moment_before_what_is_kept_is_refused_and_told_since_when_it_is(tmp_path: Path) -> None:
    cluster = Written(tmp_path, seconds=2 * HOUR)
    simulated = day(cluster)
    simulated.run()
    kept = cluster.history.segments()
    assert kept[0].began > b.T0
    with pytest.raises(InvalidRequest, match="is no moment that is kept") as refused:
        cluster.history.stretch(b.T0 + 60)
    assert "what happened is kept from" in refused.value.hints[0]
    assert at_that_time(cluster, kept[0].began + 1)
    cluster.journal.close()


def test_the_oldest_goes_when_there_is_too_much(tmp_path: Path) -> None:
    cluster = Written(tmp_path, most=200_000)
    day(cluster).run()
    sizes = [os.path.getsize(one.path) for one in cluster.history.segments()]
    assert sum(sizes) <= 200_000 or len(sizes) == 1
    cluster.journal.close()


def test_a_disk_that_is_nearly_full_is_left_to_the_journal(tmp_path: Path) -> None:
    cluster = Written(tmp_path)
    day(cluster, jobs=10).run()
    assert cluster.history.segments()
    short = History(cluster.history.path, seconds=7 * 86400, most=1 << 30, least_free=1 << 60)
    with pytest.raises(StoreError, match="are free for"):
        short.record(b.T0 + 9 * HOUR)
    assert short.segments() == []
    cluster.history.record(b.T0 + 9 * HOUR)
    assert len(cluster.history.segments()) == 1, "it goes on when there is room again"
    cluster.journal.close()


def test_a_gap_is_said_and_what_is_behind_it_can_be_asked_for_again(tmp_path: Path) -> None:
    cluster = Written(tmp_path, every=10**6)
    simulated = day(cluster)
    for hour, history in ((1, True), (2, True), (3, False), (4, False), (5, True)):
        simulated.run(b.T0 + hour * HOUR)
        cluster.snapshot(simulated.now, history=history)
    simulated.run()
    assert at_that_time(cluster, b.T0 + 1.5 * HOUR)
    with pytest.raises(InvalidRequest, match="is no moment") as refused:
        stretch = cluster.history.stretch(b.T0 + 4.5 * HOUR)
        folded(stretch, Reader(stretch.shapes))
    assert "were not taken into the history" in refused.value.hints[0]
    assert shown(cluster, simulated.now) == at_that_time(cluster, simulated.now)
    cluster.journal.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    cluster = Written(tmp_path)
    day(cluster, jobs=10).run()
    folder = tmp_path / "history"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    cluster.journal.close()
