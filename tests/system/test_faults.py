"""Faults: daemons are killed at the worst moments; nothing acknowledged is lost, nothing runs twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

import psutil
import pytest

from tests.system.harness import Cluster, gate

POINTS = ("before-append:260", "after-append:260", "before-launch:120", "after-launch:120", "on-completion:40")
RUN_ONCE = "#!/bin/bash\necho run $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID >> ran.txt\nsleep ${1:-3}\nexit $((SLURM_ARRAY_TASK_ID % 3))\n"


@pytest.mark.parametrize("point", POINTS)
def test_a_controller_killed_anywhere_loses_no_job_and_runs_none_twice(fresh: Callable[..., Cluster], point: str) -> None:
    cluster = fresh("--nodes", "4", "--cpus", "50", "--memory", "64G")
    cluster.up(SLURM_PY_CRASH_AT=point)
    cluster.script("once.sh", RUN_ONCE)
    # 400 tasks on 200 CPUs: 200 run, 200 wait, and the controller dies somewhere among it.
    acknowledged = []
    while len(acknowledged) < 8 and (result := cluster.run("sbatch", "--parsable", "-a", "0-49", "-o", "/dev/null", "once.sh", "4")).status == 0:
        acknowledged.append(result.out.strip())
    controller = cluster.pid("slurmctld")
    cluster.until(lambda: not psutil.pid_exists(controller), seconds=40, why=f"the controller passed {point} alive")
    cluster.up()
    ended = cluster.until_ended(*acknowledged, seconds=90)
    ran = Counter(tuple(line.split()[1:]) for line in cluster.output("ran.txt").splitlines())
    assert len(ended) == 50 * len(acknowledged)
    assert {shown: count for shown, count in ran.items() if count > 1} == {}
    assert {f"{job}_{task}" for job, task in ran} >= set(ended)
    for shown, state in ended.items():
        assert state == ("COMPLETED" if int(shown.partition("_")[2]) % 3 == 0 else "FAILED"), shown


def test_running_jobs_are_not_disturbed_by_a_controller_that_dies_and_their_exit_codes_arrive(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("-o", "out.txt", "--wrap", f"echo $$; {gate('go')}; echo done; exit 7")
    cluster.until_state(job, "RUNNING")
    cluster.kill("slurmctld")
    cluster.up()
    cluster.open_gate("go")
    cluster.until_ended(job)
    assert cluster.state(job) == "FAILED"
    assert cluster.field(job, "ExitCode") == "7:0"
    assert cluster.output("out.txt").splitlines()[1:] == ["done"]


def test_a_job_that_ends_while_the_controller_is_dead_is_reported_afterwards(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("--wrap", f"{gate('go')}; exit 3")
    cluster.until_state(job, "RUNNING")
    cluster.kill("slurmctld")
    stepd = cluster.stepds()
    assert stepd
    cluster.open_gate("go")
    psutil.wait_procs(stepd, timeout=15)
    cluster.up()
    cluster.until_ended(job)
    assert cluster.field(job, "ExitCode") == "3:0"


def test_jobs_of_a_killed_slurmd_go_on_and_are_attached_again(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("-o", "out.txt", "--wrap", f"{gate('go')}; echo survived; exit 5")
    cluster.until_state(job, "RUNNING")
    cluster.kill("slurmd-cn01")
    said = cluster.ok("slurm", "up")
    assert "slurmd cn01" in said
    cluster.open_gate("go")
    cluster.until_ended(job)
    assert cluster.field(job, "ExitCode") == "5:0"
    assert cluster.output("out.txt") == "survived\n"


def test_a_job_that_ends_while_its_slurmd_is_dead_is_reported_when_it_is_back(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("-o", "out.txt", "--wrap", f"{gate('go')}; exit 6")
    cluster.until_state(job, "RUNNING")
    cluster.kill("slurmd-cn01")
    stepd = cluster.stepds()
    assert stepd
    cluster.open_gate("go")
    psutil.wait_procs(stepd, timeout=15)
    cluster.up()
    cluster.until_ended(job)
    assert cluster.field(job, "ExitCode") == "6:0"


def test_the_death_of_a_stepd_is_reported_and_its_processes_are_gone(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("--no-requeue", "-o", "out.txt", "--wrap", "echo $$; sleep 1000 & sleep 1000")
    cluster.until(lambda: (cluster.work / "out.txt").exists() and cluster.output("out.txt").strip(), why="the job did not start")
    script = psutil.Process(int(cluster.output("out.txt").split()[0]))
    family = [script, *script.children(recursive=True)]
    (stepd,) = cluster.stepds(job)
    os.kill(stepd.pid, signal.SIGKILL)
    ended = cluster.until_ended(job)
    assert ended[job] in ("FAILED", "NODE_FAIL")
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_node_that_stays_silent_goes_down_and_comes_back(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + "SlurmdTimeout=2\n")
    cluster.ok("scontrol", "reconfigure")
    job = cluster.sbatch("-w", "cn02", "--requeue", "--wrap", "sleep 60")
    cluster.until_state(job, "RUNNING")
    cluster.kill("slurmd-cn02")
    cluster.until(lambda: "down" in cluster.ok("sinfo", "-h", "-n", "cn02", "-o", "%T"), why="cn02 did not go down")
    assert cluster.state(job) == "PENDING"
    cluster.up()
    cluster.until(lambda: cluster.ok("sinfo", "-h", "-n", "cn02", "-o", "%T").strip() in ("idle", "mixed"), why="cn02 did not come back")
