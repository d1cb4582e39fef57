"""The extern step of a job as its user sees it (PrologFlags=Contain), through the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.system.harness import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("extern") / "c", "--nodes", "2", "--cpus", "4")
    try:
        cluster.up()
        conf = cluster.folder / "slurm.conf"
        conf.write_text(conf.read_text() + "PrologFlags=Contain\n")
        cluster.ok("scontrol", "reconfigure")
        yield cluster
    finally:
        cluster.close()


def test_a_job_holds_an_extern_step_on_each_node_from_its_first_moment_to_its_end(cluster: Cluster) -> None:
    job = cluster.sbatch("-N2", "-n2", "-o", "/dev/null", "--wrap", "sleep 100")
    cluster.until_state(job, "RUNNING")
    cluster.until(lambda: "batch" in cluster.ok("squeue", "-h", "-s", "-j", job), why="no batch step")
    rows = [line.split() for line in cluster.ok("squeue", "-h", "-s", "-j", job, "-o", "%i %j %u %N").splitlines()]
    user = rows[0][2]
    assert rows == [[f"{job}.batch", "batch", user, "cn01"], [f"{job}.extern", "extern", user, "cn[01-02]"]]
    shown = cluster.ok("scontrol", "show", "step", f"{job}.extern")
    assert f"StepId={job}.extern UserId={os.getuid()} " in shown
    assert "   State=RUNNING Partition=debug NodeList=cn[01-02]\n   Nodes=2 CPUs=0 Tasks=2 Name=extern Network=(null)\n   TRES=(null)\n" in shown
    listed = [line.split()[1:3] for line in cluster.ok("scontrol", "listpids", job, env={"SLURMD_NODENAME": "cn02"}).splitlines()]
    assert [job, "extern"] in listed
    cluster.kill("slurmd-cn02")
    cluster.ok("scancel", job)
    cluster.until(lambda: "CG" in cluster.ok("squeue", "-h", "-j", job, "-o", "%t"), why="cn02 is not waited for")
    cluster.ok(sys.executable, "-m", "slurm.slurmd", "-f", str(cluster.folder / "slurm.conf"), "-N", "cn02")
    cluster.until_ended(job)
    rows = [line.split("|") for line in cluster.ok("sacct", "-nP", "-j", job, "-o", "JobID,JobName,State,ExitCode,NTasks,NNodes,Layout").splitlines()]
    assert rows[1:] == [[f"{job}.batch", "batch", "CANCELLED", "0:15", "1", "1", "Unknown"],
        [f"{job}.extern", "extern", "COMPLETED", "0:0", "2", "2", "Unknown"]]
    tres = dict(zip(*[iter(cluster.ok("sacct", "-nP", "-j", job, "-o", "JobIDRaw,AllocTRES").replace("\n", "|").split("|")[:-1])] * 2, strict=True))
    assert tres[f"{job}.extern"] == tres[job] and "billing" not in tres[f"{job}.batch"]

