"""Folders of which each job has its own (job_container.conf): seen by all of its steps and by nobody else, gone after it, whoever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.wire import node_messages as n
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_steps import Srun

WANTED = "NamespaceType=namespace/tmpfs\n"
MOUNTS = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0
pytestmark = pytest.mark.skipif(not MOUNTS or os.geteuid() != 0, reason="this machine lets us mount nothing")
OURS = "mark-of-test-private-folders"


@pytest.fixture
def base(run: Run) -> Iterator[Path]:
    """They are configured: /var/tmp and /dev/shm, for the stage itself lies in /tmp. What a failing test leaves is unmounted."""
    base = run.stage.root / "private"
    (run.stage.root / "job_container.conf").write_text(f"AutoBasePath=true BasePath={base} Dirs=/var/tmp,/dev/shm\n")
    yield base
    for path in mounted(base):
        subprocess.run(["umount", "--lazy", path], check=True)


def mounted(base: Path) -> list[str]:
    """What is mounted below a folder."""
    return [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1].startswith(f"{base}/")]


async def looks(stage: Stage, job: int, step: int) -> str:
    """What a step of a job finds in both folders."""
    srun = await Srun.call(stage, job, ["/bin/sh", "-c", "ls /var/tmp /dev/shm; stat -c %a:%u /var/tmp"], step=step)
    while await srun.next():
        pass
    return srun.out.get(0, b"").decode()


def test_the_steps_of_a_job_share_them_and_nobody_else_sees_them(run: Run, base: Path) -> None:
    waits = f"#!/bin/bash\ntouch /var/tmp/{OURS} /dev/shm/{OURS}\necho begun\nread line < {run.stage.root}/gate\n"
    os.mkfifo(run.stage.root / "gate")

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(1, waits))
        await stage.until(lambda: (stage.root / "out-1").exists() and "begun" in stage.output(1))
        assert await looks(stage, 1, 0) == f"/dev/shm:\n{OURS}\n\n/var/tmp:\n{OURS}\n1777:{os.getuid()}\n"
        assert await looks(stage, 2, 0) == f"/dev/shm:\n\n/var/tmp:\n1777:{os.getuid()}\n"
        assert not os.path.exists(f"/var/tmp/{OURS}") and not os.path.exists(f"/dev/shm/{OURS}")
        assert os.stat(base / "cn01.1.1").st_mode & 0o777 == 0o700
        (stage.root / "gate").write_text("x\n")
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        assert os.listdir(base) == ["cn01.2.1"]
        stage.send(n.TerminateJob(job=2, attempt=1, why="", kill_wait=1))
        await stage.until(lambda: stage.reports(n.JobGone, 2))
        assert os.listdir(base) == []
        assert not mounted(base)

    run(scene, conf=WANTED)


def test_they_go_with_their_job_though_slurmd_was_killed_and_are_told_of_when_it_is_there_again(run: Run, base: Path) -> None:
    async def scene(stage: Stage) -> None:
        assert "1777" in await looks(stage, 1, 0)
        assert "1777" in await looks(stage, 2, 0)
        stage.kill_slurmd(signal.SIGKILL)
        stage.unknown = [(2, 1)]
        stage.registrations.clear()
        stage.start_slurmd()
        await stage.until(lambda: stage.registrations)
        assert {(one.job, one.attempt, one.running) for one in stage.registrations[0].holdings} == {(1, 1, False), (2, 1, False)}
        await stage.until(lambda: os.listdir(base) == ["cn01.1.1"])
        stage.send(n.TerminateJob(job=1, attempt=1, why="", kill_wait=1))
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        assert os.listdir(base) == []
        assert not mounted(base)

    run(scene, conf=WANTED)


@pytest.mark.parametrize(("text", "said"), [
    ("BasePath={root}/nowhere Dirs=/var/tmp", "BasePath={root}/nowhere: No such file or directory"),
    ("AutoBasePath=true BasePath={root}/private Dirs={root}", "in which SlurmdSpoolDir={root}/spool-cn01 lies"),
    ("BasePath=private", "private is no absolute path"),
    (None, "there is no job_container.conf beside it")])
def test_what_cannot_be_had_keeps_slurmd_from_starting(run: Run, text: str | None, said: str) -> None:
    stage = run.stage
    if text is not None:
        (stage.root / "job_container.conf").write_text(text.format(root=stage.root))
    stage.conf.write_text(stage.conf.read_text() + WANTED)
    stage.start_slurmd()
    assert stage.process is not None
    assert stage.process.wait(120) == 1
    assert said.format(root=stage.root) in (stage.root / "slurmd.out").read_text()
