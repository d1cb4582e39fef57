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


def clock(text: str) -> float:
    """Seconds of a time as sacct writes it: 00:01.888, 01:02:03."""
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def test_sacct_tells_truly_what_a_job_took_and_which_of_sixteen_tasks_took_most(cluster: Cluster) -> None:
    lone = cluster.sbatch("-n1", "--mem=500M", "--wrap", shlex.join([sys.executable, "-S", "-c", HOLD.replace("time.sleep(600)", "")]))
    greedy = f"[ $SLURM_PROCID = 11 ] && exec {shlex.join([sys.executable, '-S', '-c', 'table = bytearray(200 << 20)'])}; exec sleep 0.2"
    many = cluster.sbatch("-n16", "--mem=8G", cluster.script("many.sh", f"#!/bin/bash\nsrun -n16 sh -c {shlex.quote(greedy)}\n"))
    cluster.until_ended(lone, many, seconds=120)

    def told(step: str, *fields: str) -> list[str]:
        words = cluster.ok("sacct", "-j", step, "-n", "-P", "-o", ",".join(("JobID", "State", *fields))).strip().split("|")
        return words[2:] if words[:2] == [step, "COMPLETED"] else []

    cluster.until(lambda: told(f"{lone}.batch", "MaxRSS") and told(f"{many}.0", "MaxRSS"), why="both steps are on record")
    user, system, memory = told(f"{lone}.batch", "UserCPU", "SystemCPU", "MaxRSS")
    assert clock(user) + clock(system) == pytest.approx(2.05, rel=0.1)
    assert int(memory.removesuffix("K")) == pytest.approx(306 << 10, rel=0.1)
    task, node, memory, count = told(f"{many}.0", "MaxRSSTask", "MaxRSSNode", "MaxRSS", "NTasks")
    assert (task, node, count) == ("11", cluster.field(many, "NodeList"), "16")
    assert int(memory.removesuffix("K")) == pytest.approx(206 << 10, rel=0.1)


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
