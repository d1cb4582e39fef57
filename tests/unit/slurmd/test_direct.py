"""When a task starts without a fork, what it is then, and what is left to the longer way."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.slurmd.stepd import compile_spawn, direct, files, spawn
from slurm.slurmd.stepd.files import File
from slurm.slurmd.stepd.folder import StepRecord

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
        started = direct.start(self.record(), argv, environment or PATH, (self.nothing, shown, shown), (self.nothing, shown), terminal=False, cgroup="")
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
        assert direct.start(scene.record(), ["true"], PATH, (scene.nothing, scene.out, scene.out), (scene.nothing, scene.out), terminal=False, cgroup="") is None
        assert os.waitpid(waiting, os.WNOHANG) == (0, 0)
    finally:
        os.kill(waiting, signal.SIGKILL)
        os.waitpid(waiting, 0)
