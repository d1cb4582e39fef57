"""Machines that trust each other by slurm.key: daemons and commands over TCP, callers vouched for by the local daemon.

All on 127.0.0.1; what makes it several machines is that each has a configuration of its own in which the sockets of the others do not exist.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import Result, commands_folder
from tests.system.test_rights import SOMEBODY

CONF = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
AuthType=auth/slurm
StateSaveLocation={root}/{side}/state
SlurmctldPidFile={root}/{side}/slurmctld.pid
SlurmctldLogFile={root}/{side}/slurmctld.log
SlurmdPidFile={root}/{side}/slurmd-%n.pid
SlurmdLogFile={root}/{side}/slurmd-%n.log
SlurmdSpoolDir={root}/{side}/spool-%n
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
NodeName=cn01 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1} CPUs=2 RealMemory=1000
NodeName=cn02 NodeHostname={host} NodeAddr=127.0.0.1 Port={port2} CPUs=2 RealMemory=1000
PartitionName=debug Nodes=ALL Default=YES
"""
SIDES = ("head", "nodes", "login")
SOURCE = str(Path(__file__).resolve().parents[2] / "src")


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Lab:
    """The folders of a head node, a compute side and a login node, and daemons that run there."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="slurm-lab-"))
        self.root.chmod(0o755)
        self.work = self.root / "work"
        self.work.mkdir()
        self.work.chmod(0o777)
        port, port1, port2 = _free_ports(3)
        for side in SIDES:
            folder = self.root / side
            folder.mkdir()
            (folder / "slurm.conf").write_text(CONF.format(
                host=socket.gethostname(), user=os.geteuid(), root=self.root, side=side, port=port, port1=port1, port2=port2))
        key = os.urandom(1024)
        for side in SIDES:
            path = self.root / side / "slurm.key"
            path.write_bytes(key)
            path.chmod(0o600)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.path = f"{commands_folder(self.root)}{os.pathsep}{os.environ['PATH']}"

    def conf(self, side: str) -> Path:
        """A side's slurm.conf."""
        return self.root / side / "slurm.conf"

    def environment(self, side: str) -> dict[str, str]:
        """What commands of a side see."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SRUN", "SQUEUE", "SINFO"))}
        return {**kept, "PYTHONPATH": SOURCE, "PATH": self.path, "SLURM_CONF": str(self.conf(side))}

    def run(self, *words: str, side: str = "login") -> Result:
        """A command on one side."""
        done = subprocess.run(words, cwd=self.work, env=self.environment(side), capture_output=True, text=True, timeout=60, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str) -> str:
        """A command on the login node that must succeed; its output."""
        result = self.run(*words)
        assert result.status == 0, f"{words}: {result}\n{self.logs()}"
        return result.out

    def daemon(self, program: str, side: str, *flags: str) -> Result:
        """Start a daemon in the background; what that said."""
        return self.run(sys.executable, "-m", f"slurm.{program}", "-f", str(self.conf(side)), *flags, side=side)

    def foreground(self, program: str, side: str, *flags: str) -> None:
        """Start a daemon with -D."""
        with open(self.root / side / f"{program}.out", "ab") as out:
            self.processes.append(subprocess.Popen(
                [sys.executable, "-m", f"slurm.{program}", "-D", "-v", "-f", str(self.conf(side)), *flags], env=self.environment(side),
                stdout=out, stderr=out))

    def up(self) -> None:
        """All daemons in the foreground; returns when both nodes are idle."""
        self.foreground("slurmctld", "head")
        for name in ("cn01", "cn02"):
            self.foreground("slurmd", "nodes", "-N", name)
        self.foreground("sackd", "login", "--admin")
        self.until_idle()

    def until_idle(self) -> None:
        """Wait until both nodes are idle, as the login node sees it."""
        deadline = time.monotonic() + 30
        seen = Result(1, "", "")
        while seen.out.split() != ["idle", "idle"]:
            assert time.monotonic() < deadline, f"{seen}\n{self.logs()}"
            time.sleep(0.1)
            seen = self.run("sinfo", "-h", "-N", "-o", "%T")

    def pids(self) -> list[int]:
        """Daemons in the background."""
        return [int(path.read_text()) for path in self.root.glob("*/*.pid")]

    def logs(self) -> str:
        """What the daemons said."""
        paths = [*self.root.glob("*/*.out"), *self.root.glob("*/*.log")]
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(paths))

    def close(self) -> None:
        """Stop everything; no daemon may have failed."""
        for pid in set(self.pids()) - {process.pid for process in self.processes}:
            os.kill(pid, signal.SIGTERM)
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        try:
            assert [process.wait(20) for process in self.processes] == [0] * len(self.processes), self.logs()
            deadline = time.monotonic() + 20
            while self.pids():
                assert time.monotonic() < deadline, f"daemons do not end: {self.pids()}\n{self.logs()}"
                time.sleep(0.05)
            assert "Traceback" not in self.logs(), self.logs()
        finally:
            for process in self.processes:
                process.kill()
            shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A cluster at work over TCP."""
    found = Lab()
    try:
        found.up()
        yield found
    finally:
        found.close()


