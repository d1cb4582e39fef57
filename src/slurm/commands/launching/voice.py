"""What srun and salloc say on standard error while they run: one line at a time, behind the command's name. Not here: what tasks write."""

from __future__ import annotations

import os
from collections.abc import Callable

from slurm.notation.printable import printable_lines


class Voice:
    """Says lines as Slurm does. `level` is how often -v was given less how often -Q; `raw`: the terminal needs its own line ends."""

    def __init__(self, name: str, level: int = 0, write: Callable[[bytes], None] | None = None) -> None:
        self.name = name
        self.level = level
        self.raw = False
        self._write = write or _to_standard_error

    def error(self, text: str) -> None:
        """What went wrong; -Q does not silence it."""
        self.line(f"{self.name}: error: {text}")

    def info(self, text: str) -> None:
        """What is going on."""
        if self.level >= 0:
            self.line(f"{self.name}: {text}")

    def verbose(self, text: str) -> None:
        """What only -v shows."""
        if self.level > 0:
            self.line(f"{self.name}: {text}")

    def line(self, text: str) -> None:
        """A line without anything before it; control characters are escaped."""
        data = (printable_lines(text).removesuffix("\n") + "\n").encode(errors="surrogateescape")
        self._write(data.replace(b"\n", b"\r\n") if self.raw else data)


def _to_standard_error(data: bytes) -> None:
    while data:
        try:
            data = data[os.write(2, data):]
        except OSError:
            return  # nobody listens any more; the step and its exit status matter more
