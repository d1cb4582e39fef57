"""The units of systemd: it finds nothing wrong with them, those of the network's daemons are shut in, and slurmctld tells when it serves."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta.source import ROOT

UNITS = sorted((ROOT / "src" / "slurm" / "commands" / "setup" / "systemd").glob("*.service"))
SHUT_IN = ("slurmctld", "slurmdbd", "slurmrestd", "sackd")


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    scripts = os.path.dirname(sys.executable)
    for unit in UNITS:
        text = re.sub(r"/usr/sbin/(?=slurm|sackd)", f"{scripts}/", unit.read_text(encoding="utf-8"))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))], capture_output=True, text=True, check=False,
        timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", SHUT_IN)
def test_what_a_daemon_of_the_network_may_do_is_bounded(name: str) -> None:
    unit = ROOT / "src" / "slurm" / "commands" / "setup" / "systemd" / f"{name}.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=40", "--no-pager", str(unit)], capture_output=True, text=True,
        check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_steps_outlive_a_restart_of_their_unit_and_may_be_killed_for_memory() -> None:
    text = (ROOT / "src" / "slurm" / "commands" / "setup" / "systemd" / "slurmd.service").read_text(encoding="utf-8")
    assert {"KillMode=process", "Delegate=yes", "SendSIGKILL=no"} <= set(text.splitlines())
    assert "OOMScoreAdjust" not in text


def test_slurmctld_says_to_systemd_when_it_serves_and_logs_where_slurm_conf_says(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(60)
        (tmp_path / "state").mkdir()
        (tmp_path / "slurm.conf").write_text(
            f"ClusterName=unit\nSlurmctldHost={socket.gethostname()}(127.0.0.1)\nSlurmctldPort=0\nAuthType=auth/local\nSlurmUser={os.getuid()}\n"
            f"StateSaveLocation={tmp_path}/state\nSlurmctldPidFile={tmp_path}/slurmctld.pid\nSlurmctldLogFile={tmp_path}/slurmctld.log\n"
            "NodeName=cn01 CPUs=1\nPartitionName=main Nodes=ALL Default=YES\n", encoding="utf-8")
        environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen([sys.executable, "-m", "slurm.slurmctld", "--systemd", "-f", str(tmp_path / "slurm.conf")], env=environ) as daemon:
            try:
                assert channel.recv(4096).decode().split("\n") == ["READY=1", f"MAINPID={daemon.pid}"]
            finally:
                daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(60) == 0
    assert "starts with" in (tmp_path / "slurmctld.log").read_text(encoding="utf-8")
