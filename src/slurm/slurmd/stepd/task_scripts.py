"""TaskProlog and TaskEpilog, and those of srun: run as the job's owner before a task's program, in its process, and after the task has
ended.

What a prolog writes changes the task: `export NAME=value`, `unset NAME`, `print text`. Source: prolog_epilog.html; what a Slurm 22.05 does
when they fail.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Mapping
from typing import NoReturn

from slurm.slurmd.stepd import kernel, limits, messages, path
from slurm.slurmd.stepd.files import File
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.user import become

EPILOG_SECONDS = 5.0
"""A task epilog is meant to be short-lived: one that is not is ended."""
_CPU_MASK = "SLURM_PROLOG_CPU_MASK"
_CHUNK = 65536


class Prolog:
    """What the prologs of one task want: its environment, lines for its standard output; `failed` is a wait status, 0 when none failed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.printed: list[str] = []
        self.failed = 0

    def take(self, line: str) -> None:
        """One line that a prolog wrote."""
        word, _, rest = line.lstrip().partition(" ")
        if word == "export":
            name, equals, value = rest.strip().partition("=")
            if equals and name.strip():
                self.environment[name.strip()] = value
        elif word == "unset":
            self.environment.pop(rest.strip(), None)
        elif word == "print":
            self.printed.append(rest)


def run_prologs(record: StepRecord, environment: Mapping[str, str], local: int) -> Prolog:
    """Run a task's prologs in its own process, which is its owner's already; until one fails. OSError when none can be forked."""
    prolog = Prolog(environment)
    for script in record.task_prologs:
        prolog.failed = _run(script, {**prolog.environment, "SLURM_SCRIPT_CONTEXT": "prolog_task"}, prolog, record)
        for text in prolog.printed:
            os.write(1, f"{text}\n".encode(errors="surrogateescape"))
        prolog.printed.clear()
        if prolog.failed:
            say(f"TaskProlog failed status={exit_code(prolog.failed)}")
            return prolog
    if _CPU_MASK in prolog.environment:
        bind(prolog.environment[_CPU_MASK], local)
    return prolog


def bind(masks: str, local: int) -> None:
    """Bind this process to one of several masks of CPUs in hexadecimal digits, by its number on the node; says so when it cannot."""
    given = masks.split(",")
    try:
        mask = int(given[local % len(given)], 16)
        limits.bind([cpu for cpu in range(mask.bit_length()) if mask >> cpu & 1])
    except (ValueError, OSError) as error:
        say(f"{_CPU_MASK}={masks}: {error}")


def exit_code(status: int) -> int:
    """The code with which a task ends whose prolog ended with this wait status."""
    return os.waitstatus_to_exitcode(status) % 256 if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def say(text: str) -> None:
    """A line where the task's errors go."""
    os.write(2, messages.error(text, time.time()).encode(errors="backslashreplace"))


def start_epilogs(record: StepRecord, environment: Mapping[str, str], stderr: int | File) -> int:
    """Fork a process that runs a task's epilogs, one after the other, and says which failed; its pid. It leads a session. OSError."""
    pid = os.fork()
    if pid == 0:
        try:
            _become_epilogs(record, environment, stderr)
        finally:
            os._exit(1)
    return pid


def _become_epilogs(record: StepRecord, environment: Mapping[str, str], stderr: int | File) -> NoReturn:
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)
    kernel.take_signals((*kernel.PYTHONS_OWN, *kernel.ignored()))
    become(record)
    kernel.die_with_parent(signal.SIGKILL)
    os.umask(record.umask)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(os.open(stderr.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666) if isinstance(stderr, File) else stderr, 2)
    try:
        os.chdir(record.work_dir)
    except OSError:
        os.chdir("/tmp")
    told = path.first({**environment, "SLURM_SCRIPT_CONTEXT": "epilog_task"}, record.commands)
    for script in record.task_epilogs:
        status = _run(script, told, None, record)
        if status:
            say(f"--task-epilog failed status={status}")
    os._exit(0)


def _run(script: str, environment: Mapping[str, str], prolog: Prolog | None, record: StepRecord) -> int:
    """Run a script to its end, its output to `prolog` where there is one; its wait status."""
    reading, writing = os.pipe() if prolog is not None else (-1, 1)
    pid = os.fork()
    if pid == 0:
        try:
            _become_script(script, environment, writing, record.work_dir)
        finally:
            os._exit(127)
    if prolog is None:
        return os.waitpid(pid, 0)[1]
    os.close(writing)
    try:
        return _listen(pid, reading, prolog)
    finally:
        os.close(reading)


def _listen(pid: int, reading: int, prolog: Prolog) -> int:
    """Take what the script writes until it has ended, whoever else has its output open then."""
    os.set_blocking(reading, False)
    descriptor = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(reading, select.POLLIN)
    said = bytearray()
    over = False
    while not over:
        ready = {fd for fd, _ in poll.poll()}
        over = descriptor in ready
        if reading in ready and not _read(reading, said):
            poll.unregister(reading)
    _read(reading, said)
    os.close(descriptor)
    for line in said.decode(errors="surrogateescape").splitlines():
        prolog.take(line)
    return os.waitpid(pid, 0)[1]


def _read(reading: int, said: bytearray) -> bool:
    """Take what is there; whether more may come."""
    try:
        while data := os.read(reading, _CHUNK):
            said += data
    except BlockingIOError:
        return True
    return False


def _become_script(script: str, environment: Mapping[str, str], stdout: int, folder: str) -> None:
    kernel.die_with_parent(signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stdout, 1)
    fcntl.fcntl(1, fcntl.F_SETFD, 0)
    program = os.path.join(folder, script) if "/" in script else script
    try:
        os.execvpe(program, [script], dict(environment))
    except OSError as error:
        say(f"{script}: {error.strerror}")
