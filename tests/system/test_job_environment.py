"""The variables inside jobs: the names and values that transcripts/job_environment.txt recorded, facts of host and moment aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from tests.compat.transcript import transcript
from tests.system.harness import Cluster, commands_folder

SHOWN = "env | grep -E '^(SLURM|SLURMD|CUDA|OMPI)'\n"
OF_THE_HOST = {
    "SLURM_CONF", "SLURM_CLUSTER_NAME", "SLURM_JOBID", "SLURM_JOB_ID", "SLURM_JOB_SLUID", "SLURM_JOB_START_TIME", "SLURM_JOB_END_TIME",
    "SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST", "SLURM_TASK_PID", "SLURM_ARRAY_JOB_ID", "SLURM_JOB_UID", "SLURM_JOB_GID", "SLURM_JOB_USER",
    "SLURM_JOB_GROUP", "SLURM_SRUN_COMM_HOST", "SLURM_SRUN_COMM_PORT", "SLURM_STEP_LAUNCHER_PORT", "SLURM_LAUNCH_NODE_IPADDR",
    "SLURM_MEM_PER_CPU", "SLURM_JOB_NAME"}
"""That they are there is compared; their values are of that host, user, moment or configuration."""
STEP_CONNECTION = {"SLURM_SRUN_COMM_HOST", "SLURM_SRUN_COMM_PORT", "SLURM_STEP_LAUNCHER_PORT", "SLURMD_DEBUG"}
"""Ports on which Slurm's srun waits to be called by slurmstepd; ours calls, and listens on none."""
OURS = {"SLURM_PY_INSTANCE", "SLURM_PY_STEP"}
"""Set by the harness for every command, and by slurmd to know a step's processes by."""


def recorded(command: str, prefix: str = "") -> dict[str, str]:
    """The variables that a recorded command printed, of one task when `prefix` is its label."""
    (entry,) = (entry for entry in transcript("job_environment") if entry.command.startswith(command))
    lines = [line for line in entry.stdout if line.startswith(prefix)]
    if not prefix and "---- srun" in lines:
        lines = lines[:lines.index("---- srun")]
    return variables(line.removeprefix(prefix) for line in lines)


def variables(lines: Iterable[str]) -> dict[str, str]:
    """NAME=value lines as a mapping; only what workload managers set."""
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name.startswith(("SLURM", "CUDA", "OMPI"))}


def compare(ours: dict[str, str], theirs: dict[str, str], *, missing: Collection[str] = (), more: Collection[str] = ()) -> None:
    """Same names, same values, but for what `missing`, `more` and OF_THE_HOST except."""
    assert set(ours) - OURS - set(more) == set(theirs) - set(missing)
    same = (set(theirs) & set(ours)) - OF_THE_HOST
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}


def test_a_batch_script_on_two_nodes_sees_what_slurm_gives_it(cluster: Cluster) -> None:
    cluster.script("env.sh", "#!/bin/bash\n#SBATCH -N2 -n4 -c2 --ntasks-per-node=2 -t 5\n" + SHOWN)
    cluster.finish("-o", "env.out", "env.sh")
    ours = variables(cluster.output("env.out").splitlines())
    compare(ours, recorded("cat envjob"))
    assert ours["SLURM_CONF"] == str(cluster.folder / "slurm.conf")
    assert int(ours["SLURM_JOB_END_TIME"]) - int(ours["SLURM_JOB_START_TIME"]) == 300
    assert ours["SLURM_SUBMIT_DIR"] == str(cluster.work)


def test_every_task_of_a_step_sees_what_slurm_gives_it(cluster: Cluster) -> None:
    cluster.script("envstep.sh", "#!/bin/bash\n#SBATCH -N2 -n4 -c2 --ntasks-per-node=2 -t 5\nsrun -l env\n")
    cluster.finish("-o", "envstep.out", "envstep.sh")
    lines = cluster.output("envstep.out").splitlines()
    for task in range(4):
        label = f"{task}: "
        ours = variables(line.removeprefix(label) for line in lines if line.startswith(label))
        compare(ours, recorded("cat envjob", label), missing=STEP_CONNECTION, more=STEP_CONNECTION)


