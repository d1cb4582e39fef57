"""Nodes as slurm.conf describes them: NodeName lines with their DEFAULTs and ranges, NodeSet and DownNodes.

Not here: what a node reports or is doing (`model.node`), its devices (`gres`), which partition holds it (`partitions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slurm.config import schema, values
from slurm.config.reader import Entry, Origin, Problem, Record
from slurm.notation import hostlist
from slurm.notation.errors import NotationError


class NodeConf(NamedTuple):
    """One node of slurm.conf. Memory and disk MB; `sockets` are all of the node's; `gres` as written ("gpu:a100:2").

    Set aside for the system are `core_spec` cores, or those of the CPUs `cpu_spec`, and `mem_spec` MB.
    """

    name: str
    addr: str
    hostname: str
    bcast_addr: str
    port: int
    cpus: int
    boards: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    real_memory: int
    tmp_disk: int
    weight: int
    features: list[str]
    gres: str
    state: str
    reason: str
    core_spec: int
    cpu_spec: list[int]
    mem_spec: int
    topology: str
    origin: Origin

    @property
    def threads(self) -> int:
        """Threads of a core that count as CPUs: one where CPUs= says that a CPU is a core."""
        return 1 if self.threads_per_core == 1 else max(1, self.cpus // (self.sockets * self.cores_per_socket))

    @property
    def threads_per_cpu(self) -> int:
        """Hardware threads that are one CPU: several where CPUs= counts cores or sockets."""
        return max(1, self.sockets * self.cores_per_socket * self.threads_per_core // self.cpus)


class Settled(NamedTuple):
    """The keys of a NodeName or PartitionName line after the DEFAULT lines above it: what is written, read to values."""

    rows: schema.Section
    entries: dict[str, Entry]
    read: dict[str, values.Value]

    def value(self, key: str) -> values.Value:
        """The value written, or the default."""
        return self.read[key] if key in self.read else values.default(self.rows[key])

    def text(self, key: str) -> str:
        """A text or list value as text, "" for none."""
        found = self.value(key)
        if isinstance(found, list):
            return ",".join(found)
        return "" if found is None else str(found)

    def number(self, key: str) -> int:
        """A number, 0 for none."""
        found = self.value(key)
        return found if isinstance(found, int) else 0

    def maybe(self, key: str) -> int | None:
        """A number, None for none."""
        found = self.value(key)
        return found if isinstance(found, int) else None

    def flag(self, key: str) -> bool:
        """A yes or no."""
        return self.value(key) is True

    def words(self, key: str) -> list[str]:
        """A list."""
        found = self.value(key)
        return list(found) if isinstance(found, list) else []


def settle(records: Iterable[Record], kind: str, problems: list[Problem]) -> list[tuple[Record, Settled]]:
    """Every line of this kind (but DEFAULT) with the DEFAULT lines above it merged in; wrong values are added to `problems`."""
    rows = schema.section(kind)
    default_entries: dict[str, Entry] = {}
    default_read: dict[str, values.Value] = {}
    settled: list[tuple[Record, Settled]] = []
    for record in records:
        if record.section != kind:
            continue
        is_default = (record.get(kind) or "").upper() == "DEFAULT"
        entries = default_entries if is_default else dict(default_entries)
        read = default_read if is_default else dict(default_read)
        for entry in record.entries:
            name = entry.row.name
            entries[name] = entry
            if not entry.text:
                read.pop(name, None)
                continue
            if name == kind and is_default:
                continue
            try:
                read[name] = values.read(entry.row, entry.text)
            except ValueError as error:
                problems.append(Problem(entry.origin, f"{name}={entry.text} is no value for {name}", str(error)))
        if not is_default:
            settled.append((record, Settled(rows, entries, read)))
    return settled


_STATES_LATER = {
    "EXTERNAL": "it is taken for a node with a slurmd", "FAIL": "write DRAIN", "FAILING": "write DRAIN",
}
"""States of a NodeName line that are known and change nothing, and what follows."""


def read_nodes(records: list[Record], port: int, problems: list[Problem], warnings: list[str]) -> list[NodeConf]:
    """The nodes that the NodeName lines describe, in file order, with DownNodes applied.

    `port` is SlurmdPort, for nodes without a Port of their own.
    """
    nodes: dict[str, NodeConf] = {}
    for record, line in settle(records, "NodeName", problems):
        for node in _nodes_of(record, line, port, problems, warnings):
            if node.name in nodes:
                problems.append(Problem(record.origin, f"Duplicate NodeName {node.name}", f"first described at {nodes[node.name].origin}"))
            else:
                nodes[node.name] = node
    _apply_down_nodes(records, nodes, problems)
    return list(nodes.values())


def read_node_sets(records: Iterable[Record], nodes: list[NodeConf], problems: list[Problem]) -> dict[str, list[str]]:
    """NodeSet name → its nodes, in node order: those with one of its features, and those it lists."""
    sets: dict[str, list[str]] = {}
    for record, line in settle(records, "NodeSet", problems):
        features = set(line.words("Feature"))
        listed = set(expand(line.text("Nodes"), record.origin, problems))
        known = {node.name for node in nodes}
        if strange := sorted(listed - known):
            problems.append(unknown_nodes(strange, f"NodeSet {line.text('NodeSet')}", known, record.origin))
        everything = "ALL" in listed
        sets[line.text("NodeSet")] = [n.name for n in nodes if everything or n.name in listed or features.intersection(n.features)]
    return sets


def expand(text: str, origin: Origin, problems: list[Problem]) -> list[str]:
    """The names of a host list; a malformed one is added to `problems` and is empty."""
    if not text:
        return []
    try:
        return hostlist.expand(text)
    except NotationError as error:
        problems.append(Problem(origin, f"{text} is no host list", error.message))
        return []


def unknown_nodes(names: list[str], where: str, known: Iterable[str], origin: Origin) -> Problem:
    """The one problem of nodes that no NodeName line describes, with the one that is nearest to the first."""
    from slurm.notation.nearest import nearest
    found = nearest(names[0], list(known))
    hint = f"did you mean {found}?" if found else "describe the node with a NodeName= line"
    return Problem(origin, f"Invalid node names in {where}: {hostlist.compress(names)}", hint)


def _nodes_of(record: Record, line: Settled, port: int, problems: list[Problem], warnings: list[str]) -> list[NodeConf]:
    origin = record.origin
    names = expand(line.text("NodeName"), origin, problems)
    if any(name.upper() in ("ALL", "DEFAULT") for name in names):
        problems.append(Problem(origin, "a node cannot be named ALL or DEFAULT", "both words have a meaning of their own in slurm.conf"))
        return []
    for word in line.text("State").upper().split(","):
        if word in _STATES_LATER:
            warnings.append(f"{origin}: State={word} is not carried out yet: {_STATES_LATER[word]}")
    hostnames = _dealt("NodeHostname", line, names, names, problems, origin)
    addresses = _dealt("NodeAddr", line, names, hostnames, problems, origin)
    broadcast = _dealt("BcastAddr", line, names, [""] * len(names), problems, origin)
    ports = _ports(line, names, port, problems, origin)
    boards, sockets, cores, threads, cpus = _topology(record, line, problems, warnings)
    memory, disk, weight = line.number("RealMemory"), line.number("TmpDisk"), line.number("Weight")
    state, reason, gres = line.text("State"), line.text("Reason"), line.text("Gres")
    features = line.words("Features")
    core_spec, cpu_spec, mem_spec = _set_aside(line, (sockets * cores, cpus, memory), problems, origin)
    return [
        NodeConf(name, address, hostname, bcast, own_port, cpus, boards, sockets, cores, threads, memory, disk, weight, features, gres,
                 "UNKNOWN" if state == "IDLE" else state, reason, core_spec, cpu_spec, mem_spec, line.text("Topology"), origin)
        for name, address, hostname, bcast, own_port in zip(names, addresses, hostnames, broadcast, ports, strict=True)
    ]


def _set_aside(line: Settled, has: tuple[int, int, int], problems: list[Problem], origin: Origin) -> tuple[int, list[int], int]:
    """CoreSpecCount, the CPUs of CpuSpecList, MemSpecLimit; `has`: cores, CPUs and memory of the node, of which something must be left for
    jobs."""
    cores, cpus, memory = has
    count, text, limit = line.number("CoreSpecCount"), line.text("CpuSpecList"), line.number("MemSpecLimit")
    listed = values.read_cores(text) if text else []
    if count and listed:
        problems.append(Problem(origin, f"CoreSpecCount={count} and CpuSpecList={text} of one node", "write one of both"))
    elif count >= cores > 0 and count:
        problems.append(Problem(origin, f"CoreSpecCount={count} leaves no core for jobs", f"the node has {cores} cores"))
    elif listed and (max(listed) >= cpus or len(set(listed)) >= cpus):
        problems.append(Problem(origin, f"CpuSpecList={text} are not some of the node's CPUs",
            f"it has the CPUs 0-{cpus - 1}, and jobs need one"))
    elif limit and limit >= memory:
        problems.append(Problem(origin, f"MemSpecLimit={limit} leaves no memory for jobs", f"RealMemory is {memory}"))
    else:
        return count, listed, limit
    return 0, [], 0


def _dealt(key: str, line: Settled, names: list[str], default: list[str], problems: list[Problem], origin: Origin) -> list[str]:
    """One value of `key` for each node: the range dealt out, or the one value for all."""
    text = line.text(key)
    if not text:
        return default
    dealt = expand(text, origin, problems)
    if len(dealt) == 1:
        return dealt * len(names)
    if len(dealt) != len(names):
        if dealt:
            problems.append(Problem(origin, f"{key}={text} names {len(dealt)}, but NodeName={line.text('NodeName')} names {len(names)}",
                                    "give one for each node, or one for all"))
        return default
    return dealt


def _ports(line: Settled, names: list[str], port: int, problems: list[Problem], origin: Origin) -> list[int]:
    """The port of each node: Port=6821-6822 and Port=[6821-6822] deal one to each."""
    text = line.text("Port")
    if text and not text.startswith("["):
        line.read["Port"] = f"[{text}]"
    dealt = _dealt("Port", line, names, [str(port)] * len(names), problems, origin)
    wrong = [each for each in dealt if not (each.isdecimal() and 0 < int(each) < 65536)]
    if wrong:
        problems.append(Problem(origin, f"Port={text}: {wrong[0]} is no port",
            "write 6818, or a range such as 6821-6822 that deals one to each node"))
        return [port] * len(names)
    return [int(each) for each in dealt]


def _topology(record: Record, line: Settled, problems: list[Problem], warnings: list[str]) -> tuple[int, int, int, int, int]:
    """Boards, sockets of the node, cores a socket, threads a core, CPUs; what is missing follows from what is written."""
    origin = record.origin
    boards, cores, threads = (max(line.number(key), 1) for key in ("Boards", "CoresPerSocket", "ThreadsPerCore"))
    written = line.maybe("Sockets") or line.maybe("SocketsPerBoard")
    if "Sockets" in line.read and "SocketsPerBoard" in line.read:
        # Where one of them comes from a DEFAULT line, the node's own word wins.
        own = {entry.row.name for entry in record.entries}
        key = "Sockets" if "Sockets" in own and "SocketsPerBoard" not in own else "SocketsPerBoard"
        warnings.append(f"{origin}: NodeNames={line.text('NodeName')} Sockets=# and SocketsPerBoard=# is invalid, using {key}")
        written = line.maybe(key)
    cpus = line.maybe("CPUs")
    name = line.text("NodeName")
    sockets = written * boards if written else boards
    if not written and cpus:
        sockets = max(cpus // (cores * threads), 1)
    whole = sockets * cores * threads
    if max(cpus or 0, whole) > values.MAX_CORES:
        problems.append(Problem(origin, f"NodeName={name} has {max(cpus or 0, whole)} CPUs", f"a node has at most {values.MAX_CORES}"))
        return 1, 1, 1, 1, 1
    if not cpus:
        return boards, sockets, cores, threads, whole
    if cpus not in (sockets, sockets * cores, whole):
        warnings.append(
            f"{origin}: NodeNames={name} CPUs={cpus} match no Sockets, Sockets*CoresPerSocket or Sockets*CoresPerSocket*ThreadsPerCore. "
            f"Resetting CPUs to {whole}.")
        cpus = whole
    return boards, sockets, cores, threads, cpus


def _apply_down_nodes(records: list[Record], nodes: dict[str, NodeConf], problems: list[Problem]) -> None:
    for record, line in settle(records, "DownNodes", problems):
        text = line.text("DownNodes")
        strange = []
        for name in nodes if text.upper() == "ALL" else expand(text, record.origin, problems):
            if name in nodes:
                nodes[name] = nodes[name]._replace(state=line.text("State"), reason=line.text("Reason") or nodes[name].reason)
            else:
                strange.append(name)
        if strange:
            problems.append(unknown_nodes(strange, "DownNodes", nodes, record.origin))
