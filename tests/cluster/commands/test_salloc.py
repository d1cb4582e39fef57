"""salloc as a whole process, against a controller that the tests play."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from tests.cluster.commands.fake_cluster import DEADLINE, FakeCluster, Ran, Talk, fake_cluster

GRANTED = "salloc: Granted job allocation 65\nsalloc: Nodes cn01 are ready for job\n"


def salloc(cluster: FakeCluster, *words: str, **more: Any) -> Ran:
    return cluster.run(*words, command="salloc", **more)


def revoked_as(cluster: FakeCluster, state: str) -> None:
    def answer(talk: Talk, request: dict[str, object]) -> None:
        talk.say(cluster.granted())
        deadline = time.monotonic() + DEADLINE
        while not (cluster.folder / "runs").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        talk.say({"type": "JobEnded", "job_id": 65, "state": state})

    cluster.answers["AllocateJob"] = answer


def test_a_command_runs_inside_the_allocation(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "-N1", "sh", "-c", "echo $SLURM_JOB_ID; exit 7") == (
            7, "65\n", GRANTED + "salloc: Relinquishing job allocation 65\n")
        assert cluster.asked("AllocateJob")[0]["request"]["name"] == "interactive"
        assert cluster.asked("Relinquish")[0]["status"] == 7 << 8


def test_a_command_runs_in_the_folder_of_chdir_and_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to("/bin/pwd")
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "-D", str(tmp_path), "mine").out == f"{tmp_path}\n"


def test_quiet_leaves_only_errors(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "--quiet", "true") == (0, "", "")


def test_hosts_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("cn01\n")
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "--nodefile", str(tmp_path / "hosts"), "true").code == 0
        assert cluster.asked("AllocateJob")[0]["request"]["nodelist"] == "cn01"


def test_the_bell_rings_when_asked_and_not_for_a_quick_grant(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "--bell", "true").err.count("\a") == 1
        assert salloc(cluster, "true", environ={"SALLOC_BELL": "1"}).err.count("\a") == 1
        assert "\a" not in salloc(cluster, "--no-bell", "true").err + salloc(cluster, "true").err


def test_without_a_command_the_users_shell_runs(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, input=b"echo $SLURM_JOB_NAME\n", environ={"SHELL": "/bin/sh"}).out == "interactive\n"


def test_waiting_is_told_in_three_lines(tmp_path: Path) -> None:
    def later(talk: Talk, request: dict[str, object]) -> None:
        talk.say({"type": "Pending", "job_id": 65})
        time.sleep(0.4)
        talk.say(cluster.granted(waited=True))

    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = later
        assert salloc(cluster, "true").err == (
            "salloc: Pending job allocation 65\nsalloc: job 65 queued and waiting for resources\n"
            "salloc: job 65 has been allocated resources\n" + GRANTED + "salloc: Relinquishing job allocation 65\n")


def test_a_refusal_reads_as_slurms(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = lambda talk, request: talk.say({
            "type": "Failure", "kind": "NotNow", "name": "ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE",
            "message": "Requested partition configuration not available now"})
        assert salloc(cluster, "--immediate=1", "-N5", "true") == (
            1, "", "salloc: error: Job submit/allocate failed: Requested partition configuration not available now\n")


def test_a_command_that_does_not_exist_gives_the_allocation_back(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "/nosuch/program") == (1, "", (
            GRANTED + "salloc: error: execve(): /nosuch/program: No such file or directory\nsalloc: Relinquishing job allocation 65\n"))


def test_a_command_that_a_signal_ends_is_told_by_the_exit_code(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "sh", "-c", "kill -9 $$").code == 137


def test_a_revoked_allocation_ends_the_command(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        revoked_as(cluster, "CANCELLED")
        ran = salloc(cluster, "sh", "-c", "touch runs; exec sleep 30")
        assert ran == (128 + signal.SIGTERM, "", GRANTED + "salloc: Job allocation 65 has been revoked.\n")
        assert cluster.asked("Relinquish") == []


def test_a_time_limit_is_told_and_the_wanted_signal_is_sent(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        revoked_as(cluster, "TIMEOUT")
        ran = salloc(cluster, "-KUSR1", "sh", "-c", "touch runs; exec sleep 30")
        assert ran == (128 + signal.SIGUSR1, "", (
            GRANTED + "salloc: Job 65 has exceeded its time limit and its allocation has been revoked.\n"))


def test_without_a_shell_the_allocation_stays(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        assert salloc(cluster, "--no-shell") == (0, "", GRANTED)
        assert cluster.asked("AllocateJob")[0]["request"]["no_shell"] is True
        assert cluster.asked("AllocateJob")[0]["request"]["name"] == "no-shell"
        assert cluster.asked("Relinquish") == []


def test_ctrl_c_in_the_queue_takes_the_job_back(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        cluster.answers["AllocateJob"] = lambda talk, request: talk.say({"type": "Pending", "job_id": 65})
        process = cluster.start("true", command="salloc")
        assert process.stderr is not None
        assert process.stderr.readline() == b"salloc: Pending job allocation 65\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 1
        assert process.stderr.read().endswith(b"salloc: Job allocation 65 has been revoked.\n")


def test_ctrl_c_is_the_commands_own_business(tmp_path: Path) -> None:
    with fake_cluster(tmp_path) as cluster:
        process = cluster.start("sh", "-c", "trap 'echo trapped; exit 4' TERM; echo ready; sleep 30 & wait", command="salloc")
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert (process.stdout.readline(), process.wait(DEADLINE)) == (b"trapped\n", 4)
