"""What a program's file says of itself before it is executed. The path is a user's: who looks must be that user, and nothing but a regular
file is opened.

Opening is more than looking: a FIFO wakes or ends who waits at its other end, a device may begin or end something (a tape winds back, a
watchdog starts).
"""

from __future__ import annotations

import os
import stat

_FIRST_BYTES = 256
"""So much of a first line Linux looks at."""


def interpreter_line(path: str) -> str:
    """What the first line of a script names as its interpreter, with its argument; "" for what is no script, is not there or may not be
    read.

    BlockingIOError where it cannot be opened at once.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)  # it may be another one by now
    except BlockingIOError:
        raise
    except (OSError, ValueError):
        return ""
    try:
        first = os.read(descriptor, _FIRST_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)
    return os.fsdecode(first[2:].split(b"\n", 1)[0].strip()) if first.startswith(b"#!") else ""
