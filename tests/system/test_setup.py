"""`slurm setup` for two machines, the second by ssh: from nothing to a job that has run and a doctor who is content."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.system import login_node
from tests.system.harness import SOURCE, commands_folder
from tests.system.login_node import LoginNode

ME = pwd.getpwuid(os.geteuid()).pw_name
DAEMONS = ("slurmdbd", "slurmctld", "slurmd")


def free_ports(number: int) -> list[str]:
    """TCP ports that nobody listens at."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def test_two_machines_are_set_up_run_a_job_and_are_healthy(tmp_path: Path) -> None:
    if lacking := login_node.missing():
        pytest.fail(lacking) if os.environ.get("CI") else pytest.skip(lacking)
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("SLURM")}, "PYTHONPATH": SOURCE,
                   "PATH": f"{commands_folder(tmp_path)}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    node = LoginNode(tmp_path / "node", {name: environment[name] for name in ("PATH", "PYTHONPATH")})
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text(f"Host 127.0.0.1\n  Port {node.port}\n  IdentityFile {node.folder}/key\n"
                                              f"  UserKnownHostsFile {node.folder}/known_hosts\n")
    folder = tmp_path / "site"
    ports = free_ports(3)
    host = os.uname().nodename.partition(".")[0]

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{words}: {done}\n" + "\n".join(path.read_text()[-2000:] for path in folder.glob("var/log/slurm/*"))
        return done.stdout

    words = ("slurm", "setup", "--prefix", str(folder), "--user", ME, "--nodes", "nd1", "--address", "nd1=127.0.0.1", "--address", f"{host}=127.0.0.1",
             "--controller-port", ports[0], "--node-port", ports[1], "--database-port", ports[2], "--no-start", "--yes")
    pids: list[int] = []
    node.start()
    try:
        assert "nd1: written" in run(*words)
        again = json.loads(run(*words, "--json"))
        assert not again["changed"] and again["machines"]["nd1"]["files"][f"{folder}/etc/slurm/slurmd_cert.pem"] == "kept"
        environment["SLURM_CONF"] = f"{folder}/etc/slurm/slurm.conf"
        # systemd is not at work here: the daemons are started as its units would start them
        for daemon in DAEMONS:
            run(sys.executable, "-m", f"slurm.{daemon}", *(("-N", "nd1") if daemon == "slurmd" else ()))
            pids.append(int((folder / "run" / f"{daemon}.pid").read_text()))
        assert run("srun", "sh", "-c", "echo $SLURM_JOB_NODELIST").strip() == "nd1"
        said = json.loads(run("slurm", "doctor", "--json", "folders", "key", "secrets", "controller", "nodes", "daemons", "ports", "database"))
        assert said["healthy"], said
    finally:
        node.stop()
        for pid in reversed(pids):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not any(map(psutil.pid_exists, pids))
