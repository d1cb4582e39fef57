"""A process's standard streams where they are closed, gone, full, or in a locale that lacks letters."""

from __future__ import annotations

import errno
import io
import os
import sys

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def opened() -> None:
    """Let /dev/null stand for streams that the caller closed, as `<&-` and `>&-` do; no file of ours then gets their number.

    Letters that the locale lacks are written as \\u65e5: what somebody calls a job must not keep others from listing theirs.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    write_what_lacks("backslashreplace")


def write_what_lacks(errors: str) -> None:
    """How letters that the locale lacks are written: a screen takes "replace", with which each stays as wide as it was."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def unwritable(error: OSError) -> str:
    """What to say when standard output took no more, "" for any other error; what is left to write is then let go."""
    if error.filename is not None or error.errno not in _FULL:
        return ""
    let_go()
    return f"standard output cannot be written: {error.strerror}"


def let_go() -> None:
    """Write nothing more to standard output: the interpreter would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
