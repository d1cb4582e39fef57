"""`slurm adopt`: a real sshd whose PAM lets in who has a job on the node, and whose sessions end with it. As root, on this machine's cgroups."""

from __future__ import annotations

import asyncio
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.model.cpu_set import CpuSet
from slurm.slurmd.stepd.folder import EXTERN
from slurm.wire import node_messages as n
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_confinement import TASK_CGROUP, needs
from tests.system import login_node
from tests.system.harness import SOURCE
from tests.system.login_node import LoginNode

USER = "slurmpyadopt"
SERVICE = "slurm-py-test-sshd"  # sshd's PAM service is called as its program is
PAM = f"/etc/pam.d/{SERVICE}"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's sshd asks PAM for others")


@pytest.fixture
def user() -> Iterator[pwd.struct_passwd]:
    """Somebody who may log in."""
    subprocess.run(["useradd", "-M", "-d", "/", "-s", "/bin/sh", USER], check=True)
    try:
        yield pwd.getpwnam(USER)
    finally:
        subprocess.run(["pkill", "-KILL", "-U", USER], check=False)  # what a failure left
        subprocess.run(["userdel", USER], check=True)


class Node(LoginNode):
    """Its sshd asks PAM, which asks `slurm adopt`."""

    def __init__(self, folder: Path, conf: Path) -> None:
        super().__init__(folder)
        os.symlink(self.program, folder / SERVICE)
        self.program = str(folder / SERVICE)
        config = folder / "sshd_config"
        config.write_text(config.read_text().replace("UsePAM no", "UsePAM yes"))
        adopt = folder / "adopt"
        adopt.write_text(f"#!/bin/sh\nPYTHONPATH={SOURCE} exec {shlex.quote(sys.executable)} -m slurm.commands.slurm adopt \"$@\"\n")
        adopt.chmod(0o755)
        Path(PAM).write_text(f"auth required pam_permit.so\naccount required pam_exec.so stdout {adopt} -f {conf} -N cn01\nsession required pam_permit.so\n")

    def ssh(self, user: str, *words: str) -> subprocess.Popen[str]:
        """A session of theirs."""
        return subprocess.Popen(
            ["ssh", "-F", "none", "-i", self.folder / "key", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={self.folder}/known_hosts",
                "-p", str(self.port), f"{user}@127.0.0.1", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stop(self) -> None:
        """With what it had PAM do."""
        super().stop()
        Path(PAM).unlink(missing_ok=True)


@needs("devices")
def test_a_login_needs_a_job_on_the_node_is_put_into_it_and_ends_with_it(run: Run, user: pwd.struct_passwd) -> None:
    if missing := login_node.missing():
        pytest.fail(missing)
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    node = Node(folder / "node", run.stage.conf)

    async def said(*words: str) -> str:
        with node.ssh(USER, *words) as session:
            return await asyncio.to_thread(lambda: session.communicate(timeout=20)[0])

    def extern(job: int, uid: int, gid: int, name: str) -> n.PrepareJob:
        return n.PrepareJob(job=job, attempt=1, extern=n.ExternStep(uid=uid, gid=gid, user=name, cpus=CpuSet(1), kill_wait=1))

    async def scene(stage: Stage) -> None:
        stage.send(extern(1, 0, 0, "root"))
        await stage.until(lambda: stage.reports(n.JobPrepared, 1))
        assert "Access denied by pam_slurm_adopt: you have no active jobs on this node" in await said("true"), "root's job is not theirs"
        for job in (2, 3):
            stage.send(extern(job, user.pw_uid, user.pw_gid, USER))
            await stage.until(lambda job=job: stage.reports(n.JobPrepared, job))  # type: ignore[misc]
        stage.kill_slurmd()
        assert "/job00003.1.extern\n" in await said("cat", "/proc/self/cgroup"), "neither slurmd nor slurmctld is needed; the newest job counts"
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        with node.ssh(USER, "echo here; trap '' TERM HUP; sleep 27; sleep 8") as session:
            assert session.stdout is not None
            assert await asyncio.to_thread(session.stdout.readline) == "here\n"
            stage.send(n.AskUsage(number=1, wanted=[(3, 1, EXTERN)], pids=True))
            await stage.until(lambda: [one for one in stage.heard if isinstance(one, n.UsageTold)])
            [told] = [one for one in stage.heard if isinstance(one, n.UsageTold)]
            names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid, _ in told.steps[0].pids]
            assert b"sleep\x0027\x00" in names and any(name.startswith(SERVICE.encode()) for name in names)
            sleeper = next(pid for pid, _ in told.steps[0].pids if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0027\x00")
            stage.send(n.TerminateJob(job=3, attempt=1, why="cancelled", kill_wait=1))
            assert (await stage.ended(3, EXTERN)).status == 0
            await stage.until(lambda: not os.path.exists(f"/proc/{sleeper}"), 5)  # also for init, which waits for it
            assert await asyncio.to_thread(lambda: session.wait(20)) == 255
        stage.send(n.TerminateJob(job=2, attempt=1, why="cancelled", kill_wait=1))
        await stage.ended(2, EXTERN)
        assert "you have no active jobs on this node" in await said("true")
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=1))
        await stage.ended(1, EXTERN)

    try:
        node.start()
        run(scene, conf=TASK_CGROUP)
    finally:
        node.stop()
        shutil.rmtree(folder)
