"""Nodes as pages list them, read from sinfo's columns, which cost little with many nodes."""

from __future__ import annotations

from typing import NamedTuple

from slurm.slurmrestd.web.visit import Visit

_FIELDS = ("NodeList", "StateLong", "CPUsState", "CPUsLoad", "Memory", "AllocMem", "Gres", "GresUsed", "Partition", "Reason")
_FLAGS = "*+$#~!%^@-"
"""Marks behind a state: it does not answer, is powered down, reserved …"""


class NodeLine(NamedTuple):
    """A node; memory in MB. `state` is sinfo's word with its marks, `word` without."""

    name: str
    state: str
    cpus_used: int
    cpus: int
    load: float
    memory_used: int
    memory: int
    gpus_used: int
    gpus: int
    gres: str
    partitions: tuple[str, ...]
    reason: str

    @property
    def word(self) -> str:
        """The state without marks."""
        return self.state.rstrip(_FLAGS)


def nodes(visit: Visit, *, names: tuple[str, ...] = (), partition: str = "") -> list[NodeLine]:
    """Every node once, in the order of sinfo."""
    found: dict[str, NodeLine] = {}
    more = {"partitions": [partition]} if partition else {}
    for row in visit.doors.cluster.nodes(_FIELDS, by_node=True, nodes=list(names), convert=False, **more):
        line = _line(row)
        before = found.get(line.name)
        found[line.name] = line if before is None else before._replace(partitions=(*before.partitions, *line.partitions))
    return list(found.values())


def _line(row: list[str]) -> NodeLine:
    name, state, cpus, load, memory, held, devices, used, partition, reason = row
    parts = cpus.split("/")
    return NodeLine(
        name, state, _whole(parts[0]), _whole(parts[-1]), _number(load), _whole(held), _whole(memory), gpus(used), gpus(devices),
        "" if devices == "(null)" else devices, (partition.rstrip("*"),), "" if reason == "none" else reason)


def gpus(text: str) -> int:
    """How many GPUs a list of generic resources has: "gpu:a100:2(S:0-1),shard:4" has 2."""
    if text in ("", "(null)"):
        return 0
    found = 0
    for piece in _pieces(text):
        words = piece.partition("(")[0].split(":")
        if words[0] == "gpu":
            found += _whole(words[-1]) if len(words) > 1 and words[-1].isdigit() else 1
    return found


def _pieces(text: str) -> list[str]:
    """Split at the commas outside parentheses."""
    pieces, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            pieces.append(text[start:place])
            start = place + 1
    return [*pieces, text[start:]]


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
