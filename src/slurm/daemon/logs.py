"""Slurm's log levels and line format for the daemons.

A line in a file is `[2026-11-21T00:42:43.299] error: text`; on a terminal `slurmctld: error: text`, as Slurm writes them. What a user
chose cannot begin a line of its own there, nor drive the terminal of whoever reads it. LogTimeFormat says otherwise, with our word `json`
as objects, one a line; syslog has a level of its own.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
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
    """How much a daemon logs: its level, the DebugFlags whose loggers tell everything, `form` the words of LogTimeFormat, and the level for
    syslog (None: nothing goes there)."""

    level: int
    flags: tuple[str, ...] = ()
    form: str = ""
    syslog: int | None = None

    def apply(self) -> None:
        """From now on, in this process."""
        logging.getLogger().setLevel(self.level if self.syslog is None else min(self.level, self.syslog))
        talkative = {name for flag in self.flags for name in LOGGERS.get(flag, ())}
        _own_level.level, _own_level.talkative = self.level, tuple(talkative)
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


def syslog_level(text: str, level: int, *, foreground: bool, log_file: bool) -> int | None:
    """The level of what goes to syslog, from SlurmctldSyslogDebug and its kin, else as slurm.conf(5) has it: what is fatal; all that is
    logged where there is no log file; nothing of a daemon in the foreground."""
    if text:
        return None if text.lower() in ("quiet", "0") else level_of(text)
    if foreground:
        return None
    return logging.CRITICAL if log_file else min(level, logging.CRITICAL)


class _OwnLevel(logging.Filter):
    """What goes to the file where more goes to syslog."""

    level = logging.NOTSET
    talkative: tuple[str, ...] = ()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self.level or any(record.name == name or record.name.startswith(f"{name}.") for name in self.talkative)


_own_level = _OwnLevel()


def _stamp(form: frozenset[str], record: logging.LogRecord) -> str:
    """A record's time as LogTimeFormat has it."""
    local = time.localtime(record.created)
    if "clock" in form:
        return str(int(time.process_time() * 1e6))
    if "short" in form:
        return time.strftime("%b %d %H:%M:%S", local)
    if "thread_id" in form:
        return (f"{time.strftime('%a %b %d %H:%M:%S', local)}.{int(record.created % 1 * 1e6):06d} {record.process} "
                f"{record.threadName} {record.thread}")
    zone = ""
    if form & {"rfc5424", "rfc5424_ms", "rfc3339"}:
        zone = f"{time.strftime('%z', local)[:3]}:{time.strftime('%z', local)[3:]}"
    exact = "" if form & {"iso8601", "rfc5424", "rfc3339"} else f".{int(record.msecs):03d}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}{exact}{zone}"


class _Objects(logging.Formatter):
    """A JSON object a line: time, level, daemon, part of it, process, text, and the traceback where there is one."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        level = logging.getLevelName(record.levelno).lower().replace("critical", "fatal")
        found = {"time": _stamp(frozenset({"rfc5424_ms"}), record), "level": level, "daemon": self._program, "part": record.name,
                 "pid": record.process, "message": record.getMessage()}
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, separators=(",", ":"))


class _Lines(logging.Formatter):
    def __init__(self, program: str, *, stamped: bool, form: str = "") -> None:
        super().__init__()
        self._program = program
        self._stamped = stamped
        self._form = frozenset(form.lower().split(","))

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
        return f"[{_stamp(self._form, record)}] {text}"


SYSLOG = "/dev/log"


def start(program: str, verbosity: Verbosity, path: str = "") -> None:
    """Log to `path`, or to standard error when it is empty. OSError leaves it as it was."""
    for name, number in (("VERBOSE", VERBOSE), *((f"DEBUG{k}", 11 - k) for k in range(2, 6))):
        logging.addLevelName(number, name)
    if path:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    objects = "json" in verbosity.form.lower().split(",")
    handler.setFormatter(_Objects(program) if objects else _Lines(program, stamped=bool(path), form=verbosity.form))
    handler.addFilter(_own_level)
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    if verbosity.syslog is not None and os.path.exists(SYSLOG):
        root.addHandler(_to_syslog(program, verbosity.syslog))
    verbosity.apply()
    logging.getLogger("asyncio").setLevel(max(verbosity.level, logging.WARNING))


def _to_syslog(program: str, level: int) -> logging.Handler:
    """Lines for the system's log, as daemons write them. OSError."""
    handler = logging.handlers.SysLogHandler(SYSLOG, logging.handlers.SysLogHandler.LOG_DAEMON)
    handler.ident = f"{program}[{os.getpid()}]"
    handler.setLevel(level)
    handler.setFormatter(_Lines("", stamped=False))
    return handler


def reopen(program: str, verbosity: Verbosity, path: str) -> None:
    """As `start` for a running daemon: where the new file cannot be opened, the old one is kept and told."""
    verbosity.apply()
    if not path:
        return
    try:
        start(program, verbosity, path)
    except OSError as error:
        logging.getLogger(program).error("the log file %s cannot be opened again, the former one is kept: %s", path, error.strerror)
