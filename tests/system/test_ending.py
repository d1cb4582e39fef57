"""How jobs are ended from outside: cancelled, out of time, signalled, waited for and given up; and what their files say of it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

import pytest

from tests.system.harness import Cluster, gate

KILL_WAIT = 5.0
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
STUBBORN = "trap 'echo got TERM' TERM; echo ready; while :; do sleep 0.2; done"


def until_text(cluster: Cluster, name: str, text: str, seconds: float = 20.0) -> None:
    """Wait until a job wrote this."""
    cluster.until(lambda: (cluster.work / name).exists() and text in cluster.output(name), seconds=seconds, why=f"{name} does not have {text!r}")


def run_until_ready(cluster: Cluster, output: str, *words: str) -> str:
    """Submit a job and wait until its output says `ready`."""
    job = cluster.sbatch("-o", output, *words)
    until_text(cluster, output, "ready")
    return job


def ended_fields(cluster: Cluster, job: str) -> tuple[str, str]:
    """State and exit code of a job that ends soon."""
    cluster.until_ended(job)
    shown = cluster.show(job)
    return shown["JobState"], shown["ExitCode"]


# --- scancel --------------------------------------------------------------------------------------------------------------


def test_a_cancelled_job_is_told_who_ended_it_and_when(cluster: Cluster) -> None:
    job = run_until_ready(cluster, "cx.out", "--wrap", "echo ready; sleep 300")
    result = cluster.run("scancel", job)
    assert result == (0, "", "")
    assert ended_fields(cluster, job) == ("CANCELLED", "0:0")
    assert re.search(
        rf"^\[{MOMENT}\.\d{{3}}\] error: \*\*\* JOB {job} ON cn01 CANCELLED AT {MOMENT} DUE to SIGNAL Terminated \*\*\*$",
        cluster.output("cx.out"), re.MULTILINE)


def test_the_message_goes_to_the_error_file_when_there_is_one(cluster: Cluster) -> None:
    job = run_until_ready(cluster, "cxe.out", "-e", "cxe.err", "--wrap", "echo ready; sleep 300")
    cluster.ok("scancel", job)
    cluster.until_ended(job)
    assert cluster.output("cxe.out") == "ready\n"
    assert f"*** JOB {job} ON cn01 CANCELLED AT" in cluster.output("cxe.err")


def test_a_pending_job_is_cancelled_at_once_and_never_runs(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", "-o", "never.out", "--wrap", "true")
    cluster.ok("scancel", job)
    assert (cluster.state(job), cluster.field(job, "ExitCode")) == ("CANCELLED", "0:0")
    assert not (cluster.work / "never.out").exists()


@pytest.mark.alone
def test_a_job_that_ignores_termination_is_killed_after_kill_wait(cluster: Cluster) -> None:
    job = run_until_ready(cluster, "stubborn.out", "--wrap", STUBBORN)
    began = time.monotonic()
    cluster.ok("scancel", job)
    cluster.until(lambda: not cluster.stepds(job), seconds=15)
    assert KILL_WAIT - 0.5 < time.monotonic() - began < KILL_WAIT + 3
    assert "got TERM" in cluster.output("stubborn.out")
    assert ended_fields(cluster, job)[0] == "CANCELLED"


def test_the_whole_tree_is_gone_even_what_left_its_session(cluster: Cluster) -> None:
    cluster.script("tree.sh", """#!/bin/bash
