"""Tasks that go wrong, each in its way; imported on the other side of an ssh connection, where only Python itself is installed."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from slurm.sdk.decorators import task


class Odd(Exception):
    """Cannot be made from its `args` again."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} and {right}")


def _only_here() -> Any:
    """An exception class of a module that no other process has."""
    module = ModuleType("only_there")
    sys.modules["only_there"] = module
    exec("class Lost(Exception): pass", vars(module))
    return module


@task
def raises() -> None:
    """An exception with a constructor of its own."""
    raise Odd(1, 2)


@task
def returns_a_lock() -> Any:
    """What cannot be pickled."""
    return threading.Lock()


@task
def returns_what_is_only_there() -> Any:
    """What cannot be unpickled elsewhere."""
    return _only_here().Lost("a result")


@task
def raises_what_is_only_there() -> None:
    """The same as an exception."""
    raise _only_here().Lost("an error")


@task
def takes(value: object) -> str:
    """Anything."""
    return repr(value)


@task
def exits(code: int) -> None:
    """sys.exit."""
    sys.exit(code)


@task
def vanishes(code: int) -> None:
    """Ends without a word."""
    os._exit(code)


@task
def crashes() -> None:
    """Reads where nothing is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


@task
def is_killed() -> None:
    """As the kernel's OOM killer does it."""
    os.kill(os.getpid(), signal.SIGKILL)


@task
def writes_too_much() -> bytes:
    """The disk takes no more than 64 kB: the error still fits."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
    return bytes(1 << 20)


@task
def cannot_write() -> None:
    """The disk takes nothing at all."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@task
def is_greedy() -> int:
    """Holds 300 MB."""
    table = bytearray(300 << 20)
    time.sleep(60)
    return len(table)


@task
def waits(seconds: float, mark: str = "") -> float:
    """Sleeps, after it has written its process number to the file `mark`."""
    if mark:
        Path(f"{mark}.new").write_text(str(os.getpid()))
        os.replace(f"{mark}.new", mark)
    time.sleep(seconds)
    return seconds
