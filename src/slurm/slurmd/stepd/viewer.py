"""Viewer: a sattach at a step: it hears what the tasks say from then on, and may give them input. The step does not care whether it stays.

One that takes nothing for a while is hung up on: a terminal that somebody has stopped must not stop the step.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from slurm.model.errors import SlurmError
from slurm.notation.printable import printable
from slurm.slurmd.stepd.loop import READ, WRITE, Loop, readable
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.wire import step_io

HANDSHAKE_SECONDS = 10.0
_MUCH = 1 << 20


class Viewer:
    """`on_input(rank, data)` hears what its user types, `on_change()` that it took something or left; `patience`: seconds in which it must
    take something."""

    def __init__(self, loop: Loop, line: SrunLine, early: bytes, patience: float, on_input: Callable[[int, bytes], None],
            on_change: Callable[[], None]) -> None:
        self.gone = False
        self._loop = loop
        self._line = line
        self._patience = patience
        self._on_input = on_input
        self._on_change = on_change
        self._incoming = bytearray(early if line.ready else b"")
        self._listens = True
        self._interest = -1
        self._least = 0  # what waited when it was looked at last
        self._watched = False
        if not line.ready:
            line.feed(early)
            loop.at(time.monotonic(), lambda: self._read(line.decoded))
            loop.at(time.monotonic() + HANDSHAKE_SECONDS, self._check_ready)
        self._watch()

    @property
    def unsent(self) -> int:
        """Bytes that wait for it."""
        return 0 if self.gone else self._line.unsent

    def put(self, frame: bytes) -> None:
        """Tell it."""
        if self.gone:
            return
        self._line.put(frame)
        self._flush()
        if not self._watched and self.unsent > _MUCH:
            self._watched = True
            self._least = self.unsent
            self._loop.at(time.monotonic() + self._patience, self._look)

    def listen(self, wanted: bool) -> None:
        """Whether its input is taken now."""
        self._listens = wanted
        self._watch()

    def close(self) -> None:
        """Hang up."""
        if not self.gone:
            self.gone = True
            self._loop.unwatch(self._line.fileno())
            self._line.close()

    def _look(self) -> None:
        self._watched = False
        if self.gone or self.unsent <= _MUCH:
            return
        if self.unsent >= self._least:
            os.write(2, b"slurmstepd: error: a sattach takes nothing: it is hung up on\n")
            self._lose()
            return
        self._watched = True
        self._least = self.unsent
        self._loop.at(time.monotonic() + self._patience, self._look)

    def _check_ready(self) -> None:
        if not self._line.ready and not self.gone:
            self._lose()

    def _watch(self) -> None:
        if self.gone:
            return
        interest = (READ if self._listens else 0) | (WRITE if self._line.blocked else 0)
        if interest != self._interest:
            self._interest = interest
            self._loop.watch(self._line.fileno(), interest, self._on_event)

    def _on_event(self, events: int) -> None:
        if events & WRITE:
            self._flush()
            self._on_change()
        if not self.gone and readable(events):
            self._read(self._line.take)

    def _flush(self) -> None:
        try:
            self._line.flush()
        except OSError:
            self._lose()
            return
        self._watch()

    def _read(self, take: Callable[[], bytes]) -> None:
        if self.gone:
            return
        try:
            self._incoming += take()
            self._flush()
            while not self.gone and (found := step_io.taken(self._incoming, _MUCH)) is not None:
                kind, rank, data = found
                if kind == step_io.STDIN and data:  # its end of input is not that of the tasks
                    self._on_input(rank, data)
        except OSError:
            self._lose()
        except SlurmError as error:
            os.write(2, f"slurmstepd: error: a sattach is hung up on: {printable('; '.join(error.lines()))}\n".encode(
                errors="backslashreplace"))
            self._lose()

    def _lose(self) -> None:
        if not self.gone:
            self.close()
            self._on_change()

