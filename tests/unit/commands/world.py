"""A command called in this process: streams in memory, a clock that stands, and a slurmctld that answers what a test tells it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

from slurm.commands.shell import Channel, Message, Shell
from slurm.model.errors import SlurmError, Unreachable

NOW = 1_795_000_000.0
Answer = Message | SlurmError


class FakeChannel:
    """Answers requests from a list, in order; a SlurmError in it is raised."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.sent: list[Message] = []
        self.closed = False

    def call(self, message: Message) -> Message:
        self.send(message)
        return self.receive(None)

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def receive(self, timeout: float | None = None) -> Message:
        answer = self.answers.pop(0)
        if isinstance(answer, SlurmError):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


class Call:
    """What a call printed, its exit status, and what it asked of slurmctld."""

    def __init__(self, status: int, stdout: str, stderr: str, sent: list[Message]) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.sent = sent

    @property
    def complaints(self) -> tuple[str, ...]:
        """Standard error without our hints and warnings: what real Slurm would have printed."""
        return tuple(line for line in self.stderr.splitlines() if ": hint: " not in line and ": warning: " not in line)


def call(
    main: Callable[[Shell], int],
    name: str,
    argv: Sequence[str],
    *,
    answers: Sequence[Answer] = (),
    environ: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Call:
    """Calls a command's main; without `answers` there is no cluster."""
    channel = FakeChannel(list(answers))

    def connect(environ: Mapping[str, str]) -> Channel:
        if not channel.answers:
            raise Unreachable(message="no cluster here")
        return channel

    out, err = io.StringIO(), io.StringIO()
    shell = Shell(name, argv, environ or {}, io.BytesIO(stdin), out, err, connect=connect, now=lambda: NOW, sleep=lambda seconds: None)
    status = main(shell)
    return Call(status, out.getvalue(), err.getvalue(), channel.sent)
