"""A login node for tests: a real sshd on a loopback port, with keys and known_hosts of its own in a temporary folder."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

PROGRAMS = ("/usr/sbin/sshd", "/usr/bin/ssh-keygen")
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""


def missing() -> str:
    """What is not installed, "" when there is all that a login node needs."""
    absent = [path for path in PROGRAMS if not os.path.exists(path)]
    return f"not installed: {', '.join(absent)} (apt-get install openssh-server)" if absent else ""


class LoginNode:
    """sshd with one authorized key; on a port of 127.0.0.1. `variables` stand in the environment of every session."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in ("host_key", "other_host_key", "key", "other_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.known_hosts("known_hosts", "host_key")
        (folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=folder) + (f"SetEnv {' '.join(f'{name}={value}' for name, value in variables.items())}\n" if variables else ""))
        self.program = PROGRAMS[0]
        self._process: subprocess.Popen[bytes] | None = None

    def known_hosts(self, name: str, key: str) -> Path:
        """A known_hosts that lists this public key for the node."""
        path = self.folder / name
        path.write_text(f"[127.0.0.1]:{self.port} {(self.folder / f'{key}.pub').read_text()}")
        return path

    def start(self) -> None:
        """Listen; returns when it does."""
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # sshd insists on it when root runs it
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen([self.program, "-D", "-e", "-f", self.folder / "sshd_config"], stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"sshd does not listen: {(self.folder / 'sshd.log').read_text()}")

    def cut(self) -> int:
        """Kill every session, the listener stays; how many there were."""
        assert self._process is not None
        sessions = psutil.Process(self._process.pid).children()
        for session in sessions:
            session.kill()
        return len(sessions)

    def stop(self) -> None:
        """Kill the listener and every session."""
        if self._process is not None:
            self.cut()
            self._process.kill()
            self._process.wait(10)
            self._process = None
