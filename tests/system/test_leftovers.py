"""`slurm down` and `slurm status` when things are not as they should be: nothing is left running, whatever died before."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable

import psutil

from tests.system.harness import Cluster, gate

Maker = Callable[..., Cluster]


def test_down_ends_the_steps_of_daemons_that_were_killed(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "2")
    cluster.up()
    jobs = [cluster.sbatch("-w", name, "--wrap", "sleep 1000") for name in ("cn01", "cn02")]
    for job in jobs:
        cluster.until(lambda job=job: cluster.stepds(job), why="no slurmstepd")
    for daemon in ("slurmctld", "slurmd-cn01", "slurmd-cn02"):
        cluster.kill(daemon)
    said = cluster.ok("slurm", "down")
    assert "Ended 2 job steps that had outlived the daemons" in said
    assert not cluster.processes()
    cluster.up()
    ended = cluster.until_ended(*jobs)
    assert all(state in ("FAILED", "CANCELLED") for state in ended.values()), ended


def test_down_does_not_start_what_waits_for_the_cancelled(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2")
    cluster.up()
    jobs = [cluster.sbatch("-n2", "--wrap", "sleep 1000") for _ in range(4)]
    cluster.until_state(jobs[0], "RUNNING")
    began = time.monotonic()
    cluster.sbatch("--hold", "--array=1-3", "--wrap", "true")
    assert "Cancelled 1 running job\n6 jobs wait for the next `slurm up`\n" in cluster.ok("slurm", "down")
    assert time.monotonic() - began < 12
    assert not cluster.processes()
    cluster.up()
    cluster.until_state(jobs[1], "RUNNING")
    assert cluster.state(jobs[0]) == "CANCELLED" and cluster.state(jobs[2]) == "PENDING"


def test_status_says_so_when_the_controller_does_not_answer(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "1")
    cluster.up()
    pid = cluster.pid("slurmctld")
    os.kill(pid, signal.SIGSTOP)
    try:
        result = cluster.run("slurm", "status")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.status == 3 and "slurmctld runs and does not answer" in result.out
    assert cluster.run("slurm", "status").status == 0


def test_a_controller_that_stood_still_for_long_takes_no_node_down(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "1")
    cluster.up()
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + "SlurmdTimeout=2\n")
    cluster.ok("scontrol", "reconfigure")
    job = cluster.sbatch("--wrap", "sleep 1000")
    cluster.until_state(job, "RUNNING")
    pid = cluster.pid("slurmctld")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(5)  # longer than SlurmdTimeout is the point
    os.kill(pid, signal.SIGCONT)
    cluster.until(lambda: cluster.run("sinfo", "-h", "-o", "%T").out.strip() == "allocated", why="the node is not allocated")
    assert cluster.state(job) == "RUNNING"


def test_folders_with_blanks_in_their_names_are_fine(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "1")
    home = cluster.root / "my files"
    env = {"XDG_STATE_HOME": str(home)}
    assert cluster.run("slurm", "up", *cluster.flags, env=env).status == 0
    try:
        result = cluster.run("srun", "echo", "hello", env=env)
        assert (result.status, result.out) == (0, "hello\n"), result
    finally:
        assert cluster.run("slurm", "down", env=env).status == 0


def test_a_folder_that_slurm_conf_cannot_name_is_refused_with_what_to_do(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1")
    result = cluster.run("slurm", "up", env={"XDG_STATE_HOME": str(cluster.root / "50%")})
    assert result.status == 1 and "'%'" in result.err and "XDG_STATE_HOME" in result.err


def test_ctrl_c_again_and_again_while_it_starts_leaves_nothing_running(fresh: Maker) -> None:
    cluster = fresh("--nodes", "3", "--cpus", "1")
    for delay in (0.15, 0.4, 0.8):
        starting = cluster.spawn("slurm", "up", *cluster.flags)
        time.sleep(delay)
        for _ in range(4):
            starting.send_signal(signal.SIGINT)
            time.sleep(0.05)
        said = "".join(starting.communicate(timeout=60))
        # 1: of Python itself, where it is interrupted while it loads its own modules
        assert starting.returncode in (0, 130, -signal.SIGINT) or (starting.returncode == 1 and "init_import_site" in said), said
        if starting.returncode == 0:
            cluster.ok("slurm", "down")
        cluster.until(lambda: not cluster.processes(), seconds=10, why="something is left")


def _runs(pid: int) -> bool:
    """Whether a process is there and not only its status, which nobody has asked for yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_requeued_job_never_runs_beside_what_a_slurmd_over_an_emptied_spool_has_forgotten(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2")
    cluster.up()
    job = cluster.sbatch("--requeue", "-o", "out", "--open-mode=append", "--wrap", "echo ${SLURM_RESTART_COUNT:-0} $$; sleep 1000")
    cluster.until(lambda: (cluster.work / "out").exists() and cluster.output("out"), why="no output")
    first = int(cluster.output("out").split()[1])
    cluster.kill("slurmd-cn01")
    spool = cluster.folder / "spool" / "cn01"
    shutil.rmtree(spool)
    spool.mkdir()
    cluster.ok("slurm", "up", *cluster.flags)
    cluster.until_state(job, "PENDING")
    cluster.ok("scontrol", "update", f"jobid={job}", "starttime=now")
    cluster.until(lambda: len(cluster.output("out").splitlines()) == 2, why="no second attempt")
    assert not _runs(first), f"both attempts run at once: {psutil.Process(first).as_dict(['status', 'ppid', 'cmdline', 'create_time'])}"
    assert len(cluster.stepds(job)) == 1
    cluster.ok("scancel", job)
    cluster.until_ended(job)
    cluster.until(lambda: not cluster.stepds(), why="a slurmstepd is left")


def test_a_job_whose_spool_is_emptied_while_it_runs_ends_when_its_script_does_and_by_scancel(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2")
    cluster.up()
    ending = cluster.sbatch("-o", "out-%j", "--wrap", f"echo began; {gate('go')}")
    cancelled = cluster.sbatch("-o", "out-%j", "--wrap", "echo began; sleep 1000")
    for job in (ending, cancelled):
        cluster.until(lambda job=job: (cluster.work / f"out-{job}").exists() and "began" in cluster.output(f"out-{job}"), why="it did not begin")
    for path in (cluster.folder / "spool" / "cn01").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    cluster.open_gate("go")
    cluster.ok("scancel", cancelled)
    assert cluster.until_ended(ending, cancelled) == {ending: "FAILED", cancelled: "CANCELLED"}
    cluster.until(lambda: cluster.run("sinfo", "-h", "-o", "%T").out.strip() == "idle", why="the node is not free again")
    assert cluster.finish("--wrap", "true")[1] == 0
    assert not cluster.stepds()
