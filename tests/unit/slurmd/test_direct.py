"""When a task starts without a fork, what it is then, and what is left to the longer way."""

from __future__ import annotations

import errno
import gc
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.slurmd.stepd import compile_spawn, direct, files, program_file, spawn
from slurm.slurmd.stepd.files import File
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.user import acting_as

PATH = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    assert compile_spawn.compiled(Path(spawn.LIBRARY).parent) is not None, "a C compiler is needed here"
    spawn._library = spawn._load()


class Scene:
    """A step of this process's user in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = files.output(str(folder / "out"), "stdout", append=False)
        self.nothing = files.source(os.devnull, 0)
        self.values: dict[str, object] = {}

    def record(self) -> StepRecord:
        return StepRecord(job=1, attempt=1, step=-5, node="cn01", uid=os.geteuid(), gid=os.getegid(), user="me", argv=["true"], environment=PATH,
                          work_dir=str(self.folder), **{"rlimits": {}, **self.values})  # type: ignore[arg-type]

    def start(self, *argv: str, out: File | None = None, environment: dict[str, str] | None = None) -> tuple[spawn.Born, int] | None:
        shown = out or self.out
        started = direct.start(self.record(), argv, environment or PATH, (self.nothing, shown, shown), (self.nothing, shown), terminal=False, cgroup=None)
        if started is None:
            return None
        born, opened = started
        assert set(opened) == {self.nothing, shown}
        for descriptor in opened.values():
            os.close(descriptor)
        return born, os.waitstatus_to_exitcode(os.waitpid(born.pid, 0)[1])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    gc.collect()  # what earlier tests left
    before = len(os.listdir("/proc/self/fd"))
    yield Scene(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before, "descriptors are left open"


def test_a_program_writes_its_file_with_the_jobs_umask_limits_and_folder(scene: Scene) -> None:
    scene.values = {"umask": 0o027, "rlimits": {"core": 0, "nofile": 64}}
    started = scene.start("sh", "-c", "echo $SLURM_TASK_PID $$; ulimit -n; ulimit -c; pwd; umask; exit 3")
    assert started is not None and started[1] == 3
    pid = str(started[0].pid)
    assert (scene.folder / "out").read_text().split() == [pid, pid, "64", "0", str(scene.folder), "0027"]
    assert (scene.folder / "out").stat().st_mode & 0o777 == 0o640
    assert os.umask(0o022) == 0o022


def test_a_program_that_is_none_was_started_and_says_why(scene: Scene) -> None:
    started = scene.start("/no/such/program")
    assert started is not None and (started[0].failed, started[0].error, started[1]) == ("execve", 2, 2)


def test_what_may_take_long_or_is_out_of_the_ordinary_is_left_to_the_longer_way(scene: Scene) -> None:
    fifo = scene.folder / "fifo"
    os.mkfifo(fifo)
    signal.alarm(20)
    try:
        assert scene.start("true", out=files.output(str(fifo), "stdout", append=False)) is None
        assert scene.start("true", out=files.output(str(scene.folder / "none" / "out"), "stdout", append=False)) is None
        assert scene.start("true", out=files.output("/dev/full", "stdout", append=False)) is None
        assert scene.start("true", "a\0b") is None
        assert scene.start("true", environment={**PATH, "A=B": "c"}) is None
        assert scene.start("true", environment={**PATH, "": "c"}) is None
        for odd in ({"rlimits": {"bogus": 1}}, {"rlimits": {"nofile": 1 << 62}}, {"work_dir": "/no/such/folder"}, {"login": "NONE"}):
            scene.values = odd
            if "work_dir" in odd:
                scene.folder = Path("/no/such/folder")
                scene.values = {}
            assert scene.start("true") is None, odd
    finally:
        signal.alarm(0)


def test_who_waits_at_a_fifo_is_not_woken_by_a_look(scene: Scene) -> None:
    fifo = scene.folder / "fifo"
    os.mkfifo(fifo)
    waiting = os.fork()
    if waiting == 0:
        os.open(fifo, os.O_WRONLY)
        os._exit(0)
    try:
        scene.nothing = files.source(str(fifo), 0)
        assert direct.start(scene.record(), ["true"], PATH, (scene.nothing, scene.out, scene.out), (scene.nothing, scene.out), terminal=False, cgroup=None) is None
        assert os.waitpid(waiting, os.WNOHANG) == (0, 0)
    finally:
        os.kill(waiting, signal.SIGKILL)
        os.waitpid(waiting, 0)


@pytest.fixture
def fifo_writer(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A FIFO that its owner alone may use, and the pid of who waits for its reader."""
    fifo = tmp_path / "tool"
    os.mkfifo(fifo, 0o700)
    waiting = os.fork()
    if waiting == 0:
        os.open(fifo, os.O_WRONLY)
        os._exit(0)
    yield fifo, waiting
    os.kill(waiting, signal.SIGKILL)
    os.waitpid(waiting, 0)


