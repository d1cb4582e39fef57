"""The text of each field of sinfo, one function a row of `fields.NODE`. Which nodes make a line is decided in `node_list`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from slurm.model.cpu_set import NOTHING
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.settings import Settings
from slurm.notation import duration, gres, hostlist
from slurm.notation.gres import GresRequest
from slurm.render.node_state import NodeStatus, status
from slurm.render.view import View


class Group(NamedTuple):
    """One line of sinfo: nodes that look alike in the columns shown, and the partition they are shown in."""

    partition: Partition | None
    nodes: list[Node]
    state: NodeStatus | None  # None: no node


Getter = Callable[[Group, View], str]
_AVAILABLE = {"UP": "up", "DOWN": "down", "DRAIN": "drain", "INACTIVE": "inact"}


def gres_text(node: Node) -> str:
    """The GRES of a node, "gpu:a100:2", "" for none."""
    return gres.show(GresRequest(pool.name, pool.type, pool.count) for pool in node.gres)


def gres_used_text(node: Node) -> str:
    """What jobs hold of it, "gpu:a100:1(IDX:0)", "" for a node without GRES."""
    shown = []
    for pool in node.gres:
        taken = list(node.gres_used.get(pool.name, NOTHING) & pool.devices)
        shown.append(gres.show_used(pool.name, pool.type, taken))
    return ",".join(shown)


def load_text(node: Node) -> str:
    """The load average, "N/A" while the node has not registered."""
    return f"{node.cpu_load:.2f}" if node.registered else "N/A"


def free_memory_text(node: Node) -> str:
    """Free memory in MB, "N/A" while the node has not registered."""
    return str(node.free_memory) if node.registered else "N/A"


def version_text(node: Node) -> str:
    """The version of its slurmd."""
    return node.version or "N/A"


def preempt_mode(partition: Partition, settings: Settings) -> str:
    """What becomes of a preempted job: what the partition says, else what holds for the cluster; GANG stands first."""
    return partition.preempt_mode or ",".join(sorted((mode.upper() for mode in settings.preempt_modes), key="GANG".__ne__)) or "OFF"


def _first(text: Callable[[Node], str], absent: str = "") -> Getter:
    return lambda group, view: text(group.nodes[0]) if group.nodes else absent


def _least(number: Callable[[Node], int]) -> Getter:
    """The smallest of the nodes' numbers, with + behind it where some have more."""

    def show(group: Group, view: View) -> str:
        numbers = {number(node) for node in group.nodes} or {0}
        return f"{min(numbers)}+" if len(numbers) > 1 else str(min(numbers))

    return show


def _of_partition(text: Callable[[Partition, View], str]) -> Getter:
    return lambda group, view: text(group.partition, view) if group.partition is not None else "n/a"


def _spread(texts: Iterable[str]) -> str:
    """The texts of several nodes as one: "0.10-1.32"."""
    values = sorted(set(texts), key=lambda text: float(text) if text != "N/A" else -1.0)
    return "-".join(dict.fromkeys((values[0], values[-1]))) if values else "N/A"


def _job_size(partition: Partition) -> str:
    least = max(1, partition.min_nodes)
    most = "infinite" if partition.max_nodes < 0 else str(partition.max_nodes)
    return str(least) if most == str(least) else f"{least}-{most}"


def _count_nodes(group: Group, view: View) -> tuple[int, int, int]:
    """(allocated, idle, other) nodes."""
    counts = [0, 0, 0]
    for node in group.nodes:
        state = status(node, view)
        counts[0 if state.busy else 1 if state.base == "idle" and state.available else 2] += 1
    return counts[0], counts[1], counts[2]


def count_cpus(nodes: Iterable[Node], view: View) -> tuple[int, int, int, int]:
    """(allocated, idle, other, total) CPUs."""
    allocated = idle = other = total = 0
    for node in nodes:
        used = len(node.cpus_used)
        allocated += used
        total += node.cpus
        if status(node, view).available:
            idle += node.cpus - used
        else:
            other += node.cpus - used
    return allocated, idle, other, total


def _nodes_ai(group: Group, view: View) -> str:
    allocated, idle, _ = _count_nodes(group, view)
    return f"{allocated}/{idle}"


def _nodes_aiot(group: Group, view: View) -> str:
    allocated, idle, other = _count_nodes(group, view)
    return f"{allocated}/{idle}/{other}/{allocated + idle + other}"


def _overcommit(partition: Partition, view: View) -> str:
    return "EXCLUSIVE" if partition.oversubscribe == "EXCLUSIVE" else partition.oversubscribe


def _reason_time(group: Group, view: View) -> str:
    return view.moment(group.nodes[0].reason_time if group.nodes and group.nodes[0].reason else 0.0, "Unknown")



