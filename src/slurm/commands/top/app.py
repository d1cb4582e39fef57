"""TopApp: the main screen of `slurm top`, and the clock that asks the cluster anew. It never waits for the cluster itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import ContentSwitcher, Footer, Input, Static

from slurm.commands.top import errand, heading
from slurm.commands.top.dialogs import Keys, Question
from slurm.commands.top.job_page import JobPage
from slurm.commands.top.listing import Listing
from slurm.commands.top.node_page import NodePage
from slurm.commands.top.source import Snapshot, Source
from slurm.commands.top.tables import NODE_COLUMNS, job_columns
from slurm.notation.printable import printable
from slurm.sdk.following.inspection import NodeRow, QueueRow
from slurm.sdk.following.using import Use

OF_TABLES = frozenset(("filter", "mine", "show", "other", "clear", "open_log", "pause"))
OF_JOBS = frozenset(("mine", "open_log", "cancel", "hold", "release", "requeue"))
BREATH = 3.0
"""A cluster that takes long to answer is asked so many times less often."""
STUCK_SECONDS = 10.0
"""After which a question that has no answer yet is told of."""


class TopApp(App[int]):
    """Queue and nodes of one cluster."""

    TITLE = "slurm top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { background: $primary; color: $text; height: 1; padding: 0 1; }
    #bars { height: 1; padding: 0 1; }
    #banner { background: $error; color: $text; height: auto; max-height: 3; padding: 0 1; display: none; }
    #tabs { height: 1; padding: 0 1; background: $surface; }
    #filter { display: none; height: 1; border: none; padding: 0 1; }
    ContentSwitcher { height: 1fr; }
    """
    BINDINGS = [
        Binding("q", "quit", "Quit"), Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("m", "mine", "Mine"), Binding("l", "open_log", "Log"), Binding("c", "cancel", "Cancel"),
        Binding("h", "hold", "Hold", show=False),
        Binding("u", "release", "Release", show=False), Binding("R", "requeue", "Requeue", show=False),
        Binding("1", "show('queue')", "Queue", show=False), Binding("2", "show('nodes')", "Nodes", show=False),
        Binding("tab", "other", "Nodes", show=False, priority=False), Binding("space", "pause", "Pause", show=False),
        Binding("escape", "clear", "No filter", show=False), Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]

    def __init__(self, source: Source, *, mine: bool = False, interval: float = 0.0) -> None:
        super().__init__()
        self.source = source
        self.interval = interval or source.interval
        self.mine = mine
        self.snapshot: Snapshot | None = None
        self.paused = False
        self._asked = self._took = 0.0
        self._asking = False
        self._away_since = 0.0

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Static(id="title")
        yield Static(id="bars")
        yield Static(id="banner")
        yield Static(id="tabs")
        yield Input(placeholder="words that a row must hold; Enter or Esc leaves", id="filter", compact=True)
        with ContentSwitcher(initial="queue"):
            yield Listing(job_columns(self._use_of), lambda job: job.raw_id or job.id, "asking the cluster …", id="queue")
            yield Listing(NODE_COLUMNS, lambda node: node.name, "asking the cluster …", id="nodes")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to ask."""
        self.queue.focus()
        self._show_heading()
        self.refresh_now()
        self.set_interval(min(self.interval, 1.0) / 4, self._tick)

    @property
    def queue(self) -> Listing[QueueRow]:
        """The table of jobs."""
        return self.screen_stack[0].query_one("#queue", Listing)

    @property
    def nodes(self) -> Listing[NodeRow]:
        """The table of nodes."""
        return self.screen_stack[0].query_one("#nodes", Listing)

    @property
    def _switch(self) -> ContentSwitcher:
        return self.screen_stack[0].query_one(ContentSwitcher)

    def refresh_now(self) -> None:
        """Ask the cluster, unless an answer is still awaited."""
        if self._asking:
            return
        self._asking, self._asked = True, time.monotonic()
        errand.send(self, self.source.snapshot, self._fresh, self._away)

    @property
    def _stands(self) -> bool:
        """Whether the main screen is there still: an answer may come while it is taken down."""
        return bool(self.screen_stack) and bool(self.screen_stack[0].query("#banner"))

    def _tick(self) -> None:
        if not self._stands:
            return
        waited = time.monotonic() - self._asked
        if self._asking:
            if waited > STUCK_SECONDS:
                self._banner(f"no answer for {waited:.0f} s")
        elif not self.paused and waited >= max(self.interval, BREATH * self._took):
            self.refresh_now()

    def _fresh(self, snapshot: Snapshot) -> None:
        self._asking, self._away_since = False, 0.0
        self._took = time.monotonic() - self._asked
        self.snapshot = snapshot
        if self._stands:
            self._banner("")
            self._fill()

    def _away(self, error: Exception) -> None:
        self._asking = False
        if not self._stands:
            return
        self._away_since = self._away_since or time.time()
        since = time.strftime("%H:%M:%S", time.localtime(self._away_since))
        old = "; what you see is old" if self.snapshot else ""
        self._banner(f"since {since}{old}. Asking again every {self.interval:g} s: {errand.sentence(error)}")
        if self.snapshot is None:
            self.queue.empty = self.nodes.empty = "nothing is known of the cluster yet"
            self._fill()

    def _use_of(self, job: QueueRow) -> Use | None:
        return self.snapshot.uses.get(job.id) if self.snapshot is not None else None

    def _banner(self, text: str) -> None:
        banner = self.screen_stack[0].query_one("#banner", Static)
        banner.display = bool(text)
        banner.update(Text(printable(f"The cluster does not answer {text}") if text else ""))

    def _fill(self) -> None:
        found = self.snapshot
        jobs = [job for job in found.jobs if not self.mine or job.user == self.source.user] if found is not None else []
        if found is not None:
            self.queue.empty = self._why_no_jobs(found)
            self.nodes.empty = "no node matches the filter: Esc drops it" if found.nodes else "this cluster has no nodes"
            self.nodes.fill(found.nodes)
        # squeue has the waiting ones first, of which there may be thousands.
        self.queue.fill(sorted(jobs, key=lambda job: job.state == "PENDING"))
        self._show_heading()

    def _why_no_jobs(self, found: Snapshot) -> str:
        if not found.jobs:
            return "the queue is empty: submit something with sbatch"
        if self.mine and all(job.user != self.source.user for job in found.jobs):
            return f"no job of {self.source.user} in the queue; m shows all {len(found.jobs)}"
        return "no job matches the filter: Esc drops it"

    def _show_heading(self) -> None:
        screen = self.screen_stack[0]
        screen.query_one("#title", Static).update(heading.title(self.source.name, self.snapshot, self.paused, self.size.width))
        screen.query_one("#bars", Static).update(heading.bars(self.snapshot, self.size.width))
        screen.query_one("#tabs", Static).update(heading.tabs(
            self._switch.current or "", len(self.queue.shown), len(self.nodes.shown), self.source.user if self.mine else "",
            screen.query_one("#filter", Input).value))

    def on_resize(self) -> None:
        """Fit the headings, once the screen has its new size."""
        self.call_after_refresh(self._show_heading)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What belongs to the tables is offered only there, and nothing but its own below a dialog."""
        if isinstance(self.screen, Question | Keys):
            return action in ("quit", "suspend_process", "focus_next")
        here = self.screen is self.screen_stack[0]
        if here and action in OF_JOBS and self._switch.current == "nodes":
            return False
        return here or action not in OF_TABLES

    def action_show(self, which: str) -> None:
        """Show the queue or the nodes."""
        self._switch.current = which
        self.refresh_bindings()
        (self.queue if which == "queue" else self.nodes).focus()
        self._show_heading()

    def action_other(self) -> None:
        """Show the other of the two."""
        self.action_show("nodes" if self._switch.current == "queue" else "queue")

    def action_mine(self) -> None:
        """Show only the jobs of the user, or all again."""
        self.mine = not self.mine
        self._fill()

    def action_pause(self) -> None:
        """Stop refreshing, or go on."""
        self.paused = not self.paused
        self._show_heading()

    def action_filter(self) -> None:
        """Let the user type a filter."""
        field = self.screen_stack[0].query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        """Leave the filter's field; the second time drop the filter."""
        field = self.screen_stack[0].query_one("#filter", Input)
        if not field.has_focus:
            field.value = ""
        field.display = bool(field.value)
        (self.queue if self._switch.current == "queue" else self.nodes).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        self.queue.filter(event.value)
        self.nodes.filter(event.value)
        self._show_heading()

    def on_input_submitted(self) -> None:
        """Back to the table, which stays filtered."""
        self.action_clear()

    def on_listing_opened(self, event: Listing.Opened) -> None:
        """Show all about a job or a node."""
        self.push_screen(JobPage(self.source, event.row, self.interval) if isinstance(event.row, QueueRow) else NodePage(event.row))

    def action_open_log(self) -> None:
        """Show what the job under the cursor has written."""
        if (job := self._job()) is not None:
            self.push_screen(JobPage(self.source, job, self.interval, "stdout"))

    def action_keys(self) -> None:
        """Show the keys."""
        self.push_screen(Keys())

    def action_cancel(self) -> None:
        """Cancel the job, after a question."""
        if (job := self._job()) is not None:
            many = f", {job.tasks} elements" if job.tasks > 1 else ""
            self._asked_first(f"Cancel job {job.id} ({job.name}{many}) of {job.user}, which is {job.state}?", "Cancel it",
                lambda: self.source.cancel(job.id))

    def action_requeue(self) -> None:
        """Requeue the job, after a question."""
        if (job := self._job()) is not None:
            self._asked_first(f"Stop job {job.id} ({job.name}) of {job.user} and put it back in the queue?", "Requeue it",
                lambda: self.source.requeue(job.id))

    def action_hold(self) -> None:
        """Hold the job."""
        if (job := self._job()) is not None:
            self._do(lambda: self.source.hold(job.id))

    def action_release(self) -> None:
        """Release the job."""
        if (job := self._job()) is not None:
            self._do(lambda: self.source.release(job.id))

    def _job(self) -> QueueRow | None:
        """The job that keys act on: that of the page, or the one under the cursor."""
        if isinstance(self.screen, JobPage):
            return self.screen.job
        if self._switch.current == "queue" and self.queue.current is not None:
            return self.queue.current
        self.notify("choose a job in the queue first", severity="warning")
        return None

    def _asked_first(self, question: str, yes: str, work: Callable[[], str]) -> None:
        self.push_screen(Question(question, yes), lambda answer: self._do(work) if answer else None)

    def _do(self, work: Callable[[], str]) -> None:
        def done(told: str) -> None:
            self.notify(printable(told), markup=False)
            self.refresh_now()

        errand.send(self, work, done, lambda error: self.notify(printable(errand.sentence(error)), severity="error", timeout=10,
            markup=False))
