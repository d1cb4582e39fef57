"""`scontrol update nodename=`: keys and texts to events, with rights. What they do to a node is in `machines`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from slurm.core import events as e
from slurm.core import resolving
from slurm.core.nodes import rebooting
from slurm.core.rights import require_administrator
from slurm.core.state import ClusterState
from slurm.model.bounds import whole
from slurm.model.errors import InvalidRequest, Unsupported
from slurm.model.ids import NodeName

POWER = ("POWER_DOWN", "POWER_DOWN_ASAP", "POWER_DOWN_FORCE", "POWER_UP")
STATES = ("CANCEL_REBOOT", "DOWN", "DRAIN", "FUTURE", "IDLE", *POWER, "RESUME", "UNDRAIN")
_NEED_REASON = ("DOWN", "DRAIN")
_LATER = ("FAIL", "NO_RESPOND", "PLANNED")


def update_nodes(state: ClusterState, nodes: str, changes: Mapping[str, str], caller: e.Caller, now: float) -> list[e.Event]:
    """One NodeUpdated a node of the host list; "ALL" means every node. Keys as scontrol spells them, case aside."""
    require_administrator(state, caller)
    names = list(state.nodes) if nodes.strip().upper() == "ALL" else [NodeName(name) for name in resolving.known_nodes(state, nodes)]
    if not names:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=["name the nodes: nodename=cn[01-03]"])
    fields: dict[str, object] = {}
    for key, text in changes.items():
        word = key.lower()
        read = KEYS.get(word)
        if read is None:
            raise InvalidRequest(
                "ESLURM_INVALID_OPTION", f"Update of this parameter is not supported: {key}={text}",
                hints=[*resolving.meant(word, KEYS), f"what can be changed of a node: {', '.join(SHOWN)}"])
        fields[_FIELDS.get(word, word)] = read(text)
    if after := fields.get("resume_after"):
        fields["resume_after"] = now + float(str(after))
    if fields.get("state") == "CANCEL_REBOOT":
        return rebooting.cancelled(state, nodes, caller, now)
    if fields.get("state") in POWER:
        _require_program(state, str(fields["state"]))
    for field in ("address", "hostname"):
        if field in fields:
            return _dealt(state, names, field, str(fields[field]), fields, caller, now)
    wanted = str(fields.get("state", ""))
    if wanted in _NEED_REASON and not fields.get("reason"):
        raise InvalidRequest(
            "ESLURM_INVALID_NODE_STATE", "You must specify a reason when DOWNING or DRAINING a node. Request denied",
            hints=[f'for example: scontrol update nodename={nodes} state={wanted.lower()} reason="bad dimm"'])
    return [
        e.NodeUpdated(at=now, node=name, by=caller.uid, by_name=caller.user, may_run=True, **fields)  # type: ignore[arg-type]
        for name in names]


def _require_program(state: ClusterState, word: str) -> None:
    """Nodes are switched by programs of the site."""
    program, is_there = ("ResumeProgram", state.settings.resumes) if word == "POWER_UP" else ("SuspendProgram", state.settings.suspends)
    if not is_there:
        raise InvalidRequest("ESLURM_INVALID_NODE_STATE", hints=[
            f"{word}: nodes are switched by {program} of slurm.conf, which is not set"])


def _dealt(
    state: ClusterState, names: Sequence[NodeName], field: str, text: str, fields: Mapping[str, object], caller: e.Caller, now: float,
) -> list[e.Event]:
    """NodeAddr or NodeHostname: one for each node, with what else is to change."""
    dealt = resolving.hosts(state, text)
    if len(dealt) != len(names):
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[f"{text} names {len(dealt)}, but there are {len(names)} nodes"])
    return [
        e.NodeUpdated(at=now, node=name, by=caller.uid, by_name=caller.user, may_run=True,
        **{**fields, field: one})  # type: ignore[arg-type]
        for name, one in zip(names, dealt, strict=True)]


def _resume_after(text: str) -> float:
    """Seconds from now, or none."""
    if text.strip().upper() in ("-1", "NONE", "INFINITE", "UNLIMITED"):
        return 0.0
    try:
        return float(whole(text))
    except ValueError as error:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Invalid ResumeAfter value: {text}", hints=[str(error)]) from error


def _state(text: str) -> str:
    word = text.strip().upper()
    if word in _LATER:
        raise Unsupported(hints=[f"node state {word} is known to Slurm and not carried out by slurm-py yet"])
    if word not in STATES:
        raise InvalidRequest("ESLURM_INVALID_NODE_STATE", (
            f"Invalid input: state={text}\nRequest aborted\nValid states are: {' '.join(STATES)}\n"
            "Not all states are valid given a node's prior state"), hints=resolving.meant(word, STATES))
    return word


def _reason(text: str) -> str:
    return text.strip().strip('"')


def _weight(text: str) -> int:
    try:
        return whole(text)
    except ValueError as error:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Weight value ({text}) is not a valid number", hints=[str(error)]) from error


def _features(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip() and word.strip() != "(null)"]


KEYS: dict[str, Callable[[str], object]] = {
    "state": _state, "reason": _reason, "weight": _weight, "features": _features, "availablefeatures": _features,
    "activefeatures": _features,
    "comment": _reason, "extra": _reason, "nodeaddr": _reason, "nodehostname": _reason, "resumeafter": _resume_after,
}
SHOWN = ("State", "Reason", "Weight", "AvailableFeatures", "ActiveFeatures", "Comment", "Extra", "NodeAddr", "NodeHostname", "ResumeAfter")
_FIELDS = {"availablefeatures": "features", "activefeatures": "features", "nodeaddr": "address", "nodehostname": "hostname",
    "resumeafter": "resume_after"}
