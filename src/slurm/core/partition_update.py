"""`scontrol update partitionname=`: keys and texts to an event, with rights. What it does to a partition is in `configuration`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slurm.core import configuration, resolving
from slurm.core import events as e
from slurm.core.rights import require_administrator
from slurm.core.state import ClusterState
from slurm.model.bounds import whole
from slurm.model.errors import InvalidRequest, NotFound
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.notation import duration, job_defaults, tres

PREEMPT_MODES = ("OFF", "CANCEL", "REQUEUE", "SUSPEND", "GANG", "SUSPEND,GANG", "GANG,SUSPEND", "WITHIN")
Read = Callable[[ClusterState, str], dict[str, object]]


def update_partition(state: ClusterState, name: str, changes: Mapping[str, str], caller: e.Caller, now: float) -> list[e.Event]:
    """The event that changes a partition. Keys as scontrol spells them, case aside."""
    require_administrator(state, caller)
    _known(state, name)
    return [e.PartitionUpdated(at=now, partition=name, changes=configuration.encode(_read(state, changes)))]


def _known(state: ClusterState, name: str) -> None:
    if name not in state.partitions:
        raise NotFound("ESLURM_INVALID_PARTITION_NAME", hints=[
            *resolving.meant(name, state.partitions), f"partitions of this cluster: {', '.join(state.partitions)}"])


def _read(state: ClusterState, changes: Mapping[str, str]) -> dict[str, object]:
    """Keys and texts as fields of Partition."""
    fields: dict[str, object] = {}
    for key, text in changes.items():
        read = KEYS.get(key.lower())
        if read is None:
            raise InvalidRequest(
                "ESLURM_INVALID_OPTION", f"Update of this parameter is not supported: {key}={text}",
                hints=[*resolving.meant(key.lower(), KEYS), f"what can be changed of a partition: {', '.join(sorted(KEYS))}"])
        try:
            fields |= read(state, text.strip())
        except ValueError as error:
            raise InvalidRequest("ESLURM_INVALID_OPTION", _complaint(key, text), hints=[f"valid: {error}"]) from error
    return fields


_TIMES = ("maxtime", "defaulttime")
_NUMBERS = {name.lower(): name for name in (
    "PriorityTier", "PriorityJobFactor", "MaxCPUsPerNode", "DefMemPerCPU", "DefMemPerNode", "GraceTime", "OverTimeLimit")}


def _complaint(key: str, text: str) -> str:
    """Slurm's sentence of a wrong value: each kind of value has its own."""
    name = key.lower()
    if name in _TIMES:
        return f"Invalid input {key}={text}"
    if name == "maxnodes":
        return f'Invalid numeric value "{text}" for MaxNodes.'
    if name == "minnodes":
        return f'"{text}" is not a valid node count'
    return f"Invalid {_NUMBERS[name]} value: {text}" if name in _NUMBERS else f"Invalid input: {key}={text}"


def create_partition(state: ClusterState, name: str, changes: Mapping[str, str], caller: e.Caller, now: float) -> list[e.Event]:
    """The event that makes a partition: as slurm.conf's line of these keys would."""
    require_administrator(state, caller)
    if name in state.partitions or not name or "," in name or name.upper() == "DEFAULT":
        raise InvalidRequest("ESLURM_INVALID_PARTITION_NAME", hints=[
            f"there is a partition {name} already: scontrol update partitionname={name} changes it" if name in state.partitions
            else f"{name!r} is no name for a partition"])
    return [e.PartitionCreated(at=now, partition=Partition(
        name=name, disable_root_jobs=state.settings.disable_root_jobs, **_read(state, changes)))]  # type: ignore[arg-type]


def delete_partition(state: ClusterState, name: str, caller: e.Caller, now: float) -> list[e.Event]:
    """The event that deletes a partition; refused while jobs run in it or wait for it, or a reservation or an Alternate names it."""
    require_administrator(state, caller)
    _known(state, name)
    users = [job.shown_id for job in state.jobs.values() if _uses(state, job, name)]
    if users:
        raise InvalidRequest("ESLURM_PARTITION_IN_USE", hints=[
            f"{len(users)} jobs use {name}, such as {', '.join(users[:5])}: end them, or scontrol update jobid=… partition=…"])
    of = next((one.name for one in state.reservations.values() if one.partition == name), None)
    other = next((one.name for one in state.partitions.values() if one.alternate == name), None)
    if of is not None or other is not None:
        raise InvalidRequest("ESLURM_PARTITION_IN_USE", hints=[
            f"reservation {of} is of this partition" if of is not None else f"it is the Alternate of partition {other}"])
    return [e.PartitionDeleted(at=now, partition=name)]


def _uses(state: ClusterState, job: Job, name: str) -> bool:
    if job.id in state.active or job.lost is not None:
        return job.partition == name
    return job.id in state.pending and name in job.partition.split(",")


def _text(field: str) -> Read:
    return lambda state, text: {field: "" if text in ("(null)", "NONE") else text}


def _listed(field: str) -> Read:
    return lambda state, text: {field: "ALL" if text.upper() in ("", "ALL", "(NULL)") else text}


def _number(field: str) -> Read:
    return lambda state, text: {field: whole(text)}


def _bounded(field: str) -> Read:
    return lambda state, text: {field: -1 if text.upper() in ("UNLIMITED", "INFINITE", "-1") else whole(text)}


def _memory(field: str) -> Read:
    return lambda state, text: {field: None if text.upper() in ("UNLIMITED", "NONE") else whole(text)}


def _yes_no(field: str) -> Read:
    return lambda state, text: {field: _flag(text)}


