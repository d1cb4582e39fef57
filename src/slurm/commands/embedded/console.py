"""Console: what `slurm …` says to people: rich where there is a terminal, plain lines elsewhere; and to programs: one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from slurm.commands.failure import kind_of
from slurm.model.errors import SlurmError
from slurm.notation.printable import printable, printable_lines

STYLES = {"RUNNING": "green", "COMPLETED": "green", "COMPLETING": "green", "PENDING": "yellow", "CONFIGURING": "yellow",
    "SUSPENDED": "yellow",
          "REQUEUED": "yellow", "CANCELLED": "magenta", "UP": "green", "IDLE": "green", "MIXED": "green", "ALLOCATED": "green"}
"""Words of a column called STATE → how a terminal shows them; all other words there are bad news."""
BAD = "bold red"
DRAWN = 1000
"""Rows up to which a table is drawn, which takes 0.4 ms each."""


CUT = 4
"""Letters to which a column of a drawn table may be cut."""

Drawing = Any
"""What rich can draw; its own name for that would load it."""


class Console:
    """Standard output and error of a human command; rich is imported only when a terminal will show it.

    With `json` people's lines are left out.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None, json: bool = False) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.json = json

    @property
    def fancy(self) -> bool:
        """Whether a person looks at it."""
        return self.out.isatty()

    def line(self, text: str = "") -> None:
        """One line of output."""
        if not self.json:
            print(printable_lines(text), file=self.out, flush=True)

    def note(self, text: str) -> None:
        """One line about the output, beside it."""
        if not self.json:
            print(f"slurm: {printable_lines(text)}", file=self.err, flush=True)

    def answer(self, value: object) -> None:
        """The answer as JSON, on one line."""
        print(json.dumps(value), file=self.out, flush=True)

    def ask(self, question: str) -> str:
        """What the user answers, "" also for ctrl-D."""
        try:
            return input(printable(question)).strip()
        except EOFError:
            self.line()
            return ""

    def agreed(self, question: str) -> bool:
        """Whether the user says yes."""
        return self.ask(f"{question} [y/N] ").lower() in ("y", "yes")

    def failure(self, error: SlurmError) -> None:
        """An error in the form that was asked for: as JSON it is the answer."""
        if self.json:
            self.answer({"error": {"kind": kind_of(error), "message": error.message, "hint": "; ".join(error.hints)}})
        else:
            self.error(error.lines())

    def error(self, lines: list[str]) -> None:
        """An error: what is wrong, then what to do."""
        print(f"slurm: error: {printable_lines(lines[0])}", file=self.err)
        for line in lines[1:]:
            print(f"  {printable_lines(line)}", file=self.err)
        self.err.flush()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", free: Iterable[str] = ()) -> None:
        """A table: drawn on a terminal, where the columns `free` are cut until a row fits a line; aligned columns elsewhere, and where it
        is very long.

        So it is on a terminal that is too narrow: rows on several lines rather than columns that are not there.
        """
        if self.json:
            return
        shown = [[printable(cell) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in [header, *shown]) for i in range(len(header))]
        if self.fancy and len(rows) <= DRAWN:
            from rich.console import Console as Rich

            rich = Rich(file=self.out)
            if least(header, widths, free) <= rich.width:
                rich.print(drawn(header, rows, title, free))
                return
        if title:
            self.line(title)
        for row in [header, *shown]:
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def sheet(self, values: Mapping[str, str], title: str = "") -> None:
        """Names with their values, one a line; those without a value are left out."""
        if self.fancy and not self.json:
            from rich.console import Console as Rich

            Rich(file=self.out).print(laid_out(values, title))
            return
        shown = {name: printable(value) for name, value in values.items() if value}
        width = max(map(len, shown), default=0)
        if title:
            self.line(title)
        for name, value in shown.items():
            self.line(f"  {name.ljust(width)}  {value}")


def least(header: Sequence[str], widths: Sequence[int], free: Iterable[str] = ()) -> int:
    """The columns of a terminal that a table needs at the least, where those that are `free`, or else all, may be cut to a few letters."""
    loose = set(free) or set(header)
    return sum((min(width, CUT) if name in loose else width) + 2 for name, width in zip(header, widths, strict=True)) - 1


def drawn(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", free: Iterable[str] = ()) -> Drawing:
    """A table as rich draws it. Cells are text, whatever they look like; none is more than a line."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(title), style="bold") if title else None, title_justify="left", box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    loose = set(free) or set(header)
    for name in header:
        table.add_column(name, no_wrap=name not in loose, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(printable(cell), style=style(cell) if name == "STATE" else "", no_wrap=True, overflow="ellipsis")
                        for name, cell in zip(header, row, strict=True)))
    return table


def laid_out(values: Mapping[str, str], title: str = "") -> Drawing:
    """A sheet as rich draws it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        if value:
            grid.add_row(Text(name, style="bold"), Text(printable(value), style=style(value) if name == "State" else "", overflow="fold"))
    return Group(Text(printable(title), style="bold underline"), grid)


def style(state: str) -> str:
    """How a terminal shows a state."""
    base, _, more = state.upper().partition("+")
    return STYLES.get(base.partition(" ")[0], BAD) if not any(word in more for word in ("DRAIN", "DOWN", "FAIL")) else BAD