@pytest.mark.parametrize("named", [True, False], ids=["as the program", "as a program's interpreter"])
def test_a_program_that_is_no_regular_file_is_not_opened(scene: Scene, fifo_writer: tuple[Path, int], named: bool) -> None:
    fifo, waiting = fifo_writer
    script = scene.folder / "script"
    script.write_text(f"#!{fifo}\n")
    script.chmod(0o755)
    started = scene.start(str(fifo if named else script))
    assert started is not None and started[0].failed == "execve"
    assert os.waitpid(waiting, os.WNOHANG) == (0, 0), "a look at a FIFO let its writer go on"


def test_what_a_program_is_is_looked_at_as_the_steps_owner() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes somebody else")
    with tempfile.TemporaryDirectory() as place:  # only root may enter it
        script = Path(place, "script")
        loop = Path(place, "loop")
        script.write_text(f"#!{loop}\n")
        script.chmod(0o755)
        nobody = StepRecord(job=1, attempt=1, step=-5, node="cn01", uid=65534, gid=65534, user="nobody", argv=["true"], environment=PATH, work_dir="/",
                            groups=[65534], rlimits={})
        loop.symlink_to(loop)  # whoever can read the script is told that its interpreter is nowhere here
        groups = os.getgroups()
        with acting_as(nobody):
            assert program_file.interpreter_line(str(script)) == ""
        assert program_file.interpreter_line(str(script)) == str(loop)
        nothing = files.source(os.devnull, 0)
        started = direct.start(nobody, [str(script)], PATH, (nothing, nothing, nothing), (nothing,), terminal=False, cgroup=None)
        assert started is not None and (started[0].failed, started[0].error) == ("execve", errno.EACCES)
        os.waitpid(started[0].pid, 0)
        os.close(started[1][nothing])
        assert (os.geteuid(), os.getgroups()) == (0, groups)


def test_scripts_that_name_scripts_are_followed_to_where_they_lie(scene: Scene) -> None:
    for number in range(3):
        script = scene.folder / f"s{number}"
        script.write_text(f"#!{scene.folder}/s{number + 1} x\n")
        script.chmod(0o755)
    (scene.folder / "s3").symlink_to("/elsewhere/tool")
    table = direct.Mounts("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /elsewhere rw - nfs4 server:/e rw")
    assert not direct._all_local(table, scene.record(), str(scene.folder / "s0"), PATH, ())
    (scene.folder / "s3").unlink()
    (scene.folder / "s3").symlink_to("/bin/sh")
    assert direct._all_local(table, scene.record(), str(scene.folder / "s0"), PATH, ())


def test_a_path_of_thousands_of_folders_or_links_to_links_is_not_walked(scene: Scene) -> None:
    for number in range(1, 13):  # each link leads through the one below it ten times
        below = f"l{number - 1}" if number > 1 else "."
        (scene.folder / f"l{number}").symlink_to("/".join([below] * 10))
    table = direct.Mounts()
    began = time.process_time()
    assert not table.local(str(scene.folder / "l12/x")) or time.process_time() - began < 0.2
    assert scene.start("true", environment={"PATH": ":".join(["/usr/bin/../bin/."] * 5_000)}) is None
    assert time.process_time() - began < 0.5
