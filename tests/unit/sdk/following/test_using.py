"""What running jobs use, from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slurm.client.usage import StepUsage
from slurm.model.accounting import Usage
from slurm.sdk.following.using import MOST_JOBS, Looks, Use, elapsed_seconds
from tests.cluster.commands.top.fake_source import job


class Cluster:
    """Tells what it is told."""

    def __init__(self, *steps: StepUsage) -> None:
        self.steps = list(steps)
        self.asked: list[Sequence[str]] = []

    def usage(self, ids: Sequence[str]) -> Sequence[StepUsage]:
        """The steps."""
        self.asked.append(ids)
        return self.steps


def step(name: str, seconds: float, megabytes: int = 0) -> StepUsage:
    return StepUsage(name, "cn01", 1, Usage(seconds, 0.0), megabytes << 20, job_memory=400)


def test_the_first_look_tells_the_mean_and_later_ones_what_came_since() -> None:
    looks, cluster = Looks(), Cluster(step("7.batch", 10.0, 30), step("7.0", 50.0, 70))
    jobs = [job("7", used="1:00", cpus=2), job("8", "PENDING")]
    assert looks.look(cluster, jobs, 100.0) == {"7": Use(50.0, 100, 400)}
    cluster.steps = [step("7.batch", 10.0, 30), step("7.0", 70.0, 90)]
    assert looks.look(cluster, jobs, 110.0) == {"7": Use(100.0, 120, 400)}
    assert cluster.asked == [["7"], ["7"]]


def test_a_step_that_ended_takes_nothing_away() -> None:
    looks, cluster = Looks(), Cluster(step("7_3.batch", 1.0), step("7_3.0", 59.0))
    jobs = [job("7_3", used="1:00", cpus=1)]
    looks.look(cluster, jobs, 100.0)
    cluster.steps = [step("7_3.batch", 3.0)]
    assert looks.look(cluster, jobs, 110.0)["7_3"].cpu_percent == 5.0


def test_only_so_many_jobs_are_asked_about_and_none_where_nothing_runs() -> None:
    cluster = Cluster()
    Looks().look(cluster, [job(str(number)) for number in range(1, 3 * MOST_JOBS)])
    assert len(cluster.asked[0]) == MOST_JOBS
    assert Looks().look(cluster, [job("8", "PENDING")]) == {} and len(cluster.asked) == 1


@pytest.mark.parametrize(("text", "seconds"), [("1-02:03:04", 93784), ("02:03", 123), ("0:07", 7), ("", 0), ("INVALID", 0)])
def test_times_of_squeue_are_read(text: str, seconds: int) -> None:
    assert elapsed_seconds(text) == seconds