def _duration(field: str, *, none: int | None = -1) -> Read:
    return lambda state, text: {field: none if text.upper() == "NONE" else duration.parse(text)}


def _seconds(field: str) -> Read:
    return lambda state, text: {field: None if text.upper() == "NONE" else -1 if text.upper() == "UNLIMITED" else whole(text) * 60}


def _switching(field: str) -> Read:
    return lambda state, text: {field: -1 if text.upper() in ("INFINITE", "UNLIMITED", "-1") else None if text.upper() == "NONE"
        else whole(text)}


def _flag(text: str) -> bool:
    word = text.upper()
    if word not in ("YES", "NO"):
        raise ValueError("YES or NO")
    return word == "YES"


def _state(state: ClusterState, text: str) -> dict[str, object]:
    words = ("UP", "DOWN", "DRAIN", "INACTIVE")
    if text.upper() not in words:
        raise InvalidRequest("ESLURM_INVALID_OPTION", (
            f"Invalid input: state={text}\nAcceptable State values are UP, DOWN, DRAIN and INACTIVE"),
            hints=resolving.meant(text.upper(), words))
    return {"state": text.upper()}


def _nodes(state: ClusterState, text: str) -> dict[str, object]:
    if text.upper() == "ALL":
        return {"nodes": list(state.nodes), "nodes_text": "ALL"}
    wanted = set(resolving.known_nodes(state, text))
    return {"nodes": [name for name in state.nodes if name in wanted], "nodes_text": text}


def _oversubscribe(state: ClusterState, text: str) -> dict[str, object]:
    word, _, count = text.upper().partition(":")
    if word not in ("NO", "YES", "FORCE", "EXCLUSIVE") or (count and not (count.isascii() and count.isdigit() and len(count) < 6)):
        raise ValueError("NO, EXCLUSIVE, YES[:count] or FORCE[:count]")
    return {"oversubscribe": text.upper()}


def _priority(state: ClusterState, text: str) -> dict[str, object]:
    """The old key of a partition's tier and factor."""
    number = whole(text)
    return {"priority_tier": number, "priority_job_factor": number}


def _preempt_mode(state: ClusterState, text: str) -> dict[str, object]:
    word = text.upper()
    if word not in PREEMPT_MODES:
        raise ValueError(", ".join(PREEMPT_MODES))
    return {"preempt_mode": word}


def _exclusive_user(state: ClusterState, text: str) -> dict[str, object]:
    return {"exclusive": "USER" if _flag(text) else "NO"}


def _weights(state: ClusterState, text: str) -> dict[str, object]:
    written = "" if text in ("(null)", "NONE") else text
    tres.parse_weights(written)
    return {"tres_billing_weights": written}


def _qos(state: ClusterState, text: str) -> dict[str, object]:
    known = state.policy.book.qos
    if text and state.policy.known and text.lower() not in known:
        raise InvalidRequest("ESLURM_INVALID_QOS", hints=[*resolving.meant(text.lower(), known),
            f"the QOS of this cluster: {', '.join(known)}"])
    return {"qos": text}


def _job_defaults(state: ClusterState, text: str) -> dict[str, object]:
    return {"job_defaults": job_defaults.parse(text).show()}


def _alternate(state: ClusterState, text: str) -> dict[str, object]:
    if text in ("", "(null)", "NONE"):
        return {"alternate": ""}
    if text not in state.partitions:
        raise InvalidRequest("ESLURM_INVALID_PARTITION_NAME", hints=[*resolving.meant(text, state.partitions),
            "an Alternate is another partition"])
    return {"alternate": text}


def _alloc_nodes(state: ClusterState, text: str) -> dict[str, object]:
    if text.upper() in ("", "ALL", "(NULL)"):
        return {"alloc_nodes": "ALL"}
    resolving.hosts(state, text)
    return {"alloc_nodes": text}


KEYS: dict[str, Read] = {
    "state": _state, "nodes": _nodes, "default": _yes_no("default"), "maxtime": _duration("max_time"),
    "defaulttime": _duration("default_time", none=None), "maxnodes": _bounded("max_nodes"), "minnodes": _number("min_nodes"),
    "maxcpuspernode": _bounded("max_cpus_per_node"), "maxcpuspersocket": _bounded("max_cpus_per_socket"),
    "allowgroups": _listed("allow_groups"), "allowaccounts": _listed("allow_accounts"), "denyaccounts": _text("deny_accounts"),
    "allowqos": _listed("allow_qos"), "denyqos": _text("deny_qos"), "allocnodes": _alloc_nodes, "alternate": _alternate,
    "qos": _qos, "hidden": _yes_no("hidden"), "rootonly": _yes_no("root_only"), "disablerootjobs": _yes_no("disable_root_jobs"),
    "reqresv": _yes_no("req_resv"), "lln": _yes_no("lln"), "prioritytier": _number("priority_tier"), "priority": _priority,
    "preemptmode": _preempt_mode,
    "priorityjobfactor": _number("priority_job_factor"), "gracetime": _number("grace_time"), "oversubscribe": _oversubscribe,
    "shared": _oversubscribe, "exclusiveuser": _exclusive_user, "overtimelimit": _seconds("over_time_limit"),
    "defmempercpu": _memory("def_mem_per_cpu"), "defmempernode": _memory("def_mem_per_node"),
    "maxmempercpu": _memory("max_mem_per_cpu"), "maxmempernode": _memory("max_mem_per_node"),
    "tresbillingweights": _weights, "jobdefaults": _job_defaults, "suspendtime": _switching("suspend_time"),
    "suspendtimeout": _switching("suspend_timeout"), "resumetimeout": _switching("resume_timeout"),
    "powerdownonidle": _yes_no("power_down_on_idle"),
}
