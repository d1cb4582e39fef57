"""`slurm jobs` and `slurm cluster` on Debian's real Slurm behind a real sshd, found by a Slurmfile."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench import real_slurm
from tests.system import login_node
from tests.system.harness import Result, commands_folder
from tests.system.login_node import LoginNode
from tests.system.terminal import Terminal

SLURMFILE = """
[default.cluster]
backend = "ssh"
[default.cluster.backend_config]
hostname = "127.0.0.1"
port = {port}
key_filename = "{folder}/key"
known_hosts = "{folder}/known_hosts"
allow_agent = false
remote_workdir = "{work}"
[default.cluster.backend_config.env]
SLURM_CONF = "{conf}"
"""


class Desk(NamedTuple):
    """Where the user sits: a folder with a Slurmfile, and commands that know of no cluster here."""

    folder: Path
    environment: dict[str, str]
    submit: Callable[..., str]
    node: LoginNode

    def run(self, *words: str) -> Result:
        """A subcommand of slurm."""
        done = subprocess.run(["slurm", *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def answer(self, *words: str, status: int = 0) -> Any:
        """What it answers to a program."""
        result = self.run(*words, "--json")
        assert result.status == status and not result.err, result
        return json.loads(result.out)

    def until_state(self, job: str, *wanted: str) -> None:
        """Wait until a job is in one of these states."""
        deadline = time.monotonic() + 60
        while (seen := self.answer("jobs", "show", job)["jobs"][-1]["state"]) not in wanted:
            assert time.monotonic() < deadline, f"job {job} is {seen}, not {' or '.join(wanted)}"

    def running(self, *words: str) -> str:
        """A job that runs."""
        job = self.submit(*words, "--wrap", "echo begun; sleep 300")
        self.until_state(job, "RUNNING")
        return job


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    missing = login_node.missing() or real_slurm.missing()
    if missing:
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("desk")
    work = folder / "far work"
    work.mkdir()
    real, node = real_slurm.RealSlurm(), LoginNode(folder / "login")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SQUEUE", "SINFO"))}
    environment = {**kept, "XDG_STATE_HOME": str(folder), "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src"),
                   "PATH": f"{commands_folder(folder)}{os.pathsep}{os.environ['PATH']}"}
    (folder / "Slurmfile.toml").write_text(SLURMFILE.format(port=node.port, folder=node.folder, work=work, conf=f"{real.folder}/slurm.conf"))

    def submit(*words: str) -> str:
        return subprocess.run(["/usr/bin/sbatch", "--parsable", "--mem=50M", *words], cwd=work, env=real.environment, capture_output=True, text=True,
                              check=True).stdout.strip()

    try:
        real.start()
        node.start()
        yield Desk(folder, environment, submit, node)
    finally:
        node.stop()
        real.stop()


def test_jobs_are_listed_shown_and_cancelled_there(desk: Desk) -> None:
    job = desk.running("-J", "two | words", "--comment", "some text")
    array = desk.submit("--array=0-9:3%1", "-d", f"afterok:{job}", "--wrap", "true")
    listed = {one["array_id"]: one for one in desk.answer("jobs", "list")["jobs"]}
    assert listed[job]["name"] == "two | words"
    assert listed[array]["why"] in ("it waits for other jobs", "the scheduler has not looked at it yet")
    (shown,) = desk.answer("jobs", "show", job)["jobs"]
    assert shown["stdout"] == f"{desk.folder}/far work/slurm-{job}.out"
    assert "some text" in desk.run("jobs", "show", job).out
    cancelled = desk.answer("jobs", "cancel", job, f"{array}_[0,3]", status=0)["jobs"]
    assert sorted(one["id"] for one in cancelled) == sorted([job, f"{array}_0", f"{array}_3"]) and all(one["cancelled"] for one in cancelled)
    assert desk.run("jobs", "cancel", "--all-mine").status == 0
    assert desk.answer("jobs", "list") == {"jobs": [], "counts": {}}
    assert desk.answer("jobs", "show", "999999", status=1)["error"]["kind"] == "UnknownJob"


def test_logs_and_watch_follow_a_job_there(desk: Desk) -> None:
    job = desk.submit("--wrap", "for i in 1 2 3; do echo line $i; sleep 0.5; done; exit 6")
    assert desk.run("jobs", "logs", "-f", job)[:2] == (0, "line 1\nline 2\nline 3\n")
    array = desk.submit("--array=8-9%1", "-o", "of %x on %N %4a.txt", "-J", "a name", "--wrap", "echo $SLURM_ARRAY_TASK_ID")
    desk.until_state(f"{array}_9", "COMPLETED")
    assert desk.run("jobs", "logs", array).out == f"{array}_8: 8\n{array}_9: 9\n"
    watched = desk.run("jobs", "watch", job, "-i", "0.5")
    assert watched.status == 6 and "FAILED" in watched.out


def test_the_cluster_there_is_shown(desk: Desk) -> None:
    found = desk.answer("cluster", "show")
    assert [one["name"] for one in found["partitions"]] == ["debug", "gpu"]
    assert [node["state"] for node in found["nodes"]] == ["IDLE"] and found["name"].startswith("127.0.0.1:")
    assert "IDLE" in desk.run("cluster", "show").out


def test_a_shell_is_opened_in_a_job_there_and_on_the_login_node(desk: Desk) -> None:
    job = desk.running()
    inside = Terminal(["slurm", "jobs", "connect", job], desk.environment, desk.folder, columns=91)
    inside.type("echo in-$SLURM_JOB_ID-$(stty size | tr ' ' x); exit 5\r")
    inside.until(f"in-{job}-24x91")
    assert inside.status() == 5
    login = Terminal(["slurm", "cluster", "connect"], desk.environment, desk.folder)
    login.type("echo over-${SSH_CONNECTION%% *}; exit 3\r")
    login.until("over-127.0.0.1")
    assert login.status() == 3
    cut = Terminal(["slurm", "cluster", "connect"], desk.environment, desk.folder)
    cut.type("echo over-${SSH_CONNECTION%% *}\r")
    cut.until("over-127.0.0.1")
    assert desk.node.cut()
    assert cut.status() == 1 and "the connection was cut" in cut.seen
    desk.run("jobs", "cancel", job)


def test_a_debugger_is_led_to_the_job(desk: Desk) -> None:
    (port,) = real_slurm.free_ports(1)
    code = f'import socket; listening = socket.create_server(("127.0.0.1", {port})); listening.accept()[0].sendall(b"found")'
    job = desk.submit("--wrap", f"{sys.executable} -c '{code}'")
    leading = subprocess.Popen(["slurm", "jobs", "debug", job, "--wait", "--port", "0", "--remote-port", str(port), "--json"], cwd=desk.folder,
                               env=desk.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert leading.stdout is not None
        place = json.loads(leading.stdout.readline())
        assert place["job"] == job and place["host"] == "127.0.0.1"
        deadline, said = time.monotonic() + 30, b""
        while said != b"found":
            assert time.monotonic() < deadline, f"the job was not reached: {said!r}"
            with socket.create_connection(("127.0.0.1", place["port"]), 10) as connection:
                said = connection.recv(16)  # nothing when the job does not listen yet
    finally:
        leading.send_signal(signal.SIGINT)
        out, err = leading.communicate(timeout=20)
    assert leading.returncode == 130 and json.loads(out)["error"]["kind"] == "Interrupted" and not err, (out, err)
