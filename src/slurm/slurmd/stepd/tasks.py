"""Starting a task: fork, then a fixed list of changes in the new process, then exec. What the task's streams are is decided elsewhere.

Whatever may take long (finding the owner's groups, opening files, entering a folder, reading the program) happens in the new process. It
notes where it is, says through `report` what its supervisor must know, and whoever has waited too long kills it. `report` closes with exec.
"""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import pwd
import signal
import socket
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from slurm.notation import xauthority
from slurm.slurmd.stepd import (
    direct,
    files,
    home_xauthority,
    kernel,
    limits,
    messages,
    passing,
    path,
    private_mounts,
    program_file,
    task_scripts,
)
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.container.inside import Inside
from slurm.slurmd.stepd.files import CannotOpen, File
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.mpi.service import without_outer
from slurm.slurmd.stepd.user import acting_as, become, login_variables

BEGINNING, OWNER, FILES, FOLDER, PROGRAM, SCRIPTS, PLUGINS = range(7)
"""What a new task is at: `Birth.stage` has it, with the index of the file when it is FILES."""
CANNOT_OPEN_STATUS = 53
"""Wait status of a step whose files cannot be opened: Slurm's well-known ExitCode 0:53."""
FAILED_STATUS = 1 << 8
SENT_AT_ONCE = 100
"""Descriptors in one packet; the kernel's limit is 253."""
MARK = "SLURM_PY_STEP"
"""The variable by which a step's processes are known: slurmd made its value, nobody's request can change it."""


class Streams(NamedTuple):
    """What becomes 0, 1 and 2 of a task: open descriptors, or files that it opens; `terminal`: a pseudo terminal, to be its controlling
    one."""

    stdin: int | File
    stdout: int | File
    stderr: int | File
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
    """What a task is started with: it opens `opening` and hands `handed` of them to its supervisor.

    `inherited`: variables that tell of descriptors which it inherits.
    """

    record: StepRecord
    task: Task
    streams: Streams
    stage: mmap.mmap
    cgroup: Cgroup | None = None
    opening: Sequence[File] = ()
    handed: Sequence[File] = ()
    inherited: Mapping[str, str] = {}
    container: Inside | None = None

    def at(self, stage: int, index: int = 0) -> None:
        """Note what the task is at."""
        self.stage[2 * self.task.local] = stage
        self.stage[2 * self.task.local + 1] = min(index, 255)


class Newborn:
    """A task before its exec: what it has opened, what it has to say once it can, and whom it tells what it cannot do."""

    def __init__(self, birth: Birth, report: socket.socket) -> None:
        self.birth = birth
        self.record = birth.record
        self.report = report
        self.opened: dict[File, int] = {}
        self.unsaid: list[str] = []


def start(birth: Birth) -> socket.socket:
    """Start the task and note its pid; its end of `report`, which does not block.

    OSError when the machine has no room for another process.
    """
    # before the fork: each page that a child touches costs it a copy
    argv, environment = argv_of(birth), {**environment_of(birth.record, birth.task), **birth.inherited}
    ours, theirs = passing.pair()
    with theirs:
        try:
            pid = _start_directly(birth, theirs, argv, environment) or (birth.container.fork() if birth.container is not None
                else os.fork())
        except OSError:
            ours.close()
            raise
        if pid == 0:
            try:
                _become_task(Newborn(birth, theirs), argv, environment)
            finally:
                os._exit(1)
    birth.task.pid = pid
    ours.setblocking(False)
    return ours


def _start_directly(birth: Birth, report: socket.socket, argv: list[str], environment: dict[str, str]) -> int:
    """Start it without a fork where nothing can take long; its pid, 0 when it was not started."""
    record = birth.record._replace(cpus=birth.record.cpus_of(birth.task.local))
    if record.task_prologs or birth.container is not None or record.private or record.nice or record.bind_report or record.plugins or (
            record.x11_cookie and record.x11_home):
        return 0
    own = path.first(environment, record.commands)
    started = direct.start(record, argv, own, birth.streams[:3], birth.opening, terminal=birth.streams.terminal,
                           cgroup=birth.cgroup)
    if started is None:
        return 0
    born, opened = started
    birth.at(PROGRAM)
    for handed in _packets(birth):
        passing.send(report, b"files", [opened[file] for file in handed])
    if born.failed:
        stderr = birth.streams.stderr
        with acting_as(record):
            line = _no_exec(argv[0], OSError(born.error, os.strerror(born.error)), own)
        os.write(opened[stderr] if isinstance(stderr, File) else stderr, line.encode(errors="backslashreplace"))
        passing.send(report, json.dumps({"note": messages.text_of(line)}).encode()[:passing.LONGEST])
    for descriptor in opened.values():
        os.close(descriptor)
    return born.pid


