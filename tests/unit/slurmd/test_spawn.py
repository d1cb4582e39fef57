"""Starting a program by vfork and exec: what the new process is, and what is said when it cannot be."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slurm.slurmd.stepd import compile_spawn, kernel, spawn
from slurm.slurmd.stepd.spawn import Born, Program, User

NOBODY = 65534
RT_SIGACTION = {"x86_64": 13, "aarch64": 134}
PATH = {"PATH": "/usr/bin:/bin"}


class Run:
    """Starts programs whose standard output and error are read here."""

    def __init__(self) -> None:
        self.nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reading, False)

    def __call__(self, *argv: str, environment: dict[str, str] | None = None, **fields: object) -> tuple[Born, int, list[str]]:
        program = Program(argv, environment or PATH, (self.nothing, self.writing, self.writing))._replace(**fields)
        born = spawn.spawn(program)
        _, status = os.waitpid(born.pid, 0)
        try:
            said = os.read(self.reading, 65536).decode().split()
        except BlockingIOError:
            said = []
        return born, status, said


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    """The tests run on the sources: there the library is made by the first who needs it."""
    assert compile_spawn.compiled(Path(spawn.LIBRARY).parent) is not None, "a C compiler is needed here"
    spawn._library = spawn._load()
    assert spawn.available()


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run()
    yield made
    for descriptor in (made.nothing, made.reading, made.writing):
        os.close(descriptor)


def test_a_program_is_found_on_its_own_path_and_leads_a_session_in_its_folder(run: Run) -> None:
    born, status, said = run("sh", "-c", "echo $$ $(ps -o sid= -p $$) $(pwd) $SLURM_TASK_PID",
                             environment={"PATH": "/nonexistent:/usr/bin:/bin"}, work_dir="/usr", pid_name="SLURM_TASK_PID")
    pid = str(born.pid)
    assert (born.failed, status, said) == ("", 0, [pid, pid, "/usr", pid])


def test_cpus_limits_and_the_signal_at_the_parents_end_hold_in_the_new_program(run: Run) -> None:
    cpu = max(os.sched_getaffinity(0))
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _, _, said = run("sh", "-c", "ulimit -n; ulimit -c; grep Cpus_allowed_list /proc/self/status", cpus=[cpu], death_signal=signal.SIGKILL,
                     limits=[(resource.RLIMIT_NOFILE, 77, 100), (resource.RLIMIT_CORE, 0, hard)])
    assert said == ["77", "0", "Cpus_allowed_list:", str(cpu)]


def test_a_task_ends_with_the_process_that_started_it() -> None:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    parent = os.fork()
    if parent == 0:
        spawn.spawn(Program(["sleep", "60"], PATH, (writing, writing, writing), death_signal=signal.SIGKILL))
        os._exit(0)
    os.close(writing)
    os.waitpid(parent, 0)
    assert select.select([reading], [], [], 10)[0], "the task, the last to hold the pipe, goes on"
    assert os.read(reading, 1) == b""
    os.close(reading)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as somebody else")
def test_a_program_of_another_user_has_his_ids_and_groups_alone_and_this_process_keeps_its_own(run: Run) -> None:
    born, _, said = run("sh", "-c", "id -u; id -g; id -G", user=User(NOBODY, NOBODY, [NOBODY, 4321]))
    assert (born.failed, said) == ("", [str(NOBODY), str(NOBODY), str(NOBODY), "4321"])
    assert (os.getuid(), os.geteuid(), os.getgid()) == (0, 0, 0)


def test_signals_are_as_for_a_new_process_whatever_python_made_of_them(run: Run) -> None:
    former = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        _, _, said = run("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    finally:
        signal.signal(signal.SIGUSR1, former)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
    masks = dict(zip(said[::2], said[1::2], strict=True))
    assert int(masks["SigBlk:"], 16) == 0
    assert not int(masks["SigIgn:"], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


@pytest.mark.parametrize(("argv", "fields", "failed", "error"), [
    (["/nonexistent"], {}, "execve", 2),
    (["no-such-program"], {}, "execve", 2),
    (["/etc/passwd"], {}, "execve", 13),
    (["true"], {"work_dir": "/nonexistent"}, "chdir", 2),
    (["true"], {"limits": [(resource.RLIMIT_NOFILE, 10, 5)]}, "setrlimit", 22),
    (["true"], {"streams": (999, 999, 999)}, "dup2", 9),
])
def test_what_cannot_be_done_is_told_by_stage_and_errno(run: Run, argv: list[str], fields: dict[str, object], failed: str, error: int) -> None:
    born, status, _ = run(*argv, **fields)
    assert (born.failed, born.error, os.waitstatus_to_exitcode(status)) == (failed, error, error)


def test_a_program_that_path_has_not_is_looked_for_where_the_task_runs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to("/bin/pwd")
    assert run("mine", work_dir=str(tmp_path))[2] == [str(tmp_path)]


def test_a_terminal_becomes_the_controlling_one(run: Run) -> None:
    ours, theirs = os.openpty()
    try:
        _, status, _ = run("sh", "-c", "exec 3<>/dev/tty", streams=(theirs, run.writing, run.writing), terminal=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert status == 0


@contextmanager
def c_library_signals_ignored() -> Iterator[None]:
    """Within, 32 and 33 are ignored, as a container's first program left them to all that it started: only the kernel's own call can say so."""
    libc, words = ctypes.CDLL(None), ctypes.c_ulong * 8
    before = {32: words(), 33: words()}
    for number, was in before.items():
        assert libc.syscall(RT_SIGACTION[platform.machine()], number, words(1), was, 8) == 0
    try:
        yield
    finally:
        for number, was in before.items():
            libc.syscall(RT_SIGACTION[platform.machine()], number, was, None, 8)


def test_signals_that_who_started_slurmd_ignored_do_not_stay_ignored_in_programs(run: Run) -> None:
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        assert set(map(int, numbers)) <= set(kernel.ignored())
        with c_library_signals_ignored():
            _, _, said = run("grep", "-E", "SigIgn|SigBlk", "/proc/self/status")
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert said == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


def test_a_program_has_one_task_pid_also_where_its_environment_brought_another(run: Run) -> None:
    born, _, said = run("env", environment={**PATH, "SLURM_TASK_PID": "77"}, pid_name="SLURM_TASK_PID")
    assert [line for line in said if line.startswith("SLURM_TASK_PID=")] == [f"SLURM_TASK_PID={born.pid}"]


@pytest.mark.parametrize("text", ["long slurm_spawn_size = 8;", "int slurm_spawn(void *b) { return 0; }"], ids=["another size", "an older one"])
def test_a_library_of_another_version_is_not_used(tmp_path: Path, text: str) -> None:
    source, library = tmp_path / "other.c", tmp_path / "other.so"
    source.write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    assert spawn._load(str(library)) is None
