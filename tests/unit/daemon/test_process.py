"""Pid files that live and stale ones, and how a daemon's start is told to whoever started it."""

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from slurm.daemon.process import PidFile, Readiness, holder_of
from slurm.model.errors import StoreError


def test_a_pid_file_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    path = str(tmp_path / "run" / "d.pid")
    file = PidFile(path)
    file.acquire("slurmctld")
    assert holder_of(path) == os.getpid()
    with pytest.raises(StoreError, match=f"slurmctld is already running .pid {os.getpid()}, "):
        PidFile(path).acquire("slurmctld")
    file.release()
    file.release()
    assert not os.path.exists(path) and holder_of(path) == 0


def test_a_stale_pid_file_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "d.pid"
    path.write_text("1\nand much more than a number\n")
    assert holder_of(str(path)) == 0
    file = PidFile(str(path))
    file.acquire("slurmd")
    assert path.read_text() == f"{os.getpid()}\n"
    file.release()


@pytest.mark.parametrize("lock", [lambda file: fcntl.flock(file, fcntl.LOCK_EX), lambda file: fcntl.lockf(file, fcntl.LOCK_SH)])
def test_no_lock_of_one_who_may_only_read_the_file_keeps_a_daemon_from_starting(tmp_path: Path, lock: Callable[[BinaryIO], None]) -> None:
    path = tmp_path / "d.pid"
    path.write_text("1\n")  # as a daemon leaves it that was killed
    with open(path, "rb") as reader:
        lock(reader)
        file = PidFile(str(path))
        file.acquire("slurmd")
        assert path.read_text() == f"{os.getpid()}\n" and path.stat().st_mode & 0o777 == 0o644
        assert holder_of(str(path)) == os.getpid()
        file.release()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_last_holder_removed_meanwhile_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "d.pid"
    former = PidFile(str(path))
    former.acquire("slurmd")
    threading.Timer(0.1, former.release).start()
    file = PidFile(str(path))
    file.acquire("slurmd")
    assert path.read_text() == f"{os.getpid()}\n"
    former.release()
    assert path.exists()
    file.release()


def test_a_pid_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "d.pid").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError, match="cannot write the pid file"):
        PidFile(str(tmp_path / "d.pid")).acquire("slurmd")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StoreError, match="cannot write the pid file"):
        PidFile(str(tmp_path / "run" / "d.pid")).acquire("slurmd")


def in_background(body: str) -> subprocess.CompletedProcess[str]:
    code = f"import os, sys, time\nfrom slurm.daemon.process import Readiness, to_background\nr = Readiness('slurmd', to_background())\n{body}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})


def test_the_caller_goes_on_once_the_daemon_is_ready(tmp_path: Path) -> None:
    done = in_background(f"r.ready()\nr.failed(['nobody hears this'])\ntime.sleep(5)\nopen({str(tmp_path / 'late')!r}, 'w').close()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "late").exists()


def test_every_line_of_a_failure_reaches_the_caller() -> None:
    done = in_background("r.failed(['the disk is full', 'make room'])")
    assert (done.returncode, done.stderr) == (1, "slurmd: fatal: the disk is full\nslurmd: fatal: make room\n")


def test_a_daemon_that_dies_without_a_word_is_said_to_have_died() -> None:
    done = in_background("os._exit(3)")
    assert done.returncode == 1 and "ended while it started" in done.stderr


def test_in_the_foreground_nobody_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    readiness = Readiness("slurmd", -1)
    readiness.ready()
    readiness.failed(["x"])
    assert capfd.readouterr() == ("", "")
