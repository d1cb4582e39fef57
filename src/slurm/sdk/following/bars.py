"""How progress looks: bars by rich in a terminal or a notebook, plain lines at growing intervals elsewhere.

Knows nothing of jobs but how many are in which state.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from slurm.model.states import JobState
from slurm.sdk.following.status import Status

FIRST_LINE_SECONDS, LAST_LINE_SECONDS, GROWTH = 2.0, 60.0, 1.6
"""Between plain lines: at first, at most, and how it grows."""
WIDE = 120
"""Columns from which on states are written out, with rates; below, states are squeue's short ones."""
COLOURS = {"COMPLETED": "green", "RUNNING": "cyan", "PENDING": "dim"}
"""Of all other states: red when a job has ended in them."""


class Count(NamedTuple):
    """What one bar shows."""

    title: str
    states: Counter[str]
    total: int

    @property
    def ended(self) -> int:
        """How many have ended, well or badly."""
        return sum(count for state, count in self.states.items() if Status(state).finished)


class Bars:
    """The display; `console` is standard error unless given."""

    def __init__(self, console: Any = None) -> None:
        self._console = console
        self._live: Any = None
        self._bars: dict[str, Any] = {}
        self._first: dict[str, tuple[float, int]] = {}  # title → when it was first seen, and how many had ended then
        self._said: list[str] = []
        self._due = 0.0
        self._interval = FIRST_LINE_SECONDS
        self._counts: Sequence[Count] = ()

    def start(self) -> None:
        """Begin to show."""
        from rich.console import Console

        console = self._console = self._console or Console(stderr=True)
        self._due = time.monotonic() + self._interval
        if draws(console):
            self._live = _live(console)
            self._live.start()

    def show(self, counts: Sequence[Count]) -> None:
        """Show these numbers."""
        self._counts = counts
        now = time.monotonic()
        for count in counts:
            self._first.setdefault(count.title, (now, count.ended))
        if self._live is None:
            if now >= self._due and self._say():
                self._interval = min(LAST_LINE_SECONDS, self._interval * GROWTH)
                self._due = now + self._interval
            return
        for count in counts:
            if count.title not in self._bars:
                self._bars[count.title] = self._live.add_task(count.title, total=count.total, states="", rate="")
            self._live.update(self._bars[count.title], completed=count.ended, total=count.total,
                states=_coloured(count, self._console.width < WIDE), rate=self._rate(count))

    def stop(self) -> None:
        """Leave the last numbers there."""
        if self._live is None:
            self._say()
        else:
            self._live.stop()

    def _say(self) -> bool:
        lines = [self._line(count) for count in self._counts]
        if lines == self._said:
            return False
        for line in lines:
            if line not in self._said:
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._said = lines
        return True

    def _line(self, count: Count) -> str:
        states = ", ".join(f"{number} {state.lower()}" for state, number in _ordered(count))
        rate, left = self._rate(count), self._left(count)
        return f"{count.title}: {count.ended}/{count.total} ended ({states})" + (f", {rate}" if rate else "") + (f", about {left} left"
            if left else "")

    def _speed(self, count: Count) -> float:
        """How many have ended a second since this display began."""
        since, before = self._first[count.title]
        seconds = time.monotonic() - since
        return (count.ended - before) / seconds if seconds > 0.5 else 0.0

    def _rate(self, count: Count) -> str:
        speed = self._speed(count)
        return ("" if speed <= 0 else f"{speed:.1f}/s" if speed >= 1 else f"{speed * 60:.1f}/min" if speed * 60 >= 1
            else f"{speed * 3600:.1f}/h")

    def _left(self, count: Count) -> str:
        speed = self._speed(count)
        if speed <= 0 or count.ended >= count.total:
            return ""
        seconds = round((count.total - count.ended) / speed)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def draws(console: Any) -> bool:
    """Whether bars can be drawn on a console of rich's; in a notebook ipywidgets does it."""
    from importlib.util import find_spec

    return bool(console.is_terminal) if not console.is_jupyter else find_spec("ipywidgets") is not None


def _live(console: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    def text(field: str, markup: bool = True) -> Any:
        return TextColumn(f"{{task.{field}}}", markup=markup, table_column=Column(no_wrap=True))

    def whole() -> Any:
        return Column(no_wrap=True)

    wide = console.width >= WIDE
    columns = [text("description", markup=False), BarColumn(20 if wide else 8, table_column=whole()),
        MofNCompleteColumn(table_column=whole()),
               *([TimeElapsedColumn(table_column=whole())] if wide else []), text("fields[states]"),
               *([text("fields[rate]")] if wide else []),
               TimeRemainingColumn(table_column=whole())]
    return Progress(*columns, console=console, speed_estimate_period=120)


def _ordered(count: Count) -> list[tuple[str, int]]:
    """What is at work first, what waits next, then ends, the good ones first."""
    order = ["RUNNING", "PENDING", "COMPLETED"]
    return sorted(count.states.items(), key=lambda one: (order.index(one[0]) if one[0] in order else 1.5 if not Status(one[0]).finished
        else 3, one[0]))


def _coloured(count: Count, short: bool) -> str:
    found = []
    for state, number in _ordered(count):
        colour = COLOURS.get(state) or ("red" if Status(state).finished else "yellow")
        word = JobState[state].compact if short and state in JobState.__members__ else state.lower()
        found.append(f"[{colour}]{number} {word}[/]")
    return " ".join(found)
