"""Listing: a table of any length of which only the visible lines are drawn.

Sorts and filters what it is given; knows nothing of jobs or nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

Row = TypeVar("Row")
HEAD = Style(bold=True, underline=True)
PLAIN = Style()


class Column(NamedTuple, Generic[Row]):
    """One column: its text for a row, how rows are ordered by it, its width (0: what the others leave), and from which width on it is
    shown."""

    title: str
    width: int
    text: Callable[[Row], str]
    order: Callable[[Row], Any]
    style: Callable[[Row], Style] | None = None
    right: bool = False
    from_width: int = 0


class Listing(ScrollView, Generic[Row], can_focus=True):
    """Rows under a fixed heading. The cursor stays on the row with its key, whatever happens around it."""

    DEFAULT_CSS = """
    Listing { height: 1fr; scrollbar-size-horizontal: 0; }
    """
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False), Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False), Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(0)", "First", show=False), Binding("end", "edge(1)", "Last", show=False),
        Binding("s", "sort(1)", "Sort"), Binding("S", "reverse", "Reverse", show=False),
        Binding("enter", "open", "Details", key_display="⏎"),
    ]
    cursor: reactive[int] = reactive(0)

    class Opened(Message):
        """A row was chosen, by Enter or a double click."""

        def __init__(self, row: Any) -> None:
            super().__init__()
            self.row = row

    def __init__(self, columns: Sequence[Column[Row]], key: Callable[[Row], str], empty: str, *, id: str) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.empty = empty
        self.shown: list[Row] = []
        self.sorted_by, self.reversed = -1, False
        self._key = key
        self._rows: Sequence[Row] = ()
        self._filter: list[str] = []
        self._at = ""

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.shown[self.cursor] if 0 <= self.cursor < len(self.shown) else None

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these rows instead of those before."""
        self._rows = rows
        self._arrange()

    def filter(self, text: str) -> None:
        """Show only rows that hold every word of `text` somewhere, in any column, whatever the case."""
        self._filter = text.lower().split()
        self._arrange()

    def _arrange(self) -> None:
        rows: Iterable[Row] = self._rows
        if self._filter:
            rows = [row for row in rows if self._holds(row)]
        if self.sorted_by >= 0:
            rows = sorted(rows, key=self.columns[self.sorted_by].order, reverse=self.reversed)
        self.shown = list(rows)
        self.virtual_size = Size(0, len(self.shown) + 1)
        found = next((number for number, row in enumerate(self.shown) if self._key(row) == self._at), None) if self._at else None
        self.cursor = max(0, min(self.cursor, len(self.shown) - 1)) if found is None else found
        self._remember()
        self.refresh()

    def _holds(self, row: Row) -> bool:
        text = "\n".join(column.text(row) for column in self.columns).lower()
        return all(word in text for word in self._filter)

    def _remember(self) -> None:
        self._at = self._key(self.shown[self.cursor]) if self.shown else ""

    def widths(self) -> list[tuple[Column[Row], int]]:
        """The columns that fit, with their widths."""
        room = self.scrollable_content_region.width or self.size.width
        kept = [column for column in self.columns if column.from_width <= room]
        left = max(1, room - sum(column.width for column in kept) - len(kept) + 1)
        return [(column, column.width or left) for column in kept]

    def render_line(self, y: int) -> Strip:
        """The heading, or one row."""
        width = self.size.width
        base = self.rich_style
        if y == 0:
            return self._heading().adjust_cell_length(width, base + HEAD).apply_style(base)
        number = self.scroll_offset.y + y - 1
        if number >= len(self.shown):
            text = self.empty if y == 2 and not self.shown else ""
            return Strip([Segment(f"  {text}", base + Style(dim=True))]).adjust_cell_length(width, base)
        row, here = self.shown[number], number == self.cursor
        segments = []
        for column, size in self.widths():
            segments.append(Segment(_cell(column.text(row), size, column.right) + " ",
                column.style(row) if column.style and not here else PLAIN))
        strip = Strip(segments).adjust_cell_length(width, base)
        return strip.apply_style(base + Style(reverse=True, bold=self.has_focus) if here else base)

    def _heading(self) -> Strip:
        sorted_by = self.columns[self.sorted_by] if self.sorted_by >= 0 else None
        parts = []
        for column, size in self.widths():
            title = column.title + (("▼" if self.reversed else "▲") if column is sorted_by else "")
            parts.append(Segment(_cell(title, size, column.right) + " ", HEAD))
        return Strip(parts)

    def watch_cursor(self) -> None:
        """Keep the cursor in sight."""
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top or self.cursor >= top + height:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - height + 1, animate=False, immediate=True)
        self.refresh()

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(len(self.shown) - 1, self.cursor + lines))
        self._remember()

    def action_page(self, direction: int) -> None:
        """Move the cursor by what is visible."""
        self.action_move(direction * max(1, self.size.height - 2))

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the last row."""
        self.action_move(len(self.shown) if last else -len(self.shown))

    def action_sort(self, step: int) -> None:
        """Sort by the next of the visible columns; after the last, as it came."""
        visible = [self.columns.index(column) for column, _ in self.widths()]
        place = visible.index(self.sorted_by) + step if self.sorted_by in visible else 0
        self.sort_by(visible[place] if place < len(visible) else -1)

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(max(self.sorted_by, 0), not self.reversed)

    def sort_by(self, column: int, backwards: bool = False) -> None:
        """Sort by a column; -1: as the rows came."""
        self.sorted_by, self.reversed = column, backwards
        self._arrange()

    def action_open(self) -> None:
        """Choose the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def on_click(self, event: events.Click) -> None:
        """On the heading: sort, the second time the other way round. On a row: go there, with a double click open it."""
        if event.y == 0:
            self._sort_at(event.x)
            return
        number = self.scroll_offset.y + event.y - 1
        if number < len(self.shown):
            self.cursor = number
            self._remember()
            if event.chain == 2:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        start = 0
        for column, size in self.widths():
            if start <= x <= start + size:
                number = self.columns.index(column)
                self.sort_by(number, number == self.sorted_by and not self.reversed)
                return
            start += size + 1


def _cell(text: str, width: int, right: bool) -> str:
    """`text` in so many cells of the terminal, cut with an ellipsis; what would move the terminal's cursor is shown as blank."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    room = width - cell_len(clean)
    if room < 0:
        return set_cell_size(clean, width - 1) + "…"
    return " " * room + clean if right else clean + " " * room
