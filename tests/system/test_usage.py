"""What jobs use, on a running cluster through the commands: processes listed, live figures, a slurmd that is killed in the middle."""

from __future__ import annotations

import json
import shlex
import signal
import sys

import pytest

from tests.system.harness import Cluster, gate

HOLD = """import time
table = bytearray(300 << 20)
while time.process_time() < 2.0:
    sum(range(20000))
open("held", "w").close()
time.sleep(600)
"""


def uses(cluster: Cluster) -> dict[str, dict[str, float]]:
    """What `slurm top --json` tells of running jobs."""
    found = json.loads(cluster.ok("slurm", "top", "--json"))
    return {job["id"]: job["uses"] for job in found["jobs"] if job["uses"] is not None}


def test_a_running_job_shows_what_it_uses_and_which_processes_it_has_also_over_a_restart_of_slurmd(cluster: Cluster) -> None:
    program = shlex.join([sys.executable, "-S", "-c", HOLD])
    job = cluster.sbatch("-n1", "--mem=500M", "--acctg-freq=1", "--wrap", program)
    cluster.until(lambda: (cluster.work / "held").exists(), seconds=120, why="the job holds its memory")
    cluster.until(lambda: uses(cluster).get(job, {}).get("memory", 0) > 270, seconds=60, why="slurm top tells of 300 MB")
    found = uses(cluster)[job]
    assert found["memory"] == pytest.approx(306, rel=0.1)
    assert found["memory_allocated"] == 500
    node = cluster.field(job, "NodeList")
    listed = [line.split() for line in cluster.ok("scontrol", "listpids", job, node).splitlines()]
    assert listed[0] == ["PID", "JOBID", "STEPID", "LOCALID", "GLOBALID"]
    assert listed[1][1:] == [job, "batch", "0", "0"] and all(words[1:] == [job, "batch", "-", "-"] for words in listed[2:])
    cluster.kill(f"slurmd-{node}", signal.SIGKILL)
    cluster.up()
    cluster.until(lambda: uses(cluster).get(job, {}).get("memory", 0) > 270, seconds=60, why="slurmd tells of it again")
    cluster.ok("scancel", job)
    cluster.until_ended(job)
    assert job not in uses(cluster)
    refused = cluster.run("scontrol", "listpids", job, node)
    assert refused.status == 1 and "already completed" in refused.err


def test_the_processes_of_a_step_are_listed_by_task(cluster: Cluster) -> None:
    script = cluster.script("steps.sh", f"#!/bin/bash\nsrun -n2 sh -c {shlex.quote(gate('go'))}\n")
    job = cluster.sbatch("-n2", script)
    cluster.until(lambda: f"{job}.0" in cluster.ok("squeue", "-s", "-h", "-o", "%i").split(), why="its step runs")
    node = cluster.field(job, "NodeList")

    def tasks() -> list[list[str]]:
        listed = [line.split() for line in cluster.run("scontrol", "listpids", f"{job}.0", node).out.splitlines()[1:]]
        return sorted(words[1:] for words in listed if words[3] != "-")

    cluster.until(lambda: tasks() == [[job, "0", "0", "0"], [job, "0", "1", "1"]], why="both tasks are listed")
    cluster.open_gate("go")
    cluster.until_ended(job)
