"""Nodes that fall silent, on machines of namespaces: cables that are cut, daemons that are stopped, machines that are started anew. Nothing runs twice."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.system.machines import ALICE, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
CONF = "SlurmdTimeout=4\nUnkillableStepTimeout=2\nSchedulerParameters=bf_interval=1\n"
WRITES = "while :; do echo $SLURM_RESTART_COUNT $SLURMD_NODENAME $$ $(date +%s.%N) >> {file}; sleep 0.1; done"


def lines(machines: Machines, name: str) -> list[list[str]]:
    """What the attempts of a job have written: restart count, node, process, moment."""
    path = machines.work / name
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def together(seen: list[list[str]]) -> list[tuple[str, str]]:
    """Pairs of attempts that ran at the same time."""
    spans: dict[str, list[float]] = {}
    for _, node, pid, moment in seen:
        spans.setdefault(f"{node} {pid}", []).append(float(moment))
    found = sorted((min(moments), max(moments), who) for who, moments in spans.items())
    return [(a[2], b[2]) for number, a in enumerate(found) for b in found[number + 1:] if b[0] < a[1]]


def submitted(machines: Machines, name: str, *words: str, node: str = "nd1") -> str:
    """A job of Alice's that writes into a file, running on this node."""
    head = machines["head"]
    job = head.ok("sbatch", "--parsable", "-w", node, "-o", "/dev/null", *words, "--wrap", WRITES.format(file=machines.work / name), user=ALICE).strip()
    machines.until(lambda: lines(machines, name), why="the job does not run")
    return job


def shown(machines: Machines, job: str) -> tuple[str, str, str]:
    """(state, reason, restarts) as scontrol shows them."""
    text = machines["head"].ok("scontrol", "show", "job", job)
    fields = dict(word.split("=", 1) for word in text.split() if "=" in word)
    return fields["JobState"], fields["Reason"], fields["Restarts"]


def test_a_job_whose_cable_was_cut_waits_for_its_node_and_runs_on_there() -> None:
    with Machines(conf=CONF) as machines:
        machines.up()
        job = submitted(machines, "a", "--requeue")
        machines["nd1"].cut()
        machines.until(lambda: machines.states().get("nd1") == "down*", why="nd1 is not down")
        assert shown(machines, job) == ("PENDING", "NodeDown", "0")
        assert "Reason=Not responding" in machines["head"].ok("scontrol", "show", "node", "nd1")
        told = machines["head"].ok("slurm", "explain", job)
        assert "attempt 1 may still run on nd1" in told and "state=down reason=fenced" in told
        assert machines["head"].ok("squeue", "-h", "-j", job, "-o", "%t %N %R").split() == ["PD", "(NodeDown)"]
        machines["head"].stop("slurmctld")
        machines["head"].start("slurmctld")
        machines.until(lambda: machines.states().get("nd2") == "idle", why="the controller is not back")
        assert shown(machines, job) == ("PENDING", "NodeDown", "0")
        machines["nd1"].mend()
        machines.until(lambda: shown(machines, job)[0] == "RUNNING", why="the job does not run on")
        machines["head"].ok("scancel", job)
        machines.until_idle()
        seen = lines(machines, "a")
        assert len({(restarts, node, pid) for restarts, node, pid, _ in seen}) == 1, "it ran once, on one node, without a pause"
        moments = [float(line[3]) for line in seen]
        assert max(b - a for a, b in zip(moments, moments[1:], strict=False)) < 3


def test_a_slurmd_that_was_stopped_is_no_proof_and_a_new_boot_id_is() -> None:
    with Machines(conf=CONF) as machines:
        machines.up()
        job = submitted(machines, "a", "--requeue")
        pid = machines["nd1"].pid_of("slurmd")
        os.kill(pid, signal.SIGSTOP)
        machines.until(lambda: machines.states().get("nd1") == "down*", why="nd1 is not down")
        assert shown(machines, job)[:2] == ("PENDING", "NodeDown")
        os.kill(machines["nd1"].daemons["slurmd"].pid, signal.SIGCONT)  # nsenter stops and goes on with what it runs
        machines.until(lambda: shown(machines, job)[0] == "RUNNING", why="the job does not run on")
        machines["nd1"].off()
        machines.until(lambda: machines.states().get("nd1") == "down*", why="nd1 is not down")
        assert shown(machines, job)[:2] == ("PENDING", "NodeDown")
        before = lines(machines, "a")[-1]
        machines["nd1"].reboot()
        machines["nd1"].start("slurmd")
        machines.until(lambda: shown(machines, job)[2] == "1", why="a new boot id is no proof")
        machines["head"].ok("scontrol", "release", job)
        machines.until(lambda: lines(machines, "a")[-1] != before, why="the job does not run again", seconds=30)
        assert together(lines(machines, "a")) == []
        machines["head"].ok("scancel", job)
        machines.until_idle()


def test_with_a_lease_a_cut_off_node_ends_the_job_before_it_runs_elsewhere() -> None:
    with Machines(nodes=3, conf=CONF.replace("SchedulerParameters", "SlurmdParameters=config_overrides,fence_timeout=4\nSchedulerParameters")) as machines:
        machines.up()
        job = submitted(machines, "a", "--requeue")
        other = submitted(machines, "b", "--no-requeue", node="nd1")
        machines["nd1"].cut()
        last = time.time()
        machines.until(lambda: machines.states().get("nd1") == "down*", why="nd1 is not down")
        machines.until(lambda: shown(machines, job)[2] == "1", why="the lease does not run out", seconds=60)
        ended = float(lines(machines, "a")[-1][3])
        assert 2 < ended - last < 8, "its slurmstepd ended it by itself, four seconds after the last heartbeat"
        assert time.time() - float(lines(machines, "b")[-1][3]) < 2, "a job that may not be requeued goes on"
        assert shown(machines, other)[0] == "NODE_FAIL"
        machines["nd1"].mend()
        machines.until_idle("nd1", seconds=30)
        assert time.time() - float(lines(machines, "b")[-1][3]) < 30
        machines["head"].ok("scancel", job)
        assert together(lines(machines, "a")) == []
        count = len(lines(machines, "b"))
        time.sleep(0.5)
        assert len(lines(machines, "b")) == count, "its remains were ended when the node came back"


