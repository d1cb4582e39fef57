"""A program of an ordinary user on a daemon's machine: within bounds, to its deadline, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from slurm.plugins.bounded import LIMITS, OVERDUE, THREADS, command

NAMES = ("Max core file size", "Max open files", "Max address space", "Max file size", "Max locked memory")


def owner() -> tuple[int, int, list[int]]:
    """Somebody whom the kernel bounds."""
    return (4711, 4711, [4711]) if os.geteuid() == 0 else (os.geteuid(), os.getegid(), [os.getegid()])


def begin(script: str, seconds: float = 20.0) -> subprocess.Popen[str]:
    return subprocess.Popen([*command(owner(), seconds), "/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_it_runs_as_its_user_with_limits_of_its_own_and_goes_first_where_memory_is_short() -> None:
    process = begin("id -u; id -G; cat /proc/self/oom_score_adj /proc/self/limits; echo path=$PYTHONPATH; exit 3")
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 3
    uid, gid, _ = owner()
    lines = said.splitlines()
    assert lines[:3] == [str(uid), str(gid) if os.geteuid() == 0 else lines[1], "1000"]
    assert lines[-1] == "path="
    for name, (_, most) in zip(NAMES, LIMITS, strict=True):
        soft = next(line for line in lines if line.startswith(name)).removeprefix(name).split()[0]
        assert int(soft) <= most, name
    threads = next(line for line in lines if line.startswith("Max processes")).split()[2]
    assert int(threads) >= THREADS


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def leaving(folder: Path, then: str) -> str:
    folder.chmod(0o777)
    return f"setsid sh -c 'echo $$ >{folder}/left; exec sleep 100' & while ! [ -s {folder}/left ]; do sleep 0.01; done; {then}"


def test_a_daemon_that_it_leaves_ends_with_it(open_folder: Path) -> None:
    process = begin(leaving(open_folder, "exit 0"))
    process.communicate(timeout=30)
    assert process.returncode == 0 and gone([int((open_folder / "left").read_text())])


@pytest.mark.parametrize("how", ["deadline", "asked"])
def test_at_its_deadline_and_when_its_daemon_ends_everything_of_it_ends(open_folder: Path, how: str) -> None:
    process = begin(leaving(open_folder, "sleep 100"), seconds=1.5 if how == "deadline" else 60.0)
    until = time.monotonic() + 20
    while not (open_folder / "left").exists() or not (open_folder / "left").read_text():
        assert time.monotonic() < until
    if how == "asked":
        process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)[0]
    assert (process.returncode, "took longer than 1.5 s" in said) == ((OVERDUE, True) if how == "deadline" else (128 + signal.SIGTERM, False))
    assert gone([int((open_folder / "left").read_text())])


def test_what_cannot_be_run_is_told() -> None:
    process = subprocess.Popen([*command(owner(), 5.0), "/nowhere/program"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.communicate(timeout=30)[0] == "it cannot be run: No such file or directory\n" and process.returncode == 127
