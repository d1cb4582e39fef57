"""Every line of transcripts/errors.txt, typed again at a live cluster with the recorded one's nodes, partitions and features."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.compat.transcript import Entry, masked, transcript
from tests.system.harness import Cluster

PROGRAMS = ("sbatch", "srun", "salloc", "scancel", "squeue", "sinfo", "sacct", "printf")
LATER = {
    "sbatch -A nosuch hello.sh": "accounts come with their issue: until then any is taken, as where Slurm enforces none",
    'sinfo -o "%"': "lists a line a group; how many depends on what ran", 'squeue -o "%"': "prints a line a job; how many depends on what waits",
}
"""Not compared here, and why. sacctmgr and reservations come with their issues."""
DIFFERENT = {
    "scancel 999999": "one line on standard error for an unknown job",
    "sbatch --nice=bogus hello.sh": "a warning says that it is taken as 0",
}
"""Compared but for standard error: docs/differences.md says why."""
QUEUED = re.compile(r"(job <id> (queued and waiting for resources|has been allocated resources)|Pending job allocation <id>)$")
"""Said only when it took a while; ours takes none."""
OURS = re.compile(r"^\w+: (hint|warning): ")


@pytest.fixture(scope="module")
def lab(cluster: Cluster) -> Iterator[Cluster]:
    """The recorded cluster: features, partitions and GPUs of transcripts/README."""
    conf = cluster.folder / "slurm.conf"
    kept = [line for line in conf.read_text().splitlines() if not line.startswith(("NodeName", "PartitionName", "DefMemPerCPU", "MaxArraySize", "EnforcePart"))]
    node = "NodeAddr=127.0.0.1 CPUs=16 Sockets=2 CoresPerSocket=8 ThreadsPerCore=1 State=UNKNOWN"
    conf.write_text("\n".join([
        *kept, "DefMemPerCPU=500", "MaxArraySize=10001", f"NodeName=cn[01-03] {node} RealMemory=64000 Feature=intel,ib Weight=1",
        f"NodeName=cn04 {node} RealMemory=128000 Gres=gpu:a100:2 Feature=amd,ib,gpu Weight=10",
        "PartitionName=debug Nodes=ALL Default=YES MaxTime=01:00:00 DefaultTime=00:10:00 State=UP",
        "PartitionName=batch Nodes=cn[01-03] MaxTime=7-0 State=UP", "PartitionName=gpu Nodes=cn04 MaxTime=3-0 State=UP"]) + "\n")
    (cluster.folder / "gres.conf").write_text("NodeName=cn04 Name=gpu Type=a100 Count=2\n")
    cluster.ok("scontrol", "reconfigure")
    cluster.script("hello.sh", "#!/bin/bash\nhostname\n")
    yield cluster
    cluster.ok("scancel", "--me")


def compared() -> list[Entry]:
    """The entries that this issue's commands answer."""
    return [entry for entry in transcript("errors") if entry.user == "root" and entry.program in PROGRAMS and entry.command not in LATER]


def typed(cluster: Cluster, command: str, patience: float) -> tuple[int | None, str, str]:
    """Status, output and errors of a shell line; status None when it was still waiting and was ended."""
    process = subprocess.Popen(
        ["timeout", "-s", "INT", "-k", "10", str(patience), "bash", "-c", command], cwd=cluster.work, env=cluster.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=60)
    return (None if process.returncode in (124, 137) else process.returncode), out, err


def lines_of(text: str) -> tuple[str, ...]:
    """Lines without hints, warnings and news of the queue; moments and ids masked."""
    found = masked(line for line in text.splitlines() if not OURS.match(line))
    return tuple(line for line in found if not QUEUED.search(line))


@pytest.mark.parametrize("entry", compared(), ids=lambda entry: entry.command)
def test_wrong_input_is_answered_as_recorded(lab: Cluster, entry: Entry) -> None:
    status, out, err = typed(lab, entry.command, 30.0 if entry.status is not None else 1.5)
    lab.ok("scancel", "--me")
    assert status == entry.status, (out, err)
    assert lines_of(out) == tuple(line for line in masked(entry.stdout) if line)
    if entry.command not in DIFFERENT:
        recorded = tuple(line for line in masked(entry.stderr) if not QUEUED.search(line))
        said = lines_of(err)
        assert (said if entry.status is not None else said[:len(recorded)]) == recorded
    assert "Traceback" not in err


def test_every_refusal_says_what_would_be_valid(lab: Cluster) -> None:
    for command, hint in (
            ("sbatch -p nosuch hello.sh", "batch"), ("sbatch -C nosuch hello.sh", "intel"), ("sbatch -w nosuch hello.sh", "cn"),
            ("sbatch --gres=bogus:1 hello.sh", "gpu"), ("sbatch -a 0-99999 hello.sh", "10000"), ("sbatch --nodez=2 hello.sh", "--nodes"),
            ("sbatch --gres=gpu:8 -p gpu hello.sh", "2"), ("sbatch --mem=9999G hello.sh", "128000"), ("sbatch -d bogus hello.sh", "afterok")):
        result = lab.run("bash", "-c", command)
        assert any(hint in line for line in result.err.splitlines() if "hint: " in line), result.err


def test_what_can_never_start_is_said_at_submission(lab: Cluster) -> None:
    for command in ("sbatch -N100 hello.sh", "sbatch -n 1000 -p batch hello.sh", "sbatch -t 99-0 -p debug hello.sh"):
        result = lab.run("bash", "-c", command)
        assert result.status == 0
        assert any("warning: " in line for line in result.err.splitlines()), result
    lab.ok("scancel", "--me")


def test_without_a_cluster_every_command_says_what_to_do(lab: Cluster) -> None:
    for words in (("sbatch", "--wrap", "true"), ("squeue",), ("sinfo",), ("scancel", "1"), ("scontrol", "show", "job"), ("srun", "true"), ("salloc", "true")):
        result = lab.run(*words, env={"XDG_STATE_HOME": str(lab.work / "nowhere")})
        assert result.status != 0
        assert "no cluster here: start one with `slurm up`, or set SLURM_CONF" in result.err, words
        assert "Traceback" not in result.err
