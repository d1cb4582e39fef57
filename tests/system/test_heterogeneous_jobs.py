"""Heterogeneous jobs on real daemons: submitted, started, seen, ended and requeued as one, through the loss of slurmctld."""

from __future__ import annotations

import pytest

from tests.system.machines import ALICE, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
CONF = "SchedulerParameters=bf_interval=1\nDefMemPerCPU=10\n"
SCRIPT = """#!/bin/bash
#SBATCH -J het -N1 -t 10 -o out.%j
#SBATCH hetjob
#SBATCH -N2 -n4 --mem=20
env | grep -E '^SLURM_(HET|JOB_ID|JOB_NODELIST|NTASKS|JOB_NUM_NODES)' | sort
until [ -e go ]; do sleep 0.1; done
"""


def test_a_heterogeneous_job_lives_as_one() -> None:
    with Machines(nodes=3, cpus=2, conf=CONF) as machines:
        machines.up()
        head = machines["head"]
        (head.work / "het.sh").write_text(SCRIPT)

        def ok(*words: str) -> str:
            return head.ok(*words, user=ALICE).strip()

        def states(leader: str) -> list[str]:
            return ok("squeue", "-h", "-j", leader, "-o", "%i %t").splitlines()

        fill = ok("sbatch", "--parsable", "-w", "nd3", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 600")
        machines.until(lambda: states(fill) == [f"{fill} R"], why="the first job does not run")
        leader = ok("sbatch", "--parsable", "het.sh")
        second = str(int(leader) + 1)
        machines.until(lambda: "(Resources)" in ok("squeue", "-h", "-j", leader, "-o", "%R"), why="it does not wait for room")
        assert states(leader) == [f"{leader}+0 PD", f"{leader}+1 PD"]
        assert ok("squeue", "-h", "-j", second, "-o", "%i") == f"{leader}+1"
        told = ok("slurm", "explain", f"{leader}+0")
        assert f"it starts together with component {leader}+1, which waits:" in told
        refused = head.run("scancel", second, user=ALICE)
        assert "Operation not permitted on individual component of heterogeneous job" in refused.err
        head.kill("slurmctld")
        head.start("slurmctld")
        machines.until(lambda: head.run("scancel", fill, user=ALICE).status == 0, why="slurmctld does not come back")
        machines.until(lambda: states(leader) == [f"{leader}+0 R", f"{leader}+1 R"], why="it does not start")
        shown = ok("scontrol", "show", "job", leader)
        assert f"JobId={second} HetJobId={leader} HetJobOffset=1 JobName=het" in shown and f"HetJobIdSet={leader}-{second}" in shown
        out = head.work / f"out.{leader}"
        machines.until(lambda: out.exists() and "SLURM_NTASKS_HET_GROUP_1" in out.read_text(), why="the script says nothing")
        env = dict(line.split("=", 1) for line in out.read_text().splitlines())
        assert (env["SLURM_HET_SIZE"], env["SLURM_JOB_ID"], env["SLURM_JOB_ID_HET_GROUP_1"]) == ("2", leader, second)
        assert (env["SLURM_JOB_NUM_NODES_HET_GROUP_1"], env["SLURM_JOB_NODELIST"]) == ("2", env["SLURM_JOB_NODELIST_HET_GROUP_0"])
        head.kill("slurmctld")
        head.start("slurmctld")
        machines.until(lambda: head.run("squeue", user=ALICE).status == 0, why="slurmctld does not come back")
        machines.until(lambda: states(leader) == [f"{leader}+0 R", f"{leader}+1 R"], why="it does not go on after the loss of slurmctld")
        (head.work / "go").touch()
        machines.until(lambda: states(leader) == [], why="it does not end")
        assert ok("scontrol", "show", "job", leader).count("JobState=COMPLETED") == 2


STEPS = """#!/bin/bash
#SBATCH -n1 -o steps
#SBATCH hetjob
#SBATCH -N2 -n2 --exclusive
tell='echo $SLURM_PROCID/$SLURM_NTASKS $SLURM_JOB_ID.$SLURM_STEP_ID $SLURM_NODEID $SLURM_JOB_NUM_NODES'
echo default; srun -l sh -c "$tell"
echo both; srun -l --het-group=0,1 sh -c "$tell"
echo second; srun -l --het-group=1 sh -c "$tell"
echo programs; srun -l echo server : -n2 echo client
echo outside; srun --het-group=0-3 hostname; echo $?
echo failing; srun --het-group=0,1 sh -c 'exit $SLURM_PROCID'; echo $?
"""


def test_steps_run_on_one_component_or_as_one_over_several() -> None:
    with Machines(nodes=3, cpus=2, conf=CONF) as machines:
        machines.up()
        head = machines["head"]
        (head.work / "steps.sh").write_text(STEPS)
        job = head.ok("sbatch", "--parsable", "-W", "steps.sh", user=ALICE, timeout=100).strip()
        told = dict(part.split("\n", 1) for part in _parts((head.work / "steps").read_text()))
        assert told["default"] == f"0: 0/1 {job}.0 0 1\n"
        assert sorted(told["both"].splitlines()) == [f"{rank}: {rank}/3 {job}.1 {rank} 3" for rank in range(3)]
        assert sorted(told["second"].splitlines()) == [f"{rank}: {rank}/2 {job}.2 {rank} 2" for rank in range(2)]
        assert sorted(told["programs"].splitlines()) == ["0: server", "1: client", "2: client"]
        assert "Attempt to run a job step with het group value of 3, but the job allocation has maximum value of 1" in told["outside"]
        assert told["outside"].endswith("\n1\n") and told["failing"].endswith("\n2\n")
        shown = head.ok("salloc", "-Q", "-n1", ":", "-N2", "sh", "-c", "echo $SLURM_HET_SIZE $SLURM_NTASKS; srun --het-group=0,1 hostname", user=ALICE)
        assert shown.splitlines()[0] == "2 3" and len(shown.splitlines()) == 4
        alone = head.ok("srun", "-l", "-n1", "echo", "server", ":", "-N2", "echo", "client", user=ALICE)
        assert sorted(alone.splitlines()) == ["0: server", "1: client", "2: client"]
        machines.until(lambda: head.ok("squeue", "-h") == "", why="something is left")


def _parts(text: str) -> list[str]:
    """The output of the script in parts, each with its name as the first line."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.strip() in ("default", "both", "second", "programs", "outside", "failing"):
            found.append("")
        found[-1] += line
    return found
