"""~/.Xauthority of a step's owner (X11Parameters=home_xauthority): the cookie of the step's display is put into it, by a process of his.

As Xau(3) has it: who changes the file holds FILE-l, a link to FILE-c; the new file takes the place of the old one. Never by root: whatever
is in somebody's home may be a link to anywhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from slurm.notation import xauthority
from slurm.notation.xauthority import Entry

_TRIES = 20
_PAUSE_SECONDS = 0.25
_DEAD_SECONDS = 60.0
"""A lock that is older was left by somebody who was killed."""


def add(path: str, entry: Entry) -> None:
    """Put an entry into the file, in the place of one for the same display. OSError, also when somebody holds it for long."""
    _lock(path)
    try:
        try:
            with open(path, "rb") as file:
                entries = xauthority.parse(file.read())
        except FileNotFoundError:
            entries = []
        new = f"{path}-n"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(xauthority.show(xauthority.with_entry(entries, entry)))
        os.rename(new, path)
    finally:
        for end in ("-c", "-l"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + end)


def _lock(path: str) -> None:
    for end in ("-c", "-l"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.lstat(path + end).st_mtime > _DEAD_SECONDS:
                os.unlink(path + end)
    for number in range(_TRIES):
        if number:
            time.sleep(_PAUSE_SECONDS)
        try:
            os.close(os.open(f"{path}-c", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            continue
        try:
            os.link(f"{path}-c", f"{path}-l")
        except FileExistsError:
            os.unlink(f"{path}-c")
        else:
            return
    raise FileExistsError(errno.EEXIST, "somebody else has it locked", path)
