"""Where nodes lie in the network, as topology.conf or topology.yaml says, with NodeName's and PartitionName's Topology=.

Lives here: reading both files to `model.topology` and checking them. Not here: how nodes are chosen by it (`sched.layout`).
Source: topology.conf(5), topology.yaml(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from slurm.config.nodes import NodeConf, expand
from slurm.config.reader import Origin, Problem, Record
from slurm.model.topology import BLOCK, FLAT, TREE, Topology, Unit
from slurm.notation import hostlist
from slurm.notation.nearest import nearest

MOST_UNITS = 100_000


def kind_of(plugin: str) -> str:
    """The kind of topology that TopologyPlugin names."""
    word = plugin.lower().rpartition("/")[2]
    return word if word in (TREE, BLOCK) else FLAT


def read_lines(records: Iterable[Record], kind: str, problems: list[Problem]) -> Topology:
    """The topology of a topology.conf for this kind; lines of the other kind are problems."""
    key, other = ("BlockName", "SwitchName") if kind == BLOCK else ("SwitchName", "BlockName")
    found = Topology(kind=kind)
    for record in records:
        sizes = record.get("BlockSizes")
        if sizes:
            found.sizes = _sizes(sizes.split(","), record.origin, problems)
        name = record.get(key)
        if name:
            found.units.append(Unit(name, record.get("Nodes") or "", record.get("Switches") or "", record.get("LinkSpeed") or "1"))
        elif record.get(other):
            problems.append(Problem(record.origin, f"{other} in a topology of the kind {kind}", f"write {key}, or another TopologyPlugin"))
        elif not sizes:
            problems.append(Problem(record.origin, f"a line of topology.conf without {key}"))
    return found


def read_yaml(text: str, path: str, problems: list[Problem]) -> list[Topology]:
    """The topologies of a topology.yaml in their order."""
    import yaml  # here: only daemons of sites that have such a file need it

    whole = Origin(path, 0, "")
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(Problem(Origin(path, mark.line + 1 if mark is not None else 0, ""), "no valid YAML",
            str(getattr(error, "problem", error))))
        return []
    found = []
    for entry in entries if isinstance(entries, list) else [entries]:
        try:
            found.append(_entry(entry))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(Problem(whole, f"an entry that is no topology: {str(entry)[:80]}",
                f"each has topology, cluster_default, and one of tree, block, flat ({error})"))
    names = [one.name for one in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(whole, f"Duplicate topology {name}"))
    if found and not any(one.default for one in found):
        found[0].default = True
    return found


def _entry(entry: Mapping[str, object]) -> Topology:
    kinds = [kind for kind in (TREE, BLOCK, FLAT) if entry.get(kind)]
    if len(kinds) != 1:
        raise ValueError(f"{len(kinds)} of tree, block, flat")
    found = Topology(name=str(entry["topology"]), kind=kinds[0], default=entry.get("cluster_default") is True)
    body = entry[kinds[0]]
    if kinds[0] == FLAT:
        return found
    if not isinstance(body, dict):
        raise ValueError(f"{kinds[0]} holds no keys")
    key = "block" if kinds[0] == BLOCK else "switch"
    for unit in body["blocks" if kinds[0] == BLOCK else "switches"]:
        found.units.append(Unit(str(unit[key]), str(unit.get("nodes") or ""), str(unit.get("children") or "")))
    found.sizes = [int(size) for size in body.get("block_sizes") or ()]
    return found


def settled(found: list[Topology], nodes: list[NodeConf], origin: Origin, problems: list[Problem], warnings: list[str]) -> list[Topology]:
    """The topologies with the nodes that say themselves where they lie, checked."""
    by_name = {one.name: one for one in found}
    for node in nodes:
        for word in node.topology.split(",") if node.topology else ():
            _placed(node, word.strip(), by_name, problems)
    known = {node.name for node in nodes}
    for one in found:
        if one.kind != FLAT:
            _check(one, known, origin, problems, warnings)
    return found


def _placed(node: NodeConf, word: str, by_name: Mapping[str, Topology], problems: list[Problem]) -> None:
    """Put a node into the unit that its Topology= names: "topology:unit", of which only the last part of "unit.unit" counts."""
    name, _, unit = word.partition(":")
    unit = unit.rpartition(".")[2]
    of = by_name.get(name)
    place = next((i for i, one in enumerate(of.units) if one.name == unit and not one.children), None) if of is not None else None
    if of is None or place is None:
        problems.append(Problem(node.origin, f"Topology={word} is no place for node {node.name}",
                                "write TOPOLOGY:SWITCH or TOPOLOGY:BLOCK with names of topology.yaml, default:NAME with those of "
                                "topology.conf"))
        return
    before = of.units[place]
    names = hostlist.expand(before.nodes) if before.nodes else []
    if node.name not in names:
        of.units[place] = Unit(before.name, hostlist.compress([*names, node.name]), "", before.speed)


def _check(of: Topology, known: set[str], origin: Origin, problems: list[Problem], warnings: list[str]) -> None:
    names = [unit.name for unit in of.units]
    what = "BlockName" if of.kind == BLOCK else "SwitchName"
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(origin, f"Duplicate {what} {name}"))
    placed: dict[str, str] = {}
    for place, unit in enumerate(of.units):
        if bool(unit.nodes) == bool(unit.children):
            problems.append(Problem(origin, f"{what}={unit.name} has {'both nodes and' if unit.nodes else 'neither nodes nor'} switches "
                                            "below it", "give it one of both"))
        members = expand(unit.nodes, origin, problems)
        strange = [name for name in members if name not in known]
        if strange:
            warnings.append(f"{origin.file}: {what}={unit.name}: {hostlist.compress(strange)} is no node of this cluster and is left out")
            of.units[place] = Unit(unit.name, hostlist.compress([name for name in members if name in known]), unit.children, unit.speed)
        for name in members:
            other = placed.setdefault(name, unit.name)
            if other != unit.name:
                warnings.append(f"{origin.file}: node {name} lies under {other} and {unit.name}: {other} counts")
    _check_children(of, names, origin, problems)
    _check_sizes(of, origin, problems)
    outside = sorted(known - placed.keys())
    if of.units and outside and of.default:
        warnings.append(f"{origin.file}: {hostlist.compress(outside)} lies under none of topology {of.name}: no job has it together with "
                        "other nodes")


def _check_children(of: Topology, names: list[str], origin: Origin, problems: list[Problem]) -> None:
    below = {unit.name: expand(unit.children, origin, problems) for unit in of.units}
    for name, children in below.items():
        for child in children:
            if child not in below:
                near = nearest(child, names)
                problems.append(Problem(origin, f"SwitchName={name}: there is no switch {child}", f"did you mean {near}?" if near else ""))
    done: set[str] = set()
    for name in below:
        if _circle(name, below, done, set()):
            problems.append(Problem(origin, f"SwitchName={name} lies below itself"))
            return


def _circle(name: str, below: Mapping[str, list[str]], done: set[str], above: set[str]) -> bool:
    """Whether a switch lies below itself; those that are known not to are `done`."""
    path: list[tuple[str, Iterator[str]]] = [(name, iter(below.get(name, ())))]
    above.add(name)
    while path:
        here, children = path[-1]
        for child in children:
            if child in above:
                return True
            if child not in done:
                above.add(child)
                path.append((child, iter(below.get(child, ()))))
                break
        else:
            path.pop()
            above.discard(here)
            done.add(here)
    return False


def _check_sizes(of: Topology, origin: Origin, problems: list[Problem]) -> None:
    if of.kind != BLOCK or not of.units:
        return
    smallest = min(hostlist.count(unit.nodes) if unit.nodes else 0 for unit in of.units)
    of.sizes = of.sizes or [smallest]
    base = of.sizes[0]
    if base > smallest:
        problems.append(Problem(origin, f"BlockSizes={base}: a block has {smallest} nodes",
            "the first size is that of a base block, which no block may be below"))
    for before, size in zip(of.sizes, of.sizes[1:], strict=False):
        ratio = size // max(base, 1)
        if size <= before or size % max(base, 1) or ratio & (ratio - 1):
            problems.append(Problem(origin, f"BlockSizes: {size} is no size of blocks of {base}",
                "each is the first one times a power of two, rising"))


def _sizes(words: Iterable[str], origin: Origin, problems: list[Problem]) -> list[int]:
    found = []
    for word in words:
        if not word.strip().isdecimal() or not 0 < int(word) <= MOST_UNITS:
            problems.append(Problem(origin, f"BlockSizes={word} is no number of nodes"))
        else:
            found.append(int(word))
    return found
