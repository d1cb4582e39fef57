"""Nodes and partitions as `scontrol --json` describes them, and sinfo's lines as `sinfo --json` does.

Keys and shapes are Slurm's (v0.0.44).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slurm.core.tres import configured
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.notation import gres, hostlist, tres
from slurm.render import node_values
from slurm.render.json_text import Value, number
from slurm.render.node_state import status
from slurm.render.node_values import Group
from slurm.render.scontrol_cluster import used
from slurm.render.view import View

Record = dict[str, Value]
_EVERYONE = "ALL"


def node_record(node: Node, view: View) -> Record:
    """Everything about one node."""
    features: list[Value] = list(node.features)
    return {
        "architecture": node.arch,
        "burstbuffer_network_address": "",
        "boards": node.boards,
        "boot_time": number(node.boot_time),
        "tls_cert_last_renewal": number(0),
        "cert_flags": [],
        "cluster_name": "",
        "cores": node.cores_per_socket,
        "specialized_cores": node.spec_cores,
        "cpu_binding": 0,
        "cpu_load": round(node.cpu_load * 100),
        "free_mem": number(node.free_memory if node.registered else None),
        "cpus": node.cpus,
        "effective_cpus": node.job_cpu_count,
        "specialized_cpus": gres.show_indices(list(node.spec_cpus)) if node.spec_cpus else "",
        "energy": {
            "average_watts": 0, "base_consumed_energy": 0, "consumed_energy": 0, "current_watts": number(0), "previous_consumed_energy": 0,
            "last_collected": 0},
        "external_sensors": {},
        "extra": node.extra,
        "power": {},
        "features": features,
        "active_features": features,
        "gpu_spec": "",
        "gres": node_values.gres_text(node),
        "gres_drained": "N/A",
        "gres_used": node_values.gres_used_text(node),
        "instance_id": "",
        "instance_type": "",
        "last_busy": number(node.last_busy_time),
        "mcs_label": "",
        "specialized_memory": node.spec_memory,
        "name": node.name,
        "next_state_after_reboot": [{"RESUME": "IDLE"}.get(node.reboot_next, node.reboot_next) or "INVALID"],
        "address": node.address or node.name,
        "hostname": node.hostname or node.name,
        "state": [*status(node, view).parts],
        "operating_system": node.os,
        "owner": "",
        "partitions": [*view.partitions_of.get(node.name, [])],
        "port": node.port,
        "real_memory": node.memory,
        "res_cores_per_gpu": 0,
        "comment": node.comment,
        "reason": node.reason,
        "reason_changed_at": number(node.reason_time if node.reason else 0),
        "reason_set_by_user": node.reason_user if node.reason else "",
        "resume_after": number(node.resume_after),
        "reservation": node_values.reservation_of(node, view),
        "alloc_memory": node.memory_used,
        "alloc_cpus": len(node.cpus_used),
        "alloc_idle_cpus": node_values.count_cpus([node], view)[1],
        "tres_used": tres.show(used(node)),
        "tres_weighted": 0.0,
        "slurmd_start_time": number(node.slurmd_start_time),
        "sockets": node.sockets,
        "threads": node.threads_per_core,
        "temporary_disk": node.tmp_disk,
        "weight": node.weight,
        "topology": "",
        "tres": tres.show(configured([node], with_nodes=False)),
        "version": node.version,
    }


def partition_record(partition: Partition, view: View) -> Record:
    """Everything about one partition."""
    nodes = [view.nodes[name] for name in partition.nodes if name in view.nodes]
    return {
        "nodes": {
            "allowed_allocation": _unless_all(partition.alloc_nodes), "configured": hostlist.compress(partition.nodes),
            "total": len(nodes)},
        "accounts": {"allowed": _unless_all(partition.allow_accounts), "deny": partition.deny_accounts},
        "groups": {"allowed": _unless_all(partition.allow_groups)},
        "qos": {"allowed": _unless_all(partition.allow_qos), "deny": partition.deny_qos, "assigned": partition.qos},
        "alternate": partition.alternate,
        "tres": {"billing_weights": partition.tres_billing_weights, "configured": tres.show(configured(nodes))},
        "cluster": "",
        "select_type": [partition.select_type or "NONE"],
        "cpus": {"task_binding": [], "total": sum(node.cpus for node in nodes)},
        "defaults": {
            "partition_memory_per_cpu": number(partition.def_mem_per_cpu),
            "partition_memory_per_node": number(
                None if partition.def_mem_per_cpu is not None else partition.def_mem_per_node or 0),
            "time": _minutes(partition.default_time),
            "job": partition.job_defaults,
        },
        "flags": _partition_flags(partition),
        "partition": {
            "exclusive": partition.exclusive,
            "oversubscribe": partition.oversubscribe,
            "state": [partition.state],
        },
        "grace_time": partition.grace_time,
        "maximums": {
            "cpus_per_node": _count(partition.max_cpus_per_node),
            "cpus_per_socket": _count(partition.max_cpus_per_socket),
            "partition_memory_per_cpu": number(partition.max_mem_per_cpu),
            "partition_memory_per_node": number(
                None if partition.max_mem_per_cpu is not None else partition.max_mem_per_node or 0),
            "nodes": _count(partition.max_nodes),
            "shares": 1,
            "oversubscribe": {"jobs": 1, "flags": ["force"] if partition.oversubscribe.startswith("FORCE") else []},
            "time": _minutes(partition.max_time),
            "over_time_limit": _minutes(partition.over_time_limit),
        },
        "minimums": {"nodes": partition.min_nodes},
        "name": partition.name,
        "node_sets": _EVERYONE if partition.nodes_text.upper() == _EVERYONE else "",
        "priority": {"job_factor": partition.priority_job_factor, "tier": partition.priority_tier},
        "timeouts": {"resume": number(partition.resume_timeout), "suspend": number(partition.suspend_timeout)},
        "topology": "",
        "suspend_time": number(partition.suspend_time),
    }


def _partition_flags(partition: Partition) -> list[Value]:
    return [name for name, holds in (
        ("DEFAULT", partition.default), ("HIDDEN", partition.hidden), ("NO_ROOT", partition.disable_root_jobs),
        ("ROOT_ONLY", partition.root_only), ("REQ_RESV", partition.req_resv), ("LLN", partition.lln)) if holds]


def _unless_all(text: str) -> str:
    return "" if text == _EVERYONE else text


def _count(limit: int) -> Record:
    return number(None if limit < 0 else limit, infinite=limit < 0)


def _minutes(seconds: int | None) -> Record:
    if seconds is None:
        return number(None)
    return number(None if seconds < 0 else -(-seconds // 60), infinite=seconds < 0)


def group_record(group: Group, view: View) -> Record:
    """One line of `sinfo --json`."""
    nodes = group.nodes
    first = nodes[0] if nodes else None
    allocated, idle, other, total = node_values.count_cpus(nodes, view)
    busy = sum(status(node, view).busy for node in nodes)
    free = sum(not status(node, view).busy and status(node, view).available for node in nodes)
    record: Record = {
        "port": first.port if first else 0,
        "node": {"state": [*group.state.parts] if group.state else []},
        "nodes": {
            "allocated": busy, "idle": free, "other": len(nodes) - busy - free, "total": len(nodes),
            "hostnames": [], "addresses": [], "nodes": [node.name for node in nodes]},
        "cpus": {
            "allocated": allocated, "idle": idle, "other": other, "total": total, **_range(nodes, lambda node: node.cpus),
            "load": _range(nodes, lambda node: round(node.cpu_load * 100)),
            "per_node": {"max": _count(group.partition.max_cpus_per_node if group.partition else -1)}},
        "sockets": _range(nodes, lambda node: node.sockets),
        "cores": _range(nodes, lambda node: node.cores_per_socket),
        "threads": _range(nodes, lambda node: node.threads_per_core),
        "disk": _range(nodes, lambda node: node.tmp_disk),
        "memory": {
            **_range(nodes, lambda node: node.memory),
            "free": {
                "minimum": number(min((node.free_memory for node in nodes), default=0)),
                "maximum": number(max((node.free_memory for node in nodes), default=0))},
            "allocated": sum(node.memory_used for node in nodes)},
        "weight": _range(nodes, lambda node: node.weight),
    }
    record.update(_group_tail(group, first, view))
    return record


def _group_tail(group: Group, first: Node | None, view: View) -> Record:
    features = ",".join(first.features) if first else ""
    return {
        "features": {"total": features, "active": features},
        "gres": {
            "total": node_values.gres_text(first) if first else "", "used": node_values.gres_used_text(first) if first else ""},
        "cluster": "",
        "comment": first.comment if first else "",
        "extra": first.extra if first else "",
        "reason": {
            "description": first.reason if first else "", "time": int(first.reason_time) if first and first.reason else 0},
        "reservation": node_values.GETTERS["Reservation"](group, view),
        "reason_set_by_user": first.reason_user if first and first.reason else "",
        "resource_spec": {"cpus": "", "memory": 0},
        "partition": partition_record(group.partition, view) if group.partition else {},
    }


def _range(nodes: Iterable[Node], value: Callable[[Node], int]) -> dict[str, Value]:
    numbers = [value(node) for node in nodes] or [0]
    return {"minimum": min(numbers), "maximum": max(numbers)}