def _packets(birth: Birth) -> Iterator[Sequence[File]]:
    for first in range(0, len(birth.handed), SENT_AT_ONCE):
        yield birth.handed[first: first + SENT_AT_ONCE]


def _no_exec(program: str, failure: OSError, environment: dict[str, str]) -> str:
    missing = _interpreter(program, environment) if failure.errno == errno.ENOENT else ""
    return messages.no_exec(program, failure, time.time(), missing)


def _become_task(newborn: Newborn, argv: list[str], environment: dict[str, str]) -> None:
    try:
        for change in CHANGES:
            change(newborn)
        newborn.birth.at(PROGRAM)
        environment["SLURM_TASK_PID"] = str(os.getpid())
        for name, value in login_variables(newborn.record.uid, newborn.record.login).items():
            environment.setdefault(name, value)
        environment = path.first(environment, newborn.record.commands)
        if newborn.record.plugins:
            environment = _after_plugins(newborn, environment)
        if newborn.record.task_prologs:
            environment = _after_prologs(newborn, environment)
        if newborn.birth.container is not None:
            argv, environment = newborn.birth.container.enter(argv, _without_commands(environment, newborn.record.commands))
            kernel.die_with_parent(signal.SIGKILL)  # more rights, and fewer again, have made it forget
    except CannotOpen as error:
        _refuse(newborn, str(error), CANNOT_OPEN_STATUS)
    except Exception as error:  # noqa: BLE001 - it is told; the task has nobody else to raise to
        _refuse(newborn, f"cannot start: {getattr(error, 'strerror', None) or error}", FAILED_STATUS)
    try:
        _execute(argv, environment)
    except OSError as failure:
        line = _no_exec(argv[0], failure, environment)
        _say(line)
        _report(newborn, {"note": messages.text_of(line)})
        os._exit(failure.errno or 1)
    except (ValueError, TypeError) as error:  # NUL in an argument, no name or "=" in the name of a variable
        sentence = f"cannot start {argv[0]!r}: {error}"
        _say(messages.error(sentence, time.time()))
        _refuse(newborn, sentence, FAILED_STATUS)


def _execute(argv: list[str], environment: dict[str, str]) -> None:
    """Become a program of PATH, else one of the working directory, as `spawn` does."""
    try:
        os.execvpe(argv[0], argv, environment)
    except FileNotFoundError:
        if "/" in argv[0] or not argv[0]:
            raise
        os.execve(os.path.join(os.curdir, argv[0]), argv, environment)


def _without_commands(environment: dict[str, str], folder: str) -> dict[str, str]:
    """Without the way to commands that are not there inside."""
    places = environment.get("PATH", "").split(os.pathsep)
    return {**environment, "PATH": os.pathsep.join(place for place in places if place != folder)} if folder in places else environment


def _after_prologs(newborn: Newborn, environment: dict[str, str]) -> dict[str, str]:
    """What the task's prologs make of its environment; where one fails, the task ends as it did."""
    newborn.birth.at(SCRIPTS)
    prolog = task_scripts.run_prologs(newborn.record, environment, newborn.birth.task.local)
    if prolog.failed:
        os._exit(task_scripts.exit_code(prolog.failed))
    newborn.birth.at(PROGRAM)
    return prolog.environment


def _after_plugins(newborn: Newborn, environment: dict[str, str]) -> dict[str, str]:
    """What the site's plug-ins make of its environment, and of this process. PluginError where a required one fails."""
    from slurm.slurmd.stepd import step_plugins  # few sites have one

    newborn.birth.at(PLUGINS)
    task = newborn.birth.task
    environment, told = step_plugins.in_task(newborn.record, task.rank, task.local, environment)
    for sentence in told:
        _say(messages.error(sentence, time.time()))
    newborn.birth.at(PROGRAM)
    return environment


def _refuse(newborn: Newborn, sentence: str, status: int) -> None:
    _report(newborn, {"refused": sentence, "status": status})
    os._exit(1)


def _report(newborn: Newborn, message: dict[str, object]) -> None:
    passing.send(newborn.report, json.dumps(message).encode()[:passing.LONGEST])


def _interpreter(program: str, environment: dict[str, str]) -> str:
    """What the first line of a program that is there names as its interpreter, "" for one that is not there or names none."""
    folders = [*environment.get("PATH", os.defpath).split(":"), os.curdir] if "/" not in program else [""]
    for folder in folders:
        path = os.path.join(folder, program)
        if os.path.exists(path):
            try:
                return program_file.interpreter_line(path)
            except BlockingIOError:
                return ""
    return ""


