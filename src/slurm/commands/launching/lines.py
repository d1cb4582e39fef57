"""From pieces of output to whole lines: tasks never interleave within a line, and each line may bear its task's number. Bytes only."""

from __future__ import annotations

from collections.abc import Callable

LONGEST_LINE = 1 << 16
"""A line of more bytes is passed on in parts."""


class LineSorter:
    """Puts the output of several tasks together. `write` takes what may appear; `ntasks` sets the width of labels.

    Labels need whole lines. With one task and no labels nothing is held back: there is nobody to interleave with.
    """

    def __init__(self, write: Callable[[bytes], None], ntasks: int, *, label: bool = False, unbuffered: bool = False) -> None:
        self._write = write
        self._label = label
        self._direct = not label and (unbuffered or ntasks == 1)
        self._width = len(str(max(0, ntasks - 1)))
        self._held: dict[int, bytes] = {}

    def add(self, rank: int, data: bytes) -> None:
        """Output of a task; empty: its stream ended."""
        if not data:
            self.flush(rank)
        elif self._direct:
            self._write(data)
        else:
            self._collect(rank, self._held.pop(rank, b"") + data)

    def flush(self, rank: int | None = None) -> None:
        """Let go of an unfinished last line, of one task or of all."""
        for one in list(self._held) if rank is None else [rank]:
            rest = self._held.pop(one, b"")
            if rest:
                self._emit(one, rest + b"\n" if self._label else rest)

    def _collect(self, rank: int, data: bytes) -> None:
        end = self._end_of_lines(data)
        if end:
            self._emit(rank, data[:end])
        if end < len(data):
            self._held[rank] = data[end:]

    def _end_of_lines(self, data: bytes) -> int:
        end = data.rfind(b"\n") + 1
        if len(data) - end > LONGEST_LINE:
            return len(data)
        if not self._label:
            # A progress bar returns to the start of its line instead of ending it; it should move all the same.
            end = max(end, data.rfind(b"\r", 0, -1) + 1)
        return end

    def _emit(self, rank: int, data: bytes) -> None:
        if not self._label:
            self._write(data)
            return
        prefix = b"%*d: " % (self._width, rank)
        lines = data.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        self._write(b"".join(prefix + line + b"\n" for line in lines))
