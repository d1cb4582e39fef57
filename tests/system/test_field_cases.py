"""What public scripts and site guides do, on a real cluster: the right results are those of a Slurm 22.05 of the same shape, or its manual's."""

from __future__ import annotations

import json

import pytest

from tests.system.harness import Cluster

GPUS = "echo [$CUDA_VISIBLE_DEVICES$SLURM_STEP_GPUS]"
OWN = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL"), "5")


def test_steps_side_by_side_get_gpus_of_their_own(cluster: Cluster) -> None:
    both = "for i in 1 2; do srun -n1 --exact --gpus=1 bash -c 'echo $CUDA_VISIBLE_DEVICES; until [ $(cat both.* | wc -l) = 2 ]; do sleep 0.1; done' > both.$i & done; wait"
    for number in (1, 2):
        (cluster.work / f"both.{number}").touch()
    cluster.ok("salloc", "-n2", "--gres=gpu:2", "bash", "-c", both)
    assert sorted((cluster.work / f"both.{number}").read_text() for number in (1, 2)) == ["0\n", "1\n"]


@pytest.mark.parametrize("none", ["--gres=none", "--gpus=0", "--gpus-per-task=0", "--gres=gpu:0"])
def test_a_step_may_ask_for_none_of_its_jobs_gpus(cluster: Cluster, none: str) -> None:
    assert cluster.ok("salloc", "-n2", "--gres=gpu:2", "srun", "-n1", none, "bash", "-c", GPUS) == "[]\n"


def test_more_gpus_than_the_job_has_are_refused(cluster: Cluster) -> None:
    for job in (["--gres=gpu:1"], []):
        refused = cluster.run("salloc", "-n1", *job, "srun", "-n1", "--gpus=3", "true")
        assert refused.status == 1 and "Invalid generic resource (gres) specification" in refused.err


def test_the_submitters_gpus_reach_neither_jobs_nor_steps(cluster: Cluster) -> None:
    shown = "env | grep -E '^(CUDA|ROCR|ZE_|GPU_D)'; true"
    assert cluster.ok("srun", "bash", "-c", shown, env=OWN) == ""
    cluster.finish("-o", "own.out", "--wrap", shown, env=OWN)
    assert (cluster.work / "own.out").read_text() == ""
    assert cluster.ok("salloc", "--gres=gpu:1", "srun", "bash", "-c", "echo $CUDA_VISIBLE_DEVICES $ZE_AFFINITY_MASK", env=OWN) == "0 0\n"


def test_an_exclusive_job_has_the_gpus_of_its_node(cluster: Cluster) -> None:
    job, _ = cluster.finish("--exclusive", "-N1", "-o", "all.out", "--wrap", "echo $SLURM_CPUS_ON_NODE $CUDA_VISIBLE_DEVICES $SLURM_GPUS_ON_NODE")
    assert (cluster.work / "all.out").read_text() == "16 0,1 2\n"
    assert "gres/gpu=2" in cluster.field(job, "AllocTRES")


@pytest.mark.parametrize("words", [["--gpus=3", "--ntasks-per-gpu=2"], ["-N1", "-n6", "--gpus=2", "--ntasks-per-gpu=3"]])
def test_tasks_for_each_gpu_are_counted(cluster: Cluster, words: list[str]) -> None:
    cluster.finish("-o", "tasks.out", *words, "--wrap", "echo $SLURM_NTASKS; srun bash -c 'echo $SLURM_PROCID' | wc -l")
    assert (cluster.work / "tasks.out").read_text() == "6\n6\n"


def test_tasks_for_each_gpu_of_each_node_are_counted(cluster: Cluster) -> None:
    for words in (["--gpus-per-node=2"], ["--gres=gpu:2"]):
        assert cluster.ok("srun", "-N2", *words, "--ntasks-per-gpu=1", "bash", "-c", "echo t") == "t\n" * 4


def test_a_step_on_fewer_nodes_knows_how_many_it_has(cluster: Cluster) -> None:
    shown = 'srun -N2 -n2 bash -c "echo $SLURM_NNODES \\$SLURM_NNODES \\$SLURM_TASKS_PER_NODE"'
    cluster.finish("-N3", "-o", "few.out", "--wrap", shown)
    assert (cluster.work / "few.out").read_text() == "3 2 1(x2)\n" * 2


