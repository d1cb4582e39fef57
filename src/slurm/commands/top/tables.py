"""Which columns the two tables have, how each is shown and sorted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rich.style import Style

from slurm.commands.top.heading import EMPTY, FULL, size
from slurm.commands.top.listing import PLAIN, Column
from slurm.sdk.following.inspection import NodeRow, QueueRow
from slurm.sdk.following.using import Use

CODES = {"PENDING": "PD", "RUNNING": "R", "COMPLETING": "CG", "SUSPENDED": "S", "CONFIGURING": "CF", "COMPLETED": "CD", "FAILED": "F",
         "CANCELLED": "CA", "TIMEOUT": "TO", "NODE_FAIL": "NF", "PREEMPTED": "PR", "OUT_OF_MEMORY": "OOM", "STOPPED": "ST"}
"""State → what stands in a narrow column, as squeue's ST."""
_STATE_STYLES = {"RUNNING": Style(color="green"), "PENDING": Style(color="yellow"), "COMPLETING": Style(color="cyan"),
    "CONFIGURING": Style(color="cyan"),
                 "FAILED": Style(color="red"), "NODE_FAIL": Style(color="red"), "OUT_OF_MEMORY": Style(color="red"),
                 "TIMEOUT": Style(color="red")}
_NODE_STYLES = (("down", Style(color="red")), ("drain", Style(color="magenta")), ("fail", Style(color="red")),
    ("alloc", Style(color="green")),
                ("mix", Style(color="green")))


def natural(text: str) -> list[Any]:
    """A key that orders node9 before node10 and 12_3 before 12_10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _seconds(text: str) -> list[int]:
    """A key that orders times as squeue writes them, 1-02:03:04 behind 59:59; UNLIMITED is the longest, none the shortest."""
    parts = [int(part) for part in re.split(r"[-:]", text) if part.isdigit()]
    return [int(text == "UNLIMITED"), *([0] * (4 - len(parts))), *parts]


def _job_style(job: QueueRow) -> Style:
    return _STATE_STYLES.get(job.state, PLAIN)


def _node_style(node: NodeRow) -> Style:
    return next((style for word, style in _NODE_STYLES if word in node.state.lower()), PLAIN)


def _meter(used: int, total: int, width: int) -> str:
    full = round(width * min(used, total) / total) if total else 0
    full = max(1, full) if used else full
    return FULL * full + EMPTY * (width - full)


def _cpu_use(use: Use | None) -> str:
    return "" if use is None else f"{use.cpu_percent:.0f}%"


def _memory_use(use: Use | None) -> str:
    if use is None:
        return ""
    return f"{size(use.memory)}/{size(use.memory_allocated)}" if use.memory_allocated else size(use.memory)


def job_columns(use_of: Callable[[QueueRow], Use | None]) -> list[Column[QueueRow]]:
    """The columns of the queue; `use_of` says what a running job uses, where that is known."""
    def order(job: QueueRow, field: int) -> float:
        use = use_of(job)
        return -1.0 if use is None else use[field]

    return [
        Column("JOBID", 11, lambda job: job.id, lambda job: natural(job.id)),
        Column("USER", 8, lambda job: job.user, lambda job: job.user, from_width=64),
        Column("PARTITION", 9, lambda job: job.partition, lambda job: job.partition, from_width=72),
        Column("NAME", 14, lambda job: job.name, lambda job: job.name.lower()),
        Column("ST", 3, lambda job: CODES.get(job.state, job.state[:3]), lambda job: job.state, _job_style),
        Column("TIME", 10, lambda job: job.used, lambda job: _seconds(job.used), right=True),
        Column("LIMIT", 10, lambda job: job.limit, lambda job: _seconds(job.limit), right=True, from_width=100),
        Column("NODES", 5, lambda job: str(job.nodes), lambda job: job.nodes, right=True, from_width=90),
        Column("CPUS", 4, lambda job: str(job.cpus), lambda job: job.cpus, right=True, from_width=56),
        Column("CPU%", 5, lambda job: _cpu_use(use_of(job)), lambda job: order(job, 0), right=True, from_width=84),
        Column("MEMORY", 9, lambda job: _memory_use(use_of(job)), lambda job: order(job, 1), right=True, from_width=84),
        Column("ACCOUNT", 10, lambda job: job.account, lambda job: job.account, from_width=110),
        Column("NODELIST(REASON)", 0, lambda job: job.nodelist or (f"({job.reason})" if job.reason else ""),
        lambda job: (bool(job.nodelist), natural(job.nodelist or job.reason))),
    ]


NODE_COLUMNS: list[Column[NodeRow]] = [
    Column("NODE", 12, lambda node: node.name, lambda node: natural(node.name)),
    Column("STATE", 10, lambda node: node.state, lambda node: node.state, _node_style),
    Column("CPUS", 7, lambda node: f"{node.cpus_allocated}/{node.cpus}", lambda node: node.cpus_allocated / max(1, node.cpus), right=True),
    Column("BUSY", 6, lambda node: _meter(node.cpus_allocated, node.cpus, 6), lambda node: node.cpus_allocated / max(1, node.cpus),
    _node_style,
           from_width=72),
    Column("MEMORY", 10, lambda node: f"{size(node.memory_allocated)}/{size(node.memory)}",
    lambda node: node.memory_allocated / max(1, node.memory), right=True, from_width=64),
    Column("GPUS", 5, lambda node: f"{node.gpus_allocated}/{node.gpus}" if node.gpus else "-", lambda node: node.gpus_allocated,
    right=True),
    Column("LOAD", 6, lambda node: "-" if node.load is None else f"{node.load:.2f}", lambda node: -1.0 if node.load is None else node.load,
    right=True, from_width=90),
    Column("PARTITIONS, OR WHY DOWN", 0, lambda node: node.reason or ",".join(node.partitions),
    lambda node: (not node.reason, node.partitions)),
]

