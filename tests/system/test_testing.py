"""`slurm.testing`: what somebody else's tests get, by the fixture and by hand; and the user's own part of an embedded cluster's slurm.conf."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.testing.cluster import CommandFailed, RealCluster
from tests.system.harness import SOURCE

SUITE = '''
import os, subprocess
import pytest

@pytest.mark.slurm(nodes=1, cpus=2, first_job_id=700, conf="PartitionName=quick Nodes=ALL MaxTime=5\\nMaxArraySize=11")
def test_a_tool_submits(slurm_cluster):
    job = subprocess.run(["sbatch", "--parsable", "-p", "quick", "-o", "/dev/null", "--wrap", "true"], text=True, capture_output=True, check=True).stdout.strip()
    assert job == "700" and slurm_cluster.wait(job) == "COMPLETED"
    assert subprocess.run(["sbatch", "-a", "0-20", "--wrap", "true"], capture_output=True).returncode == 1

def test_the_next_one_has_another(slurm_cluster):
    assert slurm_cluster.submit("-o", "/dev/null", "--wrap", "true") == "1"
'''


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealCluster]:
    with RealCluster(nodes=2, cpus=2) as found:
        yield found


def test_the_fixture_gives_each_test_a_cluster_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_tool.py").write_text(SUITE)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "slurm.testing.pytest_plugin", "--strict-markers", "test_tool.py"], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": SOURCE}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


def test_a_killed_controller_comes_back_with_its_jobs(cluster: RealCluster) -> None:
    job = cluster.submit("-o", "/dev/null", "--hold", "--wrap", "true")
    cluster.kill("slurmctld")
    assert "slurmctld" not in cluster.daemons()
    cluster.start()
    assert cluster.state(job) == "PENDING"
    cluster.run("scontrol", "release", job)
    assert cluster.wait(job) == "COMPLETED"


def test_accounting_lags_on_request(cluster: RealCluster) -> None:
    with cluster.accounting_lag():
        job = cluster.submit("-o", "/dev/null", "--wrap", "true")
        assert cluster.wait(job) == "COMPLETED"  # squeue knows, while slurmdbd stands still
    for _ in range(200):
        if "COMPLETED" in (said := cluster.run("sacct", "-n", "-X", "-o", "State", "-j", job)):
            break
    assert "COMPLETED" in said


def test_a_drained_node_takes_no_job_and_a_wait_that_fails_says_what_it_saw(cluster: RealCluster) -> None:
    cluster.drain("cn01", "a test")
    cluster.drain("cn02")
    job = cluster.submit("-o", "/dev/null", "--wrap", "true")
    with pytest.raises(CommandFailed, match=f"job {job} is PENDING after 0 s, not RUNNING"):
        cluster.wait(job, "RUNNING", seconds=0)
    cluster.resume("cn02")
    assert cluster.wait(job) == "COMPLETED"
    cluster.resume("cn01")
    with pytest.raises(CommandFailed, match="there are slurmctld, slurmd-cn01"):
        cluster.pid("slurmrestd")
