"""What an administrator does through scontrol to jobs, nodes, partitions and daemons, on a running cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.compat.transcript import transcript
from tests.system.harness import Cluster, gate

NOTHING = ("-o", "/dev/null")


def node_state(cluster: Cluster, node: str) -> str:
    """The state of a node in sinfo's long words."""
    return cluster.ok("sinfo", "-h", "-N", "-p", "debug", "-n", node, "-o", "%T").strip()


@contextmanager
def node_set(cluster: Cluster, node: str, *changes: str) -> Iterator[None]:
    """Change a node for a while, then have it back in service."""
    cluster.ok("scontrol", "update", f"nodename={node}", *changes)
    try:
        yield
    finally:
        cluster.ok("scontrol", "update", f"nodename={node}", "state=resume")
        cluster.until(lambda: node_state(cluster, node) == "idle", why=f"{node} is not idle again")


# --- nodes ----------------------------------------------------------------------------------------------------------------


def test_a_drained_node_finishes_what_it_has_and_gets_nothing_new(cluster: Cluster) -> None:
    running = cluster.sbatch("-w", "cn03", *NOTHING, "--wrap", "sleep 60")
    cluster.until_state(running, "RUNNING")
    with node_set(cluster, "cn03", "state=drain", "reason=bad memory"):
        assert node_state(cluster, "cn03") == "draining"
        assert re.search(r"^bad memory +root +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d cn03$", cluster.ok("sinfo", "-R"), re.MULTILINE)
        assert "Reason=bad memory [root@" in cluster.ok("scontrol", "show", "node", "cn03")
        waiting = cluster.sbatch("-w", "cn03", *NOTHING, "--wrap", "true")
        cluster.until(lambda: "ReqNodeNotAvail" in cluster.ok("squeue", "-h", "-j", waiting, "-o", "%r"))
        assert cluster.state(running) == "RUNNING"
        cluster.ok("scancel", running)
        cluster.until(lambda: node_state(cluster, "cn03") == "drained")
    assert cluster.until_ended(waiting) == {waiting: "COMPLETED"}
    assert cluster.ok("sinfo", "-h", "-R").strip() == ""


def test_draining_needs_a_reason(cluster: Cluster) -> None:
    result = cluster.run("scontrol", "update", "nodename=cn01", "state=drain")
    assert result.status == 1
    assert result.err.splitlines()[0] == "You must specify a reason when DOWNING or DRAINING a node. Request denied"
    assert node_state(cluster, "cn01") == "idle"


def test_a_node_set_down_loses_its_jobs(cluster: Cluster) -> None:
    requeued = cluster.sbatch("-w", "cn02", "--requeue", *NOTHING, "--wrap", "sleep 60")
    failed = cluster.sbatch("-w", "cn02", "--no-requeue", *NOTHING, "--wrap", "sleep 60")
    cluster.until_state(requeued, "RUNNING")
    cluster.until_state(failed, "RUNNING")
    with node_set(cluster, "cn02", "state=down", "reason=gone"):
        cluster.until_state(failed, "NODE_FAIL")
        cluster.until_state(requeued, "PENDING")
        assert node_state(cluster, "cn02") == "down"
    cluster.ok("scancel", requeued)
    cluster.until(lambda: not cluster.stepds(failed) and not cluster.stepds(requeued), why="their processes live on")


def test_features_weights_and_comments_of_nodes_may_be_changed(cluster: Cluster) -> None:
    cluster.ok("scontrol", "update", "nodename=cn04", "features=fast,new", "weight=7", "comment=spare")
    shown = cluster.ok("scontrol", "show", "node", "cn04")
    assert "ActiveFeatures=fast,new" in shown and "Weight=7" in shown and "Comment=spare" in shown
    job = cluster.sbatch("-C", "fast&new", "-o", "feature.out", "--wrap", "echo $SLURMD_NODENAME")
    assert cluster.until_ended(job) == {job: "COMPLETED"}
    assert cluster.output("feature.out") == "cn04\n"
    cluster.ok("scontrol", "update", "nodename=cn04", "features=", "weight=1", "comment=")


def test_an_unknown_node_or_state_is_refused(cluster: Cluster) -> None:
    unknown = cluster.run("scontrol", "update", "nodename=nosuch", "state=resume")
    assert (unknown.status, unknown.err.splitlines()[0]) == (1, "slurm_update error: Invalid node name specified")
    bogus = cluster.run("scontrol", "update", "nodename=cn01", "state=bogus")
    assert bogus.status == 1
    assert "bogus" in bogus.err.lower()


# --- partitions -----------------------------------------------------------------------------------------------------------


