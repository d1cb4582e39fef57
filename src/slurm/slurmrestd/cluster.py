"""Operations on nodes, partitions, reservations, licences, shares, and on slurmctld itself; and on host lists, which need nobody."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

from slurm.model.bounds import LAST_MOMENT
from slurm.model.errors import InvalidRequest, NotationError, NotFound, Unsupported
from slurm.notation import hostlist, moment
from slurm.render import share_record, statistics
from slurm.slurmrestd import shaping
from slurm.slurmrestd.jobs import texts, whole
from slurm.slurmrestd.operation import Call
from slurm.slurmrestd.reading import Body

Record = dict[str, Any]
MOST_HOSTS = 100_000
_MICROSECONDS = 1_000_000


def ping(call: Call) -> Record:
    """GET ping: slurmctld answers, or this fails as anything else that it was asked would."""
    began = time.perf_counter()
    found = call.doors.cluster.ping()
    if found.trouble:
        call.warnings.append(found.trouble)
    return {"pings": [{
        "hostname": found.host, "pinged": "UP", "responding": True, "latency": round((time.perf_counter() - began) * _MICROSECONDS),
        "mode": found.mode,
        "primary": found.mode == "primary"}]}


def diag(call: Call) -> Record:
    """GET diag."""
    return {"statistics": shaping.counters(statistics.record(call.doors.cluster.counters()))}


def reconfigure(call: Call) -> Record:
    """GET reconfigure."""
    call.warnings += call.doors.cluster.reconfigure()
    return {}


def licenses(call: Call) -> Record:
    """GET licenses."""
    found = call.doors.cluster.report("licenses")
    return {"licenses": [shaping.license_record(one, call.version) for one in found["licenses"]], "last_update": found["last_update"]}


def shares(call: Call) -> Record:
    """GET shares."""
    found = call.doors.cluster.shares(_listed(call, "users"), _listed(call, "accounts"))
    records = share_record.records(found.shares, found.cluster, found.tres)
    return {"shares": {"shares": records, "total_shares": sum(one.raw_shares for one in found.shares if one.raw_shares > 0)}}


def _listed(call: Call, name: str) -> list[str]:
    return [piece for piece in call.query.get(name, "").split(",") if piece]


def list_nodes(call: Call) -> Record:
    """GET nodes; flags=FUTURE: those that are not there yet, too."""
    call.since()
    return _part(call.doors.cluster.report("nodes_json", future="FUTURE" in call.flags()), "nodes")


def show_node(call: Call) -> Record:
    """GET node."""
    call.since()
    return _known(call.doors.cluster.report("nodes_json", [_one(call, "node_name")]), "nodes", "ESLURM_INVALID_NODE_NAME",
        call.path["node_name"])


def update_node(call: Call) -> Record:
    """POST node: drain, resume, and whatever else can be changed."""
    if call.body.get("name") and texts(call.body["name"]) != call.path["node_name"]:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=["the path names one node and the body another"])
    call.doors.cluster.update_nodes(_one(call, "node_name"), node_changes(call.body))
    return {}


def update_nodes(call: Call) -> Record:
    """POST nodes: the same for those of a host list."""
    if not call.body.get("name"):
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=["`name` holds the nodes"])
    call.doors.cluster.update_nodes(texts(call.body["name"]), node_changes(call.body))
    return {}


def create_node(call: Call) -> Record:
    """POST new/node: `node_conf` is what stands on a NodeName line of slurm.conf."""
    changes: dict[str, str] = {}
    try:
        words = shlex.split(call.body.get("node_conf", ""))
    except ValueError as error:
        raise InvalidRequest(message=f"node_conf: {error}") from error
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals) or key in changes:
            raise InvalidRequest(message=f"node_conf: {word[:64]!r} is no KEY=VALUE, or is there twice", hints=[
                "NodeName=dyn1 CPUs=4 RealMemory=8000 State=CLOUD"])
        changes[key] = value
    if not any(key.lower() == "nodename" for key in changes):
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=["node_conf begins with NodeName="])
    call.doors.cluster.create_nodes(changes)
    return {}


def delete_node(call: Call) -> Record:
    """DELETE node: one that was made while the cluster runs."""
    call.doors.cluster.delete_nodes(_one(call, "node_name"))
    return {}


_NODE_KEYS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "state": ("State", lambda words: _node_state(words)), "reason": ("Reason", str), "weight": ("Weight", whole),
    "features": ("AvailableFeatures", texts),
    "features_act": ("ActiveFeatures", texts), "comment": ("Comment", str), "extra": ("Extra", str), "cpu_bind": ("CpuBind", str),
    "gres": ("Gres", str),
    "address": ("NodeAddr", texts), "hostname": ("NodeHostname", texts), "resume_after": ("ResumeAfter", whole),
    "topology_str": ("Topology", str),
}
"""Field of update_node_msg → key of `scontrol update`, and how its text is made. What slurmctld cannot change of a node it says itself."""


def node_changes(body: Body) -> dict[str, str]:
    """What is asked of nodes, in keys of `scontrol update`."""
    if body.get("reason_uid"):
        raise Unsupported(message="reason_uid is not supported by slurm-py yet", hints=["a reason is that of whoever gives it"])
    # Clients that were made from the specification send every field, empty.
    found = {key: show(body[name]) for name, (key, show) in _NODE_KEYS.items() if body.get(name) not in (None, "", [], 0)}
    if not found:
        raise InvalidRequest(message="Nothing is to be changed", hints=[f"the body holds some of {', '.join(_NODE_KEYS)}"])
    return found


def _node_state(words: list[str]) -> str:
    if len(words) > 1:
        raise InvalidRequest("ESLURM_INVALID_NODE_STATE", hints=[f"one state at a time, not {', '.join(words)}"])
    return words[0]


def list_partitions(call: Call) -> Record:
    """GET partitions; flags=ALL: hidden ones, too."""
    more: dict[str, Any] = {"hidden": True} if "ALL" in call.flags() else {}
    return _partitions(call.doors.cluster.report("partitions_json", since=call.since(), **more))


def show_partition(call: Call) -> Record:
    """GET partition."""
    name = call.path["partition_name"]
    return _partitions(_known(call.doors.cluster.report("partitions_json", [name], since=call.since()), "partitions",
        "ESLURM_INVALID_PARTITION_NAME", name))


def _partitions(report: Record) -> Record:
    return {"partitions": [shaping.partition(one) for one in report["partitions"]], "last_update": report["last_update"]}


def list_reservations(call: Call) -> Record:
    """GET reservations."""
    call.since()
    return _part(call.doors.cluster.report("reservation"), "reservations")


def show_reservation(call: Call) -> Record:
    """GET reservation."""
    call.since()
    name = call.path["reservation_name"]
    return _known(call.doors.cluster.report("reservation", [name]), "reservations", "ESLURM_RESERVATION_INVALID", name)


def delete_reservation(call: Call) -> Record:
    """DELETE reservation."""
    call.doors.cluster.delete_reservation(call.path["reservation_name"])
    return {}


def put_reservation(call: Call) -> Record:
    """POST reservation: change the one of this name, or make it."""
    return {"reservations": [_put(call, call.body)]}


def put_reservations(call: Call) -> Record:
    """POST reservations."""
    if not call.body.get("reservations"):
        raise InvalidRequest("ESLURM_RESERVATION_INVALID", hints=["`reservations` holds those that are to be made or changed"])
    return {"reservations": [_put(call, one) for one in call.body["reservations"]]}


def _put(call: Call, body: Body) -> Record:
    name, changes = body.get("name", ""), reservation_changes(body)
    cluster = call.doors.cluster
    if name and cluster.report("reservation", [name])["reservations"]:
        cluster.update_reservation(name, changes)
    else:
        name = cluster.create_reservation({**changes, **({"ReservationName": name} if name else {})})
    return {**{key: value for key, value in body.items() if isinstance(value, str | list) and key != "name"}, "name": name}


def _when(value: float) -> str:
    if not 0 <= value <= LAST_MOMENT:
        raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=["a moment is in seconds since the epoch"])
    return moment.show(value)


def _tres(one: Body) -> str:
    if not one.get("type"):
        raise InvalidRequest("ESLURM_RESERVATION_INVALID", hints=['each of `tres` has a type: {"type": "gres", "name": "gpu", "count": 4}'])
    return f"{one['type']}{'/' if one.get('name') else ''}{one.get('name', '')}={one.get('count', 0)}"


_RESERVATION_KEYS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "accounts": ("Accounts", texts), "burst_buffer": ("BurstBuffer", str), "comment": ("Comment", str), "core_count": ("CoreCnt", whole),
    "duration": ("Duration", whole), "end_time": ("EndTime", _when), "features": ("Features", str), "groups": ("Groups", texts),
    "licenses": ("Licenses", texts), "max_start_delay": ("MaxStartDelay", whole), "node_count": ("NodeCnt", whole),
    "node_list": ("Nodes", texts),
    "partition": ("PartitionName", str), "start_time": ("StartTime", _when), "users": ("Users", texts),
    "tres": ("TRES", lambda listed: ",".join(map(_tres, listed))),
}
"""Field of reservation_desc_msg → key of `scontrol create reservation`, and how its text is made."""
_NEGATED = "NO_"


def reservation_changes(body: Body) -> dict[str, str]:
    """What is asked of a reservation, in keys of scontrol; its name is not among them."""
    found = {key: show(body[name]) for name, (key, show) in _RESERVATION_KEYS.items() if body.get(name) not in (None, "", [], 0)}
    words = [f"-{word.removeprefix(_NEGATED)}" if word.startswith(_NEGATED) and word != "NO_HOLD_JOBS_AFTER_END" else word
        for word in body.get("flags", [])]
    after = body.get("purge_completed", {}).get("time")
    if after is not None:
        words = [*(word for word in words if word != "PURGE_COMP"), f"PURGE_COMP={int(after)}"]
    if words:
        found["Flags"] = ",".join(words)
    if not found:
        raise InvalidRequest("ESLURM_RESERVATION_INVALID", hints=[f"the body holds some of {', '.join(_RESERVATION_KEYS)}"])
    return found


def hostnames(call: Call) -> Record:
    """POST hostnames: the names of a host list."""
    try:
        return {"hostnames": hostlist.expand(call.body.get("hostlist", ""), MOST_HOSTS)}
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[error.message]) from error


def host_list(call: Call) -> Record:
    """POST hostlist: the host list of names."""
    return {"hostlist": hostlist.compress(call.body.get("hostnames", []))}


def _one(call: Call, name: str) -> str:
    """The name in the path, which may not be a list: what is meant for one node shall not reach others."""
    text = call.path[name]
    if any(char in text for char in "[],") or text.upper() == "ALL":
        raise NotFound("ESLURM_INVALID_NODE_NAME", hints=["the path names one node; POST nodes/ takes a host list"])
    return text


def _part(report: Mapping[str, Any], key: str) -> Record:
    return {key: report[key], "last_update": report["last_update"]}


def _known(report: Mapping[str, Any], key: str, error: str, name: str) -> Record:
    if not report[key]:
        raise NotFound(error, hints=[f"there is no {name}"])
    return _part(report, key)
