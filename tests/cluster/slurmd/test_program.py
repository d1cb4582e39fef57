"""The program slurmd as its operator sees it: options, background, pid file, log, signals."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import slurm
from slurm.config.gres import GresDevice
from slurm.daemon import process
from slurm.model.version import SLURM_VERSION
from slurm.slurmd import hardware
from tests.cluster.slurmd.conftest import CONF

SOURCE = os.path.dirname(os.path.dirname(slurm.__file__))


def slurmd(*arguments, **environment):
    return subprocess.run([sys.executable, "-m", "slurm.slurmd", *arguments], capture_output=True, text=True, timeout=20, check=False,
                          env={**os.environ, "PYTHONPATH": SOURCE, **environment})


def until(found, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_version_help_and_hardware_need_no_configuration():
    assert slurmd("-V").stdout == f"slurm {SLURM_VERSION}\n"
    assert slurmd("-h").stdout.startswith("Usage: slurmd [OPTIONS]\n")
    assert re.fullmatch(r"NodeName=x CPUs=\d+ Boards=1 SocketsPerBoard=\d+ CoresPerSocket=\d+ ThreadsPerCore=\d+ RealMemory=\d+\n"
                        r"UpTime=\d+-\d\d:\d\d:\d\d\n", slurmd("-C", "-N", "x").stdout)


@pytest.mark.parametrize(("arguments", "said"), [
    (["-q"], "option -q not recognized"), (["-M"], "-M (locking memory) is not supported by slurm-py yet"), (["x"], "unexpected argument x"),
    (["-f", "/nonexistent.conf"], "/nonexistent.conf"), (["-N", "cn09"], "NodeName")])
def test_a_wrong_start_is_refused_with_a_sentence(run, arguments, said):
    done = slurmd(*arguments, SLURM_CONF=str(run.stage.conf))
    assert done.returncode == 1
    assert done.stderr.startswith("slurmd: error: ")
    assert said in done.stderr


@pytest.mark.parametrize(("conf", "gres", "said"), [
    ("GresTypes=gpu\nNodeName=cn09 CPUs=1 Gres=gpu:2\n", "Name=gpu File={root}/gpu[0-1]\n", "can't stat gres.conf file {root}/gpu1: No such file or directory"),
    ("TmpFS={root}/nowhere\n", "", "TmpFS={root}/nowhere cannot be looked at: No such file or directory"),
    ("SlurmUser=nobody-at-all\n", "", "SlurmUser=nobody-at-all: there is no such user"),
    ("SlurmdUser=nobody-at-all\n", "", "SlurmdUser=nobody-at-all: there is no such user"),
    ("AuthType=auth/slurm\n", "", "slurmd cn01 has nothing to prove itself by: there is neither the key {root}/slurm.key")])
def test_what_this_machine_lacks_ends_the_start_with_a_sentence(tmp_path, conf, gres, said):
    (tmp_path / "gpu0").touch()
    path = tmp_path / "slurm.conf"
    path.write_text(CONF.format(root=tmp_path).replace("AuthType=auth/local\n", "" if "AuthType" in conf else "AuthType=auth/local\n") + conf.format(root=tmp_path))
    (tmp_path / "gres.conf").write_text(gres.format(root=tmp_path))
    done = slurmd("-D", "-N", "cn09" if gres else "cn01", "-f", str(path))
    assert done.returncode == 1
    assert said.format(root=tmp_path) in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "slurmd-cn01.pid").exists()


def test_a_device_that_is_a_plain_file_will_do(tmp_path):
    (tmp_path / "gpu0").touch()
    assert hardware.missing_devices([GresDevice("gpu", "", f"{tmp_path}/gpu0", [], 0, 1), GresDevice("gpu", "", "", [], 1, 1)]) == []


def test_signals_do_what_the_manual_page_says_and_none_ends_it_silently(run):
    stage = run.stage
    assert slurmd("-N", "cn01", "-f", str(stage.conf)).returncode == 0
    pid = process.holder_of(str(stage.root / "slurmd-cn01.pid"))
    log = stage.root / "slurmd-cn01.log"
    try:
        for number in (signal.SIGUSR1, signal.SIGTSTP, signal.SIGXCPU, signal.SIGQUIT, signal.SIGALRM, signal.SIGPIPE):
            os.kill(pid, number)
        os.rename(log, stage.root / "rotated")
        os.kill(pid, signal.SIGUSR2)  # what logrotate sends
        until(log.exists)
        os.kill(pid, signal.SIGHUP)
        until(lambda: "was read again" in log.read_text())
        assert process.holder_of(str(stage.root / "slurmd-cn01.pid")) == pid
        found = subprocess.run(["pgrep", "-f", "slurmd -N cn01"], capture_output=True, check=False, text=True).stdout.split()
        assert str(pid) in found
        assert Path(f"/proc/{pid}/comm").read_text() == "slurmd\n"
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_after_sigabrt_it_ends_in_order_and_dumps_core(run):
    stage = run.stage
    started = subprocess.Popen([sys.executable, "-m", "slurm.slurmd", "-D", "-N", "cn01", "-f", str(stage.conf)], env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
                               stderr=subprocess.PIPE, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
    until(lambda: process.holder_of(str(stage.root / "slurmd-cn01.pid")) == started.pid)
    until((stage.root / "slurmd-cn01.sock").exists)
    os.kill(started.pid, signal.SIGABRT)
    assert started.wait(20) == -signal.SIGABRT
    assert "slurmd ends" in started.stderr.read()
    assert not (stage.root / "slurmd-cn01.pid").exists()


def test_it_goes_to_the_background_writes_pid_and_log_reads_again_and_ends(run):
    stage = run.stage
    done = slurmd("-N", "cn01", "-f", str(stage.conf), "-v")
    assert (done.returncode, done.stderr) == (0, "")
    pid = process.holder_of(str(stage.root / "slurmd-cn01.pid"))
    log = stage.root / "slurmd-cn01.log"
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert file.read().startswith(b"slurmd -N cn01")
        assert re.search(r"^\[\S+\] slurmd version \S+ started: cn01 is not registered", log.read_text(), re.MULTILINE)
        os.rename(log, stage.root / "rotated")
        os.kill(pid, signal.SIGHUP)
        until(lambda: log.exists() and "was read again" in log.read_text())
        again = slurmd("-N", "cn01", "-f", str(stage.conf))
        assert again.returncode == 1
        assert f"slurmd is already running (pid {pid}" in again.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert "slurmd ends: cn01 is not registered, 0 steps run, 0 reports wait; steps go on" in log.read_text()
    assert not (stage.root / "slurmd-cn01.pid").exists()
    assert not (stage.root / "slurmd-cn01.sock").exists()