def test_a_partition_that_is_down_starts_nothing_and_goes_on_when_it_is_up(cluster: Cluster) -> None:
    cluster.ok("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        job = cluster.sbatch("-p", "gpu", *NOTHING, "--wrap", "true")
        cluster.until(lambda: cluster.ok("squeue", "-h", "-j", job, "-o", "%t %r").strip() == "PD PartitionDown")
        assert re.search(r"^gpu +down ", cluster.ok("sinfo", "-h", "-p", "gpu"), re.MULTILINE)
    finally:
        cluster.ok("scontrol", "update", "partitionname=gpu", "state=up")
    assert cluster.until_ended(job) == {job: "COMPLETED"}


def test_inactive_partitions_refuse_and_drained_ones_do_too(cluster: Cluster) -> None:
    for state in ("inactive", "drain"):
        cluster.ok("scontrol", "update", "partitionname=gpu", f"state={state}")
        result = cluster.run("sbatch", "-p", "gpu", "--wrap", "true")
        cluster.ok("scontrol", "update", "partitionname=gpu", "state=up")
        if state == "drain":
            assert result.status == 1
            assert result.err.splitlines()[0].endswith("Required partition not available (inactive or drain)")


def test_limits_of_a_partition_may_be_changed(cluster: Cluster) -> None:
    cluster.ok("scontrol", "update", "partitionname=gpu", "maxtime=10", "defaulttime=5")
    assert re.search(r"MaxTime=00:10:00", cluster.ok("scontrol", "show", "partition", "gpu"))
    job = cluster.sbatch("-p", "gpu", "-H", "--wrap", "true")
    assert cluster.field(job, "TimeLimit") == "00:05:00"
    cluster.ok("scontrol", "update", "partitionname=gpu", "maxtime=unlimited", "defaulttime=none")
    cluster.ok("scancel", job)


# --- jobs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "shown"), [
    ("timelimit=2:00", ("TimeLimit", "00:02:00")), ("name=renamed", ("JobName", "renamed")), ("jobname=other", ("JobName", "other")),
    ("partition=gpu", ("Partition", "gpu")), ("priority=4321", ("Priority", "4321")), ("comment=a comment", ("Comment", "a comment")),
    ("numcpus=3", ("NumCPUs", "3")), ("numnodes=2", ("NumNodes", "2-2")), ("minmemorynode=2G", ("MinMemoryNode", "2G")),
    ("starttime=2030-01-01T00:00:00", ("StartTime", "2030-01-01T00:00:00")), ("reqnodelist=cn02", ("ReqNodeList", "cn02")),
    ("excnodelist=cn03", ("ExcNodeList", "cn03")), ("requeue=0", ("Requeue", "0")), ("nice=50", ("Nice", "50")),
    ("dependency=", ("Dependency", "(null)")),
])
def test_waiting_jobs_may_be_changed(cluster: Cluster, change: str, shown: tuple[str, str]) -> None:
    job = cluster.sbatch("--begin=now+1hour", "-t", "30", *NOTHING, "--wrap", "true")
    cluster.ok("scontrol", "update", f"jobid={job}", change)
    assert cluster.show(job)[shown[0]] == shown[1]
    cluster.ok("scancel", job)


def test_what_can_not_be_changed_is_refused_and_nothing_is_changed(cluster: Cluster) -> None:
    job = cluster.sbatch("-t", "30", *NOTHING, "--wrap", "sleep 60")
    cluster.until_state(job, "RUNNING")
    for change in ("partition=nosuch", "timelimit=bogus", "bogus=1", "numnodes=3", "partition=gpu"):
        result = cluster.run("scontrol", "update", f"jobid={job}", "name=changed", change)
        assert result.status != 0, change
        assert result.err.strip()
        assert cluster.field(job, "JobName") == "wrap", change
    cluster.ok("scancel", job)


