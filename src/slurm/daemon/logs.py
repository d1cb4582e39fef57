"""Slurm's log levels and line format for the daemons.

A line in a file is `[2026-11-21T00:42:43.299] error: text`; on a terminal `slurmctld: error: text`, as Slurm writes them. What a user
chose cannot begin a line of its own there, nor drive the terminal of whoever reads it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from slurm.model.debug_flags import LOGGERS
from slurm.notation.printable import printable, printable_lines

VERBOSE = 15
LEVELS: dict[str, int] = {
    "quiet": logging.CRITICAL + 10, "fatal": logging.CRITICAL, "error": logging.ERROR, "info": logging.INFO, "verbose": VERBOSE,
    "debug": logging.DEBUG, "debug2": 9, "debug3": 8, "debug4": 7, "debug5": 6,
}
"""Slurm's names of log levels, and numbers 0 to 9 in the same order."""
_ORDER = list(LEVELS)
_PREFIXES = ((logging.CRITICAL, "fatal: "), (logging.ERROR, "error: "), (logging.WARNING, "warning: "))


class Verbosity(NamedTuple):
    """How much a daemon logs: its level, and the DebugFlags whose loggers tell everything."""

    level: int
    flags: tuple[str, ...] = ()

    def apply(self) -> None:
        """From now on, in this process."""
        logging.getLogger().setLevel(self.level)
        talkative = {name for flag in self.flags for name in LOGGERS.get(flag, ())}
        for name in {name for names in LOGGERS.values() for name in names}:
            logging.getLogger(name).setLevel(logging.DEBUG if name in talkative else logging.NOTSET)


def level_named(text: str) -> int | None:
    """The level of a name or number as SlurmctldDebug has it; None for what is neither."""
    if text.isdecimal() and len(text) < len("100"):
        return LEVELS[_ORDER[int(text)]] if int(text) < len(_ORDER) else None
    return LEVELS.get(text.lower())


def level_of(text: str, more: int = 0) -> int:
    """The same, `more` steps more talkative (one for each -v). Unknown: info."""
    position = int(text) if text.isdigit() else _ORDER.index(text.lower()) if text.lower() in LEVELS else _ORDER.index("info")
    return LEVELS[_ORDER[min(position + more, len(_ORDER) - 1)]]


def shown_level(level: int) -> str:
    """The name of a level as SlurmctldDebug has it."""
    return next((name for name, number in LEVELS.items() if number <= level), _ORDER[-1])


class Seldom:
    """A few lines a second about each of many, the rest counted: nobody fills a log with nonsense, nor hides behind another's."""

    def __init__(self, log: logging.Logger, most: int = 5, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._most = most
        self._clock = clock
        self._since = -1.0
        self._lines: Counter[object] = Counter()

    def warning(self, about: object, text: str) -> None:
        """One line about somebody, unless there were many just before."""
        now = self._clock()
        if now - self._since >= 1.0:
            self._since = now
            for one, lines in self._lines.items():
                if lines > self._most:
                    self._log.warning("%s: %d further lines were left out", one, lines - self._most)
            self._lines.clear()
        self._lines[about] += 1
        if self._lines[about] <= self._most:
            self._log.warning("%s: %s", about, text)


class _Lines(logging.Formatter):
    def __init__(self, program: str, *, stamped: bool) -> None:
        super().__init__()
        self._program = program
        self._stamped = stamped

    def format(self, record: logging.LogRecord) -> str:
        """One record as Slurm's line, a traceback behind it where there is one."""
        prefix = next((text for level, text in _PREFIXES if record.levelno >= level), "")
        if record.levelno < logging.INFO:
            prefix = f"{record.levelname.lower()}: "
        text = prefix + printable(record.getMessage())
        if record.exc_info:
            text += "\n" + printable_lines(self.formatException(record.exc_info))
        if not self._stamped:
            return f"{self._program}: {text}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        return f"[{stamp}.{int(record.msecs):03d}] {text}"


def start(program: str, verbosity: Verbosity, path: str = "") -> None:
    """Log to `path`, or to standard error when it is empty. OSError leaves it as it was."""
    for name, number in (("VERBOSE", VERBOSE), *((f"DEBUG{k}", 11 - k) for k in range(2, 6))):
        logging.addLevelName(number, name)
    if path:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(program, stamped=bool(path)))
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    verbosity.apply()
    logging.getLogger("asyncio").setLevel(max(verbosity.level, logging.WARNING))


def reopen(program: str, verbosity: Verbosity, path: str) -> None:
    """As `start` for a running daemon: where the new file cannot be opened, the old one is kept and told."""
    verbosity.apply()
    if not path:
        return
    try:
        start(program, verbosity, path)
    except OSError as error:
        logging.getLogger(program).error("the log file %s cannot be opened again, the former one is kept: %s", path, error.strerror)
