"""How a cluster does at one moment: its partitions, nodes and jobs, asked in three questions, and told to people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from slurm.commands.embedded.console import Console, Drawing, drawn
from slurm.notation import hostlist, size
from slurm.notation.printable import printable
from slurm.sdk.backends.backend import Backend
from slurm.sdk.following import inspection
from slurm.sdk.following.inspection import NodeRow, PartitionRow, QueueRow

PARTITIONS = ("PARTITION", "STATE", "TIME LIMIT", "NODES", "CPUS USED", "GPUS", "NODE STATES")
NODES = ("NODE", "STATE", "CPUS USED", "MEMORY USED", "GPUS USED", "LOAD", "WHY")
ONE_BY_ONE = 32
"""Up to how many nodes are listed one by one; of more, those of one state stand on one line."""


class Overview(NamedTuple):
    """What was seen."""

    name: str
    partitions: Sequence[PartitionRow]
    nodes: Sequence[NodeRow]
    jobs: Mapping[str, int]


def look(backend: Backend, name: str, account: str | None = None) -> Overview:
    """Ask; only the jobs of one account are counted where one is named."""
    jobs: Iterable[QueueRow] = inspection.queue(backend.ask)
    return Overview(name, inspection.partitions(backend.ask), inspection.nodes(backend.ask),
                    inspection.counts(row for row in jobs if account in (None, row.account)))


def as_json(found: Overview) -> dict[str, object]:
    """The answer to a program."""
    return {"name": found.name, "jobs": found.jobs, "partitions": [row._asdict() for row in found.partitions],
            "nodes": [{**row._asdict(), "usable": row.usable} for row in found.nodes]}


def heading(found: Overview) -> str:
    """The whole in one line."""
    gpus = sum(node.gpus for node in found.nodes)
    parts = [f"{len(found.nodes)} node{'' if len(found.nodes) == 1 else 's'}",
             f"{sum(node.cpus_allocated for node in found.nodes)} of {sum(node.cpus for node in found.nodes)} CPUs in use",
             *([f"{sum(node.gpus_allocated for node in found.nodes)} of {gpus} GPUs"] if gpus else []),
             ", ".join(f"{count} {state.lower()}" for state, count in found.jobs.items()) or "no jobs"]
    return f"{found.name}: {'; '.join(parts)}"


def partitions(found: Overview) -> list[list[str]]:
    """The rows of the table PARTITIONS; the default one has Slurm's star."""
    return [[row.name + ("*" if row.default else ""), row.available, row.limit, str(row.nodes),
        f"{row.cpus['allocated']}/{row.cpus['total']}", row.gres,
             ", ".join(f"{count} {state}" for state, count in sorted(row.states.items(), key=lambda item: -item[1]))]
             for row in found.partitions]


def nodes(found: Overview, every: bool = False) -> list[list[str]]:
    """The rows of the table NODES: one a node, or one a state and reason when there are many."""
    if every or len(found.nodes) <= ONE_BY_ONE:
        return [_row(node.name, [node]) for node in found.nodes]
    alike: dict[tuple[str, str], list[NodeRow]] = {}
    for node in found.nodes:
        alike.setdefault((node.state, node.reason), []).append(node)
    return [_row(f"{hostlist.compress([node.name for node in group])} ({len(group)})", group) for group in alike.values()]


def tables(console: Console, found: Overview, every: bool = False) -> None:
    """Print it."""
    console.line(heading(found))
    console.line()
    console.table(PARTITIONS, partitions(found), free=("GPUS", "NODE STATES"))
    console.line()
    console.table(NODES, nodes(found, every), free=("NODE", "WHY"))
    for trouble in troubles(found):
        console.line(trouble)


def drawing(found: Overview) -> Drawing:
    """It as rich draws it."""
    from rich.console import Group
    from rich.text import Text

    return Group(Text(heading(found), style="bold"), Text(), drawn(PARTITIONS, partitions(found), free=("GPUS", "NODE STATES")), Text(),
                 drawn(NODES, nodes(found), free=("NODE", "WHY")))


def troubles(found: Overview) -> list[str]:
    """A line for each reason why nodes take no jobs, in full; and one for partitions that take none."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for node in found.nodes:
        if not node.usable:
            alike.setdefault((node.state, node.reason, node.since), []).append(node.name)
    lines = [f"{hostlist.compress(names)} {'is' if len(names) == 1 else 'are'} {state}: "
             f"{reason or 'no reason is given'}{f' ({since})' if since else ''}"
             for (state, reason, since), names in alike.items()]
    lines += [f"partition {row.name} is {row.available}: its jobs do not start" for row in found.partitions if row.available != "up"]
    return ["", *map(printable, lines)] if lines else []


def _row(name: str, group: Sequence[NodeRow]) -> list[str]:
    loads = [node.load for node in group if node.load is not None]
    gpus = sum(node.gpus for node in group)
    return [name, group[0].state, f"{sum(node.cpus_allocated for node in group)}/{sum(node.cpus for node in group)}",
            f"{size.show_mb(sum(node.memory_allocated for node in group))}/{size.show_mb(sum(node.memory for node in group))}",
            f"{sum(node.gpus_allocated for node in group)}/{gpus}" if gpus else "", f"{sum(loads) / len(loads):.2f}" if loads else "",
            group[0].reason]
