"""srun and salloc on a real cluster: tasks, streams, ends, and daemons that die meanwhile."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable

from tests.system.harness import Cluster, gate

ABORTED = "srun: Job step aborted: Waiting up to"


def ended(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err.splitlines()


def waits(cluster: Cluster, *words: str) -> subprocess.Popen[str]:
    """An srun whose tasks have begun: the last writes a file."""
    (cluster.work / "begun").unlink(missing_ok=True)
    process = cluster.spawn("srun", *words, "bash", "-c", "(( SLURM_PROCID + 1 < SLURM_NTASKS )) || touch begun; exec sleep 60")
    cluster.until((cluster.work / "begun").exists, why="the tasks did not begin")
    return process


# --- tasks and streams ----------------------------------------------------------------------------------------------------


def test_tasks_know_their_place(cluster: Cluster) -> None:
    program = "echo $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $SLURMD_NODENAME $SLURM_NTASKS $SLURM_GTIDS"
    lines = cluster.ok("srun", "-N2", "--ntasks-per-node=2", "bash", "-c", program).splitlines()
    assert sorted(lines) == ["0 0 0 cn01 4 0,1", "1 1 0 cn01 4 0,1", "2 0 1 cn02 4 2,3", "3 1 1 cn02 4 2,3"]


def test_cyclic_distribution_deals_tasks_out_in_turn(cluster: Cluster) -> None:
    lines = cluster.ok("srun", "-n4", "-N2", "-m", "cyclic", "-l", "bash", "-c", "echo $SLURMD_NODENAME").splitlines()
    assert sorted(lines) == ["0: cn01", "1: cn02", "2: cn01", "3: cn01"]  # as recorded


def test_tasks_are_counted_by_socket_and_core_too_spread_and_kept_together(cluster: Cluster) -> None:
    places = "srun bash -c 'echo $SLURMD_NODENAME' | sort | uniq -c | xargs"
    for words, expected in (
        (["-n4", "--ntasks-per-socket=2"], "2 cn01 2 cn02"),
        (["-n3", "--ntasks-per-core=1"], "3 cn01"),
        (["-n4", "--spread-job"], "1 cn01 1 cn02 1 cn03 1 cn04"),
        (["-N2", "--contiguous"], "1 cn01 1 cn02"),
    ):
        for command in ("sbatch", "salloc"):
            ask = ["sbatch", "-W", "-o", "places.txt", *words, "--wrap", places] if command == "sbatch" else ["salloc", *words, "bash", "-c", places]
            out = cluster.ok(*ask)
            assert (cluster.output("places.txt") if command == "sbatch" else out).strip() == expected, (command, words)
        assert cluster.ok("srun", *words, "bash", "-c", "echo $SLURMD_NODENAME").split() != []


def test_each_task_sees_the_gpus_that_it_is_bound_to(cluster: Cluster) -> None:
    show = "echo $SLURM_PROCID $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES $SLURM_STEP_GPUS"
    for words, expected in (
        (["-n2", "--gpus-per-task=1"], ["0 cn01 0 0", "1 cn01 1 1"]),
        (["-N1", "-n2", "--gres=gpu:2"], ["0 cn01 0,1 0,1", "1 cn01 0,1 0,1"]),
        (["-N1", "-n2", "--gres=gpu:2", "--gpu-bind=closest"], ["0 cn01 0,1 0,1", "1 cn01 0,1 0,1"]),
        (["-N1", "-n2", "--gres=gpu:2", "--gpu-bind=map_gpu:1,0"], ["0 cn01 1 1", "1 cn01 0 0"]),
        (["-N1", "-n2", "--gpus=2", "--ntasks-per-gpu=1"], ["0 cn01 0 0", "1 cn01 1 1"]),
    ):
        assert sorted(cluster.ok("srun", *words, "bash", "-c", show).splitlines()) == expected, words
    inside = cluster.ok("salloc", "-n2", "--gpus-per-task=1", "srun", "bash", "-c", show)
    assert sorted(inside.splitlines()) == ["0 cn01 0 0", "1 cn01 1 1"]
    cluster.ok("sbatch", "-W", "-N1", "-n2", "--gres=gpu:2", "--gpu-bind=single:1", "-o", "bound.txt", "--wrap", f"srun bash -c '{show}'")
    assert sorted(cluster.output("bound.txt").splitlines()) == ["0 cn01 0 0", "1 cn01 1 1"]
    refused = cluster.run("srun", "-N1", "--gres=gpu:1", "--gpu-bind=map_gpu:7", "true")
    assert refused.status and "names GPU 7" in refused.err


def test_input_reaches_every_task_and_much_of_it_comes_back_whole(cluster: Cluster) -> None:
    assert cluster.ok("srun", "-n2", "cat", stdin="hi\n") == "hi\nhi\n"
    text = "".join(f"line {number} of a long text\n" for number in range(200_000))
    assert cluster.ok("srun", "cat", stdin=text) == text
    assert cluster.ok("srun", "--input=none", "cat") == ""


def test_three_hundred_steps_that_are_over_at_once_all_end(cluster: Cluster) -> None:
    loop = "for number in {1..100}; do timeout 60 srun --input=none cat || exit; done; echo done"
    done = cluster.ok("bash", "-c", f"({loop}) & ({loop}) & ({loop}) & wait", timeout=300)
    assert done.split() == ["done"] * 3


def test_lines_of_many_tasks_stay_whole(cluster: Cluster) -> None:
    out = cluster.ok("srun", "-N4", "-n32", "-l", "bash", "-c", "for i in {1..50}; do echo $SLURM_PROCID-$i-$SLURM_PROCID; done")
    lines = out.splitlines()
    assert len(lines) == 32 * 50
    assert all(line.split(": ")[1] == f"{int(line[:2])}-{line.split('-')[1]}-{int(line[:2])}" for line in lines)


def test_files_of_the_step_and_of_each_task(cluster: Cluster) -> None:
    job = cluster.ok("srun", "-n2", "-o", "all_%j.txt", "bash", "-c", "echo $SLURM_PROCID; echo e >&2") + cluster.ok(
        "bash", "-c", "ls all_*.txt").removeprefix("all_").removesuffix(".txt\n")
    assert sorted(cluster.output(f"all_{job}.txt").splitlines()) == ["0", "1", "e", "e"]
    cluster.ok("srun", "-n2", "-N2", "-o", "task_%t_%N.txt", "bash", "-c", "echo $SLURM_PROCID")
    assert (cluster.output("task_0_cn01.txt"), cluster.output("task_1_cn02.txt")) == ("0\n", "1\n")


def test_a_different_program_for_each_task(cluster: Cluster) -> None:
    cluster.script("mp.conf", "0 echo master\n1-2 echo worker %o of task %t\n")
    assert sorted(cluster.ok("srun", "-n3", "-l", "--multi-prog", "mp.conf").splitlines()) == [
        "0: master", "1: worker 0 of task 1", "2: worker 1 of task 2"]


def test_a_reader_that_goes_away_ends_the_tasks(cluster: Cluster) -> None:
    assert cluster.run("bash", "-c", "srun yes | head -1; echo ${PIPESTATUS[0]}") == (0, "y\n141\n", "")


# --- how it ends ----------------------------------------------------------------------------------------------------------


def test_exit_codes_and_signals_of_tasks(cluster: Cluster) -> None:
    assert cluster.run("srun", "-n2", "bash", "-c", "exit 3") == (3, "", "srun: error: cn01: tasks 0-1: Exited with exit code 3\n")
    assert cluster.run("srun", "-n2", "bash", "-c", "kill -SEGV $$") == (139, "", "srun: error: cn01: tasks 0-1: Segmentation fault\n")


def test_a_program_that_does_not_exist(cluster: Cluster) -> None:
    result = cluster.run("srun", "nosuchcommand")
    first, second = result.err.splitlines()
    assert result.status == 2
    assert first.endswith("error: execve(): nosuchcommand: No such file or directory")
    assert second == "srun: error: cn01: task 0: Exited with exit code 2"


def test_one_bad_task_ends_all_when_that_is_wanted(cluster: Cluster) -> None:
    result = cluster.run("srun", "-n3", "-K", "bash", "-c", "if [ $SLURM_PROCID = 1 ]; then exit 5; else sleep 60; fi")
    lines = result.err.splitlines()
    assert (result.status, len(lines)) == (143, 5)
    assert lines[0] == "srun: error: cn01: task 1: Exited with exit code 5"
    assert lines[1].startswith("srun: Terminating StepId=")
    assert lines[2].endswith("DUE TO TASK FAILURE ***")
    assert lines[3] == "srun: error: cn01: tasks 0,2: Terminated"
    assert lines[4].startswith("srun: Force Terminated StepId=")


def test_the_time_limit_ends_the_step(cluster: Cluster) -> None:
    result = cluster.run("srun", "-n1", "-t", "0:02", "sleep", "60")
    lines = result.err.splitlines()
    assert result.status == 143
    assert lines[0].endswith("DUE TO TIME LIMIT ***") and " STEP " in lines[0]
    assert lines[1].startswith(ABORTED)
    assert lines[2] == "srun: error: cn01: task 0: Terminated"


def test_ctrl_c_twice_ends_the_tasks(cluster: Cluster) -> None:
    process = waits(cluster, "-n2")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "srun: interrupt (one more within 1 sec to abort)\n"
    assert process.stderr.readline().endswith("tasks 0-1: running\n")
    process.send_signal(signal.SIGINT)
    status, _, lines = ended(process)
    assert status == 130
    assert lines[0].startswith("srun: sending Ctrl-C to StepId=")
    assert lines[2].startswith(ABORTED) and not any("Interrupt" in line for line in lines), "who stops it sees that it stops"


def test_scancel_ends_an_srun(cluster: Cluster) -> None:
    process = waits(cluster, "-J", "victim")
    job = cluster.ok("squeue", "-h", "-n", "victim", "-o", "%i").strip()
    cluster.ok("scancel", job)
    status, _, lines = ended(process)
    assert status == 143
    assert f"srun: Force Terminated job {job}" in lines
    assert lines[-1] == "srun: error: cn01: task 0: Terminated"
    cluster.until_state(job, "CANCELLED")


def test_a_killed_srun_leaves_neither_job_nor_processes(cluster: Cluster) -> None:
    process = waits(cluster, "-n2", "-J", "orphan")
    job = cluster.ok("squeue", "-h", "-n", "orphan", "-o", "%i").strip()
    process.kill()
    process.communicate()
    cluster.until(lambda: not cluster.stepds(job), why="its slurmstepd lives on")
    cluster.until(lambda: not cluster.run("squeue", "-h", "-n", "orphan").out, why="the job is still there")


# --- inside a job ---------------------------------------------------------------------------------------------------------


def test_steps_of_a_job_wait_for_each_other(cluster: Cluster) -> None:
    cluster.script("steps.sh", "#!/bin/bash\nsrun -n4 sh -c 'touch first.$SLURM_PROCID; until grep -q retrying steps.out; do sleep 0.1; done' &\n"
                   "until [ -e first.0 ]; do sleep 0.1; done\nsrun -n4 -l echo second\nwait\nsrun -l -n2 echo third\n")
    job, status = cluster.finish("-n4", "-o", "steps.out", "steps.sh")
    lines = cluster.output("steps.out").splitlines()
    assert status == 0
    assert lines[0] == f"srun: Job {job} step creation temporarily disabled, retrying (Requested nodes are busy)"
    assert lines[1] == f"srun: Step created for StepId={job}.1"
    assert sorted(lines[2:]) == ["0: second", "0: third", "1: second", "1: third", "2: second", "3: second"]


def test_many_steps_in_a_row_start_at_once(cluster: Cluster) -> None:
    cluster.script("row.sh", "#!/bin/bash\nfor i in {1..10}; do srun -n2 true || exit 1; done\n")
    _, status = cluster.finish("-n2", "-o", "row.out", "row.sh")
    assert (status, cluster.output("row.out")) == (0, "")


def test_a_cancelled_batch_job_tells_its_srun(cluster: Cluster) -> None:
    # The task takes a second to obey, so that srun hears of the end while its step still lasts, as with a real program.
    cluster.script("slow.sh", "#!/bin/bash\ntrap 'sleep 1; trap - TERM; kill $$' TERM\ntouch slow.ready\nsleep 60 & wait\n")
    job = cluster.sbatch("-o", "cx.out", "--wrap", "echo start; srun ./slow.sh")
    cluster.until(lambda: (cluster.work / "slow.ready").exists(), why="the step did not start")
    cluster.ok("scancel", job)
    cluster.until(lambda: not cluster.stepds(job), why="it did not end")
    lines = cluster.output("cx.out").splitlines()
    assert {"start", "srun: got SIGCONT", "srun: forcing job termination", "srun: error: cn01: task 0: Terminated"} <= set(lines)
    assert sum(line.startswith(ABORTED) for line in lines) == 1
    assert sum("CANCELLED AT" in line and line.endswith("DUE to SIGNAL Terminated ***") for line in lines) == 2


def test_salloc_gives_srun_its_nodes(cluster: Cluster) -> None:
    result = cluster.run("salloc", "-N2", "bash", "-c", "srun -l bash -c 'echo $SLURMD_NODENAME'; exit 5")
    assert (result.status, sorted(result.out.splitlines())) == (5, ["0: cn01", "1: cn02"])
    assert [line.partition("salloc: ")[2].rsplit(" ", 1)[0] for line in result.err.splitlines()] == [
        "Granted job allocation", "Nodes cn[01-02] are ready for", "Relinquishing job allocation"]


def test_an_allocation_without_a_shell_lasts_until_it_is_cancelled(cluster: Cluster) -> None:
    assert cluster.run("salloc", "--no-shell", "-n1", "-J", "kept").status == 0
    job = cluster.ok("squeue", "-h", "-n", "kept", "-o", "%i").strip()
    time.sleep(3)  # longer than the controller waits for a holder that hung up
    assert cluster.ok("srun", f"--jobid={job}", "echo", "inside") == "inside\n"
    cluster.ok("scancel", job)
    cluster.until_state(job, "CANCELLED")


# --- a terminal -----------------------------------------------------------------------------------------------------------


def test_a_shell_on_a_node_has_a_terminal(cluster: Cluster) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cluster.work)
        os.execvpe("srun", ["srun", "--pty", "bash", "--norc"], cluster.environment)
    os.write(terminal, b"test -t 0 && echo a-$SLURMD_NODENAME-terminal; exit 3\r")
    seen = b""
    while select.select([terminal], [], [], 20)[0]:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # the last process that had it open has ended
            break
    else:
        os.kill(pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert b"a-cn01-terminal" in seen, seen


# --- daemons that die -----------------------------------------------------------------------------------------------------


def test_a_killed_controller_disturbs_no_step(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    process = cluster.spawn("srun", "-N2", "-l", "bash", "-c", "touch begun.$SLURM_PROCID; for i in 1 2 3 4; do echo $i; sleep 1; done; exit 7")
    cluster.until((cluster.work / "begun.0").exists, why="the tasks did not begin")
    cluster.kill("slurmctld")
    time.sleep(1)
    cluster.up()
    status, out, lines = ended(process)
    assert (status, sorted(out.splitlines())) == (7, sorted(f"{rank}: {i}" for rank in (0, 1) for i in (1, 2, 3, 4)))
    assert lines == ["srun: error: cn01: task 0: Exited with exit code 7", "srun: error: cn02: task 1: Exited with exit code 7"] or lines == [
        "srun: error: cn02: task 1: Exited with exit code 7", "srun: error: cn01: task 0: Exited with exit code 7"]


def test_a_killed_slurmd_disturbs_no_step(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    process = cluster.spawn("srun", "bash", "-c", "touch begun; sleep 2; cat; exit 7")
    cluster.until((cluster.work / "begun").exists, why="the task did not begin")
    cluster.kill("slurmd-cn01")
    assert process.stdin is not None
    process.stdin.write("typed\n")
    status, out, _ = ended(process)
    assert (status, out) == (7, "typed\n")
    cluster.up()


def test_a_killed_slurmstepd_is_reported_and_leaves_nothing(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    process = waits(cluster)
    (stepd,) = cluster.stepds()
    stepd.kill()
    status, _, lines = ended(process)
    assert status == 137
    assert lines[0].startswith("srun: error: cn01: lost contact with slurmstepd of StepId=")
    assert lines[1] == "srun: error: cn01: task 0: Killed"
    cluster.until(lambda: not cluster.run("squeue", "-h").out, why="the job is still there")


def test_signals_may_be_ignored_and_a_process_is_found_by_its_number(cluster: Cluster) -> None:
    srun = cluster.spawn("srun", "--ignore-signals=USR1,15", "sh", "-c", f"trap 'echo told' USR1; echo $$; {gate('ignored')}; echo over")
    assert srun.stdout is not None
    pid = srun.stdout.readline().strip()
    job = cluster.ok("squeue", "-h", "-t", "R", "-o", "%A").split()[-1]
    shown = cluster.run("scontrol", "pidinfo", pid, env={"SLURMD_NODENAME": cluster.field(job, "NodeList")})
    assert shown.status == 0 and shown.out.startswith(f"Slurm JobId={job} ends at "), shown
    assert shown.out.splitlines()[1].startswith("Job remaining time is "), shown
    for number in (10, 15):
        srun.send_signal(number)
    cluster.open_gate("ignored")
    out, _ = srun.communicate(timeout=30)
    assert (srun.returncode, out) == (0, "over\n")
    assert cluster.run("srun", "--ignore-signals=BOGUS", "true").err.startswith("srun: fatal: Invalid --ignore-signals specification: BOGUS")
    assert cluster.run("scontrol", "pidinfo").status == 1


def test_what_a_task_leaves_behind_is_waited_for_on_request(cluster: Cluster) -> None:
    assert cluster.ok("srun", "--wait-for-children", "-n1", "sh", "-c", "(sleep 0.5; echo late >late) >/dev/null 2>&1 & echo now") == "now\n"
    assert (cluster.work / "late").read_text() == "late\n"


# --- ports ----------------------------------------------------------------------------------------------------------------


def test_steps_have_ports_of_their_own(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.folder.mkdir(parents=True)
    (cluster.folder / "local.conf").write_text("MpiParams=ports=12000-12005\n")
    cluster.up()
    script = (
        "srun -n2 --exact bash -c 'echo $SLURM_PROCID $SLURM_STEP_RESV_PORTS; until [[ -e told ]]; do sleep 0.05; done' &\n"
        "until scontrol show step | grep -q ResvPorts=1; do sleep 0.05; done\n"
        "scontrol show step | grep ResvPorts=1\n"
        "srun -n1 --exact -I --resv-ports=4 true; srun -n1 --resv-ports=7 true\n"
        "srun -n1 --exact --resv-ports=3 bash -c 'echo 2 $SLURM_STEP_RESV_PORTS; touch told'; wait\n")
    result = cluster.run("salloc", "-Qn4", "bash", "-c", script)
    assert sorted(result.out.split()) == sorted(["ResvPorts=12001-12003", "0", "12001-12003", "1", "12001-12003", "2", "12000,12004-12005"])
    assert "Required ports are in use" in result.err and "Requires more ports than can be reserved" in result.err
