"""What every command shares: its view of the world, how errors are printed, exit codes, --help, ctrl-C, broken pipes.

What a command does lives in the file of its name; what its options mean, in `options`.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO, Protocol, TextIO

from slurm.commands import streams
from slurm.model.errors import SlurmError
from slurm.model.version import version_line
from slurm.net import other_slurm
from slurm.notation.printable import printable_lines
from slurm.options.errors import OptionError, UsageError
from slurm.options.option import JOB_COMMANDS
from slurm.options.resolve import Resolved

INTERRUPTED = 130
BROKEN_PIPE = 141

Message = dict[str, object]
"""A message as the commands see it: the fields of a struct of wire.messages, with its name under "type"."""


class Channel(Protocol):
    """A connection to slurmctld. Every method raises the SlurmError that the other side answered, or Unreachable."""

    def call(self, message: Message) -> Message:
        """Sends a request and waits for its reply."""
        ...

    def send(self, message: Message) -> None:
        """Sends a request whose replies are read with `receive`."""
        ...

    def receive(self, timeout: float | None = ...) -> Message:
        """The next message from the other side; None waits for ever."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


def connect(environ: Mapping[str, str]) -> Channel:
    """A connection to the cluster that `environ` leads to; Unreachable says where it looked and what to do."""
    from slurm.net import client  # a command line that is wrong never needs it

    return client.connect(environ)


def connect_at_once(environ: Mapping[str, str]) -> Channel:
    """As `connect`, but a controller that refuses is not tried again."""
    from slurm.net import client, discovery

    return client.reach(discovery.find_site(environ), 0.0)


def connect_to(environ: Mapping[str, str], name: str, host: str, port: int) -> Channel:
    """A connection to another cluster's slurmctld."""
    from slurm.net import other_cluster  # --clusters is seldom given

    return other_cluster.connect(environ, name, host, port)


def day_and_time(seconds: float) -> str:
    """A moment in seconds since the epoch as Slurm writes it over its reports: "Tue Dec 01 00:42:35 2026"."""
    return time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(seconds))


