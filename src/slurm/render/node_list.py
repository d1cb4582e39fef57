"""sinfo's rows: nodes grouped into lines, filtered and sorted. What a line says in a column is in `node_values`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from itertools import pairwise

from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.notation import hostlist
from slurm.render import fields, node_values
from slurm.render.fields import known
from slurm.render.job_list import sort_keys
from slurm.render.node_state import NodeStatus, parse_filter, passes, status
from slurm.render.node_values import Group
from slurm.render.view import View
from slurm.wire.messages import ListNodes

_OF_PARTITION = frozenset({
    "AllocNodes", "Available", "DefaultTime", "Groups", "MaxCPUsPerNode", "OverSubscribe", "Partition", "PartitionName", "PreemptMode",
    "PriorityJobFactor", "PriorityTier", "Root", "Size", "Time"})
"""Fields that tell partitions apart: without one of them a node is counted once, not once for each of its partitions."""
_AGGREGATED = frozenset({
    "CPUs", "Cores", "Sockets", "Threads", "SocketCoreThread", "Memory", "Disk", "Weight", "CPUsLoad", "FreeMem", "NodeList", "Nodes",
    "NodeAI", "NodeAIOT", "CPUsState", "Cluster", "Reservation", "NodeAddr", "Port"})
"""Fields in which nodes of one line may differ, unless --exact asks otherwise."""
_NEVER_APART = frozenset({"NodeList", "Nodes", "NodeAI", "NodeAIOT", "CPUsState", "CPUsLoad", "FreeMem"})
_STATES = frozenset({"StateCompact", "StateLong", "StateComplete"})
_SortValue = int | str | tuple[object, ...]


def list_nodes(view: View, message: ListNodes, now: float) -> list[list[str]]:
    """The rows that sinfo asked for, sorted."""
    view = replace(view, now=now, time_format=message.time_format, convert=message.convert)
    names = [known(name, fields.NODE).name for name in message.fields]
    getters = [node_values.GETTERS[name] for name in names]
    return [[getter(group, view) for getter in getters] for group in groups(view, message, names)]


def groups(view: View, message: ListNodes, names: list[str]) -> list[Group]:
    """The lines before they are texts."""
    found: list[Group] = []
    by_partition = message.by_node or bool(_OF_PARTITION.intersection(names))
    apart = _apart(names, message)
    seen: set[str] = set()
    merged: dict[Hashable, Group] = {}
    for partition in _partitions(view, message):
        mine: dict[Hashable, Group] = {} if by_partition else merged
        for node, state in _nodes(view, message, partition):
            if not by_partition and node.name in seen:
                continue
            seen.add(node.name)
            _put(mine, apart, Group(partition if by_partition else None, [node], state), view)
        if by_partition:
            if not mine and not message.by_node and not message.reasons:
                mine[None] = Group(partition, [], None)
            found += mine.values()
    found += merged.values()
    _in_order(found, message, bool(_STATES.intersection(names)), view)
    return found


def _partitions(view: View, message: ListNodes) -> list[Partition]:
    wanted = set(message.partitions)
    return [
        partition for partition in view.partitions_in_order
        if (partition.name in wanted if wanted else message.show_hidden or not partition.hidden)]


def _nodes(view: View, message: ListNodes, partition: Partition) -> list[tuple[Node, NodeStatus]]:
    combinations = parse_filter(message.states)
    wanted = set(message.nodes)
    found = []
    for name in partition.nodes:
        node = view.nodes.get(name)
        if node is None or (wanted and name not in wanted):
            continue
        state = status(node, view)
        if state.base == "future" and not combinations:
            continue
        if message.responding is not None and message.responding == ("not_responding" in state.flags):
            continue
        if message.reasons and not node.reason:
            continue
        if passes(state, combinations):
            found.append((node, state))
    return found


def _apart(names: list[str], message: ListNodes) -> list[node_values.Getter] | None:
    """The columns in which nodes of one line must be equal; None: each node has a line of its own."""
    if message.by_node:
        return None
    loose = _NEVER_APART if message.exact else _AGGREGATED
    if message.summarize:
        loose = loose | _STATES
    return [node_values.GETTERS[name] for name in names if name not in loose and name not in _OF_PARTITION]


def _put(mine: dict[Hashable, Group], apart: list[node_values.Getter] | None, group: Group, view: View) -> None:
    node = group.nodes[0]
    key: Hashable = node.name if apart is None else tuple(getter(group, view) for getter in apart)
    if key in mine:
        mine[key].nodes.append(node)
    else:
        mine[key] = group


def _in_order(found: list[Group], message: ListNodes, shows_state: bool, view: View) -> None:
    sort = message.sort or ("N,#P" if message.by_node else "-H,N" if message.reasons else "#P,-t" if shows_state else "#P")
    configured = _configured(sort)
    for descending, letter in reversed(sort_keys(sort, fields.NODE)):
        if letter in "PR" and letter in configured:
            found.sort(key=_position, reverse=descending)
        else:
            found.sort(key=_sort_key(letter, view), reverse=descending)


def _configured(sort: str) -> set[str]:
    """Letters with # before them: partitions in the order of the configuration."""
    return {letter for mark, letter in pairwise(sort) if mark == "#"}


def _position(group: Group) -> int:
    return group.partition.position if group.partition is not None else 0


def _sort_key(letter: str, view: View) -> Callable[[Group], _SortValue]:
    if letter in "tT":
        return lambda group: group.state.rank if group.state is not None else -1
    if letter in "Nno":
        return lambda group: hostlist.sort_key(group.nodes[0].name) if group.nodes else ()
    getter = node_values.GETTERS[fields.NODE.by_letter[letter].name]
    if letter in "cmdwDXYZpI":
        return lambda group: int(getter(group, view).rstrip("+") or 0)
    return lambda group: getter(group, view)
