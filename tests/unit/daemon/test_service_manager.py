"""What systemd hears of a daemon that starts."""

import os
import socket
from pathlib import Path

import pytest

from slurm.daemon.process import Readiness
from slurm.daemon.service_manager import ServiceManager


def _listening(address: str) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(address)
    channel.setblocking(False)
    return channel


def test_a_daemon_that_serves_says_so_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with _listening(str(tmp_path / "notify")) as channel:
        Readiness("slurmctld", -1).ready()
        assert channel.recv(4096).decode().split("\n") == ["READY=1", f"MAINPID={os.getpid()}"]


def test_why_a_daemon_did_not_start_is_its_status_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with _listening(str(tmp_path / "notify")) as channel:
        Readiness("slurmd", -1).failed(["no slurm.conf", "READY=1\nMAINPID=1"])
        assert channel.recv(4096) == b"STATUS=no slurm.conf; READY=1 MAINPID=1"


def test_programs_that_a_daemon_starts_do_not_speak_for_it() -> None:
    environ = {"NOTIFY_SOCKET": "/run/systemd/notify", "PATH": "/bin"}
    ServiceManager(environ)
    assert environ == {"PATH": "/bin"}


def test_an_abstract_socket_is_told_too() -> None:
    name = f"slurm-py-test-{os.getpid()}"
    with _listening(f"\0{name}") as channel:
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1")
        assert channel.recv(64) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_socket_of_this_machine_nobody_is_told(environ: dict[str, str]) -> None:
    ServiceManager(environ).tell("READY=1")
    assert not any(environ.values()), "what daemons start does not hear of it"
