"""THE table of what sacctmgr shows: every column by name, title, width, and where its text comes from. Lines are made as sacct's
(`accounting_table`).

A row is an `Entry`: a record and what belongs to it. Texts are as Slurm writes them; nothing set is nothing shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from slurm.core.policy.book import Standing
from slurm.model import limits as rows
from slurm.model.policy import SHARES_OF_PARENT, Account, Association, Limits, Qos, Resource, User, Wckey
from slurm.notation import duration, tres
from slurm.render.accounting_table import Column
from slurm.render.fields import Field
from slurm.wire.policy_messages import ClusterLine, Transaction


class Entry(NamedTuple):
    """What one line tells of.

    `standing` is what holds at the association after what it inherits; `default_accounts` and `coordinated` are the user's; `parent` of a
    resource is a cluster.
    """

    account: Account | None = None
    user: User | None = None
    association: Association | None = None
    qos: Qos | None = None
    cluster: ClusterLine | None = None
    wckey: Wckey | None = None
    resource: Resource | None = None
    transaction: Transaction | None = None
    tres: tuple[int, str, str] | None = None
    standing: Standing | None = None
    parent: str = ""
    default_account: str = ""
    coordinated: tuple[str, ...] = ()
    depth: int = 0
    moment: str = ""
    problem: str = ""
    inherits: bool = True
    limits: Limits = {}  # that are shown: its own, or with what comes from above


class Shown(NamedTuple):
    """A column: the names by which format= knows it, its title, its width, its text."""

    names: tuple[str, ...]
    title: str
    width: int
    text: Callable[[Entry], str]
    of_limits: bool = False  # what it says depends on `Entry.limits` only


def _number(key: str) -> Callable[[Entry], str]:
    def text(entry: Entry) -> str:
        values = entry.limits.get(key)
        return str(values[""]) if values else ""

    return text


def _minutes(key: str) -> Callable[[Entry], str]:
    def text(entry: Entry) -> str:
        values = entry.limits.get(key)
        return duration.show_clock(values[""] * 60) if values else ""

    return text


def _tres(key: str) -> Callable[[Entry], str]:
    def text(entry: Entry) -> str:
        values = entry.limits.get(key)
        return shown_tres(values) if values else ""

    return text


def shown_tres(amounts: Mapping[str, int]) -> str:
    """Limits by TRES; of 0 is a limit too."""
    if not amounts:
        return ""
    positive = tres.show(amounts).split(",") if any(amounts.values()) else []
    return ",".join([*positive, *(f"{name}=0" for name, amount in amounts.items() if not amount)])


def _one(key: str, name: str) -> Callable[[Entry], str]:
    def text(entry: Entry) -> str:
        values = entry.limits.get(key)
        return str(values[name]) if values and name in values else ""

    return text


def _limit_columns(at: str) -> tuple[Shown, ...]:
    """A column for each limit of the table; group limits of associations are shown where they stand."""
    found = []
    for row in rows.LIMITS:
        if row.at != at:
            continue
        title = row.short or row.key
        kind = {rows.WALL: _minutes}.get(row.quantity) or (_number if row.quantity in (rows.JOBS, rows.SUBMITTED, rows.ACCRUING,
            rows.MIN_PRIORITY) else _tres)
        width = _WIDTHS.get(title, 13)
        found.append(Shown((row.key, title, *row.also), title, width, kind(row.key), of_limits=True))
    return tuple(found)


_WIDTHS = {
    "GrpJobs": 7, "GrpSubmit": 9, "GrpWall": 11, "MaxJobs": 7, "MaxTRESPerNode": 14, "MaxSubmit": 9, "MaxWall": 11, "MaxJobsPU": 9,
    "MaxSubmitPU": 11,
    "MaxTRESRunMinsPA": 22, "MaxTRESRunMinsPU": 22, "MaxJobsPA": 9, "MaxSubmitPA": 11, "GrpJobsAccrue": 13, "MaxJobsAccrue": 13}
_OLD = (
    Shown(("GrpNodes",), "GrpNodes", 8, _one("GrpTRES", "node")), Shown(("GrpCPUs",), "GrpCPUs", 8, _one("GrpTRES", "cpu")),
    Shown(("GrpMem",), "GrpMem", 7, _one("GrpTRES", "mem")), Shown(("GrpCPUMins",), "GrpCPUMins", 11, _one("GrpTRESMins", "cpu")),
    Shown(("GrpCPURunMins",), "GrpCPURunMins", 13, _one("GrpTRESRunMins", "cpu")),
    Shown(("MaxNodes",), "MaxNodes", 8, _one("MaxTRESPerJob", "node")),
    Shown(("MaxCPUs",), "MaxCPUs", 8, _one("MaxTRESPerJob", "cpu")), Shown(("MaxCPUMins",), "MaxCPUMins", 11,
    _one("MaxTRESMinsPerJob", "cpu")))
"""Limits of one TRES, under the names that they had before there were TRES."""


def _of(read: Callable[[Association], str]) -> Callable[[Entry], str]:
    return lambda entry: read(entry.association) if entry.association is not None else ""


def _shares(one: Association) -> str:
    return "parent" if one.shares == SHARES_OF_PARENT else str(one.shares)


@lru_cache(maxsize=1024)
def _in_order(names: frozenset[str]) -> list[str]:
    return sorted(names)


def effective_qos(entry: Entry) -> list[str]:
    """The QOS that may be used there, in order of their names."""
    if entry.association is None:
        return []
    if entry.standing is not None and entry.inherits:
        return _in_order(entry.standing.qos)
    return sorted([*(entry.association.qos or ()), *entry.association.qos_changes])


def _default_qos(entry: Entry) -> str:
    return (entry.standing.default_qos if entry.standing is not None and entry.inherits else entry.association.default_qos
        if entry.association is not None else "")


_ASSOCIATION = (
    Shown(("Cluster",), "Cluster", 10, _of(lambda one: one.cluster)),
    Shown(("Account", "Acct"), "Account", 10, _of(lambda one: one.account)),
    Shown(("User",), "User", 10, _of(lambda one: one.user)),
    Shown(("Partition",), "Partition", 10, _of(lambda one: one.partition)),
    Shown(("Share", "Fairshare"), "Share", 9, _of(_shares)),
    Shown(("Priority",), "Priority", 10, _of(lambda one: "" if one.priority is None else str(one.priority))),
    *_limit_columns(rows.ASSOCIATION), *_OLD,
    Shown(("QOS", "QOSLevel"), "QOS", 20, lambda entry: ",".join(effective_qos(entry))),
    Shown(("QOS_RAW", "QOSRAWLevel"), "QOS_RAW", 20, _of(lambda one: ",".join([*(one.qos or ()), *one.qos_changes]))),
    Shown(("DefaultQOS", "Def QOS"), "Def QOS", 9, _default_qos),
    Shown(("ID",), "ID", 6, _of(lambda one: str(one.id))),
    Shown(("ParentID",), "Par ID", 6, _of(lambda one: str(one.parent or ""))),
    Shown(("ParentName",), "ParentName", 10, lambda entry: entry.parent),
    Shown(("Comment",), "Comment", 20, _of(lambda one: one.comment)),
    Shown(("Flags",), "Flags", 20, _of(lambda one: "Deleted" if one.deleted else "")),
)
_ACCOUNT = (
    Shown(("Account", "Acct", "Name"), "Account", 10, lambda entry: entry.account.name if entry.account else ""),
    Shown(("Description", "Descr"), "Descr", 20, lambda entry: entry.account.description if entry.account else ""),
    Shown(("Organization",), "Org", 20, lambda entry: entry.account.organization if entry.account else ""),
    Shown(("Coordinators",), "Coordinators", 20, lambda entry: ",".join(entry.account.coordinators) if entry.account else ""),
    *_ASSOCIATION)
_USER = (
    Shown(("User", "Name"), "User", 10, lambda entry: entry.user.name if entry.user else ""),
    Shown(("DefaultAccount", "Def Acct"), "Def Acct", 10, lambda entry: entry.default_account),
    Shown(("DefaultWCKey",), "Def WCKey", 10, lambda entry: entry.user.default_wckey if entry.user else ""),
    Shown(("AdminLevel",), "Admin", 9, lambda entry: entry.user.admin_level if entry.user else ""),
    Shown(("Coordinators",), "Coord Accounts", 20, lambda entry: ",".join(entry.coordinated)),
    *_ASSOCIATION)


def _of_qos(read: Callable[[Qos], str]) -> Callable[[Entry], str]:
    return lambda entry: read(entry.qos) if entry.qos is not None else ""


def _factor(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


_QOS = (
    Shown(("Name", "QOS"), "Name", 10, _of_qos(lambda one: one.name)),
    Shown(("Priority",), "Priority", 10, _of_qos(lambda one: str(one.priority))),
    Shown(("GraceTime",), "GraceTime", 10, _of_qos(lambda one: duration.show_clock(one.grace_time))),
    Shown(("Preempt",), "Preempt", 10, _of_qos(lambda one: ",".join(one.preempts))),
    Shown(("PreemptExemptTime",), "PreemptExemptTime", 19, _of_qos(
        lambda one: "" if one.preempt_exempt_time is None else duration.show_clock(one.preempt_exempt_time))),
    Shown(("PreemptMode",), "PreemptMode", 11, _of_qos(lambda one: one.preempt_mode)),
    Shown(("Flags",), "Flags", 40, _of_qos(lambda one: ",".join([*one.flags, *(["Deleted"] if one.deleted else [])]))),
    Shown(("UsageThreshold",), "UsageThres", 10, _of_qos(lambda one: _factor(one.usage_threshold))),
    Shown(("UsageFactor",), "UsageFactor", 11, _of_qos(lambda one: _factor(one.usage_factor))),
    Shown(("LimitFactor",), "LimitFactor", 11, _of_qos(lambda one: _factor(one.limit_factor))),
    Shown(("Description",), "Descr", 20, _of_qos(lambda one: one.description)),
    Shown(("ID",), "ID", 6, _of_qos(lambda one: str(one.id))),
    *_limit_columns(rows.QOS),
)


def _of_cluster(read: Callable[[ClusterLine], str]) -> Callable[[Entry], str]:
    return lambda entry: read(entry.cluster) if entry.cluster is not None else ""


_CLUSTER = (
    Shown(("Cluster", "Name"), "Cluster", 10, _of_cluster(lambda one: one.name)),
    Shown(("ControlHost",), "ControlHost", 15, _of_cluster(lambda one: one.control_host)),
    Shown(("ControlPort",), "ControlPort", 12, _of_cluster(lambda one: str(one.control_port))),
    Shown(("RPC",), "RPC", 5, _of_cluster(lambda one: str(one.rpc_version))),
    Shown(("Flags",), "Flags", 20, _of_cluster(lambda one: one.flags)),
    Shown(("Classification", "Class"), "Class", 9, lambda entry: ""),
    # No cluster is in a federation.
    Shown(("Federation",), "Federation", 10, lambda entry: ""), Shown(("FedID",), "ID", 2, _of_cluster(lambda one: "0")),
    Shown(("Features",), "Features", 20, lambda entry: ""), Shown(("FedState",), "FedState", 12, _of_cluster(lambda one: "NA")),
    *_ASSOCIATION)
_TRANSACTION = (
    Shown(("Time", "TimeStamp"), "Time", 19, lambda entry: entry.moment),
    Shown(("Action",), "Action", 20, lambda entry: entry.transaction.action if entry.transaction else ""),
    Shown(("Actor",), "Actor", 10, lambda entry: entry.transaction.actor if entry.transaction else ""),
    Shown(("Where",), "Where", 20, lambda entry: entry.transaction.target if entry.transaction else ""),
    Shown(("Info",), "Info", 20, lambda entry: entry.transaction.info if entry.transaction else ""),
    Shown(("Cluster",), "Cluster", 10, lambda entry: entry.transaction.cluster if entry.transaction else ""))
_TRES = (
    Shown(("Type",), "Type", 8, lambda entry: entry.tres[1] if entry.tres else ""),
    Shown(("Name",), "Name", 15, lambda entry: entry.tres[2] if entry.tres else ""),
    Shown(("ID",), "ID", 6, lambda entry: str(entry.tres[0]) if entry.tres else ""))
_WCKEY = (
    Shown(("WCKey", "Name"), "WCKey", 10, lambda entry: entry.wckey.name if entry.wckey else ""),
    Shown(("Cluster",), "Cluster", 10, lambda entry: entry.wckey.cluster if entry.wckey else ""),
    Shown(("User",), "User", 10, lambda entry: entry.wckey.user if entry.wckey else ""),
    Shown(("ID",), "ID", 6, lambda entry: str(entry.wckey.id) if entry.wckey else ""))


def _of_resource(read: Callable[[Resource], str]) -> Callable[[Entry], str]:
    return lambda entry: read(entry.resource) if entry.resource is not None else ""


_RESOURCE = (
    Shown(("Name", "Resource"), "Name", 10, _of_resource(lambda one: one.name)),
    Shown(("Server",), "Server", 10, _of_resource(lambda one: one.server)),
    Shown(("Type",), "Type", 8, _of_resource(lambda one: one.kind)), Shown(("Count",), "Count", 6,
    _of_resource(lambda one: str(one.count))),
    Shown(("LastConsumed",), "LastConsumed", 12, _of_resource(lambda one: str(one.last_consumed))),
    Shown(("Allocated",), "Allocated", 9, _of_resource(lambda one: str(sum(one.allowed.values())))),
    Shown(("ServerType",), "ServerType", 10, _of_resource(lambda one: one.server_type)),
    Shown(("Flags",), "Flags", 20, _of_resource(lambda one: ",".join([*one.flags, *(["Deleted"] if one.deleted else [])]))),
    Shown(("Cluster",), "Cluster", 10, lambda entry: entry.parent),
    Shown(("Allowed", "PercentAllowed"), "Allowed", 10, lambda entry: str(entry.resource.allowed.get(entry.parent, "")) if entry.resource
    else ""),
    Shown(("Description",), "Descr", 20, _of_resource(lambda one: one.description)),
    Shown(("ID",), "ID", 6, _of_resource(lambda one: str(one.id))))
_PROBLEM = (
    Shown(("Cluster",), "Cluster", 10, _of(lambda one: one.cluster)), Shown(("Account",), "Account", 10, _of(lambda one: one.account)),
    Shown(("User",), "User", 10, _of(lambda one: one.user)), Shown(("Problem",), "Problem", 40, lambda entry: entry.problem))
_FEDERATION = tuple(Shown((name, title), title, width, lambda entry: "") for name, title, width in (
    ("Federation", "Federation", 10), ("Cluster", "Cluster", 10), ("FedID", "ID", 2), ("Features", "Features", 20),
    ("FedState", "FedState", 12)))
COLUMNS: dict[str, tuple[Shown, ...]] = {
    "account": _ACCOUNT, "user": _USER, "association": _ASSOCIATION, "qos": _QOS, "cluster": _CLUSTER, "transaction": _TRANSACTION,
    "tres": _TRES,
    "wckey": _WCKEY, "resource": _RESOURCE, "problem": _PROBLEM, "federation": _FEDERATION}
DEFAULT: dict[str, str] = {
    "account": "account,descr,org",
    "account with associations": (
        "account,descr,org,cluster,parentname,user,share,priority,grpjobs,grpnodes,grpcpus,grpmem,grpsubmit,grpwall,grpcpumins,"
        "maxjobs,maxnodes,maxcpus,"
        "maxsubmit,maxwall,maxcpumins,qos,defaultqos"),
    "user": "user,defaultaccount,adminlevel",
    "user with associations": (
        "user,defaultaccount,adminlevel,cluster,account,partition,share,priority,maxjobs,maxnodes,maxcpus,maxsubmit,maxwall,"
        "maxcpumins,qos,defaultqos"),
    "association": (
        "cluster,account,user,partition,share,priority,grpjobs,grptres,grpsubmit,grpwall,grptresmins,maxjobs,maxtres,maxtrespernode,"
        "maxsubmit,maxwall,"
        "maxtresmins,qos,defaultqos,grptresrunmins"),
    "qos": (
        "name,priority,gracetime,preempt,preemptexempttime,preemptmode,flags,usagethreshold,usagefactor,grptres,grptresmins,"
        "grptresrunmins,grpjobs,"
        "grpsubmit,grpwall,maxtres,maxtrespernode,maxtresmins,maxwall,maxtrespu,maxjobspu,maxsubmitpu,maxtrespa,maxtresrunminspa,"
        "maxtresrunminspu,"
        "maxjobspa,maxsubmitpa,mintres"),
    "cluster": "cluster,controlhost,controlport,rpc,share,grpjobs,grptres,grpsubmit,maxjobs,maxtres,maxsubmit,maxwall,qos,defaultqos",
    "transaction": "time,action,actor,where,info", "tres": "type,name,id", "wckey": "wckey,cluster,user", "problem": "cluster,account,user,problem",
    "federation": "federation,cluster,fedid,features,fedstate",
    "resource": "name,server,type,count,lastconsumed,allocated,servertype,flags"}
TREE_WIDTH = -20
"""Of the account where the tree is shown."""


def find(kind: str, name: str) -> Shown | None:
    """The column of this name, else the first that begins so."""
    wanted = name.lower().replace(" ", "")
    columns = COLUMNS[kind]
    exact = next((one for one in columns if any(word.lower().replace(" ", "") == wanted for word in one.names)), None)
    return exact or next((one for one in columns if any(word.lower().startswith(wanted) for word in one.names)), None)


def names(kind: str) -> list[str]:
    """What format= may name."""
    return [one.names[0] for one in COLUMNS[kind]]


def column(shown: Shown, width: int) -> Column:
    """As `accounting_table` lays it out."""
    return Column(Field(shown.title, "", shown.title, ""), width)


def cells(columns: Sequence[Shown], entries: Iterable[Entry]) -> Iterator[tuple[Entry, list[str]]]:
    """The texts of each line. Most lines follow one at which the same limits hold: theirs are made once."""
    own = [(place, one.text) for place, one in enumerate(columns) if not one.of_limits]
    told: Limits | None = None
    row: list[str] = []
    for entry in entries:
        if entry.limits is told:
            row = list(row)
            for place, text in own:
                row[place] = text(entry)
        else:
            told = entry.limits
            row = [one.text(entry) for one in columns]
        yield entry, row
