"""sattach with real processes: lines of all tasks, one task's, a terminal; the step outlives it, and the exit status is the step's."""

from __future__ import annotations

import subprocess

from tests.system.harness import Cluster
from tests.system.terminal import Terminal

ECHO = 'echo begin $SLURM_PROCID; while read x; do echo "got $x"; [ "$x" = end ] && exit 3; done'


def test_it_sees_and_feeds_the_tasks_of_a_step(cluster: Cluster) -> None:
    srun = cluster.spawn("srun", "-N2", "-n3", "-J", "fed", "bash", "-c", ECHO)
    cluster.until(lambda: cluster.run("squeue", "-h", "-s", "-n", "fed", "-o", "%i").out.strip())
    step = cluster.ok("squeue", "-h", "-s", "-n", "fed", "-o", "%i").strip()
    layout = cluster.ok("sattach", "--layout", step)
    assert layout.startswith("Job step layout:\n\t3 tasks, 2 nodes (") and "task(s): 0" in layout
    one = cluster.spawn("sattach", "-l", step)
    other = cluster.spawn("sattach", "-v", "--output-filter=2", "--error-filter=2", step)
    assert one.stdin is not None and one.stdout is not None and other.stdin is not None and other.stdout is not None
    assert sorted(one.stdout.readline() for _ in range(3)) == ["0: begin 0\n", "1: begin 1\n", "2: begin 2\n"]
    assert other.stdout.readline() == "begin 2\n"
    one.stdin.write("hello\n")
    one.stdin.flush()
    assert other.stdout.readline() == "got hello\n"
    assert sorted(one.stdout.readline() for _ in range(3)) == ["0: got hello\n", "1: got hello\n", "2: got hello\n"]
    one.terminate()
    one.communicate(timeout=30)
    assert srun.poll() is None
    other.stdin.write("end\n")
    other.stdin.close()
    assert other.stdout.read() == "got end\n"
    assert (other.wait(30), srun.wait(30)) == (3, 3)
    for process in (other, srun):
        _close(process)
    missing = cluster.run("sattach", "-Q", step)
    assert missing.status == 1 and missing.err.startswith("sattach: error: Could not get job step info: Invalid job id specified\n")


def test_a_terminal_is_shared(cluster: Cluster) -> None:
    owner = Terminal(["srun", "-J", "shared", "--pty", "bash", "--norc"], {**cluster.environment, "PS1": "job> "}, cluster.work)
    owner.until("job> ")
    step = cluster.ok("squeue", "-h", "-s", "-n", "shared", "-o", "%i").strip()
    guest = Terminal(["sattach", "--pty", step], cluster.environment, cluster.work)
    guest.until("job> ")
    guest.type("echo $((40+2))\n")
    owner.until("42")
    guest.until("42")
    owner.type("exit 5\n")
    assert (owner.status(), guest.status()) == (5, 5)


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
