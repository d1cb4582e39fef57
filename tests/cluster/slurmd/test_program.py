"""The program slurmd as its operator sees it: options, background, pid file, log, signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import slurm
from slurm.daemon import process
from slurm.model.version import SLURM_VERSION

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
    (["-q"], "option -q not recognized"), (["-Z"], "-Z (dynamic nodes) is not supported by slurm-py yet"), (["x"], "unexpected argument x"),
    (["-f", "/nonexistent.conf"], "/nonexistent.conf"), (["-N", "cn09"], "NodeName")])
def test_a_wrong_start_is_refused_with_a_sentence(run, arguments, said):
    done = slurmd(*arguments, SLURM_CONF=str(run.stage.conf))
    assert done.returncode == 1
    assert done.stderr.startswith("slurmd: error: ")
    assert said in done.stderr


def test_it_goes_to_the_background_writes_pid_and_log_reads_again_and_ends(run):
    stage = run.stage
    done = slurmd("-N", "cn01", "-f", str(stage.conf), "-v")
    assert (done.returncode, done.stderr) == (0, "")
    pid = process.holder_of(str(stage.root / "slurmd-cn01.pid"))
    log = stage.root / "slurmd-cn01.log"
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert file.read().startswith(b"slurmd cn01")
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
