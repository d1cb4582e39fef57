"""The program that salloc runs: in a process group of its own, which has the terminal while it runs. Not here: the allocation."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Mapping, Sequence

from slurm.notation import exitstatus

_DEFAULTED = (
    signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGPIPE,
    signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU)


class Program:
    """A child process. `status` is its wait status once it has ended; `revoked`: it was told that its allocation is gone."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: str = "") -> None:
        """`folder`: where it runs, "" where we are; a program that no folder of PATH has is looked for there."""
        self.status: int | None = None
        self.revoked = False
        self._argv = list(argv)
        self._environment = dict(environment)
        self._folder = folder
        self._pid = 0
        self._terminal = _foreground_terminal()

    def start(self) -> None:
        """Start it; OSError when there is no such program."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self._pid = os.fork()
        if self._pid == 0:
            self._become(writing)
        os.close(writing)
        if self._terminal >= 0:
            _join_group(self._pid)
        with os.fdopen(reading, "rb") as pipe:
            failure = pipe.read()
        if failure:
            os.waitpid(self._pid, 0)
            raise OSError(int(failure), os.strerror(int(failure)))
        self.look()

    def _become(self, writing: int) -> None:
        try:
            if self._terminal >= 0:
                os.setpgid(0, 0)
                os.tcsetpgrp(self._terminal, os.getpgrp())
            signal.set_wakeup_fd(-1)
            for number in _DEFAULTED:
                signal.signal(number, signal.SIG_DFL)
            if self._folder:
                os.chdir(self._folder)
            execute(self._argv, self._environment)
        except OSError as error:
            os.write(writing, str(error.errno).encode())
        finally:
            os._exit(127)

    def look(self) -> None:
        """See whether it has ended."""
        if self.status is None and self._pid:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.status = status

    def signal(self, number: int) -> None:
        """Send it a signal, with a process group of its own to all of that."""
        if self._pid and self.status is None:
            if self._terminal >= 0:
                os.killpg(self._pid, number)
            else:
                os.kill(self._pid, number)

    def revoke(self, number: int) -> None:
        """Its allocation is gone: end it with this signal, even if it is stopped."""
        self.revoked = True
        self.signal(number)
        self.signal(signal.SIGCONT)

    def give_terminal_back(self) -> None:
        """Be in the terminal's foreground again."""
        if self._terminal >= 0:
            os.tcsetpgrp(self._terminal, os.getpgrp())

    def exit_code(self) -> int:
        """Its exit code, 128 + signal when a signal ended it."""
        return exitstatus.from_wait(self.status or 0).shell_code()


def execute(argv: list[str], environment: Mapping[str, str]) -> None:
    """Become a program of PATH, else one of the present folder; OSError when there is none. Slurm's commands look for programs so."""
    try:
        os.execvpe(argv[0], argv, environment)
    except FileNotFoundError:
        if "/" in argv[0] or not argv[0]:
            raise
        os.execve(os.path.join(os.curdir, argv[0]), argv, environment)


def user_shell(environ: Mapping[str, str]) -> str:
    """The user's shell: $SHELL, else the one of the password file."""
    if environ.get("SHELL"):
        return environ["SHELL"]
    try:
        return pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    except KeyError:
        return "/bin/sh"


def _foreground_terminal() -> int:
    """The descriptor of the terminal that we have the foreground of; -1 when there is none."""
    try:
        return 0 if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp() else -1
    except OSError:
        return -1


def _join_group(pid: int) -> None:
    try:
        os.setpgid(pid, pid)
    except OSError:
        return  # it has become its program already, and did this itself before
