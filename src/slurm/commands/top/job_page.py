"""JobPage: all about one job, and what it writes as it grows."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Log, Static

from slurm.commands.top import errand
from slurm.commands.top.details import Section, sections
from slurm.commands.top.source import Part, Source
from slurm.notation.printable import printable
from slurm.sdk.following.inspection import JobRecord, QueueRow

LINES_KEPT = 20_000
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
FILES = ("stdout", "stderr")
NAMES = 14
"""Cells that names of facts take."""


class JobPage(Screen[None]):
    """One job, asked about anew as often as the queue."""

    CSS = """
    #job-title { background: $primary; height: 1; padding: 0 1; }
    #job-note { height: auto; max-height: 3; padding: 0 1; background: $warning; color: $text; display: none; }
    #details { padding: 0 1; }
    JobPage ContentSwitcher { height: 1fr; }
    """
    BINDINGS = [Binding("escape,q", "dismiss(None)", "Back"), Binding("i", "view('details')", "Details"),
        Binding("o,l", "view('stdout')", "Output"),
                Binding("e", "view('stderr')", "Errors")]

    def __init__(self, source: Source, job: QueueRow, interval: float, view: str = "details") -> None:
        super().__init__()
        self.source, self.job, self.view = source, job, view
        self.record: JobRecord | None = None
        self._interval = interval
        self._asking = self._reading = False
        self._asked = 0.0
        self._ends = {"stdout": -1, "stderr": -1}
        self._note = {"details": "", "stdout": "", "stderr": ""}

    def compose(self) -> ComposeResult:
        """Title, a line for what is wrong, the three views, keys."""
        yield Static(id="job-title", markup=False)
        yield Static(id="job-note", markup=False)
        with ContentSwitcher(initial=self.view):
            with VerticalScroll(id="details"):
                yield Static("asking the cluster …", id="sections", markup=False)
            yield Log(max_lines=LINES_KEPT, id="stdout")
            yield Log(max_lines=LINES_KEPT, id="stderr")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to ask."""
        self.action_view(self.view)
        self._ask()
        self.set_interval(min(1.0, self._interval) / 4, self._tick)

    def action_view(self, view: str) -> None:
        """Show the details, what the job printed, or its errors."""
        self.view = view
        self.query_one(ContentSwitcher).current = view
        self.query_one(f"#{view}").focus()
        self._show_title()
        self._read()

    def _tick(self) -> None:
        if time.monotonic() - self._asked >= self._interval:
            self._ask()

    def _ask(self) -> None:
        self._asked = time.monotonic()
        if not self._asking:
            self._asking = True
            errand.send(self.app, self._look, self._told, self._failed)

    def _look(self) -> tuple[JobRecord, Sequence[str]]:
        record = self.source.job(self.job.id)
        return record, self.source.why(record)

    def _told(self, found: tuple[JobRecord, Sequence[str]]) -> None:
        self._asking = False
        if not self.is_attached:
            return
        self.record, why = found
        self._say("details", "")
        self.query_one("#sections", Static).update(_drawn(sections(self.record, why)))
        self._show_title()
        self._read()

    def _failed(self, error: Exception) -> None:
        self._asking = False
        if self.is_attached:
            self._say("details", f"{errand.sentence(error)}{': what follows is old' if self.record else ''}")
            self._read()

    def _read(self) -> None:
        """Read on in the file of the view; when the job's record is not known yet, what it says comes first."""
        view = self.view
        if view not in FILES or self._reading or self.record is None:
            return
        path = self._path(view)
        if view == "stderr" and path == self.record.stdout:
            self._say(view, f"standard error goes where standard output goes, to {path}: o shows it")
        elif path in ("", "/dev/null"):
            self._say(view, "this job writes no such file" + ("" if self.record.command or path
                else ": what it prints goes to the terminal that it was started from"))
        else:
            self._reading = True
            errand.send(self.app, lambda: self.source.log(path, self._ends[view]), lambda part: self._written(view, path, part),
                        lambda error: self._unread(view, path, error))

    def _written(self, view: str, path: str, part: Part) -> None:
        self._reading = False
        if not self.is_attached:
            return
        log = self.query_one(f"#{view}", Log)
        first = self._ends[view] < 0
        if part.end < self._ends[view]:
            log.clear()
        self._ends[view] = part.end
        # Someone who has scrolled up reads; only the end is followed.
        log.write(clean(part.text), scroll_end=first or log.is_vertical_scroll_end)
        said = f"the first {part.skipped:,} bytes of {path} are not shown" if first and part.skipped else None
        if said or self._note[view].startswith("nothing"):
            self._say(view, said or "")
        if part.end <= 0:
            waits = self.record is not None and self.record.state == "PENDING"
            self._say(view, f"nothing is written before the job starts; then it goes to {path}" if waits else f"nothing in {path} yet")

    def _unread(self, view: str, path: str, error: Exception) -> None:
        self._reading = False
        if self.is_attached:
            self._say(view, f"{path}: {errand.sentence(error)}")

    def _say(self, view: str, text: str) -> None:
        self._note[view] = text
        self._show_title()

    def _path(self, view: str) -> str:
        return "" if self.record is None else self.record.stderr if view == "stderr" else self.record.stdout

    def _show_title(self) -> None:
        state = self.record.state if self.record is not None else self.job.state
        path = f"  {self._path(self.view)}" if self.view in FILES else ""
        self.query_one("#job-title", Static).update(printable(f"job {self.job.id}  {self.job.name}  {state}{path}"))
        note = self.query_one("#job-note", Static)
        note.display = bool(self._note[self.view])
        note.update(printable(self._note[self.view]))


def clean(text: str) -> str:
    """A log without colours and other orders to a terminal, also half ones; of a line that overwrote itself, its last state."""
    lines = _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    last = (line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return "\n".join(line if line.isprintable() else "".join(letter for letter in line if letter.isprintable() or letter == "\t")
        for line in last)


def _drawn(found: list[Section]) -> Group:
    """Sections below each other; lines without a name have the whole width."""
    drawn: list[Text | Padding | Table] = []
    for section in found:
        drawn.append(Text(section.title, "bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, min_width=NAMES)
        grid.add_column(overflow="fold")
        for name, value in section.rows:
            if name:
                grid.add_row(Text(f"  {name}", "dim"), Text(printable(value)))
            else:
                drawn.append(Padding(Text(printable(value)), (0, 0, 0, 2)))
        drawn.append(grid)
    return Group(*drawn)
