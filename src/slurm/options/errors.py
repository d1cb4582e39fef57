"""What goes wrong in a command line. How it is printed is decided in `commands.shell`."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.model.errors import InvalidRequest


class UsageError(InvalidRequest):
    """An option that does not exist, is ambiguous, or lacks or forbids an argument; `message` is getopt_long's sentence."""

    def __init__(self, message: str, *, hints: Iterable[str] = ()) -> None:
        super().__init__("ESLURM_INVALID_OPTION", message, hints=hints)


class OptionError(InvalidRequest):
    """A value that an option cannot take.

    `exit_code` is Slurm's for this complaint; `fatal` says which of "error" and "fatal" stands before the message; `before` are
    lines that Slurm prints above it without any prefix; `bare` means that the message has none either.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code: int = 255,
        fatal: bool = False,
        bare: bool = False,
        before: Iterable[str] = (),
        preface: Iterable[str] = (),
        hints: Iterable[str] = (),
    ) -> None:
        super().__init__("ESLURM_INVALID_OPTION", message, hints=hints, preface=preface)
        self.exit_code = exit_code
        self.fatal = fatal
        self.bare = bare
        self.before = tuple(before)
