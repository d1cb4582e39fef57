"""Accounts, users, associations, QOS, clusters, TRES and wckeys as the REST API describes them. Keys and shapes are Slurm's (v0.0.44).

Where a limit stands in a record is said by two tables, which whoever reads such records uses, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slurm.model.policy import NO_ADMIN, SHARES_OF_PARENT, Account, Association, Limits, Qos, User, Wckey
from slurm.render.accounting_json import TRES_IDS

Record = dict[str, Any]
_PARENT = 0x7FFFFFFF
"""Fairshare=parent, as a number."""
AT_ASSOCIATION: dict[str, str] = {
    "MaxJobs": "max.jobs.per.count", "MaxJobsAccrue": "max.jobs.per.accruing", "MaxSubmitJobs": "max.jobs.per.submitted",
    "MaxWallDurationPerJob": "max.jobs.per.wall_clock", "GrpJobs": "max.jobs.active", "GrpJobsAccrue": "max.jobs.accruing",
    "GrpSubmitJobs": "max.jobs.total", "GrpTRES": "max.tres.total", "GrpTRESMins": "max.tres.group.minutes",
    "GrpTRESRunMins": "max.tres.group.active",
    "MaxTRESRunMins": "max.tres.minutes.total", "MaxTRESMinsPerJob": "max.tres.minutes.per.job", "MaxTRESPerJob": "max.tres.per.job",
    "MaxTRESPerNode": "max.tres.per.node", "GrpWall": "max.per.account.wall_clock", "MinPrioThreshold": "min.priority_threshold",
}
"""Limit (model.limits) → its place in an association's record. MaxTRESRunMins, which nothing here has, is always empty."""
AT_QOS: dict[str, str] = {
    "GrpJobsAccrue": "max.active_jobs.accruing", "GrpJobs": "max.active_jobs.count", "GrpSubmitJobs": "max.jobs.count",
    "MaxJobsPerAccount": "max.jobs.active_jobs.per.account", "MaxJobsPerUser": "max.jobs.active_jobs.per.user",
    "MaxSubmitJobsPerAccount": "max.jobs.per.account", "MaxSubmitJobsPerUser": "max.jobs.per.user", "GrpTRES": "max.tres.total",
    "GrpTRESRunMins": "max.tres.minutes.total", "GrpTRESMins": "max.tres.minutes.per.qos", "MaxTRESMinsPerJob": "max.tres.minutes.per.job",
    "MaxTRESRunMinsPerAccount": "max.tres.minutes.per.account", "MaxTRESRunMinsPerUser": "max.tres.minutes.per.user",
    "MaxTRESPerAccount": "max.tres.per.account", "MaxTRESPerJob": "max.tres.per.job", "MaxTRESPerNode": "max.tres.per.node",
    "MaxTRESPerUser": "max.tres.per.user", "GrpWall": "max.wall_clock.per.qos", "MaxWallDurationPerJob": "max.wall_clock.per.job",
    "MaxJobsAccruePerAccount": "max.accruing.per.account", "MaxJobsAccruePerUser": "max.accruing.per.user",
    "MinPrioThreshold": "min.priority_threshold",
    "MinTRESPerJob": "min.tres.per.job",
}
"""Limit → its place below `limits` of a QOS's record."""
QOS_FLAGS: dict[str, str] = {
    "DenyOnLimit": "DENY_LIMIT", "EnforceUsageThreshold": "ENFORCE_USAGE_THRESHOLD", "NoDecay": "NO_DECAY", "NoReserve": "NO_RESERVE",
    "OverPartQOS": "OVERRIDE_PARTITION_QOS", "PartitionMaxNodes": "PARTITION_MAXIMUM_NODE", "PartitionMinNodes": "PARTITION_MINIMUM_NODE",
    "PartitionTimeLimit": "PARTITION_TIME_LIMIT", "Relative": "RELATIVE", "RequiresReservation": "REQUIRED_RESERVATION",
    "UsageFactorSafe": "USAGE_FACTOR_SAFE",
}
PREEMPT_MODES: dict[str, str] = {"off": "DISABLED", "suspend": "SUSPEND", "requeue": "REQUEUE", "cancel": "CANCEL", "gang": "GANG"}
"""As sacctmgr names a mode → as the API does. "cluster", which is PreemptMode of slurm.conf, is an empty list there."""
TresIds = Mapping[str, int]


def number(value: float | None, *, real: bool = False) -> Record:
    """A number that may be unset."""
    return {"set": value is not None, "infinite": False, "number": float(value or 0) if real else int(value or 0)}


