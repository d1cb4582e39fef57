"""Partitions as slurm.conf describes them: PartitionName lines with their DEFAULTs, their nodes expanded.

Not here: a partition's present state (`model.partition`), who may use it (`core.admission`).
"""

from __future__ import annotations

from typing import NamedTuple

from slurm.config.nodes import NodeConf, Settled, expand, settle, unknown_nodes
from slurm.config.reader import Origin, Problem, Record
from slurm.notation import job_defaults


class PartitionConf(NamedTuple):
    """One partition of slurm.conf, named and valued as `model.partition.Partition`.

    Times are seconds (-1 unlimited, None not written); memory MB (0 unlimited, None not written: the cluster's holds); counts -1
    for no limit. `nodes` are in the order of the NodeName lines, `nodes_text` is Nodes= as written.
    """

    name: str
    nodes: list[str]
    nodes_text: str
    default: bool
    state: str
    max_time: int
    default_time: int | None
    over_time_limit: int | None
    max_nodes: int
    min_nodes: int
    max_cpus_per_node: int
    max_cpus_per_socket: int
    def_mem_per_cpu: int | None
    def_mem_per_node: int | None
    max_mem_per_cpu: int | None
    max_mem_per_node: int | None
    allow_groups: str
    allow_accounts: str
    deny_accounts: str
    allow_qos: str
    deny_qos: str
    alloc_nodes: str
    alternate: str
    qos: str
    priority_tier: int
    priority_job_factor: int
    oversubscribe: str
    exclusive_user: bool
    hidden: bool
    root_only: bool
    disable_root_jobs: bool
    req_resv: bool
    lln: bool
    grace_time: int
    preempt_mode: str
    tres_billing_weights: str
    job_defaults: str
    select_type: str
    topology: str
    suspend_time: int | None
    suspend_timeout: int | None
    resume_timeout: int | None
    power_down_on_idle: bool
    origin: Origin


def read_partitions(
    records: list[Record], nodes: list[NodeConf], node_sets: dict[str, list[str]], disable_root_jobs: bool,
    problems: list[Problem], warnings: list[str],
) -> list[PartitionConf]:
    """The partitions in file order; of several with Default=YES the last one is the default, with a warning."""
    partitions: dict[str, PartitionConf] = {}
    default = ""
    order = {node.name: position for position, node in enumerate(nodes)}
    for record, line in settle(records, "PartitionName", problems):
        for name in line.text("PartitionName").split(","):
            if name in partitions:
                problems.append(Problem(record.origin, f"Duplicate PartitionName {name}", f"first described at {partitions[name].origin}"))
                continue
            members = _members(name, line, record.origin, order, node_sets, problems)
            partition = _partition(name, line, members, disable_root_jobs, record.origin)
            if partition.default:
                if default:
                    warnings.append(f"{record.origin}: changing default partition from {default} to {name}")
                    partitions[default] = partitions[default]._replace(default=False)
                default = name
            partitions[name] = partition
    return list(partitions.values())


def _members(
    name: str, line: Settled, origin: Origin, order: dict[str, int], node_sets: dict[str, list[str]], problems: list[Problem],
) -> list[str]:
    members: set[str] = set()
    strange: list[str] = []
    for word in expand(line.text("Nodes"), origin, problems):
        if word.upper() == "ALL":
            members.update(order)
        elif word in node_sets:
            members.update(node_sets[word])
        elif word in order:
            members.add(word)
        else:
            strange.append(word)
    if strange:
        problems.append(unknown_nodes(strange, f"partition {name}", [*order, *node_sets], origin))
    return sorted(members, key=order.__getitem__)


def _partition(name: str, line: Settled, members: list[str], disable_root_jobs: bool, origin: Origin) -> PartitionConf:
    over = line.maybe("OverTimeLimit")
    max_time = line.maybe("MaxTime")
    priority = line.maybe("Priority")  # an older key that stood for both
    return PartitionConf(
        name=name, nodes=members, nodes_text=line.text("Nodes"), default=line.flag("Default"), state=line.text("State"),
        max_time=-1 if max_time is None else max_time, default_time=line.maybe("DefaultTime"),
        over_time_limit=over * 60 if over is not None and over > 0 else over,
        max_nodes=line.number("MaxNodes"), min_nodes=line.number("MinNodes"),
        max_cpus_per_node=line.number("MaxCPUsPerNode"), max_cpus_per_socket=line.number("MaxCPUsPerSocket"),
        def_mem_per_cpu=line.maybe("DefMemPerCPU"), def_mem_per_node=line.maybe("DefMemPerNode"),
        max_mem_per_cpu=line.maybe("MaxMemPerCPU"), max_mem_per_node=line.maybe("MaxMemPerNode"),
        allow_groups=line.text("AllowGroups"), allow_accounts=line.text("AllowAccounts"), deny_accounts=line.text("DenyAccounts"),
        allow_qos=line.text("AllowQos"), deny_qos=line.text("DenyQos"), alloc_nodes=line.text("AllocNodes"),
        alternate=line.text("Alternate"), qos=line.text("QOS"),
        priority_tier=_number_or(line, "PriorityTier", priority), priority_job_factor=_number_or(line, "PriorityJobFactor", priority),
        oversubscribe=line.text("OverSubscribe"), exclusive_user=line.flag("ExclusiveUser"), hidden=line.flag("Hidden"),
        root_only=line.flag("RootOnly"), disable_root_jobs=line.flag("DisableRootJobs") if "DisableRootJobs" in line.read
        else disable_root_jobs,
        req_resv=line.flag("ReqResv"), lln=line.flag("LLN"), grace_time=line.number("GraceTime"), preempt_mode=line.text("PreemptMode"),
        tres_billing_weights=line.text("TRESBillingWeights"), job_defaults=_job_defaults(line), topology=line.text("Topology"),
        suspend_time=line.maybe("SuspendTime"), suspend_timeout=line.maybe("SuspendTimeout"), resume_timeout=line.maybe("ResumeTimeout"),
        power_down_on_idle=line.flag("PowerDownOnIdle"),
        select_type="" if line.text("SelectTypeParameters") == "NONE" else line.text("SelectTypeParameters"), origin=origin,
    )


def _number_or(line: Settled, key: str, otherwise: int | None) -> int:
    return line.number(key) if key in line.read or otherwise is None else otherwise


def _job_defaults(line: Settled) -> str:
    return merged_defaults(line.text("JobDefaults"), line.maybe("DefCpuPerGPU"), line.maybe("DefMemPerGPU"))


def merged_defaults(written: str, cpus: int | None, memory: int | None) -> str:
    """JobDefaults with DefCpuPerGPU and DefMemPerGPU, which may stand by themselves."""
    both = job_defaults.parse(written)
    return job_defaults.JobDefaults(both.cpus_per_gpu if cpus is None else cpus, both.mem_per_gpu if memory is None else memory).show()
