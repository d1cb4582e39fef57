"""What is said of a job that failed: how it ended, with numbers, and what to change."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.accounting import Extreme, TresUsage, Usage
from slurm.model.explanation import Explanation
from slurm.model.job import Job
from slurm.render.explanation import lines
from slurm.sched.explain import explain
from slurm.testing import builders as b


def ended(status: int = 0, *, why: str = "", limit: str = "", oom: bool = False, time_limit: int = 600) -> Explanation:
    c: Cluster = b.cluster(1)
    job: Job = b.submit(c, ntasks=4, time_limit=time_limit)
    b.start(c, job, "cn01", cpus=4)
    c.apply(e.BatchExited(at=b.T0 + 65, job=job.id, attempt=job.attempt, status=status, why=why, limit=limit, oom=oom))
    return explain(c, job, b.T0 + 70)


@pytest.mark.parametrize(("found", "sentence", "helps"), [
    (ended(127 << 8), "with exit status 127: a command of its script was not found", "name the command by its whole path"),
    (ended(126 << 8), "with exit status 126: a command of its script is there and cannot be executed", "chmod +x"),
    (ended(3 << 8), "with exit status 3, which is its own script's", ""),
    (ended(11), "it was ended by signal 11, segmentation fault", ""),
    (ended(137 << 8), "the last command of its script was ended by signal 9, SIGKILL: by the kernel when memory was short", "--mem"),
    (ended(2 << 8, why="execve(): bad interpreter(/no/python): No such file or directory"), "bad interpreter(/no/python)", "correct the first line of the script"),
    (ended(limit="timeout"), "when its time limit of 10:00 was over", "such as --time=20:00"),
    (ended(9, oom=True), "it held more memory than it may", "ask for more memory")])
def test_a_failure_is_told_with_what_it_means_and_what_to_change(found: Explanation, sentence: str, helps: str) -> None:
    assert sentence in found.sentence
    assert any(helps in one for one in found.advice) == bool(helps)
    assert ("it ran for", "1:05 on cn01") in found.evidence
    assert not helps or any(line.startswith("What may help: ") for line in lines(found))


@pytest.mark.parametrize(("asked", "line"), [({"mem_per_node": 1000}, "--mem=3888M"), ({"mem_per_cpu": 250}, "--mem-per-cpu=972M")])
def test_who_held_too_much_is_told_how_much_and_to_ask_for_more_than_that(asked: dict[str, int], line: str) -> None:
    c: Cluster = b.cluster(1)
    job: Job = b.submit(c, ntasks=4, submit_line="sbatch x.sh", **asked)
    b.start(c, job, "cn01", cpus=4, memory=1000)
    c.apply(e.Launched(at=b.T0, job=job.id, attempt=job.attempt))
    held = TresUsage(1944 << 20, 1, Extreme(1944 << 20, "cn01", 0), Extreme(1944 << 20, "cn01", 0))
    c.apply(e.BatchExited(at=b.T0 + 65, job=job.id, attempt=job.attempt, status=9, oom=True, usage=Usage(taken={"mem": held})))
    c.apply(e.NodeFreed(at=b.T0 + 66, job=job.id, attempt=job.attempt, node=b.NodeName("cn01")))
    found = explain(c, job, b.T0 + 70)
    assert ("memory that it was seen to hold", "1944M") in found.evidence
    assert any("such as --mem=3888M" in one for one in found.advice)
    assert line in found.again


def test_a_node_in_use_that_is_drained_is_draining_and_not_idle() -> None:
    c = b.cluster(2)
    b.start(c, b.submit(c, ntasks=16, time_limit=600), "cn01", cpus=16)
    c.apply(e.NodeUpdated(at=b.T0, node=b.NodeName("cn01"), by=b.Uid(0), state="drain", reason="bad dimm"))
    found = explain(c, b.submit(c, ntasks=16), b.T0)
    assert ("cn01", "allocated, draining: bad dimm") in found.unsuited


def test_nodes_that_the_job_itself_left_out_are_not_listed() -> None:
    c = b.cluster(3)
    assert explain(c, b.submit(c, exclude="cn01"), b.T0).unsuited == []