def argv_of(birth: Birth) -> list[str]:
    """The program and its arguments, the task's own with --multi-prog."""
    own = birth.record.multi_prog
    return own[birth.task.local] if own else birth.record.argv


def environment_of(record: StepRecord, task: Task) -> dict[str, str]:
    """Everything but SLURM_TASK_PID, which only the task itself knows, and what a login would set."""
    environment = without_outer(dict(record.environment))
    if record.task_environment:
        environment.update(record.task_environment[task.local])
    environment["SLURM_PROCID"] = str(task.rank)
    environment["SLURM_LOCALID"] = str(task.local)
    if record.mark:
        environment[MARK] = record.mark
    return environment


def _lead_session(newborn: Newborn) -> None:
    os.setsid()


def _restore_signals(newborn: Newborn) -> None:
    # Python handles some, and what is ignored, by Python or by whoever started slurmd, stays so through exec.
    # What stepd.loop holds back comes: the task can be ended, whatever it waits for.
    kernel.take_signals((*kernel.PYTHONS_OWN, *kernel.ignored()))


def _enter_cgroup(newborn: Newborn) -> None:
    if newborn.birth.cgroup is not None:
        newborn.birth.cgroup.enter()


def _bind(newborn: Newborn) -> None:
    limits.bind(newborn.record.cpus_of(newborn.birth.task.local))


def _limit(newborn: Newborn) -> None:
    newborn.unsaid += limits.apply(newborn.record.rlimits)


def _be_nice(newborn: Newborn) -> None:
    if newborn.record.nice > os.getpriority(os.PRIO_PROCESS, 0):  # a lower one would be before others' tasks
        os.setpriority(os.PRIO_PROCESS, 0, newborn.record.nice)


def _enter_private_folders(newborn: Newborn) -> None:
    if newborn.record.private and newborn.birth.container is None:
        private_mounts.enter(newborn.record.private, shared=newborn.record.private_shared)


def _become_owner(newborn: Newborn) -> None:
    newborn.birth.at(OWNER)
    become(newborn.record)
    os.umask(newborn.record.umask)


def _stay_with_stepd(newborn: Newborn) -> None:
    kernel.die_with_parent(signal.SIGKILL)


def _open_files(newborn: Newborn) -> None:
    birth = newborn.birth
    newborn.opened = dict(zip(birth.opening, files.open_all(birth.opening, lambda index: birth.at(FILES, index)), strict=True))
    for handed in _packets(birth):
        passing.send(newborn.report, b"files", [newborn.opened[file] for file in handed])


def _write_cookie(newborn: Newborn) -> None:
    record = newborn.record
    if not (record.x11_display and record.x11_home) or newborn.birth.task.local:
        return
    home = record.environment.get("HOME") or pwd.getpwuid(record.uid).pw_dir
    host = os.uname().nodename.encode()
    entry = xauthority.entry(xauthority.LOCAL, host, record.x11_display, bytes.fromhex(record.x11_cookie))
    try:
        home_xauthority.add(os.path.join(home, ".Xauthority"), entry)
    except OSError as failure:
        newborn.unsaid.append(f"X11 forwarding: {home}/.Xauthority cannot be written: {failure.strerror}")


def _connect_streams(newborn: Newborn) -> None:
    streams = newborn.birth.streams
    for target, given in enumerate(streams[:3]):
        os.dup2(newborn.opened[given] if isinstance(given, File) else given, target)
    if streams.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if newborn.record.bind_report:
        task = newborn.birth.task
        mask = sum(1 << cpu for cpu in os.sched_getaffinity(0))
        _say(f"cpu-bind={newborn.record.bind_report} - {newborn.record.node}, task {task.rank:2d} {task.local:2d} [{os.getpid()}]: "
             f"mask 0x{mask:x} set\n")
    for sentence in newborn.unsaid:
        _say(messages.error(sentence, time.time()))


def _enter_work_dir(newborn: Newborn) -> None:
    newborn.birth.at(FOLDER)
    if newborn.birth.container is not None:
        os.chdir("/")  # its folder is in the container
        return
    try:
        os.chdir(newborn.record.work_dir)
    except OSError as failure:
        _say(messages.no_work_dir(newborn.record.work_dir, failure, time.time()))
        os.chdir("/tmp")


CHANGES: tuple[Callable[[Newborn], None], ...] = (
    _lead_session, _stay_with_stepd, _restore_signals, _enter_cgroup, _bind, _limit, _be_nice, _enter_private_folders, _become_owner,
    _stay_with_stepd, _write_cookie, _open_files,
    _connect_streams, _enter_work_dir)
"""What happens in a new task before exec, in this order. A change of user resets what `_stay_with_stepd` asks for: hence twice."""


def _say(line: str) -> None:
    os.write(2, line.encode(errors="backslashreplace"))
