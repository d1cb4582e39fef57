"""What an ordinary user's job can do to its node, against root's daemons: block nothing, break nobody else's job, leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from itertools import combinations

import psutil
import pytest

from tests.system.machines import ALICE, BOB, Machine, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

DAEMON = """#!/bin/bash
python3 - <<'END'
import os
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.execve("/bin/sleep", ["sleep", "77777"], {})
END
touch ready-$SLURM_JOB_ID
sleep 1000
"""

POISON = """
import os, sys
from slurm.net import client, discovery
from slurm.net.endpoint import unix
job = int(sys.argv[1])
site = discovery.find_site(os.environ)
for words in ({"stdout": "/tmp/\\0"}, {"work_dir": "/\\0"}, {"argv": ["/bin/true\\0"]}, {"environment": {"": "x"}}):
    step = client.connect(os.environ).call({"type": "CreateStep", "job_id": job, "request": {"ntasks": 1, "nodes_min": 1}})
    channel = client.dial(unix("/run/slurmd.sock"))
    channel.send({"type": "LaunchStep", "credential": step["credential"], "ranks": [0], "ntasks": 1, "node_rank": 0, "argv": ["/bin/true"],
                  "environment": {}, "work_dir": "/", **words})
    channel._stream.settimeout(5)
    try:
        print(channel._stream.recv(2000))
    except OSError as error:
        print(repr(error))
    client.connect(os.environ).call({"type": "FinishStep", "job_id": job, "step_id": step["step_id"], "status": 0})
"""


def processes(node: Machine, *words: str) -> list[psutil.Process]:
    """Processes of a machine whose command line begins with one of these."""
    space = os.stat(f"/proc/{node.pid}/ns/pid").st_ino
    found = []
    for process in psutil.process_iter():
        try:
            if os.stat(f"/proc/{process.pid}/ns/pid").st_ino == space and " ".join(process.cmdline()).startswith(words):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def state(machines: Machines, job: str) -> str:
    """A job's state."""
    return machines["head"].ok("squeue", "-h", "-t", "all", "-o", "%T", "-j", job).strip()


def test_fifos_of_a_user_hold_up_neither_scancel_nor_anybody_elses_job() -> None:
    with Machines(nodes=1, conf="SlurmdParameters=config_overrides,start_timeout=6\n") as machines:
        machines.up()
        head = machines["head"]
        for name in ("ff", "gg"):
            os.mkfifo(machines.work / name)
            os.chown(machines.work / name, ALICE, ALICE)
        jobs = [head.ok("sbatch", "--parsable", *words, "--wrap", "echo hi", user=ALICE).strip()
                for words in (("-o", "ff"), ("-o", "out", "-i", "gg"))]
        machines.until(lambda: [state(machines, job) for job in jobs] == ["RUNNING", "RUNNING"], why="the jobs are not running")
        head.ok("scancel", jobs[0], user=ALICE)
        machines.until(lambda: state(machines, jobs[0]) == "CANCELLED", why="scancel does not end a job that waits for a FIFO", seconds=8)
        assert head.ok("srun", "hostname", user=BOB) == "nd1\n"
        machines.until(lambda: state(machines, jobs[1]) == "FAILED", why="a FIFO that nobody opens does not fail its job")
        shown = head.ok("scontrol", "show", "job", jobs[1])
        assert f"Reason=Could_not_open_stdin_file_{machines.work}/gg:_not_within_6_s" in shown and "ExitCode=0:53" in shown
        warned = head.run("sbatch", "--parsable", "-o", "gone/out", "--wrap", "true", user=ALICE)
        assert warned.err.count("\n") == 1 and f"the folder {machines.work}/gone of --output does not exist" in warned.err
        lost = warned.out.strip()
        machines.until(lambda: state(machines, lost) == "FAILED", why="a job without its output folder does not fail")
        assert "No_such_file_or_directory" in head.ok("scontrol", "show", "job", lost)
        assert "gone is not there" in head.ok("slurm", "explain", lost)


