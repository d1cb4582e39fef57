"""Users without rights: what the lines of `bob` in the recorded sessions show, and that nobody touches what is another's."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.compat.transcript import transcript
from tests.system.harness import Cluster, Result

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as somebody else")
SOMEBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
"""nobody, who may read and enter what root's cluster keeps to root: an embedded cluster serves one user, its controller knows many."""
Somebody = Callable[..., Result]


@pytest.fixture
def somebody(cluster: Cluster) -> Somebody:
    """Runs a command as nobody."""
    return lambda *words: cluster.run(*SOMEBODY, *words)


@pytest.fixture
def roots(cluster: Cluster) -> str:
    """A waiting job of root."""
    return cluster.sbatch("-H", "--wrap", "true")


BOBS = [
    "scancel 1", "scontrol update nodename=cn01 state=drain reason=x", "scontrol update jobid=86 timelimit=1", "scontrol shutdown",
    "scontrol reconfigure"]


@pytest.mark.parametrize("command", BOBS)
def test_refusals_read_as_recorded(cluster: Cluster, somebody: Somebody, roots: str, command: str) -> None:
    entry = next(entry for entry in transcript("errors") if entry.command == command and entry.user == "bob")
    ours = [word if word != "1" else roots for word in command.split()] if command.startswith("scancel") else command.replace("86", roots).split()
    result = somebody(*ours)
    said = tuple(line for line in result.err.splitlines() if "hint:" not in line)
    expected = tuple(line.replace("job 86", f"job {roots}").replace("job id 1:", f"job id {roots}:") for line in entry.stderr)
    assert (result.status, result.out, said) == (entry.status, "\n".join(entry.stdout), expected)
    assert cluster.state(roots) == "PENDING"
    assert cluster.field(roots, "TimeLimit") == "UNLIMITED"
    assert cluster.ok("sinfo", "-h", "-N", "-p", "debug", "-n", "cn01", "-o", "%T").strip() == "idle"


@pytest.mark.parametrize("words", [
    ("scontrol", "hold", "JOB"), ("scontrol", "release", "JOB"), ("scontrol", "requeue", "JOB"), ("scontrol", "update", "jobid=JOB", "priority=9"),
    ("scontrol", "write", "batch_script", "JOB", "-"), ("scancel", "-u", "root"), ("srun", "--jobid=JOB", "true"),
    ("scontrol", "update", "partitionname=debug", "state=down"), ("sbatch", "--priority=99", "--wrap", "true"), ("sbatch", "--uid=0", "--wrap", "id"),
])
def test_nobody_touches_what_is_anothers(cluster: Cluster, somebody: Somebody, roots: str, words: tuple[str, ...]) -> None:
    before = cluster.ok("scontrol", "show", "job", roots)
    result = somebody(*(word.replace("JOB", roots) for word in words))
    assert result.status != 0
    assert result.out == ""
    assert result.err.strip()
    assert cluster.ok("scontrol", "show", "job", roots) == before


def test_everybody_sees_the_queue_and_submits_as_themselves(cluster: Cluster, somebody: Somebody) -> None:
    job = somebody("sbatch", "--parsable", "-H", "--wrap", "true").out.strip()
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%u %t").strip() == "nobody PD"
    assert somebody("squeue", "-h", "-j", job, "-o", "%u").out.strip() == "nobody"
    assert somebody("squeue", "-h", "--me", "-o", "%i").out.split() == [job]
    assert somebody("scancel", job).status == 0
    assert cluster.state(job) == "CANCELLED"


def test_an_administrators_hold_is_not_lifted_by_the_owner(cluster: Cluster, somebody: Somebody) -> None:
    job = somebody("sbatch", "--parsable", "--begin=now+1hour", "--wrap", "true").out.strip()
    cluster.ok("scontrol", "hold", job)
    assert cluster.field(job, "Reason") == "JobHeldAdmin"
    refused = somebody("scontrol", "release", job)
    assert refused.status == 1
    assert refused.err.splitlines()[0] == f"Access/permission denied for job {job}"
    cluster.ok("scontrol", "release", job)
    assert somebody("scontrol", "hold", job).status == 0
    assert cluster.field(job, "Reason") == "JobHeldUser"
    assert somebody("scontrol", "release", job).status == 0
    assert somebody("scancel", "--me").status == 0


def test_an_owner_may_shorten_but_not_raise(cluster: Cluster, somebody: Somebody) -> None:
    job = somebody("sbatch", "--parsable", "-H", "-t", "10", "--nice=5", "--wrap", "true").out.strip()
    assert somebody("scontrol", "update", f"jobid={job}", "timelimit=5").status == 0
    assert somebody("scontrol", "update", f"jobid={job}", "priority=999999").status == 1
    assert somebody("scontrol", "update", f"jobid={job}", "nice=-100").status == 1
    cluster.ok("scancel", job)
