"""What `scontrol show config`, `node` and `partition` say, as the slurm.conf that says the same to us."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from slurm.config.config import Config, parse
from slurm.sdk.following.inspection import NOTHING, records

KEYS = (
    "ClusterName", "DefMemPerCPU", "DefMemPerNode", "EnforcePartLimits", "GresTypes", "Licenses", "MaxArraySize", "MaxMemPerCPU",
    "MaxMemPerNode", "PriorityFlags", "SchedulerParameters", "SchedulerType", "SelectType", "SelectTypeParameters")
"""What of the configuration decides where and when jobs start. Priorities are those that it computed, limits its reasons."""
_NODE = {
    "NodeName": "NodeName", "CPUTot": "CPUs", "Boards": "Boards", "CoresPerSocket": "CoresPerSocket",
    "ThreadsPerCore": "ThreadsPerCore", "RealMemory": "RealMemory", "TmpDisk": "TmpDisk", "Weight": "Weight",
    "AvailableFeatures": "Feature", "MemSpecLimit": "MemSpecLimit", "CoreSpecCount": "CoreSpecCount"}
"""Key of scontrol show node → key of slurm.conf."""
_PARTITION = (
    "PartitionName", "Nodes", "Default", "DefaultTime", "MaxTime", "MinNodes", "MaxNodes", "PriorityTier", "PriorityJobFactor", "State",
    "OverSubscribe", "LLN", "MaxCPUsPerNode", "Hidden", "RootOnly", "ExclusiveUser", "AllowAccounts", "AllowGroups", "AllowQos",
    "DenyAccounts", "DenyQos", "DefMemPerCPU", "DefMemPerNode", "MaxMemPerCPU", "MaxMemPerNode")
_PARAMETERS = re.compile(r"(bf_\w+|sched_\w+|default_queue_depth|max_switch_wait|spec_cores_first|partition_job_depth)(=|$)")
"""Switches of SchedulerParameters that we heed where they are ours too; others would be refused."""
_UNSAID = NOTHING | {"", "ALL", "UNLIMITED", "NONE"}


def configuration(config: str, nodes: str, partitions: str) -> Config:
    """The configuration that these reports describe; ConfigError where they describe something that we do not know."""
    said = dict(_said(config))
    lines = [f"{key}={value}" for key in KEYS if (value := _adapted(key, said.get(key.lower(), "")))]
    lines += ["AuthType=auth/local", "SlurmctldHost=localhost", "SlurmUser=root"]
    gres: list[str] = []
    types: set[str] = set()
    for record in records(nodes, "NodeName"):
        lines.append(_node(record))
        for name, type, count in devices(record.get("Gres", "")):
            types.add(name)
            gres.append(f"NodeName={record['NodeName']} Name={name}{f' Type={type}' if type else ''} Count={count}")
    if types and said.get("grestypes", "") in _UNSAID:
        lines.append(f"GresTypes={','.join(sorted(types))}")
    lines += [line for record in records(partitions, "PartitionName") if (line := _partition(record))]
    return parse("\n".join(lines) + "\n", "scontrol show config", gres="\n".join(gres) + "\n")


def _said(config: str) -> Sequence[tuple[str, str]]:
    pairs = (line.partition("=") for line in config.splitlines() if "=" in line)
    return [(key.strip().lower(), value.strip()) for key, _, value in pairs]


def _adapted(key: str, value: str) -> str:
    """A value as our slurm.conf takes it, "" for one that says nothing."""
    if value in _UNSAID:
        return ""
    if key == "SelectType":
        return "select/linear" if "linear" in value else "select/cons_tres"
    if key == "SchedulerParameters":
        return ",".join(word for word in value.split(",") if _PARAMETERS.match(word))
    if key == "SchedulerType":
        return "sched/builtin" if "builtin" in value else "sched/backfill"
    return value


def _node(record: Mapping[str, str]) -> str:
    words = [f"{ours}={value}" for theirs, ours in _NODE.items() if (value := record.get(theirs, "").strip()) not in _UNSAID | {"0"}]
    boards = max(1, int(record.get("Boards", "1") or 1))
    words.append(f"SocketsPerBoard={max(1, int(record.get('Sockets', '1') or 1) // boards)}")
    found = [f"{name}{f':{type}' if type else ''}:{count}" for name, type, count in devices(record.get("Gres", ""))]
    return " ".join([*words, f"Gres={','.join(found)}"] if found else words)


def devices(text: str) -> list[tuple[str, str, int]]:
    """(name, type, count) of `gpu:a100:2(S:0-1),shard:8`; counts with a unit, as of bandwidth, are left out."""
    found = []
    for item in re.sub(r"\([^)]*\)", "", text).split(","):
        name, _, rest = item.strip().partition(":")
        type, _, count = rest.rpartition(":")
        if name and count.isdigit():
            found.append((name, type, int(count)))
    return found


def _partition(record: Mapping[str, str]) -> str:
    """Its line, "" for one without nodes."""
    if record.get("Nodes", "") in _UNSAID:
        return ""
    words = [f"{key}={value}" for key in _PARTITION if (value := record.get(key, "").strip()) not in _UNSAID]
    return " ".join(words)
