"""NodePage: all that a snapshot says of one node."""

from __future__ import annotations

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from slurm.commands.top.heading import bar, size
from slurm.notation.printable import printable
from slurm.sdk.following.inspection import NodeRow


class NodePage(Screen[None]):
    """One node."""

    CSS = "#node-title { background: $primary; height: 1; padding: 0 1; } VerticalScroll { padding: 1 2; }"
    BINDINGS = [Binding("escape,q", "dismiss(None)", "Back")]

    def __init__(self, node: NodeRow) -> None:
        super().__init__()
        self.node = node

    def compose(self) -> ComposeResult:
        """A grid of what is known."""
        yield Static(f"node {self.node.name}", id="node-title", markup=False)
        with VerticalScroll():
            yield Static(_drawn(self.node))
        yield Footer(compact=True)


def _drawn(node: NodeRow) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("state", node.state)
    if node.reason:
        grid.add_row("why", printable(node.reason + (f"  ({node.since})" if node.since else "")))
    for name, used, total, shown in (("CPUs", node.cpus_allocated, node.cpus, str), ("memory", node.memory_allocated, node.memory, size),
                                     ("GPUs", node.gpus_allocated, node.gpus, str)):
        if total:
            grid.add_row(name, bar(used, total, 30).append(f"  {shown(used)} of {shown(total)} given to jobs", "default"))
    for name, text in (("load", "" if node.load is None else f"{node.load:.2f}"),
            ("memory free", "" if node.memory_free is None else size(node.memory_free)),
                       ("kind of GPU", node.gpu_type), ("partitions", ", ".join(node.partitions)), ("features", node.features)):
        if text:
            grid.add_row(name, printable(text))
    return grid