sleep 600 & echo $!
setsid sh -c 'trap "" TERM; sleep 600 & echo $!; echo $$; wait' &
python3 -c '
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
print(os.getpid(), flush=True)
time.sleep(600)
'
sleep 0.3
echo ready
sleep 600
""")
    job = run_until_ready(cluster, "tree.out", "tree.sh")
    pids = [int(word) for word in cluster.output("tree.out").split() if word.isdigit()]
    assert len(pids) == 4
    cluster.ok("scancel", job)
    cluster.until(lambda: [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == [], seconds=KILL_WAIT + 10, why="some of the tree lives")
    assert cluster.until_ended(job) == {job: "CANCELLED"}


def test_scancel_takes_tasks_and_ranges_of_arrays(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", "-a", "0-9", "-o", "/dev/null", "--wrap", "true")
    cluster.ok("scancel", f"{job}_[2-4,8]", f"{job}_6")
    left = {shown for shown, state in cluster.states(job).items() if state == "PENDING"}
    assert left == {f"{job}_{task}" for task in (0, 1, 5, 7, 9)}
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%i").strip() == f"{job}_[0-1,5,7,9]"
    cluster.ok("scancel", job)
    assert set(cluster.states(job).values()) == {"CANCELLED"}


def test_scancel_chooses_by_user_state_name_partition_and_node(cluster: Cluster) -> None:
    user = cluster.ok("id", "-un").strip()
    base = ("-o", "/dev/null", "--wrap", "sleep 300")
    running = cluster.sbatch("-J", "one", "-w", "cn03", *base)
    cluster.until_state(running, "RUNNING")
    held = {name: cluster.sbatch("-H", "-J", name, *base) for name in ("two", "three", "four")}
    gpu = cluster.sbatch("-H", "-p", "gpu", *base)
    everything = (running, *held.values(), gpu)

    def alive() -> set[str]:
        return {job for job in everything if cluster.state(job) in ("RUNNING", "PENDING")}

    cluster.ok("scancel", "--name=two")
    assert alive() == set(everything) - {held["two"]}
    cluster.ok("scancel", "-p", "gpu")
    assert gpu not in alive()
    cluster.ok("scancel", "-u", user, "-t", "PENDING", "-n", "three")
    assert alive() == {running, held["four"]}
    cluster.ok("scancel", "-w", "cn02")
    assert alive() == {running, held["four"]}
    cluster.ok("scancel", "-w", "cn03")
    cluster.until_ended(running)
    assert alive() == {held["four"]}
    cluster.ok("scancel", "--me")
    assert alive() == set()


def test_scancel_of_one_step_leaves_the_job(cluster: Cluster) -> None:
    job = run_until_ready(cluster, "step.out", "--wrap", "srun sh -c 'echo ready; sleep 300'; echo step ended; sleep 1")
    cluster.ok("scancel", f"{job}.0")
    cluster.until_ended(job)
    text = cluster.output("step.out")
    assert "step ended" in text
    assert f"*** STEP {job}.0 ON cn01 CANCELLED AT" in text
    assert cluster.state(job) == "COMPLETED"


def test_signals_go_to_the_steps_and_with_batch_to_the_shell_only(cluster: Cluster) -> None:
    text = "trap 'echo shell got it' USR1; srun sh -c 'trap \"echo step got it\" USR1; echo ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.2; done' & wait $!; wait"
    job = run_until_ready(cluster, "sig1.out", "--wrap", text)
    cluster.ok("scancel", "-s", "USR1", job)
    cluster.until_ended(job)
    assert "step got it" in cluster.output("sig1.out")
    assert "shell got it" not in cluster.output("sig1.out")
    job = run_until_ready(cluster, "sig2.out", "--wrap", text)
    cluster.ok("scancel", "-b", "-s", "USR1", job)
    cluster.until_ended(job)
    assert "shell got it" in cluster.output("sig2.out")
    assert "step got it" not in cluster.output("sig2.out")


def test_scancel_speaks_only_when_asked_or_needed(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", "--wrap", "true")
    assert cluster.run("scancel", "-v", job).err.splitlines()[0] == f"scancel: Terminating job {job}"
    unknown = cluster.run("scancel", "999999")
    assert unknown.status == 0
    assert len(unknown.err.splitlines()) == 1
    assert cluster.run("scancel", "-q", "999999").status == 0


# --- time limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.alone
def test_time_limits_are_kept_to_the_second_and_told(cluster: Cluster) -> None:
    job = cluster.sbatch("-t", "0:02", "-o", "tl.out", "--wrap", "echo start; srun sleep 300")
    assert cluster.until_ended(job) == {job: "TIMEOUT"}
    text = cluster.output("tl.out")
    assert text.splitlines()[0] == "start"
    assert re.search(rf"\*\*\* JOB {job} ON cn01 CANCELLED AT {MOMENT} DUE TO TIME LIMIT \*\*\*", text)
    assert re.search(rf"\*\*\* STEP {job}.0 ON cn01 CANCELLED AT {MOMENT} DUE TO TIME LIMIT \*\*\*", text)
    shown = cluster.show(job)
    assert shown["TimeLimit"] == "00:00:02"
    assert shown["RunTime"] in ("00:00:02", "00:00:03")
    assert (shown["JobState"], shown["Reason"]) == ("TIMEOUT", "TimeLimit")


def test_a_limit_of_one_minute_and_a_half_is_what_it_says(cluster: Cluster) -> None:
    job = cluster.sbatch("-H", "-t", "01:30", "--wrap", "true")
    assert cluster.field(job, "TimeLimit") == "00:01:30"
    cluster.ok("scancel", job)


def test_a_longer_limit_may_be_given_while_the_job_runs(cluster: Cluster) -> None:
    job = run_until_ready(cluster, "longer.out", "-t", "0:05", "--wrap", "echo ready; sleep 6; echo done")
    cluster.ok("scontrol", "update", f"jobid={job}", "timelimit=+1")
    cluster.until_ended(job)
    assert cluster.state(job) == "COMPLETED"
    assert cluster.output("longer.out").splitlines()[-1] == "done"


@pytest.mark.alone
def test_the_warning_signal_comes_so_many_seconds_before_the_end(cluster: Cluster) -> None:
    cluster.script("warn.sh", "#!/bin/bash\n#SBATCH --signal=B:USR1@2 -t 0:04\ntrap 'echo got USR1 after $SECONDS; exit 0' USR1\nwhile :; do sleep 0.1; done\n")
    job, status = cluster.finish("-o", "warn.out", "warn.sh")
    assert status == 0
    assert re.fullmatch(r"got USR1 after [123]\n", cluster.output("warn.out"))
    assert cluster.state(job) == "COMPLETED"


def test_without_b_the_warning_goes_to_the_steps(cluster: Cluster) -> None:
    inner = "trap \"echo step warned; exit 0\" USR2; while :; do sleep 0.1; done"
    job, _ = cluster.finish("--signal=USR2@2", "-t", "0:04", "-o", "warnstep.out", "--wrap", f"trap 'echo shell warned' USR2; srun bash -c '{inner}'")
    text = cluster.output("warnstep.out")
    assert "step warned" in text and "shell warned" not in text
    assert cluster.state(job) == "COMPLETED"


# --- sbatch -W ------------------------------------------------------------------------------------------------------------


def test_an_interrupted_wait_leaves_the_job_alone(cluster: Cluster) -> None:
    waiting = cluster.spawn("sbatch", "-W", "--parsable", "-o", "waited.out", "--wrap", f"echo ready; {gate('waited')}; echo done")
    until_text(cluster, "waited.out", "ready")
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(timeout=10) != 0
    assert waiting.stdout is not None and waiting.stderr is not None
    job = waiting.stdout.read().strip()
    assert "Traceback" not in waiting.stderr.read()
    cluster.open_gate("waited")
    cluster.until_ended(job)
    assert cluster.output("waited.out").splitlines() == ["ready", "done"]


def test_waiting_for_a_cancelled_job_fails(cluster: Cluster) -> None:
    waiting = cluster.spawn("sbatch", "-W", "--parsable", "-o", "cancelled.out", "--wrap", "echo ready; sleep 300")
    until_text(cluster, "cancelled.out", "ready")
    cluster.ok("scancel", "--me")
    assert waiting.wait(timeout=20) == 1


def test_waiting_survives_a_controller_that_is_restarted(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    waiting = cluster.spawn("sbatch", "-W", "--parsable", "-o", "w.out", "--wrap", f"echo ready; {gate('go')}; exit 4")
    until_text(cluster, "w.out", "ready")
    cluster.kill("slurmctld")
    cluster.up()
    cluster.open_gate("go")
    assert waiting.wait(timeout=30) == 4
