"""Where the tasks' output goes: srun's own streams or files of srun's, in whole lines.

Which stream goes where was decided in `redirect`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from slurm.commands.launching.lines import LineSorter
from slurm.commands.launching.redirect import Opened
from slurm.wire import step_io


class Output:
    """Takes pieces of output by kind and rank.

    `on_closed()` is called when nobody reads what is written, `on_failed(text)` when it cannot be.
    """

    def __init__(
        self, opened: Opened, ntasks: int, *, label: bool, unbuffered: bool, on_closed: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._on_closed = on_closed
        self._on_failed = on_failed
        self._dead: set[int] = set()
        self._sorters = {
            kind: LineSorter(_writer(self._write, descriptor), ntasks, label=label, unbuffered=unbuffered)
            for kind, descriptor in ((step_io.STDOUT, opened.stdout), (step_io.STDERR, opened.stderr)) if descriptor >= 0
        }

    def add(self, kind: int, rank: int, data: bytes) -> None:
        """Output of a task; empty: it closed the stream."""
        sorter = self._sorters.get(kind)
        if sorter is not None:
            sorter.add(rank, data)

    def flush(self) -> None:
        """Let go of unfinished last lines."""
        for sorter in self._sorters.values():
            sorter.flush()

    def _write(self, descriptor: int, data: bytes) -> None:
        if descriptor in self._dead:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest):]
        except OSError as error:
            self._dead.add(descriptor)
            if error.errno == errno.EPIPE:
                self._on_closed()
            else:
                self._on_failed(os.strerror(error.errno or 0))


def _writer(write: Callable[[int, bytes], None], descriptor: int) -> Callable[[bytes], None]:
    return lambda data: write(descriptor, data)