def association(one: Association, parents: Mapping[int, Association], ids: TresIds) -> Record:
    """One association; `parents` are all of its cluster by id."""
    parent = parents.get(one.parent)
    return {
        "accounting": [],
        "account": one.account,
        "cluster": one.cluster,
        "comment": one.comment,
        "default": {"qos": one.default_qos},
        "flags": ["DELETED"] if one.deleted else [],
        **_limits(AT_ASSOCIATION, one.limits, ids),
        "id": one.id,
        "is_default": one.is_default,
        "lineage": _lineage(one, parents),
        "parent_account": parent.account if parent is not None and not one.user else "",
        "partition": one.partition,
        "priority": number(one.priority),
        "qos": [*(one.qos or ()), *one.qos_changes],
        "shares_raw": _PARENT if one.shares == SHARES_OF_PARENT else one.shares,
        "user": one.user,
    }


def _lineage(one: Association, parents: Mapping[int, Association]) -> str:
    """/research/0-alice/, the root left out."""
    pieces = [f"0-{one.user}"] if one.user else []
    above: Association | None = parents.get(one.parent) if one.user else one
    while above is not None and above.parent:
        pieces.append(above.account)
        above = parents.get(above.parent)
    return f"/{'/'.join(reversed(pieces))}/" if pieces else "/"


def short(one: Association) -> Record:
    """An association as others name it."""
    return {"account": one.account, "cluster": one.cluster, "partition": one.partition, "user": one.user, "id": one.id}


def qos(one: Qos, ids: TresIds) -> Record:
    """One QOS."""
    limits = _limits(AT_QOS, one.limits, ids)
    return {
        "description": one.description,
        "flags": [*(QOS_FLAGS[flag] for flag in one.flags), *(["DELETED"] if one.deleted else [])],
        "id": one.id,
        "limits": {"grace_time": one.grace_time, "max": limits["max"], "factor": number(one.limit_factor, real=True), "min": limits["min"]},
        "name": one.name,
        "preempt": {
            "list": list(one.preempts), "mode": [PREEMPT_MODES[one.preempt_mode]] if one.preempt_mode in PREEMPT_MODES else [],
            "exempt_time": number(one.preempt_exempt_time)},
        "priority": number(one.priority),
        "usage_factor": number(one.usage_factor, real=True),
        "usage_threshold": number(one.usage_threshold, real=True),
    }


def _limits(table: Mapping[str, str], limits: Limits, ids: TresIds) -> Record:
    """The limits at their places: lists of TRES where they limit TRES, else numbers."""
    found: Record = {}
    for key, place in table.items():
        *folders, last = place.split(".")
        at = found
        for folder in folders:
            at = at.setdefault(folder, {})
        values = limits.get(key, {})
        at[last] = tres_list(values, ids) if "TRES" in key else number(values.get(""))
    return found


def tres_list(amounts: Mapping[str, int], ids: TresIds) -> list[Record]:
    """TRES with their counts."""
    return [{"type": name.partition("/")[0], "name": name.partition("/")[2], "id": ids.get(name, TRES_IDS.get(name, 0)), "count": count}
            for name, count in amounts.items()]


def user(one: User, associations: Iterable[Association], coordinates: Sequence[str], wckeys: Iterable[Wckey]) -> Record:
    """One user with what is his; what was not asked for is empty."""
    mine = list(associations)
    return {
        "administrator_level": [one.admin_level if one.admin_level != NO_ADMIN else "None"],
        "associations": [short(each) for each in mine],
        "coordinators": [{"name": name, "direct": True} for name in coordinates],
        "default": {"account": next((each.account for each in mine if each.is_default), ""), "wckey": one.default_wckey},
        "flags": ["DELETED"] if one.deleted else [],
        "name": one.name,
        "old_name": "",
        "wckeys": [wckey(each) for each in wckeys],
    }


def account(one: Account, associations: Iterable[Association], *, with_coordinators: bool = True) -> Record:
    """One account."""
    return {
        "associations": [short(each) for each in associations],
        "coordinators": [{"name": name, "direct": True} for name in one.coordinators] if with_coordinators else [],
        "description": one.description,
        "name": one.name,
        "organization": one.organization,
        "flags": ["DELETED"] if one.deleted else [],
    }


def cluster(name: str, host: str, port: int, rpc_version: int, root: Association | None) -> Record:
    """One cluster; `root` is the top of its associations."""
    return {
        "controller": {"host": host, "port": port}, "flags": [], "name": name, "nodes": "", "select_plugin": "",
        "associations": {"root": short(root) if root is not None else {"account": "root", "cluster": name, "partition": "", "user": "",
        "id": 0}},
        "rpc_version": rpc_version, "tres": [],
    }


def wckey(one: Wckey) -> Record:
    """One work load key."""
    return {
        "accounting": [], "cluster": one.cluster, "id": one.id, "name": one.name, "user": one.user,
        "flags": ["DELETED"] if one.deleted else []}