@pytest.fixture
def quiet() -> Iterator[Lab]:
    """A cluster of which nothing runs yet."""
    found = Lab()
    try:
        yield found
    finally:
        found.close()


def test_batch_jobs_run_and_are_seen_from_another_machine(lab: Lab) -> None:
    job = lab.ok("sbatch", "--parsable", "-W", "-N2", "-o", "out-%j", "--wrap", "srun -l hostname; echo done on $SLURM_JOB_NODELIST").strip()
    assert "done on cn[01-02]\n" in (lab.work / f"out-{job}").read_text()
    assert lab.ok("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").strip() == "COMPLETED"


def test_srun_reaches_tasks_on_every_node_over_tcp(lab: Lab) -> None:
    out = lab.ok("srun", "-N2", "-n4", "-l", "sh", "-c", "echo $SLURMD_NODENAME")
    assert sorted(out.splitlines()) == ["0: cn01", "1: cn01", "2: cn02", "3: cn02"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as somebody else")
def test_a_user_who_cannot_read_the_key_is_vouched_for_by_the_local_daemon(lab: Lab) -> None:
    out = lab.ok(*SOMEBODY, "srun", "sh", "-c", "id -u; id -g")
    assert out.split() == ["65534", "65534"]
    job = lab.ok(*SOMEBODY, "sbatch", "--parsable", "-H", "--wrap", "true").strip()
    assert lab.ok("squeue", "-h", "-j", job, "-o", "%U").strip() == "65534"
    mine = lab.ok("sbatch", "--parsable", "-H", "--wrap", "true").strip()
    refused = lab.run(*SOMEBODY, "scancel", mine)
    assert refused.status != 0 and "Access/permission denied" in refused.err
    assert lab.run(*SOMEBODY, "scontrol", "reconfigure").status != 0
    lab.ok("scancel", mine, job)


def test_without_key_and_without_a_local_daemon_nobody_is_believed(lab: Lab) -> None:
    conf = lab.conf("login")
    alone = lab.root / "alone"
    alone.mkdir()
    (alone / "slurm.conf").write_text(conf.read_text().replace("/login/", "/alone/"))
    result = lab.run("squeue", side="alone")
    assert result.status == 1 and "start sackd here" in result.err and "SLURM_JWT" in result.err


def test_another_key_opens_nothing(lab: Lab) -> None:
    forger = lab.root / "forger"
    forger.mkdir()
    (forger / "slurm.conf").write_text(lab.conf("login").read_text().replace("/login/", "/forger/"))
    key = forger / "slurm.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    lab.foreground("sackd", "forger", "--admin")
    deadline = time.monotonic() + 30
    while "was not issued under a key that is trusted here" not in (forger / "sackd.out").read_text():
        assert time.monotonic() < deadline, lab.logs()
        time.sleep(0.05)
    result = lab.run("squeue", side="forger")
    assert result.status == 1 and "Unable to contact slurm controller" in result.err and "sackd.relay: Connection refused" in result.err


def test_a_key_that_others_may_read_stops_the_controller(quiet: Lab) -> None:
    (quiet.root / "head" / "slurm.key").chmod(0o644)
    result = quiet.daemon("slurmctld", "head")
    assert result.status == 1
    assert "slurmctld: fatal: the key" in result.err and "others could speak as anybody" in result.err and "chmod 0600" in result.err
    assert not quiet.pids()


def test_daemons_go_to_the_background_once_they_serve_and_refuse_a_second_start(quiet: Lab) -> None:
    assert quiet.daemon("slurmctld", "head") == Result(0, "", "")
    assert quiet.daemon("slurmd", "nodes", "-N", "cn01") == Result(0, "", "")
    assert quiet.daemon("slurmd", "nodes", "-N", "cn02") == Result(0, "", "")
    assert quiet.daemon("sackd", "login", "--admin") == Result(0, "", "")
    quiet.until_idle()
    assert quiet.ok("srun", "-N2", "sh", "-c", "echo $SLURMD_NODENAME").split() in (["cn01", "cn02"], ["cn02", "cn01"])
    again = quiet.daemon("slurmctld", "head")
    assert again.status == 1 and "slurmctld is already running (pid " in again.err
    again = quiet.daemon("slurmd", "nodes", "-N", "cn01")
    assert again.status == 1 and "slurmd is already running (pid " in again.err
    again = quiet.daemon("sackd", "login")
    assert again.status == 1 and "sackd is already running (pid " in again.err


def test_a_port_in_use_is_told_to_whoever_starts_the_daemon(quiet: Lab) -> None:
    port = int(next(line for line in quiet.conf("head").read_text().splitlines() if line.startswith("SlurmctldPort")).partition("=")[2])
    with socket.create_server(("0.0.0.0", port)):
        result = quiet.daemon("slurmctld", "head")
    assert result.status == 1 and "in use by another program" in result.err and "SlurmctldPort" in result.err
    assert not quiet.pids()


def test_a_state_that_cannot_be_written_is_told_to_whoever_starts_the_daemon(quiet: Lab) -> None:
    (quiet.root / "head" / "state").write_text("a file where a folder should be")
    result = quiet.daemon("slurmctld", "head")
    assert result.status == 1 and "StateSaveLocation" in result.err
    assert not quiet.pids()
