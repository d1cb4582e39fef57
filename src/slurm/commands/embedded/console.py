"""Console: what `slurm …` says to people: rich where there is a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TextIO


class Console:
    """Standard output and error of a human command; rich is imported only when a terminal will show it."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    @property
    def fancy(self) -> bool:
        """Whether a person looks at it."""
        return self.out.isatty()

    def line(self, text: str = "") -> None:
        """One line of output."""
        print(text, file=self.out, flush=True)

    def error(self, lines: list[str]) -> None:
        """An error: what is wrong, then what to do."""
        print(f"slurm: error: {lines[0]}", file=self.err)
        for line in lines[1:]:
            print(f"  {line}", file=self.err)
        self.err.flush()

    def table(self, header: list[str], rows: list[list[str]], title: str = "") -> None:
        """A table: drawn on a terminal, aligned columns elsewhere."""
        if self.fancy:
            from rich.console import Console as Rich
            from rich.table import Table

            drawn = Table(*header, title=title or None)
            for row in rows:
                drawn.add_row(*row)
            Rich(file=self.out).print(drawn)
            return
        if title:
            self.line(title)
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        for row in [header, *rows]:
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
