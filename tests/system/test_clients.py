"""Programs of others that drive Slurm through its commands: each runs as its users run it, against our commands.

`make clients` installs them; what they send, and which others were tried by hand, stands in docs/clients.md.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.system.harness import Cluster

pytestmark = pytest.mark.clients

DASK = """
import os
from dask_jobqueue import SLURMCluster
from distributed import Client
with SLURMCluster(cores=1, processes=1, memory="1GB", walltime="00:10:00", queue="debug", interface="lo", log_directory="logs",
                  job_extra_directives=["--comment='two words'"]) as cluster, Client(cluster) as client:
    cluster.scale(2)
    client.wait_for_workers(2, timeout=60)
    print(client.gather(client.map(lambda number: number * number, range(4))))
    print(len(set(client.run(lambda: os.environ["SLURM_JOB_ID"]).values())))
"""

SIMPLE_SLURM = """
import datetime
from simple_slurm import Slurm
jobs = Slurm(array=range(1, 4), cpus_per_task=2, job_name="name", output=f"{Slurm.JOB_ARRAY_ID}.out", time=datetime.timedelta(minutes=5))
first = jobs.sbatch("echo $SLURM_ARRAY_TASK_ID $SLURM_CPUS_PER_TASK", verbose=False)
last = Slurm(dependency=dict(afterok=first), output="last.out", wait=True)
last.sbatch("cat 1.out 2.out 3.out", verbose=False)
print(open("last.out").read(), end="")
"""

SUBMITIT = """
import submitit
def place(number):
    job = submitit.JobEnvironment()
    return number, job.global_rank, job.num_tasks
executor = submitit.AutoExecutor(folder="submitit/%j")
executor.update_parameters(timeout_min=5, slurm_partition="debug", tasks_per_node=2, nodes=1, name="two words", slurm_array_parallelism=2)
jobs = executor.map_array(place, [7, 8])
print([job.results() for job in jobs])
for job in jobs:
    job.wait()
import time
while {job.get_info(mode="force")["State"] for job in jobs} != {"COMPLETED"}:
    time.sleep(0.2)
"""
SNAKEFILE = """
rule all:
    input: "a.txt", "b.txt"
rule one:
    output: "{x}.txt"
    resources: mem_mb=1000, runtime=5
    shell: "echo {wildcards.x} > {output}"
"""


PARSL = """
import os
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider
provider = SlurmProvider(partition="debug", nodes_per_block=2, cores_per_node=2, mem_per_node=2, init_blocks=1, max_blocks=1, exclusive=False,
                         walltime="00:05:00", scheduler_options="#SBATCH --comment=parsl", launcher=SrunLauncher())
executor = HighThroughputExecutor(label="nodes", address="127.0.0.1", max_workers_per_node=1, encrypted=False, provider=provider)
@parsl.python_app
def square(number):
    import os
    import time
    time.sleep(0.2)
    return number * number, os.environ["SLURMD_NODENAME"]
with parsl.load(Config(executors=[executor], run_dir="parsl", strategy="none")):
    found = [future.result() for future in [square(number) for number in range(4)]]
print([number for number, _ in found], sorted({node for _, node in found}))
"""


def ran(cluster: Cluster, program: str) -> str:
    """Run a client as a Python program of its own, its own commands on PATH behind ours; what it printed."""
    path = os.pathsep.join((cluster.environment["PATH"], str(Path(sys.executable).parent)))
    (cluster.work / "client.py").write_text(program)
    return cluster.ok(sys.executable, "client.py", timeout=120, env={"PATH": path})


def test_dask_jobqueue_computes_on_workers_that_are_jobs(cluster: Cluster) -> None:
    assert ran(cluster, DASK) == "[0, 1, 4, 9]\n2\n"
    cluster.until(lambda: not cluster.ok("squeue", "-h"), why="the workers' jobs were not cancelled")


def test_simple_slurm_submits_an_array_and_a_job_that_depends_on_it(cluster: Cluster) -> None:
    assert ran(cluster, SIMPLE_SLURM) == "1 2\n2 2\n3 2\n"


def test_submitit_gets_results_of_arrays_and_tasks_from_files(cluster: Cluster) -> None:
    assert ran(cluster, SUBMITIT).splitlines(keepends=True)[-1] == "[[(7, 0, 2), (7, 1, 2)], [(8, 0, 2), (8, 1, 2)]]\n"


def test_parsl_runs_its_workers_with_srun_on_every_node_of_a_block(cluster: Cluster) -> None:
    assert ran(cluster, PARSL) == "[0, 1, 4, 9] ['cn01', 'cn02']\n"
    cluster.until(lambda: not cluster.ok("squeue", "-h"), why="the block was not cancelled")


def command(cluster: Cluster, *words: str, folder: str = ".") -> str:
    """Run a command that a client brings; what it printed."""
    path = os.pathsep.join((cluster.environment["PATH"], str(Path(sys.executable).parent)))
    return cluster.ok("sh", "-c", f'cd {folder} && exec "$@"', "sh", str(Path(sys.executable).parent / words[0]), *words[1:], timeout=200, env={"PATH": path})


def test_reportseff_shows_the_states_of_jobs_that_ended(cluster: Cluster) -> None:
    good, _ = cluster.finish("-J", "good", "--wrap", "sleep 1")
    bad, _ = cluster.finish("-J", "bad", "--wrap", "exit 3")
    cluster.until(lambda: "FAILED" in command(cluster, "reportseff", "--no-color", bad), why="reportseff does not find the job")
    lines = command(cluster, "reportseff", "--no-color", good, bad).splitlines()
    assert {tuple(line.split()[:2]) for line in lines[1:]} == {(good, "COMPLETED"), (bad, "FAILED")}


def test_slurm2sql_reads_every_job_into_its_database(cluster: Cluster) -> None:
    job, _ = cluster.finish("--wrap", "true")

    def known() -> list[tuple[object]]:
        command(cluster, "slurm2sql", "s.db", "--", "-S", "now-1days")
        with contextlib.closing(sqlite3.connect(cluster.work / "s.db")) as database:
            return database.execute("SELECT State FROM slurm WHERE JobID = ?", (job,)).fetchall()

    cluster.until(lambda: known() == [("COMPLETED",)], why="slurm2sql does not find the job")


def test_snakemake_runs_its_rules_as_jobs_and_learns_of_their_ends(cluster: Cluster) -> None:
    (cluster.work / "sm").mkdir()
    (cluster.work / "sm" / "Snakefile").write_text(SNAKEFILE)
    command(cluster, "snakemake", "--executor", "slurm", "-j", "2", "--default-resources", "slurm_account=root", "slurm_partition=debug",
            "--slurm-init-seconds-before-status-checks", "3", folder="sm")
    assert [(cluster.work / "sm" / name).read_text() for name in ("a.txt", "b.txt")] == ["a\n", "b\n"]
