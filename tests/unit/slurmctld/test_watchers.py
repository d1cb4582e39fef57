"""Who is woken when a job changes."""

from slurm.model.ids import JobId
from slurm.slurmctld.watchers import Watchers


def test_only_those_who_watch_a_job_are_woken_and_nobody_is_left_after_the_last() -> None:
    watchers, woken = Watchers(), []
    stop = watchers.watch(JobId(1), lambda job: woken.append(("one", job)))
    stop_all = watchers.watch_all(lambda job: woken.append(("all", job)))
    watchers.announce(JobId(2))
    watchers.announce(JobId(1))
    assert woken == [("all", 2), ("one", 1), ("all", 1)]
    stop()
    stop()
    stop_all()
    stop_all()
    watchers.announce(JobId(1))
    assert len(woken) == 3 and len(watchers) == 0


def test_one_who_stops_while_he_is_woken_disturbs_nobody() -> None:
    watchers, woken = Watchers(), []
    stops = []
    stops.append(watchers.watch(JobId(1), lambda job: (woken.append(1), stops[0]())))  # type: ignore[arg-type, func-returns-value]
    watchers.watch(JobId(1), lambda job: woken.append(2))
    watchers.announce(JobId(1))
    watchers.announce(JobId(1))
    assert woken == [1, 2, 2]


def test_a_task_wakes_those_who_watch_its_array_with_its_own_number() -> None:
    watchers, woken = Watchers(), []
    watchers.watch(JobId(10), woken.append)
    watchers.announce(JobId(12), JobId(10))
    assert woken == [10] or woken == [12]