def test_broken_messages_of_a_user_end_nobody_elses_job() -> None:
    with Machines(nodes=1) as machines:
        machines.up()
        head, node = machines["head"], machines["nd1"]
        theirs = head.ok("sbatch", "--parsable", "--wrap", "sleep 1000", user=BOB).strip()
        own = head.ok("sbatch", "--parsable", "--wrap", "sleep 1000", user=ALICE).strip()
        machines.until(lambda: [state(machines, job) for job in (theirs, own)] == ["RUNNING", "RUNNING"], why="the jobs are not running")
        (machines.work / "poison.py").write_text(POISON)
        said = node.run(node.python, str(machines.work / "poison.py"), own, user=ALICE)
        assert said.status == 0, said
        for process in processes(node, f"slurmstepd: [{own}."):
            process.kill()
        machines.until(lambda: state(machines, own) == "FAILED", why="a job whose slurmstepd was killed has not failed")
        assert state(machines, theirs) == "RUNNING"
        assert machines.states()["nd1"] in ("mixed", "allocated")
        head.ok("scancel", theirs)
        machines.until_idle()


@pytest.mark.parametrize("hidden", [False, True], ids=["cgroup", "none"])
def test_after_any_combination_of_kills_nothing_of_an_ended_job_is_left(hidden: bool) -> None:
    with Machines(nodes=1, cpus=4) as machines:
        node, head = machines["nd1"], machines["head"]
        if hidden:
            node._enter("mount", "-t", "tmpfs", "none", "/sys/fs/cgroup")
        machines.up()
        (machines.work / "daemon.sh").write_text(DAEMON)
        who = ("slurmctld", "slurmd", "zygote", "slurmstepd")
        for which in [some for count in (1, 2, 3, 4) for some in combinations(who, count)]:
            job = head.ok("sbatch", "--parsable", "-o", "/dev/null", "daemon.sh", user=ALICE).strip()
            machines.until(lambda job=job: (machines.work / f"ready-{job}").exists(), why="the job has no daemon")  # type: ignore[misc]
            machines.until(lambda: processes(node, "sleep 77777"), why="the daemon is not there")
            if hidden:
                noted = node.run_folder / "spool" / "steps" / f"job{int(job):05d}.1.batch" / "processes"
                machines.until(lambda noted=noted: noted.exists() and len(noted.read_text().split()) > 2, why="it was not noted")  # type: ignore[misc]
            _kill(machines, node, job, which)
            for program, machine in (("slurmctld", head), ("slurmd", node)):
                if program in which:
                    machine.start(program)
            machines.until(lambda: head.run("scontrol", "ping").status == 0, why="slurmctld does not serve again")
            if "slurmstepd" not in which:
                machines.until(lambda: head.run("scancel", job).status == 0, why="scancel does not reach the controller")  # noqa: B023
            machines.until(lambda: not processes(node, "sleep 77777", f"slurmstepd: [{job}"), why=f"after {which} something is left")  # noqa: B023
            machines.until(lambda: state(machines, job) in ("FAILED", "CANCELLED"), why=f"after {which} the job does not end")  # noqa: B023
            machines.until_idle()


def _kill(machines: Machines, node: Machine, job: str, which: tuple[str, ...]) -> None:
    """At once: none may see another die."""
    found = {
        "slurmctld": machines["head"].pid_of("slurmctld"), "slurmd": node.pid_of("slurmd"),
        "zygote": processes(node, "slurmd: zygote")[0].pid, "slurmstepd": processes(node, f"slurmstepd: [{job}.batch]")[0].pid}
    pids = [found[name] for name in which]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    for name, machine in (("slurmctld", machines["head"]), ("slurmd", node)):
        if name in which:
            entered = machine.daemons.pop(name)

            def gone(entered: subprocess.Popen[bytes] = entered) -> bool:
                # nsenter stops with what it has started, perhaps only after this signal: then the next one wakes it.
                entered.send_signal(signal.SIGCONT)
                return entered.poll() is not None

            machines.until(gone, why=f"{name} does not end")
