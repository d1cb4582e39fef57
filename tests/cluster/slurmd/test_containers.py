"""Steps in containers, by a real slurmd: what is seen inside, what stays of it, and that no image gets at its host."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slurm.notation.container import PREFIX
from slurm.wire import node_messages as n
from tests.cluster.slurmd.conftest import Run, Stage, step_processes
from tests.cluster.slurmd.container_registry import needs_containers
from tests.cluster.slurmd.test_steps import Srun

pytestmark = needs_containers
BUSYBOX = shutil.which("busybox", path="/bin:/usr/bin:/usr/local/bin")
PROGRAMS = ("sh", "cat", "ls", "id", "pwd", "mount", "umount", "grep", "env", "mkdir", "kill", "sleep", "touch", "mknod", "true", "cp", "chroot")
NOBODY = 65534


def image_folder(path: Path, **files: str) -> Path:
    """A folder with busybox and these files (__ stands for /)."""
    assert BUSYBOX is not None, "busybox-static is one of the packages of .ci/run"
    (path / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, path / "bin" / "busybox")
    for name in PROGRAMS:
        (path / "bin" / name).symlink_to("busybox")
    for name, text in files.items():
        file = path / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def squashed(folder: Path, *options: str) -> Path:
    """The folder as a squashfs file beside it."""
    file = folder.with_suffix(".sqsh")
    subprocess.run(["mksquashfs", str(folder), str(file), "-no-progress", "-quiet", "-noappend", *options], check=True, stdout=subprocess.DEVNULL)
    return file


class Inside:
    """Runs one-task steps in a container of `image`; `user` as whom."""

    def __init__(self, stage: Stage, image: Path | None, user: int = 0) -> None:
        self.stage, self.image, self.user, self.step = stage, image, user, 0

    async def srun(self, *argv: str, environment: dict[str, str] | None = None, ranks: tuple[int, ...] = (0,), **options: str) -> Any:
        self.step += 1
        asked = {PREFIX + f"container_{name}": text for name, text in options.items()}
        if self.image is not None:
            asked[PREFIX + "container_image"] = str(self.image)
        credential = self.stage.credential(1, self.step, len(ranks), uid=self.user, gid=self.user, user="nobody" if self.user else "root")
        variables = {"PATH": os.environ["PATH"], "SLURM_CONF": str(self.stage.conf), "HOME": "/home/somebody", **(environment or {}), **asked}
        return await (await Srun.call(
            self.stage, 1, list(argv), ranks=ranks, step=self.step, credential=credential, environment=variables)).finish()

    async def sh(self, script: str, **options: str) -> str:
        """What a script prints that must succeed."""
        srun = await self.srun("sh", "-c", script, **options)
        assert srun.failed is None and srun.exits == {0: 0}, (srun.failed, srun.exits, srun.err, srun.notices)
        return str(srun.out.get(0, b"").decode())


@pytest.fixture
def run() -> Iterator[Run]:
    """Plays scenes in a folder that every user may enter, whatever other runs of pytest do meanwhile; nothing of them may be left running."""
    with tempfile.TemporaryDirectory(prefix="slurm-containers-") as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "work").mkdir()
        (root / "work").chmod(0o777)
        yield Run(root)
        left = step_processes(root)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"processes were left running: {left}"


@pytest.fixture(params=[0, NOBODY], ids=["root", "nobody"])
def user(request: pytest.FixtureRequest) -> int:
    """As whom steps run."""
    if os.geteuid() != 0:
        pytest.skip("only root runs steps of others")
    return int(request.param)


def test_a_task_sees_the_image_and_runs_as_its_owner(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, image_folder(stage.root / "image", etc__environment='COLOUR="blue"\nPATH=/bin\nSLURM_JOB_ID=77\n'), user)
        said = await inside.sh("id -u; pwd; ls /; echo $COLOUR $SLURM_JOB_ID $OWN; echo x > /changed; cat /changed; ls -d $HOME",
                               environment={"COLOUR": "red", "OWN": "mine", "SLURM_JOB_ID": "1"})
        names = "bin\ndev\netc\nhome\nproc\nsys\ntmp\n"
        assert said.replace("root\n", "") == f"{user}\n/\n{names}blue 1 mine\nx\n/home/somebody\n"
        assert "changed" not in os.listdir(stage.root / "image")
        assert await inside.sh("echo $COLOUR", environment={"COLOUR": "red"}, env="COLOUR") == "red\n"
    run(scene)


def test_a_squashfs_file_is_unpacked_once_for_each_user(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, squashed(image_folder(stage.root / "image", etc__rc="mkdir -p /work\ncd \"/tmp/../etc\" && exec \"$@\"\n")), user)
        first = await inside.srun("pwd")
        assert first.failed is None
        assert (first.out, first.notices) == ({0: b"/etc\n"}, f"slurmstepd: importing {inside.image}\n")
        again = await inside.srun("pwd")
        assert (again.out, again.notices) == ({0: b"/etc\n"}, "")
        cache = stage.spool / "containers" / str(user)
        assert (cache.stat().st_uid, stat.S_IMODE(cache.stat().st_mode), len(os.listdir(cache / "images"))) == (user, 0o700, 1)
        squashed(stage.root / "image", "-all-root")
        assert (await inside.srun("pwd")).notices, "another file of the same name is another image"
    run(scene)


def test_signals_exit_codes_and_the_end_of_a_step_reach_what_runs_inside(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, image_folder(stage.root / "image"), user)
        ended = await inside.srun("sh", "-c", "exit 7", ranks=(0, 1))
        assert ended.exits == {0: 7 << 8, 1: 7 << 8}
        ended = await inside.srun("sh", "-c", "kill -9 $$")
        assert ended.exits == {0: 9}
        stage.send(stage.batch(2, "#!/bin/sh\ntrap 'echo got it; exit 3' TERM\necho ready\nsleep 100 & wait\n", uid=user, gid=user, user="nobody", environment={
            "PATH": "/bin", "SLURM_CONF": str(stage.conf), PREFIX + "container_image": str(inside.image)}, stdout=str(stage.root / "work" / "out")))
        out = stage.root / "work" / "out"
        await stage.until(lambda: out.exists() and "ready" in out.read_text())
        stage.send(n.TerminateJob(job=2, attempt=1, why="cancelled", kill_wait=100))
        assert (await stage.ended(2)).status == 3 << 8
        assert "got it" in out.read_text()
    run(scene)


def test_folders_of_the_host_are_inside_as_asked(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        work = stage.root / "work"
        inside = Inside(stage, image_folder(stage.root / "image"), user)
        await inside.sh("echo hello > /new/place/file", mounts=f"{work}:/new/place")
        assert (work / "file").read_text() == "hello\n"
        assert await inside.sh("cat /w/file; touch /w/x 2>/dev/null || echo no; pwd", mounts=f"{work}:/w:ro", workdir="/w") == "hello\nno\n/w\n"
        assert await inside.sh("cat file", mounts=str(work), workdir=str(work)) == "hello\n"
        missing = await inside.srun("true", mounts="/not/there:/x")
        assert missing.failed["message"] == "cannot start: --container-mounts: /not/there: No such file or directory"
        nowhere = await inside.srun("true", workdir="/nowhere")
        assert nowhere.failed["message"] == "cannot start: the working directory /nowhere cannot be entered in the container: No such file or directory"
    run(scene)


def test_a_container_with_a_name_is_kept_and_what_it_became_can_be_saved(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        work = stage.root / "work"
        inside = Inside(stage, squashed(image_folder(stage.root / "image")), user)
        await inside.sh("echo kept > /file", name="mine")
        named = Inside(stage, None, user)
        named.step = 10
        assert await named.sh("cat /file", name="mine", save=str(work / "saved.sqsh")) == "kept\n"
        saved = Inside(stage, work / "saved.sqsh", user)
        saved.step = 20
        assert await saved.sh("cat /file; ls /proc/self/stat") == "kept\n/proc/self/stat\n"
        assert os.listdir(work) == ["saved.sqsh"]
        assert (await inside.srun("true", name="mine:create")).failed["message"].startswith("cannot start: container mine is there already")
        assert (await named.srun("true", name="other")).failed["message"].startswith("cannot start: there is no container other on this node")
    run(scene)


def test_a_container_may_be_read_only_and_its_user_may_look_like_root(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, image_folder(stage.root / "image"), user)
        assert await inside.sh("touch /x 2>/dev/null || echo no", writable="0") == "no\n"
        # root inside undoes nothing of what was mounted, and makes no device
        assert await inside.sh(
            "id -u; umount /proc 2>/dev/null || echo no; mount -o remount,rw,bind /sys 2>/dev/null || echo no;"
            " mknod /null c 1 3 2>/dev/null || echo no", remap_root="1") == "0\nno\nno\nno\n"
    run(scene)


def test_links_of_an_image_lead_nowhere_but_into_the_image(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        host = stage.root / "host"
        host.mkdir()
        host.chmod(0o777)
        (host / "secret").write_text("of the host\n")
        image = image_folder(stage.root / "image")
        up = "../" * 30
        for name, leads_to in (("home", str(host)), ("data", f"{up}{host}/made"), ("tmp", f"{up}{host}")):
            (image / name).symlink_to(leads_to)
        inside = Inside(stage, image, user)
        assert await inside.sh("cat /home/secret 2>/dev/null || echo no; cat /tmp/secret 2>/dev/null || echo no") == "no\nno\n"
        (image / "etc").symlink_to(f"{up}{host}")
        for target in ("/data/usr", "/home/usr", "/etc/usr", "/tmp/usr"):
            await inside.srun("true", mounts=f"/usr:{target}")
        (image / "dev").symlink_to(str(host))
        (image / "proc").symlink_to(f"/../..{host}")
        assert (await inside.srun("true")).failed["message"] == "cannot start: /dev cannot be made in the container: File exists"
        assert os.listdir(host) == ["secret"]
        assert (host / "secret").read_text() == "of the host\n"
    run(scene)


def test_devices_and_setuid_programs_of_an_image_are_nothing(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        image = image_folder(stage.root / "image")
        os.mknod(image / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        os.chmod(image / "zero", 0o666)
        shutil.copy(image / "bin" / "busybox", image / "bin" / "busybox-rooted")
        os.chmod(image / "bin" / "busybox-rooted", 0o6755)
        for of in (image, squashed(image)):
            inside = Inside(stage, of, user)
            inside.step = 10 if of == image else 20
            assert await inside.sh("cat /zero 2>/dev/null && echo read || echo no; /bin/busybox-rooted id -u; grep NoNewPrivs /proc/self/status") == (
                f"no\n{user}\nNoNewPrivs:\t1\n")
    run(scene)


def test_what_runs_as_root_inside_neither_sees_nor_ends_what_runs_outside(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, image_folder(stage.root / "image"), user)
        outside = subprocess.Popen(["sleep", "100"], user=0)
        try:
            said = await inside.sh(f"kill -9 {outside.pid} 2>/dev/null || echo no; touch /proc/sys/kernel/core_pattern 2>/dev/null || echo no;"
                                   f" ls /proc/{os.getpid()}/root/ 2>/dev/null || echo no")
            assert said == "no\nno\nno\n"
            assert outside.poll() is None
        finally:
            outside.kill()
            outside.wait()
    run(scene)


def test_nothing_of_proc_that_is_everybodys_can_be_written_to(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, image_folder(stage.root / "image"), user)
        mounted = await inside.sh("cat /proc/self/mountinfo")
        options = {line.split()[4]: line.split()[5].split(",") for line in mounted.splitlines()}
        for name in os.listdir("/proc"):
            path = Path("/proc", name)
            if not name.isdecimal() and path.is_dir() and not path.is_symlink():
                assert "ro" in options[str(path)], path
        assert "/proc/self" not in options

    run(scene)


def test_what_is_no_image_is_told_in_a_sentence(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        (stage.root / "text").write_text("hello")
        (stage.root / "broken").write_bytes(b"hsqs" + bytes(1000))
        os.mkfifo(stage.root / "fifo")
        above = await Inside(stage, Path("/"), user).srun("true")
        assert above.failed["message"].startswith("cannot start: / cannot be the root of a container: other file systems are mounted below it")
        for name, why in (("none", "image {0}: No such file or directory"), ("text", "{0} is no image: neither a squashfs file nor a folder"),
                          ("fifo", "{0} is no image: neither a squashfs file nor a folder"), ("broken", "{0} cannot be unpacked: ")):
            inside = Inside(stage, stage.root / name, user)
            inside.step = 10 * ord(name[0])
            srun = await inside.srun("true")
            assert srun.failed["message"].startswith("cannot start: " + why.format(stage.root / name))
    run(scene)


def test_a_container_is_quick_once_its_image_is_here(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        inside = Inside(stage, squashed(image_folder(stage.root / "image")), user)
        await inside.srun("true")
        plain = Inside(stage, None, user)
        plain.step = 100
        took = []
        for one in (plain, inside, plain, inside, plain, inside):
            began = time.monotonic()
            assert (await one.srun("true")).exits == {0: 0}
            took.append(time.monotonic() - began)
        # 0.1 s on an idle machine: tests share theirs
        assert min(took[1::2]) - min(took[::2]) < 0.8
    run(scene)