def test_zero_gpus_are_no_gpus(cluster: Cluster) -> None:
    assert cluster.finish("--gpus=0", "--wrap", "true")[1] == 0
    assert cluster.ok("salloc", "-N2", "-n2", "--gpus-per-task=0", "srun", "bash", "-c", GPUS) == "[]\n[]\n"


def test_typical_tuning_does_not_stop_a_script_at_its_first_srun(cluster: Cluster) -> None:
    words = ["--cpu-bind=cores", "--mem-bind=local", "--cpu-freq=high", "--profile=all", "--gres-flags=enforce-binding"]
    done = cluster.run("srun", "-n1", *words, "echo", "ran")
    assert (done.status, done.out, len(done.err.splitlines())) == (0, "ran\n", len(words))


def test_a_missing_interpreter_is_named(cluster: Cluster) -> None:
    cluster.script("bad.sh", "#!/nonexistent/python -u\n")
    assert cluster.finish("-o", "bad.out", "bad.sh")[1] == 2
    assert (cluster.work / "bad.out").read_text().endswith("error: execve(): bad interpreter(/nonexistent/python -u): No such file or directory\n")


def test_no_file_is_called_none(cluster: Cluster) -> None:
    cluster.finish("-o", "none", "-e", "NONE", "--wrap", "echo out; echo err >&2")
    assert not [path for path in cluster.work.iterdir() if path.name.lower() == "none"]


def test_a_task_that_is_not_waited_for_any_longer_is_killed(cluster: Cluster) -> None:
    script = "[ $SLURM_PROCID = 0 ] && exit 0; trap '' TERM; while true; do sleep 1; done"
    done = cluster.run("srun", "-n2", "-W1", "bash", "-c", script)
    assert done.status == 137 and done.err.splitlines()[-1] == "srun: error: cn01: task 1: Killed"


def test_a_stopped_job_shows_it(cluster: Cluster) -> None:
    job = cluster.sbatch("-o", "/dev/null", "--wrap", "srun sleep 60")
    cluster.until(lambda: cluster.states(job).get(job) == "RUNNING")
    cluster.ok("scancel", "-s", "STOP", job)
    assert (cluster.state(job), cluster.field(job, "JobState")) == ("STOPPED", "STOPPED")
    cluster.ok("scancel", "-s", "CONT", job)
    assert cluster.state(job) == "RUNNING"
    cluster.ok("scancel", job)


def test_a_job_with_no_kill_goes_on_without_a_node_that_is_set_down(cluster: Cluster) -> None:
    job = cluster.sbatch("--no-kill", "-N2", "-o", "/dev/null", "--wrap", "srun --no-kill sleep 60; sleep 60")
    cluster.until(lambda: cluster.states(job).get(job) == "RUNNING")
    first, second = cluster.ok("scontrol", "show", "hostnames", cluster.field(job, "NodeList")).split()
    cluster.ok("scontrol", "update", f"nodename={second}", "state=down", "reason=broken")
    assert (cluster.state(job), cluster.field(job, "NodeList")) == ("RUNNING", first)
    cluster.ok("scancel", job)
    cluster.ok("scontrol", "update", f"nodename={second}", "state=resume")


@pytest.mark.parametrize("words", [["ping"], ["show", "licenses"], ["show", "steps"], ["show", "reservations"]])
def test_scontrol_answers_in_json_where_slurm_does(cluster: Cluster, words: list[str]) -> None:
    report = json.loads(cluster.ok("scontrol", "--json", *words))
    assert report["errors"] == [] and report["meta"]["command"] == ["scontrol", "--json", *words]


def test_directives_without_a_blank_count(cluster: Cluster) -> None:
    cluster.script("tight.sh", "#!/bin/bash\n#SBATCH--time=5\n#SBATCH-J tight#er\n#SBATCH --mem=200M#mb\ntrue\n")
    job, status = cluster.finish("-o", "/dev/null", "tight.sh")
    assert (status, cluster.field(job, "TimeLimit"), cluster.field(job, "JobName"), cluster.field(job, "MinMemoryNode")) == (0, "00:05:00", "tight", "200M")
