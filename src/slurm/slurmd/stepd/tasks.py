"""Starting a task: fork, then a fixed list of changes in the new process, then exec. What the task's streams are is decided elsewhere."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
import time
from collections.abc import Callable
from typing import NamedTuple

from slurm.slurmd.stepd import kernel, limits, messages
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.user import become


class Streams(NamedTuple):
    """Descriptors that become 0, 1 and 2 of a task; `terminal`: they are a pseudo terminal's, to be its controlling one."""

    stdin: int
    stdout: int
    stderr: int
    terminal: bool = False


class Task:
    """One task of a step, which leads a session and process group of its own. `status` is its wait status once it has ended."""

    def __init__(self, rank: int, local: int) -> None:
        self.rank = rank
        self.local = local
        self.pid = 0
        self.status: int | None = None

    def signal(self, number: int, *, alone: bool = False) -> None:
        """Send a signal to the task's process group, or to its first process only; nothing happens when it has ended."""
        if self.pid and self.status is None:
            try:
                (os.kill if alone else os.killpg)(self.pid, number)
            except ProcessLookupError:
                return


class Birth(NamedTuple):
    """What a task is started with."""

    record: StepRecord
    task: Task
    streams: Streams
    cgroup: Cgroup | None = None


def start(birth: Birth) -> None:
    """Start the task and note its pid; OSError when the machine has no room for another process."""
    argv, environment = argv_of(birth), environment_of(birth)  # before the fork: each page that a child touches costs it a copy
    pid = os.fork()
    if pid == 0:
        try:
            _become_task(birth, argv, environment)
        finally:
            os._exit(1)
    birth.task.pid = pid


def _become_task(birth: Birth, argv: list[str], environment: dict[str, str]) -> None:
    try:
        for change in CHANGES:
            change(birth)
        environment["SLURM_TASK_PID"] = str(os.getpid())
        os.execvpe(argv[0], argv, environment)
    except OSError as failure:
        _say(messages.no_exec(argv[0], failure, time.time()))
        os._exit(failure.errno or 1)


def argv_of(birth: Birth) -> list[str]:
    """The program and its arguments, the task's own with --multi-prog."""
    own = birth.record.multi_prog
    return own[birth.task.local] if own else birth.record.argv


def environment_of(birth: Birth) -> dict[str, str]:
    """Everything but SLURM_TASK_PID, which only the task itself knows."""
    record, task = birth.record, birth.task
    environment = dict(record.environment)
    if record.task_environment:
        environment.update(record.task_environment[task.local])
    environment["SLURM_PROCID"] = str(task.rank)
    environment["SLURM_LOCALID"] = str(task.local)
    return environment


def _lead_session(birth: Birth) -> None:
    os.setsid()


def _connect_streams(birth: Birth) -> None:
    for target, source in enumerate(birth.streams[:3]):
        os.dup2(source, target)
    if birth.streams.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _enter_cgroup(birth: Birth) -> None:
    if birth.cgroup is not None:
        birth.cgroup.enter()


def _bind(birth: Birth) -> None:
    limits.bind(birth.record.cpus)


def _limit(birth: Birth) -> None:
    now = time.time()
    for sentence in limits.apply(birth.record.rlimits):
        _say(messages.error(sentence, now))


def _become_owner(birth: Birth) -> None:
    become(birth.record)


def _stay_with_stepd(birth: Birth) -> None:
    kernel.die_with_parent(signal.SIGKILL)  # after the change of user, which resets it


def _enter_work_dir(birth: Birth) -> None:
    try:
        os.chdir(birth.record.work_dir)
    except OSError as failure:
        _say(messages.no_work_dir(birth.record.work_dir, failure, time.time()))
        os.chdir("/tmp")


def _restore_signals(birth: Birth) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and what is ignored stays so through exec
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what stepd.loop holds back; one that came already ends the task here


CHANGES: tuple[Callable[[Birth], None], ...] = (
    _lead_session, _connect_streams, _enter_cgroup, _bind, _limit, _become_owner, _stay_with_stepd, _enter_work_dir, _restore_signals)
"""What happens in a new task before exec, in this order: streams first, so that what fails later can be said."""


def _say(line: str) -> None:
    os.write(2, line.encode())