class Shell:
    """One call of a command: its name, words, variables and streams, and the way to slurmctld. Tests make their own."""

    __slots__ = ("argv", "connect", "connect_to", "environ", "name", "now", "sleep", "stderr", "stdin", "stdout")

    def __init__(
        self,
        name: str,
        argv: Iterable[str],
        environ: Mapping[str, str],
        stdin: BinaryIO,
        stdout: TextIO,
        stderr: TextIO,
        *,
        connect: Callable[[Mapping[str, str]], Channel] = connect,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        connect_to: Callable[[Mapping[str, str], str, str, int], Channel] = connect_to,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.environ = dict(environ)
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.connect = connect
        self.now = now
        self.sleep = sleep
        self.connect_to = connect_to

    @classmethod
    def of_process(cls, name: str) -> Shell:
        """The call that started this process; on a site of a real Slurm, where its own command is behind ours on PATH, that one takes its
        place."""
        streams.opened()
        if other := other_slurm.instead(name, os.environ):
            os.execv(other, [name, *sys.argv[1:]])
        return cls(name, sys.argv[1:], os.environ, sys.stdin.buffer, sys.stdout, sys.stderr)

    def silent(self) -> Shell:
        """The same call with nowhere to tell what is wrong; its exit status still does."""
        return Shell(
            self.name, self.argv, self.environ, self.stdin, self.stdout, io.StringIO(), connect=self.connect, now=self.now,
            sleep=self.sleep, connect_to=self.connect_to)

    def channel(self, *, patient: bool = True) -> Channel:
        """A new connection to slurmctld; one that is just starting is waited for if `patient`."""
        return self.connect(self.environ) if patient or self.connect is not connect else connect_at_once(self.environ)

    def waiting_channel(self) -> Channel:
        """A new connection to slurmctld; inside a job one that is away is waited for, with a line on standard error."""
        if self.connect is not connect:
            return self.connect(self.environ)
        from slurm.net import client

        return client.connect_waiting(self.environ, self.say)

    def accounting_channel(self) -> Channel:
        """A new connection by which accounting can be asked: to slurmctld, or where none answers to slurmdbd itself."""
        if self.connect is not connect:
            return self.connect(self.environ)
        from slurm.net import database_client

        return database_client.connect_accounting(self.environ)

    def out(self, text: str) -> None:
        """Writes a line to standard output; control characters are escaped."""
        self.stdout.write(printable_lines(text) + "\n")

    def raw(self, line: str) -> None:
        """Writes a line to standard error without anything before it; control characters are escaped."""
        self.stderr.write(printable_lines(line) + "\n")

    def say(self, line: str) -> None:
        """Writes a line to standard error behind the command's name."""
        self.raw(f"{self.name}: {line}")

    def error(self, line: str) -> None:
        """Writes an error line as Slurm does: "sbatch: error: …"."""
        self.say(f"error: {line}")

    def hints(self, lines: Iterable[str]) -> None:
        """Writes what a user can do about the error above."""
        for line in lines:
            self.say(f"hint: {line}")

    def report(self, failure: SlurmError, prefix: str = "", suffix: str = "") -> None:
        """Writes what went wrong: Slurm's lines first, `prefix` before the sentence as in "Batch job submission failed: ", then hints."""
        if isinstance(failure, UsageError):
            self.say(failure.message)
            self.raw(f'Try "{self.name} --help" for more information')
        elif isinstance(failure, OptionError):
            for line in failure.before:
                self.raw(line)
            for line in failure.preface:
                self.error(line)
            if failure.bare:
                self.raw(failure.message)
            else:
                self.say(f"{'fatal' if failure.fatal else 'error'}: {failure.message}")
        else:
            for line in failure.preface:
                self.error(line)
            self.error(prefix + failure.message + suffix)
        self.hints(failure.hints)

    def failure_code(self, code: int) -> int:
        """The exit code of an error: SLURM_EXIT_ERROR where it is set, else `code`."""
        wanted = self.environ.get("SLURM_EXIT_ERROR", "")
        return int(wanted) & 255 if wanted.isascii() and wanted.isdigit() else code


def informed(shell: Shell, resolved: Resolved) -> bool:
    """Whether --help, --usage or --version was asked for; prints it."""
    if resolved.flag("version"):
        shell.out(version_line())
        return True
    if not resolved.flag("help") and not resolved.flag("usage"):
        return False
    from slurm.options import usage  # long texts that hardly a call needs

    shell.stdout.write(usage.help_text(shell.name) if resolved.flag("help") else usage.usage_text(shell.name))
    return True


def notes(shell: Shell, resolved: Resolved) -> None:
    """Writes what `resolve` wants the user to know, and with -v the options of a submission; nothing with -Q."""
    if resolved.number("verbose") and resolved.command in JOB_COMMANDS:
        line = f"{'-' * 20} {'-' * 20}"
        shell.say("defined options")
        shell.say(line)
        for name, text in sorted(resolved.written.items()):
            shell.say(f"{name:<20}: {text}")
        shell.say(line)
        shell.say("end of defined options")
    if not resolved.number("quiet"):
        for note in resolved.notes:
            shell.say(f"warning: {note}")


def run(shell: Shell, body: Callable[[Shell], int], *, usage_code: int = 255) -> int:
    """Carries a command out and returns its exit status; errors are printed, none escapes. `usage_code`: for a wrong option."""
    try:
        code = body(shell)
        shell.stdout.flush()
        return code
    except SlurmError as failure:
        shell.report(failure)
        if isinstance(failure, UsageError):
            return shell.failure_code(usage_code)
        return shell.failure_code(failure.exit_code if isinstance(failure, OptionError) else 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone, as in `squeue | head`; the interpreter must not try to flush again.
        streams.let_go()
        return BROKEN_PIPE
    except OSError as problem:
        said = streams.unwritable(problem)
        if not said:
            raise
        shell.error(said)
        return shell.failure_code(1)
