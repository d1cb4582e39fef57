"""What stands over the screen for a moment: a question before a job is ended, and the list of keys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from slurm.notation.printable import printable

KEYS = """\
[b]Everywhere[/b]
  q            quit, or leave a page     ?       these keys
  Ctrl-Z       back to the shell; fg comes back
  1 2 Tab      queue, nodes              space   pause, go on
  /            filter by typing; several words must all be there
  Esc          leave the filter, then drop it
  m            only my jobs, all jobs
[b]In a table[/b] (the mouse works too: click a heading, double click a row)
  ↑ ↓ PgUp PgDn Home End, k j            move
  s S          sort by the next column, the other way round
  Enter        all about the job         l       what it has written
[b]The job under the cursor[/b]
  c            cancel it: asks first, then says what became of it
  h u          hold it, release it       R       requeue it: asks first
[b]On a job's page[/b]
  o e          its standard output, its standard error, as they grow
  i            back to all about it      Esc     back to the table
[b]On a node's page[/b] (Enter on a node)
  Esc          back to the table
"""


class Question(ModalScreen[bool]):
    """One question with yes and no; no is what Enter, Esc and a missed click mean."""

    DEFAULT_CSS = """
    Question { align: center middle; }
    Question > Vertical { width: 64; max-width: 95%; height: auto; border: round $warning; padding: 1 2; background: $surface; }
    Question Horizontal { height: 3; align-horizontal: center; margin-top: 1; }
    Question Button { margin: 0 2; }
    """
    BINDINGS = [Binding("y", "answer(True)", "Yes"), Binding("n,escape,q", "answer(False)", "No"),
                Binding("left,right", "app.focus_next", "Other", show=False)]

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question, self._yes = question, yes

    def compose(self) -> ComposeResult:
        """The question over two buttons, the harmless one first."""
        with Vertical():
            yield Static(printable(self._question), markup=False)
            with Horizontal():
                yield Button("No (n)", id="no", variant="default")
                yield Button(f"{self._yes} (y)", id="yes", variant="warning")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer by a key."""
        self.dismiss(answer)


class Keys(ModalScreen[None]):
    """Which keys there are."""

    DEFAULT_CSS = """
    Keys { align: center middle; }
    Keys > VerticalScroll { width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $primary; padding: 0 1; background: $surface; }
    """
    BINDINGS = [Binding("escape,q,question_mark,enter", "dismiss(None)", "Back")]

    def compose(self) -> ComposeResult:
        """The list."""
        with VerticalScroll():
            yield Static(KEYS)
