"""A terminal for tests: a command in a pseudo terminal of a size, what it has shown so far, and keys to type."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Terminal:
    """One command; `seen` is everything that it wrote, without escapes."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], folder: Path, columns: int = 80, lines: int = 24) -> None:
        self._raw = b""
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.chdir(folder)
            os.execvpe(words[0], list(words), {**environment, "TERM": "xterm", "COLUMNS": str(columns), "LINES": str(lines)})

    @property
    def seen(self) -> str:
        """What it wrote."""
        return _ESCAPES.sub(b"", self._raw).decode(errors="replace")

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._end, text.encode())

    def until(self, text: str, seconds: float = 30.0) -> None:
        """Wait until this has been shown."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} was not shown within {seconds} s: {self.seen!r}"
            assert self._read(0.1), f"it ended and never showed {text!r}: {self.seen!r}"

    def status(self, seconds: float = 30.0) -> int:
        """Wait for its end; what it exited with."""
        deadline = time.monotonic() + seconds
        while self._read(0.1):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"it did not end within {seconds} s: {self.seen!r}")
        os.close(self._end)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, seconds: float) -> bool:
        """Take what there is; False once nobody can write any more."""
        if select.select([self._end], [], [], seconds)[0]:
            try:
                self._raw += os.read(self._end, 65536)
            except OSError:  # the last process that had it open has ended
                return False
        return True
