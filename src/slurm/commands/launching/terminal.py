"""The user's terminal while task 0 has a pseudo terminal: raw while the step runs, whatever happens afterwards as it was."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self


def window(descriptor: int) -> tuple[int, int]:
    """(rows, columns) of a terminal; OSError where there is none."""
    size = os.get_terminal_size(descriptor)
    return size.lines, size.columns


class RawTerminal:
    """Keys go through unchanged, ctrl-C too, while its context lasts."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[object] | None = None

    def __enter__(self) -> Self:
        import termios  # only --pty pays for these
        import tty

        self._before = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor, termios.TCSADRAIN)  # what was typed ahead stays
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        import termios

        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]


def readable_by_us(descriptor: int) -> bool:
    """Whether reading is allowed: a program in the background must leave the terminal to the shell."""
    try:
        return not os.isatty(descriptor) or os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