def test_a_controller_that_is_down_ends_no_lease() -> None:
    with Machines(nodes=1, conf=CONF.replace("SchedulerParameters", "SlurmdParameters=config_overrides,fence_timeout=3\nSchedulerParameters")) as machines:
        machines.up()
        job = submitted(machines, "a", "--requeue")
        machines["head"].kill("slurmctld")
        time.sleep(9)
        assert time.time() - float(lines(machines, "a")[-1][3]) < 2, "connection refused says that nobody serves"
        machines["head"].start("slurmctld")
        machines.until(lambda: machines.states().get("nd1", "").startswith(("mixed", "alloc")), why="the node is not back")
        assert shown(machines, job)[0] == "RUNNING" and len({line[2] for line in lines(machines, "a")}) == 1
        machines["head"].ok("scancel", job)
        machines.until_idle()


def test_a_node_keeps_a_time_limit_while_no_controller_is_there_and_tells_later() -> None:
    with Machines(nodes=1, conf=CONF + "OverTimeLimit=0\n") as machines:
        machines.up()
        job = submitted(machines, "a", "-t", "10")
        longer = submitted(machines, "b", "-t", "10")
        machines["head"].ok("scontrol", "update", f"jobid={job}", "timelimit=00:00:08")
        machines.until(lambda: shown(machines, job)[0] == "RUNNING", why="it runs")
        machines["head"].kill("slurmctld")
        machines.until(lambda: time.time() - float(lines(machines, "a")[-1][3]) > 3, why="the node does not keep the limit", seconds=30)
        assert time.time() - float(lines(machines, "b")[-1][3]) < 2
        machines["head"].start("slurmctld")
        machines.until(lambda: machines["head"].run("scontrol", "show", "job", job).status == 0, why="the controller is not back")
        machines.until(lambda: shown(machines, job)[0] == "TIMEOUT", why="the end was not told")
        machines["head"].ok("scancel", longer)
        machines.until_idle()


def test_srun_inside_a_job_waits_for_a_controller_that_restarts() -> None:
    with Machines(nodes=1, conf=CONF) as machines:
        machines.up()
        head = machines["head"]
        script = f"touch {machines.work}/here; while [ ! -e {machines.work}/go ]; do sleep 0.1; done; srun hostname; echo rc $?"
        job = head.ok("sbatch", "--parsable", "-o", f"{machines.work}/out", "--wrap", script, user=ALICE).strip()
        machines.until(lambda: (machines.work / "here").exists(), why="the job does not run")
        head.kill("slurmctld")
        (machines.work / "go").touch()
        machines.until(lambda: "waiting up to" in (machines.work / "out").read_text(), why="srun does not wait")
        time.sleep(5)
        head.start("slurmctld")
        machines.until(lambda: "rc 0" in (machines.work / "out").read_text(), why="srun did not run its step")
        assert "nd1" in (machines.work / "out").read_text()
        machines.until_idle()
        assert shown(machines, job)[0] == "COMPLETED"


def test_a_submission_whose_reply_was_lost_makes_one_job_across_kill_9() -> None:
    with Machines(nodes=1, conf=CONF) as machines:
        head = machines["head"]
        head.start("slurmctld", env={"SLURM_PY_CRASH_AT": "after-append:2"})
        machines["nd1"].start("slurmd")
        machines.until_idle()
        # Whichever append it is that the controller dies after, the request comes again by its key.
        numbers = []
        for _ in range(3):
            process = head.spawn("sbatch", "--parsable", "-H", "--wrap", "true", user=ALICE)
            while process.poll() is None:
                if not psutil.pid_exists(head.daemons["slurmctld"].pid) or head.daemons["slurmctld"].poll() is not None:
                    head.daemons.pop("slurmctld").wait(10)
                    head.start("slurmctld")
                time.sleep(0.1)
            out, err = process.communicate()
            assert process.returncode == 0, err
            numbers.append(out.strip())
        queue = head.ok("squeue", "-h", "-o", "%A").split()
        assert sorted(queue) == sorted(numbers) and len(set(numbers)) == 3
        head.ok("scancel", *numbers)


@pytest.mark.slow
def test_ten_minutes_without_a_controller_end_nothing() -> None:
    with Machines(nodes=2, conf=CONF) as machines:
        machines.up()
        away = submitted(machines, "a", "--requeue")
        cut = submitted(machines, "b", "--requeue", node="nd2")
        machines["nd2"].cut()
        machines["head"].kill("slurmctld")
        time.sleep(600)
        for name in ("a", "b"):
            seen = lines(machines, name)
            assert time.time() - float(seen[-1][3]) < 2 and len({line[2] for line in seen}) == 1
        machines["nd2"].mend()
        machines["head"].start("slurmctld")
        machines.until(lambda: machines["head"].run("scontrol", "show", "job", away).status == 0, why="the controller is not back")
        machines.until(lambda: {shown(machines, job)[0] for job in (away, cut)} == {"RUNNING"}, why="they do not run on", seconds=60)
        machines["head"].ok("scancel", away, cut)
        machines.until_idle()