def reservation_of(node: Node, view: View) -> str:
    """The reservation that runs on a node, as far as whoever asks may see it; "" for none."""
    of = view.reserved.get(node.name)
    return of.name if of is not None and of.name in view.shown_reservations else ""


def _reservation(group: Group, view: View) -> str:
    return ",".join(dict.fromkeys(filter(None, (reservation_of(node, view) for node in group.nodes))))


GETTERS: dict[str, Getter] = {
    "AllocMem": _least(lambda node: node.memory_used),
    "AllocNodes": _of_partition(lambda partition, view: "all" if partition.alloc_nodes == "ALL" else partition.alloc_nodes),
    "Available": _of_partition(lambda partition, view: _AVAILABLE.get(partition.state, partition.state.lower())),
    "Cluster": lambda group, view: "N/A",
    "Comment": _first(lambda node: node.comment or "(null)"),
    "Cores": _least(lambda node: node.cores_per_socket),
    "CPUs": _least(lambda node: node.cpus),
    "CPUsLoad": lambda group, view: _spread(map(load_text, group.nodes)),
    "CPUsState": lambda group, view: "/".join(map(str, count_cpus(group.nodes, view))),
    "DefaultTime": _of_partition(
        lambda partition, view: "n/a" if partition.default_time is None else limit_text(partition.default_time)),
    "Disk": _least(lambda node: node.tmp_disk),
    "Extra": _first(lambda node: node.extra or "(null)"),
    "Features": _first(lambda node: ",".join(node.features) or "(null)"),
    "features_act": _first(lambda node: ",".join(node.features) or "(null)"),
    "FreeMem": lambda group, view: _spread(map(free_memory_text, group.nodes)),
    "Gres": _first(lambda node: gres_text(node) or "(null)"),
    "GresUsed": _first(lambda node: gres_used_text(node) or "(null)"),
    "Groups": _of_partition(lambda partition, view: "all" if partition.allow_groups == "ALL" else partition.allow_groups),
    "MaxCPUsPerNode": _of_partition(
        lambda partition, view: "UNLIMITED" if partition.max_cpus_per_node < 0 else str(partition.max_cpus_per_node)),
    "Memory": _least(lambda node: node.memory),
    "NodeAddr": lambda group, view: hostlist.compress(dict.fromkeys(node.address or node.name for node in group.nodes)),
    "NodeAI": _nodes_ai,
    "NodeAIOT": _nodes_aiot,
    "NodeHost": lambda group, view: hostlist.compress(dict.fromkeys(node.hostname or node.name for node in group.nodes)),
    "NodeList": lambda group, view: hostlist.compress(node.name for node in group.nodes),
    "Nodes": lambda group, view: str(len(group.nodes)),
    "OverSubscribe": _of_partition(_overcommit),
    "Partition": _of_partition(lambda partition, view: partition.name + ("*" if partition.default else "")),
    "PartitionName": _of_partition(lambda partition, view: partition.name),
    "Port": _first(lambda node: str(node.port)),
    "PreemptMode": _of_partition(lambda partition, view: preempt_mode(partition, view.settings)),
    "PriorityJobFactor": _of_partition(lambda partition, view: str(partition.priority_job_factor)),
    "PriorityTier": _of_partition(lambda partition, view: str(partition.priority_tier)),
    "Reason": _first(lambda node: node.reason or "none", "none"),
    "Reservation": _reservation,
    "Root": _of_partition(lambda partition, view: "yes" if partition.root_only else "no"),
    "Size": _of_partition(lambda partition, view: _job_size(partition)),
    "Sockets": _least(lambda node: node.sockets),
    "SocketCoreThread": lambda group, view: ":".join(GETTERS[name](group, view) for name in ("Sockets", "Cores", "Threads")),
    "StateCompact": lambda group, view: group.state.short if group.state else "n/a",
    "StateComplete": lambda group, view: group.state.complete.lower() if group.state else "n/a",
    "StateLong": lambda group, view: group.state.word if group.state else "n/a",
    "Threads": _least(lambda node: node.threads_per_core),
    "Time": _of_partition(lambda partition, view: limit_text(partition.max_time)),
    "TimeStamp": _reason_time,
    "User": _first(lambda node: node.reason_user if node.reason else "Unknown", "Unknown"),
    "UserLong": _first(lambda node: f"{node.reason_user}({node.reason_uid})" if node.reason else "Unknown", "Unknown"),
    "Version": _first(version_text),
    "Weight": _least(lambda node: node.weight),
}
"""Field name → its text; the names are those of `fields.NODE`."""


def limit_text(seconds: int) -> str:
    """A time limit as sinfo shows it: "1:00:00", "infinite"."""
    return "infinite" if seconds < 0 else duration.show(seconds)
