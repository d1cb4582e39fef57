"""From a NodeName line to nodes that are made while the cluster runs: `scontrol create nodename=`, a slurmd -Z. slurm.conf's reader reads
it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from slurm.config.config import Config
from slurm.config.nodes import NodeConf
from slurm.core import events as e
from slurm.core.nodes import dynamic
from slurm.core.state import ClusterState
from slurm.model.errors import ConfigError, InvalidRequest
from slurm.model.ids import NodeName
from slurm.slurmctld import setup

STATES = ("CLOUD", "FUTURE")
_NAMES = ("nodename", "node", "nodeaddr", "nodehostname", "port")
_OWN_STATE = "Only State=FUTURE and State=CLOUD allowed for nodes created by scontrol"


def created(conf: Config, state: ClusterState, changes: Mapping[str, str], now: float) -> list[e.Event]:
    """`scontrol create nodename=NAMES KEY=value …`: the event that makes them. InvalidRequest."""
    given = {key.lower(): text for key, text in changes.items()}
    if given.get("state", "").upper() not in STATES:
        raise InvalidRequest("ESLURM_INVALID_NODE_STATE", preface=[_OWN_STATE], hints=[
            "write State=CLOUD for nodes that ResumeProgram starts, State=FUTURE for those that are to come"])
    nodes = _read(conf, _line(changes))
    lines = {node.name: _line_of(node, changes) for node in nodes}
    there = [node.name for node in nodes if node.name in state.nodes]
    if there:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[f"there is a node {there[0]} already"])
    return [_event(conf, state, lines, now)]


def registered(conf: Config, state: ClusterState, name: NodeName, line: str, now: float) -> list[e.Event]:
    """What makes the node of a slurmd -Z that registers: nothing where it is known as such; anew where it is another one by now."""
    known = state.nodes.get(name)
    if known is not None and (not known.by_slurmd or known.line == line or known.jobs or known.remains):
        return []
    nodes = _read(conf, line)
    if [node.name for node in nodes] != [name]:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[f"a slurmd -Z describes itself, {name}, and nothing else"])
    gone: list[e.Event] = [e.NodesDeleted(at=now, nodes=[name])] if known is not None else []
    return [*gone, _event(conf, state, {name: line}, now, by_slurmd=True, more=not gone)]


def _read(conf: Config, line: str) -> list[NodeConf]:
    """The nodes of a line; InvalidRequest says what is wrong with it."""
    if "\n" in line or "\r" in line:
        raise InvalidRequest("ESLURM_INVALID_OPTION", hints=["a NodeName line is one line"])
    try:
        known = conf.nodes_by_name
        whole = conf.with_nodes([line])
    except ConfigError as error:
        raise InvalidRequest("ESLURM_INVALID_OPTION", hints=error.lines()) from error
    found = [node for node in whole.nodes if node.name not in known]
    if not found:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=["these are nodes of slurm.conf"])
    return found


def _line(changes: Mapping[str, str]) -> str:
    """The words as they stand on a NodeName line, which begins with the name."""
    words = sorted(changes.items(), key=lambda item: item[0].lower() not in ("nodename", "node"))
    return " ".join(_word("NodeName" if key.lower() == "node" else key, text) for key, text in words)


def _line_of(node: NodeConf, changes: Mapping[str, str]) -> str:
    """The line of one of several nodes."""
    own = [f"NodeName={node.name}"]
    keys = {key.lower() for key in changes}
    own += [f"{key}={value}" for key, value in (("NodeAddr", node.addr), ("NodeHostname", node.hostname), ("Port", str(node.port)))
        if key.lower() in keys]
    return " ".join([*own, *(_word(key, text) for key, text in changes.items() if key.lower() not in _NAMES)])


def _word(key: str, text: str) -> str:
    if '"' in text or not key.isalnum():
        raise InvalidRequest("ESLURM_INVALID_OPTION", hints=[f"{key}={text}: it cannot stand on a NodeName line"])
    written = text.replace("#", "\\#")
    return f'{key}="{written}"' if any(letter.isspace() for letter in text) else f"{key}={written}"


def _event(conf: Config, state: ClusterState, lines: Mapping[str, str], now: float, *, by_slurmd: bool = False,
        more: bool = True) -> e.Event:
    if more:
        dynamic.room(state, len(lines))
    whole = conf.with_nodes(list(lines.values()))
    nodes = []
    for name, line in lines.items():
        node = setup.node_of(whole.nodes_by_name[name], whole.devices(name), 0, spec_first=setup.spec_cores_first(conf),
            switched=bool(conf.text("ResumeProgram")))
        node.line, node.by_slurmd = line, by_slurmd
        nodes.append(node)
    return e.NodesCreated(at=now, nodes=nodes, members=_members(whole, state, [node.name for node in nodes]))


def _members(whole: Config, state: ClusterState, names: Iterable[NodeName]) -> dict[str, list[NodeName]]:
    """Partition → those of the new nodes that it gains: by ALL, a NodeSet, or since it names what was to come."""
    fresh = list(names)
    described = {partition.name: partition for partition in whole.partitions}
    members: dict[str, list[NodeName]] = {}
    for partition in state.partitions.values():
        written = described.get(partition.name)
        if "ALL" in partition.nodes_text.upper().split(","):
            members[partition.name] = fresh
        elif written is not None and written.nodes_text == partition.nodes_text:
            members[partition.name] = [name for name in fresh if name in set(written.nodes)]
    return {name: gained for name, gained in members.items() if gained}