def test_a_task_of_an_array_sees_the_array(cluster: Cluster) -> None:
    cluster.script("arr.sh", "#!/bin/bash\n#SBATCH -a 0-3 -t 5\n" + SHOWN)
    job, _ = cluster.finish("-o", "envarr_%a.out", "arr.sh")
    ours = variables(cluster.output("envarr_1.out").splitlines())
    theirs = recorded("cat arr_") | {"OMPI_MCA_plm_slurm_args": "--external-launcher"}  # The recorded script showed only SLURM_*.
    compare(ours, theirs)
    assert ours["SLURM_ARRAY_JOB_ID"] == job


def test_a_gpu_job_sees_its_devices_and_only_these(cluster: Cluster) -> None:
    cluster.script("gpu.sh", "#!/bin/bash\n#SBATCH -p gpu --gres=gpu:1 -n1 -c4 --mem=8G -w cn04\n" + SHOWN + "sleep ${1:-0}\n")
    first = cluster.sbatch("-o", "gpu1.out", "gpu.sh", "30")
    cluster.until_state(first, "RUNNING")
    cluster.finish("-o", "gpu2.out", "gpu.sh")
    cluster.ok("scancel", first)
    both = [variables(cluster.output(name).splitlines()) for name in ("gpu1.out", "gpu2.out")]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in both] == ["0", "1"]
    assert [one["SLURM_JOB_GPUS"] for one in both] == ["0", "1"]
    assert {one["SLURM_GPUS_ON_NODE"] for one in both} == {"1"}
    assert {one["SLURM_MEM_PER_NODE"] for one in both} == {"8192"}


def test_a_job_without_gpus_sees_none(cluster: Cluster) -> None:
    job, _ = cluster.finish("-o", "nogpu.out", "--wrap", "env | grep -c -E '^(CUDA|SLURM_GPU|SLURM_JOB_GPU)'")
    assert cluster.output("nogpu.out").strip() == "0", job


def test_variables_of_an_outer_job_do_not_leak_into_one_submitted_from_it(cluster: Cluster) -> None:
    cluster.script("inner.sh", "#!/bin/bash\n#SBATCH -o inner.out\nenv\n")
    cluster.script("outer.sh", "#!/bin/bash\nsbatch -W -n 1 inner.sh\n")
    outer, status = cluster.finish("-o", "outer.out", "-a", "3", "-n2", "-c2", "--ntasks-per-node=2", "outer.sh")
    assert status == 0
    inner = variables(cluster.output("inner.out").splitlines())
    assert inner["SLURM_JOB_ID"] != outer
    assert inner["SLURM_JOB_NAME"] == "inner.sh"
    assert not [name for name in inner if name.startswith("SLURM_ARRAY_")]
    assert "SLURM_NTASKS_PER_NODE" not in inner and "SLURM_CPUS_PER_TASK" not in inner


def test_a_login_shell_finds_srun_of_the_right_cluster_although_etc_profile_sets_path_anew(cluster: Cluster, tmp_path: Path) -> None:
    # As by an absolute path from a shell that has the commands nowhere; another Slurm's may be in /usr/bin.
    sbatch = shutil.which("sbatch", path=cluster.environment["PATH"])
    script = "#!/bin/bash -l\nexport PATH=/opt/conda/bin:$PATH\nsrun -n1 printenv SLURM_CLUSTER_NAME\nbash -c 'type -P sbatch'\n"
    cluster.script("login.sh", script)
    cluster.ok(str(sbatch), "-W", "-o", "login.out", "login.sh", env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    name, found = cluster.output("login.out").split()
    assert name == "test" and os.path.realpath(found) == os.path.realpath(commands_folder(cluster.root) / "sbatch")
