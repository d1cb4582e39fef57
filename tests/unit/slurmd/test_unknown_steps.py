"""Whom a slurmd that looks for processes of unknown steps takes for another slurmd's, and whom it does not believe that."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm.slurmd import unknown_steps
from slurm.slurmd.stepd.tasks import MARK
from slurm.slurmd.unknown_steps import Own

NOBODY = 65534
OWN = Own("cn01", f"{os.getpid():016x}", f"{os.getpid():016x}.1.2")
BEGIN = """
import os, sys
if os.fork() == 0:
    os.setsid()
    os.dup2(os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 3)  # before it is another user, who may not get there
    os.set_inheritable(3, True)
    if int(sys.argv[1]) != os.geteuid():
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    environment = dict(pair.split("=", 1) for pair in sys.argv[4:])
    print(os.getpid(), flush=True)
    os.execve("/bin/bash", ["slurmd -N cn02", "-c", sys.argv[2]], environment)
"""
"""A process that is no child of ours, first of a session of its own; the file that its third argument names is its descriptor 3."""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start what calls itself slurmd, as its child a zygote, and as that one's a process with the mark of an unknown step; the last one's pid."""
    pids = tmp_path / "pids"
    mark = f"{MARK}={OWN.instance}:job00001.1.batch"
    sessions: list[int] = []

    def start(uid: int, *, marked: bool = False) -> int:
        sleeping = f"{mark} /bin/sleep 1000 & echo $$ $! >&3; wait"
        script = f"echo $$ >&3; (exec -a 'slurmd: zygote' /bin/bash -c {shlex.quote(sleeping)}) & wait"
        command = [sys.executable, "-c", BEGIN, str(uid), script, str(pids), *([mark] if marked else [])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as beginner:
            assert beginner.stdout is not None
            sessions.append(int(beginner.stdout.readline()))
        until(lambda: pids.exists() and len(pids.read_text().split()) == 3)
        return int(pids.read_text().split()[2])

    yield start
    for session in sessions:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)


def end(tmp_path: Path) -> list[int]:
    return unknown_steps.end(str(tmp_path), OWN, [])


def test_what_another_living_slurmd_started_is_left_alone(begin: Callable[..., int], tmp_path: Path) -> None:
    pid = begin(os.geteuid())
    assert end(tmp_path) == [] and alive(pid)


def test_a_step_whose_processes_call_themselves_slurmd_and_zygote_is_ended(begin: Callable[..., int], tmp_path: Path) -> None:
    pid = begin(os.geteuid(), marked=True)
    assert pid in end(tmp_path)
    until(lambda: not alive(pid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as somebody else")
def test_another_users_slurmd_and_zygote_are_believed_nothing(begin: Callable[..., int], tmp_path: Path) -> None:
    pid = begin(NOBODY)
    assert end(tmp_path) == [pid]
    until(lambda: not alive(pid))


def group_of_before(tmp_path: Path, pid: int) -> str:
    """The cgroup of a slurmd over another spool, with a step in which this process is, as the kernel shows it."""
    group = tmp_path / f"slurmd_cn01.{OWN.identity}.3.4"
    (group / "job00002.1.batch").mkdir(parents=True)
    (group / "job00002.1.batch" / "cgroup.procs").write_text(f"{pid}\n")
    return str(group)


def test_what_is_in_a_cgroup_of_before_is_killed_though_nothing_else_tells_whose_it_is(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "1000"], env={}) as process:
        try:
            group = group_of_before(tmp_path, process.pid)
            assert unknown_steps.end(str(tmp_path), OWN, [], [group]) == [process.pid]
            assert process.wait(20) == -signal.SIGKILL
        finally:
            process.kill()


def test_what_another_living_slurmd_started_stays_in_its_cgroup(begin: Callable[..., int], tmp_path: Path) -> None:
    pid = begin(os.geteuid())
    assert unknown_steps.end(str(tmp_path), OWN, [], [group_of_before(tmp_path, pid)]) == [] and alive(pid)
