"""When nodes are switched off, on, or started anew: what is due now, as events. Programs are run, and rates kept, in slurmctld.

Times and what is excepted come from Settings and partitions: of several partitions of a node the longest time counts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from slurm.core import events as e
from slurm.core.nodes import readiness
from slurm.core.state import ClusterState
from slurm.model.ids import NodeName, Uid
from slurm.model.node import Node
from slurm.model.states import NodeState, Power
from slurm.notation import hostlist

EXCEPTED_STATES = (
    "CLOUD", "DOWN", "DRAIN", "DYNAMIC_FUTURE", "DYNAMIC_NORM", "FAIL", "INVALID_REG", "MAINTENANCE", "NOT_RESPONDING", "PERFCTRS",
    "PLANNED", "RESERVED")
"""What SuspendExcStates may name."""


class Times(NamedTuple):
    """Seconds after which an idle node goes down (-1: never), and that going down and coming up may take."""

    idle: int
    down: int
    up: int


class Plan(NamedTuple):
    """Times of each node, and which are never switched off by themselves. Good as long as nodes, partitions and settings are the same."""

    times: dict[NodeName, Times]
    kept: frozenset[NodeName]
    counted: list[tuple[list[NodeName], int]]  # of these nodes so many usable ones stay on


def plan(state: ClusterState) -> Plan:
    """The times of all nodes."""
    settings = state.settings
    common = Times(settings.suspend_time, settings.suspend_timeout, settings.resume_timeout)
    own: dict[NodeName, list[Times]] = {}
    kept: set[NodeName] = set()
    for partition in state.partitions.values():
        if partition.name in settings.suspend_exc_parts:
            kept.update(partition.nodes)
        idle = 0 if partition.power_down_on_idle else partition.suspend_time
        if (idle, partition.suspend_timeout, partition.resume_timeout) == (None, None, None):
            continue
        times = Times(*(common[i] if one is None else one for i, one in enumerate((idle, partition.suspend_timeout,
            partition.resume_timeout))))
        for name in partition.nodes:
            own.setdefault(name, []).append(times)
    counted: list[tuple[list[NodeName], int]] = []
    for words, count in excepted(settings.suspend_exc_nodes):
        names = [NodeName(name) for name in hostlist.expand(words)]
        if count is None:
            kept.update(names)
        else:
            counted.append((names, count))
    longest = {name: Times(*(_longest(column) for column in zip(*several, strict=True))) for name, several in own.items()}
    return Plan({name: longest.get(name, common) for name in state.nodes}, frozenset(kept), counted)


def excepted(text: str) -> list[tuple[str, int | None]]:
    """SuspendExcNodes, "a[1-9]:4,b[1-3]", as host lists with the count behind each, None for all of it; ValueError."""
    found: list[tuple[str, int | None]] = []
    depth, word = 0, ""
    for letter in f"{text},":
        depth += (letter == "[") - (letter == "]")
        if letter != "," or depth > 0:
            word += letter
            continue
        names, colon, count = word.strip().partition(":")
        if colon and not (count.isascii() and count.isdigit() and len(count) < 8):
            raise ValueError(f"{word}: a number of nodes stands behind the colon")
        if names:
            found.append((names, int(count) if colon else None))
        word = ""
    return found


def is_idle(state: ClusterState) -> bool:
    """Whether there is nothing to look at: no node is switched off when idle, none is on its way."""
    return not state.settings.suspends and all(
        node.power is Power.ON and not node.power_asked and not node.reboot and not node.resume_after for node in state.nodes.values())


def due(
    state: ClusterState, times: Plan, now: float, *, proven: Container[NodeName] = (), most_down: int | None = None,
    most_up: int | None = None, planned: Container[NodeName] = (), reserved: Container[NodeName] = (),
) -> list[e.Event]:
    """What is to happen now: PowerChanged, ResumeFailed, RebootIssued, NodeUpdated.

    `proven`: nodes that SuspendProgram said to have switched off; `most_down`, `most_up`: so many at most begin to go down and up.
    """
    events: list[e.Event] = []
    idle: list[Node] = []
    for node in state.nodes.values():
        if node.power is Power.ON and not node.power_asked and not node.reboot and not node.resume_after:
            if state.settings.suspends and times.times[node.name].idle >= 0:
                idle.append(node)
            continue
        event = _of_node(state, node, times.times[node.name], now, proven)
        if isinstance(event, e.PowerChanged) and event.power is Power.COMING_UP and most_up is not None:
            if most_up <= 0:
                continue
            most_up -= 1
        if event is not None:
            events.append(event)
        elif node.power is Power.ON and not node.power_asked:
            idle.append(node)
    if idle and state.settings.suspends:
        tired = islice(_idle(state, times, idle, now, planned=planned, reserved=reserved), most_down)
        events += [e.PowerChanged(at=now, node=node.name, power=Power.GOING_DOWN) for node in tired]
    return events


def _of_node(state: ClusterState, node: Node, times: Times, now: float, proven: Container[NodeName]) -> e.Event | None:
    """What is due of a node with which something goes on."""
    wanted, force = node.power_asked.startswith("down"), node.power_asked == "down_force"
    if node.resume_after and now >= node.resume_after:
        return e.NodeUpdated(at=now, node=node.name, by=Uid(0), by_name=state.settings.slurm_user, state="RESUME")
    if node.power is Power.COMING_UP:
        if node.responding:
            return e.PowerChanged(at=now, node=node.name, power=Power.ON)
        if now >= node.power_since + times.up:
            return e.ResumeFailed(at=now, node=node.name)
    if node.power is Power.GOING_DOWN:
        if now < node.power_since + times.down:
            return None
        return e.PowerChanged(at=now, node=node.name, power=Power.OFF, empty=node.name in proven)
    if node.power is Power.OFF:
        if node.power_asked != "up" and node.name in proven and (node.jobs or node.remains):
            return e.PowerChanged(at=now, node=node.name, power=Power.OFF, empty=True)  # the program took longer than SuspendTimeout
        return e.PowerChanged(at=now, node=node.name,
            power=Power.COMING_UP) if node.power_asked == "up" and state.settings.resumes else None
    if wanted and (force or not node.jobs):
        return e.PowerChanged(at=now, node=node.name, power=Power.GOING_DOWN)
    if node.reboot == "issued" and now >= node.reboot_since + times.up:
        return e.ResumeFailed(at=now, node=node.name, reboot=True)
    if node.reboot in ("requested", "for_job") and node.power is Power.ON and _only_waits(state, node):
        return e.RebootIssued(at=now, node=node.name)
    return None


def _only_waits(state: ClusterState, node: Node) -> bool:
    """Whether nothing runs there: its jobs, if there are any, wait for it to be started anew."""
    return all(node.reboot == "for_job" and readiness.is_booting(state.jobs[job_id]) for job_id in node.jobs)


def _idle(
    state: ClusterState, times: Plan, nodes: Iterable[Node], now: float, *, planned: Container[NodeName], reserved: Container[NodeName],
) -> Iterator[Node]:
    """Those of the nodes that were idle for long enough, and are not excepted: found one by one, most of them by their times alone."""
    states = set(state.settings.suspend_exc_states)
    staying = {
        name for names, count in times.counted
        for name in [name for name in names if name in state.nodes and _serves(state.nodes[name])][:count]}
    for node in nodes:
        idle = times.times[node.name].idle
        if idle < 0 or now < node.last_busy_time + idle or now < _idle_since(
                node) + idle or node.name in times.kept or node.name in staying:
            continue
        if node.state not in (NodeState.IDLE, NodeState.DOWN) or _is_busy(state, node):
            continue
        if not states or states.isdisjoint(_words(node, planned=node.name in planned, reserved=node.name in reserved)):
            yield node


def _serves(node: Node) -> bool:
    return node.state is NodeState.IDLE and not node.drain and node.power is Power.ON and node.responding


def _is_busy(state: ClusterState, node: Node) -> bool:
    """Whether jobs have it, other than those that are waited for since nobody hears of it."""
    return any(node.responding or state.jobs[job_id].lost is None for job_id in node.jobs)


def _idle_since(node: Node) -> float:
    out_of_service = node.reason_time if node.state is NodeState.DOWN else 0.0
    return max(node.last_busy_time, node.power_since, out_of_service)


def _words(node: Node, *, planned: bool, reserved: bool) -> set[str]:
    """What SuspendExcStates may say of a node."""
    words = {
        "CLOUD": node.cloud, "DOWN": node.state is NodeState.DOWN, "DRAIN": node.drain, "DYNAMIC_NORM": bool(node.line),
        "NOT_RESPONDING": not node.responding, "PLANNED": planned, "RESERVED": reserved, "MAINTENANCE": reserved}
    return {word for word, holds in words.items() if holds}


def _longest(seconds: Iterable[int]) -> int:
    found = list(seconds)
    return -1 if -1 in found else max(found)
