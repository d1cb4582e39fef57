"""Running programs that build: somebody may listen to their lines while they work; what they said is kept for the message of an error
either way."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar

Heard = Callable[[str], object]
_listener: ContextVar[Heard | None] = ContextVar("slurm_build_listener", default=None)


@contextmanager
def heard(listener: Heard) -> Iterator[None]:
    """While this lasts, `listener` is called with each line that a build of this thread says."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def run(words: Sequence[str], environ: Mapping[str, str], timeout: float, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program, its output and errors as one text; subprocess.TimeoutExpired after so many seconds, as subprocess.run."""
    listener = _listener.get()
    if listener is None:
        return subprocess.run(words, env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=timeout, check=False)
    said: list[str] = []
    deadline = time.monotonic() + timeout
    with subprocess.Popen(words, env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        timer = threading.Timer(timeout, _kill, (process.pid,))
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                listener(line.rstrip("\n"))
        except BaseException:
            _kill(process.pid)
            raise
        finally:
            timer.cancel()
    if process.returncode == -signal.SIGKILL and time.monotonic() >= deadline:
        raise subprocess.TimeoutExpired(words, timeout, "".join(said))
    return subprocess.CompletedProcess(words, process.returncode, "".join(said))


def _kill(group: int) -> None:
    """End a program and what it has started, which may hold its output open."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
