"""The lines above the tables, made of a snapshot: who, how many, how full. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from slurm.commands.top.source import Snapshot
from slurm.sdk.following.inspection import NodeRow, counts

SHOWN_STATES = (("RUNNING", "running", "green"), ("PENDING", "pending", "yellow"), ("COMPLETING", "completing", "cyan"),
    ("SUSPENDED", "suspended", "magenta"))
CHOSEN = Style(reverse=True, bold=True)
FULL, HALF, EMPTY = "█", "▌", "·"


def title(name: str, found: Snapshot | None, paused: bool, width: int) -> Text:
    """Cluster, jobs by state, and when that was."""
    text = Text(f"slurm top  {name}", style="bold", no_wrap=True)
    if found is None:
        return text.append("  asking …", "not bold")
    numbers = counts(found.jobs)
    for state, word, _ in SHOWN_STATES:
        if numbers.get(state) or state in ("RUNNING", "PENDING"):
            text.append(f"  {numbers.pop(state, 0)} {word}", "not bold")
    if others := sum(numbers.values()):
        text.append(f"  {others} other", "not bold")
    clock = ("PAUSED " if paused else "") + time.strftime("%H:%M:%S", time.localtime(found.taken))
    text.truncate(max(1, width - len(clock) - 4), overflow="ellipsis", pad=True)
    return text.append(f" {clock}")


def bars(found: Snapshot | None, width: int) -> Text:
    """How much of the CPUs, the memory and the GPUs of the nodes is given to jobs."""
    text = Text(no_wrap=True)
    if found is None or not found.nodes:
        return text
    parts = [(name, *pair, unit) for (name, unit), pair in zip((("CPU", ""), ("MEM", "M"), ("GPU", "")), shares(found.nodes).values(),
        strict=True)]
    parts = [part for part in parts if part[2]]
    room = (width - 2) // len(parts) - 2
    for name, used, total, unit in parts:
        numbers = f"{size(used)}/{size(total)}" if unit else f"{used}/{total}"
        text.append(f"{name} ", "bold").append_text(bar(used, total, max(3, room - len(name) - len(numbers) - 2))).append(f" {numbers}  ")
    return text


def bar(used: int, total: int, width: int) -> Text:
    """A bar of so many cells, `used` of `total` of it full."""
    halves = round(2 * width * min(used, total) / total) if total else 0
    halves = max(halves, 1) if used else halves
    drawn = FULL * (halves // 2) + HALF * (halves % 2)
    share = used / total if total else 0
    return Text(drawn, "red" if share >= 0.9 else "yellow" if share >= 0.6 else "green").append(EMPTY * (width - len(drawn)), "dim")


def tabs(current: str, jobs: int, nodes: int, mine: str, words: str) -> Text:
    """Which table is shown; a click shows the other."""
    text = Text(no_wrap=True)
    for name, word, count in (("queue", "Queue", jobs), ("nodes", "Nodes", nodes)):
        style = Style.from_meta({"@click": f"app.show('{name}')"}) + (CHOSEN if name == current else Style.null())
        text.append(f" {1 if name == 'queue' else 2} {word} ({count}) ", style).append(" ")
    if current == "queue":
        text.append(f"  only jobs of {mine}" if mine else "  jobs of all users", "dim")
    return text.append(f"   filter: {words}", "yellow") if words else text


def size(megabytes: int) -> str:
    """Megabytes as people write them."""
    value, unit = float(megabytes), "M" if megabytes else ""
    for bigger in ("G", "T", "P"):
        if value < 1000:
            break
        value, unit = value / 1024, bigger
    return f"{value:.0f}{unit}" if value >= 10 or value == int(value) else f"{value:.1f}{unit}"


def shares(nodes: Sequence[NodeRow]) -> dict[str, tuple[int, int]]:
    """How much of each resource of the nodes is given to jobs, and how much there is."""
    return {"cpus": (sum(node.cpus_allocated for node in nodes), sum(node.cpus for node in nodes)),
            "memory_mb": (sum(node.memory_allocated for node in nodes), sum(node.memory for node in nodes)),
            "gpus": (sum(node.gpus_allocated for node in nodes), sum(node.gpus for node in nodes))}