def test_some_tasks_of_an_array_may_be_held_and_changed(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", "-a", "0-4", *NOTHING, "--wrap", "true")
    cluster.ok("scontrol", "update", f"jobid={job}_2", "name=special")
    cluster.ok("scontrol", "release", f"{job}_[2-3]")
    cluster.until(lambda: cluster.states(job).get(f"{job}_2") == "COMPLETED" and cluster.states(job).get(f"{job}_3") == "COMPLETED")
    names = dict(line.split() for line in cluster.ok("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%i %j").splitlines())
    assert names[f"{job}_2"] == "special"
    assert names[f"{job}_3"] == "wrap"
    assert cluster.states(job)[f"{job}_4"] == "PENDING"
    cluster.ok("scancel", job)


def test_the_batch_script_is_given_back_as_it_was_submitted(cluster: Cluster) -> None:
    text = "#!/bin/bash\n#SBATCH -J given\necho 'ä \"quoted\"'\n"
    cluster.script("given.sh", text)
    job = cluster.sbatch("-H", "given.sh")
    assert cluster.ok("scontrol", "write", "batch_script", job, "-") == text
    assert cluster.ok("scontrol", "write", "batch_script", job).strip() == f"batch script for job {job} written to slurm-{job}.sh"
    assert cluster.output(f"slurm-{job}.sh") == text
    wrapped = cluster.sbatch("-H", "--wrap", "sleep 300")
    recorded = next(entry for entry in transcript("scontrol") if entry.command == "scontrol write batch_script 86 -")
    assert cluster.ok("scontrol", "write", "batch_script", wrapped, "-").rstrip("\n").splitlines() == list(recorded.stdout)
    cluster.ok("scancel", job, wrapped)


def test_wait_job_returns_when_the_nodes_are_ready(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", *NOTHING, "--wrap", "sleep 60")
    waiting = cluster.spawn("scontrol", "wait_job", job)
    cluster.ok("scontrol", "release", job)
    assert waiting.wait(timeout=20) == 0
    assert waiting.stderr is not None and waiting.stderr.read() == f"scontrol: Nodes are ready for job {job}\n"
    cluster.ok("scancel", job)
    cluster.until_ended(job)
    assert cluster.run("scontrol", "wait_job", job).status != 0


# --- showing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [
    "scontrol bogus", "scontrol update", "scontrol show bogus", "scontrol show job 999999", "scontrol show node nosuch",
    "scontrol show partition nosuch", "scontrol update jobid=999999 timelimit=3", "scontrol show hostnames cn[01-03,07],gpu5",
    "scontrol show hostlist cn01,cn02,cn03,gpu5", "scontrol show hostlistsorted cn03,cn01", "scontrol errnumstr 2015",
    "scontrol completing", "scontrol show aliases", "scontrol show topology", "scontrol show federation", "scontrol show frontend",
])
def test_answers_read_as_recorded(cluster: Cluster, command: str) -> None:
    entry = next(entry for entry in transcript("scontrol") if entry.command == command)
    result = cluster.run(*command.split())
    said = tuple(line for line in result.err.splitlines() if "hint:" not in line)
    assert (result.status, tuple(result.out.splitlines()), said) == (entry.status, tuple(line for line in entry.stdout if line), entry.stderr)


def test_ping_names_the_controller(cluster: Cluster) -> None:
    host = cluster.ok("hostname").strip()
    assert cluster.ok("scontrol", "ping") == f"Slurmctld(primary) at {host} is UP\n"
    assert cluster.ok("scontrol", "show", "daemons").split() == ["slurmctld", "slurmd"]


def test_everything_that_can_be_shown_is_shown(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", *NOTHING, "--wrap", "true")
    for words, expected in (
            (("show", "config"), "ClusterName             = test"), (("show", "nodes"), "NodeName=cn04"), (("show", "node", "cn02", "-o"), "NodeName=cn02"),
            (("show", "partition"), "PartitionName=gpu"), (("show", "jobs"), f"JobId={job}"), (("show", "job", job, "-d"), f"JobId={job}"),
            (("-o", "show", "job", job), f"JobId={job}"), (("show", "job", job, "--json"), f'"job_id": {job}')):
        assert expected in cluster.ok("scontrol", *words), words
    cluster.ok("scancel", job)


# --- the daemons ----------------------------------------------------------------------------------------------------------


def test_a_changed_configuration_holds_after_reconfigure_and_a_broken_one_changes_nothing(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch(*NOTHING, "--wrap", "sleep 60")
    cluster.until_state(job, "RUNNING")
    conf = cluster.folder / "slurm.conf"
    good = conf.read_text()
    conf.write_text(good + "KillWait=3\nPartitionName=extra Nodes=cn02 MaxTime=5 State=UP\n")
    cluster.ok("scontrol", "reconfigure")
    assert re.search(r"^KillWait +=\s*3 sec", cluster.ok("scontrol", "show", "config"), re.MULTILINE)
    assert "extra" in cluster.ok("sinfo", "-h", "-o", "%P")
    conf.write_text(good + "Bogus=3\n")
    result = cluster.run("scontrol", "reconfigure")
    assert result.status != 0
    assert "Bogus" in result.err and "slurm.conf" in result.err
    assert "extra" in cluster.ok("sinfo", "-h", "-o", "%P")
    assert cluster.state(job) == "RUNNING"
    conf.write_text(good)
    cluster.ok("scontrol", "reconfigure")
    assert "extra" not in cluster.ok("sinfo", "-h", "-o", "%P")


def test_shutdown_stops_all_daemons_and_leaves_the_jobs(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("-o", "out.txt", "--wrap", f"{gate('go')}; echo survived; exit 3")
    cluster.until_state(job, "RUNNING")
    cluster.ok("scontrol", "shutdown")
    cluster.until(lambda: cluster.run("slurm", "status").out.count("not running") == 3, why="some daemon still runs")
    assert cluster.run("squeue").status != 0
    assert "DOWN" in cluster.run("scontrol", "ping").out
    cluster.open_gate("go")
    cluster.up()
    cluster.until_ended(job)
    assert cluster.field(job, "ExitCode") == "3:0"
    assert cluster.output("out.txt") == "survived\n"
