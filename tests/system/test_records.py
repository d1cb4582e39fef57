"""Records of a real cluster: every job stands once in the database, whichever daemon is killed whenever; usage and exit codes are true."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from slurm.model.accounting import JobFilter, JobRow
from slurm.model.ids import BATCH_STEP, JobId, Uid
from slurm.model.states import JobState
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from tests.system.harness import SOURCE, Cluster

SEED = int(os.environ.get("SLURM_PY_SEED", str(int(time.time()) // 86_400)))


def jobs(cluster: Cluster) -> dict[tuple[int, int], JobRow]:
    """What the database has, by job id and number of restarts; each key once."""
    database = Database(Storage(SQLITE, str(cluster.folder / "state" / "accounting.db")))
    database.open()
    try:
        rows = list(database.jobs(JobFilter(all_clusters=True, duplicates=True)))
    finally:
        database.close()
    found = {(row.job.id, row.job.restarts): row for row in rows}
    assert len(found) == len(rows), "a job stands there twice"
    return found


def restart(cluster: Cluster, daemon: str) -> None:
    """Start a daemon again that was killed, as systemd would."""
    configuration = {"slurmctld": "slurm.conf", "slurmdbd": "slurmdbd.conf"}[daemon]
    cluster.until(lambda: subprocess.run(
        [sys.executable, "-m", f"slurm.{daemon}", "-f", str(cluster.folder / configuration)], env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True, timeout=60, check=False).returncode == 0, why=f"{daemon} does not start again")


def test_a_job_stands_in_the_database_with_its_end_its_usage_and_its_exit_code(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4", "--memory", "8G")
    cluster.up()
    good, _ = cluster.finish("--wrap", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done")
    bad, _ = cluster.finish("-N2", "--wrap", "srun -N2 sh -c 'exit 3'; exit 7")
    waits = cluster.sbatch("--hold", "-J", "waits", "--wrap", "true")
    cluster.until(lambda: (JobId(int(bad)), 0) in jobs(cluster) and jobs(cluster)[JobId(int(bad)), 0].job.end_time
                  and (JobId(int(waits)), 0) in jobs(cluster), why="the records did not arrive")
    found = jobs(cluster)
    done, failed = found[JobId(int(good)), 0], found[JobId(int(bad)), 0]
    assert (done.job.state, done.job.exit_status, done.job.nodes) == (JobState.COMPLETED, 0, "cn01")
    script = next(step for step in done.steps if step.step == BATCH_STEP)
    assert script.usage is not None
    assert script.usage.user_seconds + script.usage.system_seconds > 0
    assert (failed.job.state, failed.job.exit_status, failed.job.derived_status) == (JobState.FAILED, 7 << 8, 3 << 8)
    assert {(step.step, step.exit_status) for step in failed.steps} == {(BATCH_STEP, 7 << 8), (0, 3 << 8)}
    assert (found[JobId(int(waits)), 0].job.state, found[JobId(int(waits)), 0].job.uid) == (JobState.PENDING, Uid(os.getuid()))


def submitted(cluster: Cluster, line: tuple[str, ...]) -> int:
    """Submit while slurmctld may be away; the job id."""
    answers: list[str] = []

    def answered() -> bool:
        result = cluster.run(*line)
        answers.append(result.out)
        return result.status == 0

    cluster.until(answered, why="the array was not submitted")
    return int(answers[-1])


@pytest.mark.parametrize("count", [400, pytest.param(5000, marks=pytest.mark.slow)])
def test_every_job_stands_once_whatever_is_killed_whenever(fresh: Callable[..., Cluster], count: int) -> None:
    print(f"seed {SEED}: SLURM_PY_SEED={SEED}")
    chance = random.Random(SEED)
    cluster = fresh("--nodes", "2", "--cpus", "16", "--memory", "64G")
    cluster.up()
    wanted: dict[int, int] = {}
    size = max(50, count // 20)
    for _ in range(count // size):
        code = chance.choice([0, 0, 3])
        line = ("sbatch", "--parsable", f"--array=0-{size - 1}", "-o", "/dev/null", "--wrap", f"exit $(( SLURM_ARRAY_TASK_ID % 2 * {code} ))")
        wanted[submitted(cluster, line)] = code
        for _ in range(chance.randint(1, 3)):
            daemon = chance.choice(["slurmctld", "slurmdbd", "slurmdbd"])
            time.sleep(chance.uniform(0.05, 1.0))
            cluster.kill(daemon)
            restart(cluster, daemon)

    def ended() -> bool:
        result = cluster.run("squeue", "-h", "-t", "PD,R,CG", "-o", "%i")
        return result.status == 0 and not result.out.strip()

    cluster.until(ended, seconds=600, why="the jobs did not end")

    def arrived() -> bool:
        found = [row.job for row in jobs(cluster).values() if row.job.array_job in wanted]
        return len(found) >= len(wanted) * size and all(job.end_time for job in found)

    cluster.until(arrived, seconds=120, why="the records did not arrive")
    found = jobs(cluster)
    tasks = {(row.job.array_job, row.job.array_task): row for key, row in found.items() if row.job.array_job in wanted and row.job.restarts == 0}
    assert len(tasks) == len(wanted) * size
    last = {(row.job.array_job, row.job.array_task): row for _, row in sorted(found.items()) if row.job.array_job in wanted}
    for (array, task), row in last.items():
        assert task is not None
        code = task % 2 * wanted[array]
        assert (row.job.state, row.job.exit_status) == (JobState.FAILED if code else JobState.COMPLETED, code << 8), f"{array}_{task}: {row}"
        assert 0 < row.job.submit_time <= row.job.start_time <= row.job.end_time
        assert [step.exit_status for step in row.steps if step.step == BATCH_STEP] == [code << 8]
    assert sum(1 for row in found.values() if not row.job.end_time) == 0
