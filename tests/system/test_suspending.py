"""scontrol suspend and resume, as operators and users see them: nothing of the job runs, whatever daemon is killed meanwhile."""

from __future__ import annotations

import signal

from tests.system.harness import Cluster

COUNT = "while :; do date +%s.%N >> beats; sleep 0.05; done"


def beats(cluster: Cluster) -> int:
    path = cluster.work / "beats"
    return len(path.read_text().splitlines()) if path.exists() else 0


def stands_still(cluster: Cluster) -> None:
    seen: list[int] = []

    def same() -> bool:
        seen.append(beats(cluster))
        return len(seen) > 8 and len(set(seen[-8:])) == 1

    cluster.until(same, why="the job goes on")


def test_a_job_holds_still_until_it_is_resumed_although_every_daemon_is_killed(cluster: Cluster) -> None:
    job = cluster.sbatch("-t", "5", "--wrap", COUNT)
    cluster.until(lambda: beats(cluster) > 2)
    cluster.ok("scontrol", "suspend", job)
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%i %t %T").split() == [job, "S", "SUSPENDED"]
    shown = cluster.show(job)
    assert shown["JobState"] == "SUSPENDED" and shown["SuspendTime"] != "None"
    stands_still(cluster)
    for daemon in ("slurmctld", "slurmd-cn01"):
        cluster.kill(daemon, signal.SIGKILL)
    cluster.up()
    cluster.until(lambda: cluster.state(job) == "SUSPENDED")
    count = beats(cluster)
    again = cluster.run("scontrol", "suspend", job)
    assert again.status == 1 and "Job is current suspended, requested operation disabled" in again.err
    stands_still(cluster)
    assert beats(cluster) == count
    cluster.until(lambda: cluster.run("scontrol", "resume", job).status == 0)
    cluster.until(lambda: beats(cluster) > count)
    assert cluster.state(job) == "RUNNING"
    cluster.ok("scontrol", "suspend", job)
    cluster.ok("scancel", job)
    assert cluster.until_ended(job)[job] == "CANCELLED"
