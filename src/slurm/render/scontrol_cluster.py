"""`scontrol show node` and `show partition`: records as blocks of KEY=value."""

from __future__ import annotations

from slurm.core.tres import configured
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.notation import duration, gres, hostlist, tres
from slurm.render import node_values as values
from slurm.render.node_state import status
from slurm.render.view import View

NULL = "(null)"


def show_node(node: Node, view: View, detail: bool = False) -> list[str]:
    """A node's lines, without their indentation; `detail` as `scontrol show -d node`."""
    features = ",".join(node.features) or NULL
    allocated = len(node.cpus_used)
    arch = f"Arch={node.arch} " if node.arch else ""
    version = f" Version={node.version}" if node.version else ""
    lines = [
        f"NodeName={node.name} {arch}CoresPerSocket={node.cores_per_socket} ",
        f"CPUAlloc={allocated} CPUEfctv={node.job_cpu_count} CPUTot={node.cpus} CPULoad={values.load_text(node)}",
        f"AvailableFeatures={features}",
        f"ActiveFeatures={features}",
        f"Gres={values.gres_text(node) or NULL}",
    ]
    if detail:
        lines += ["GresDrain=N/A", f"GresUsed={values.gres_used_text(node) or NULL}"]
    lines.append(f"NodeAddr={node.address or node.name} NodeHostName={node.hostname or node.name} Port={node.port}{version}")
    if node.os:
        lines.append(f"OS={node.os} ")
    lines += [
        (f"RealMemory={node.memory} AllocMem={node.memory_used} FreeMem={values.free_memory_text(node)} Sockets={node.sockets} "
        f"Boards={node.boards}"),
        *_set_aside(node),
        (f"State={status(node, view).complete} ThreadsPerCore={node.threads_per_core} TmpDisk={node.tmp_disk} Weight={node.weight} "
        "Owner=N/A MCS_label=N/A"),
        f"Partitions={','.join(view.partitions_of.get(node.name, []))} ",
        f"BootTime={view.moment(node.boot_time, 'None')} SlurmdStartTime={view.moment(node.slurmd_start_time, 'None')}",
        (f"LastBusyTime={view.moment(node.last_busy_time, 'Unknown')} ResumeAfterTime={view.moment(node.resume_after, 'None')} "
        f"SuspendTime={_switched(node, view)}"),
        f"CfgTRES={tres.show(configured([node], with_nodes=False))}",
        f"AllocTRES={tres.show(used(node))}",
        "CurrentWatts=0 AveWatts=0",
    ]
    for key, text in (("Comment", node.comment), ("Extra", node.extra)):
        if text:
            lines.append(f"{key}={text}")
    if values.reservation_of(node, view):
        lines.append(f"ReservationName={values.reservation_of(node, view)}")
    if node.reason:
        lines.append(f"Reason={node.reason} [{node.reason_user}@{view.moment(node.reason_time, 'Unknown')}]")
    return lines


def _switched(node: Node, view: View) -> str:
    """Seconds of idleness after which it is switched off, the longest of its partitions."""
    own = [view.partitions[name].suspend_time for name in view.partitions_of.get(node.name, [])]
    seconds = [one for one in own if one is not None] or [view.settings.suspend_time]
    return "INFINITE" if -1 in seconds else str(max(seconds))


def _set_aside(node: Node) -> list[str]:
    """What of it the system has; no line where that is nothing."""
    text = f"CoreSpecCount={node.spec_cores} CPUSpecList={gres.show_indices(list(node.spec_cpus))} " if node.spec_cpus else ""
    text += f"MemSpecLimit={node.spec_memory}" if node.spec_memory else ""
    return [text] if text else []


def used(node: Node) -> dict[str, int]:
    """Trackable resources that jobs hold on a node, memory MB."""
    amounts = {"cpu": len(node.cpus_used), "mem": node.memory_used}
    for name, devices in node.gres_used.items():
        amounts[f"gres/{name}"] = len(devices)
    return amounts


def show_partition(partition: Partition, view: View) -> list[str]:
    """A partition's lines, without their indentation."""
    nodes = [view.nodes[name] for name in partition.nodes if name in view.nodes]
    accounts = f"DenyAccounts={partition.deny_accounts}" if partition.deny_accounts else f"AllowAccounts={partition.allow_accounts}"
    qos = f"DenyQos={partition.deny_qos}" if partition.deny_qos else f"AllowQos={partition.allow_qos}"
    default_time = "NONE" if partition.default_time is None else duration.show_clock(partition.default_time)
    over = "NONE" if partition.over_time_limit is None else _over(partition.over_time_limit)
    lines = [
        f"PartitionName={partition.name}",
        f"AllowGroups={partition.allow_groups} {accounts} {qos}",
        f"AllocNodes={partition.alloc_nodes} Default={_yes(partition.default)} QoS={partition.qos or 'N/A'}",
    ]
    if partition.alternate:
        lines.append(f"Alternate={partition.alternate}")
    lines += [
        (f"DefaultTime={default_time} DisableRootJobs={_yes(partition.disable_root_jobs)} Exclusive={partition.exclusive} "
        f"GraceTime={partition.grace_time} Hidden={_yes(partition.hidden)}"),
        (f"MaxNodes={_most(partition.max_nodes)} MaxTime={duration.show_clock(partition.max_time)} MinNodes={partition.min_nodes} "
        f"LLN={_yes(partition.lln)} MaxCPUsPerNode={_most(partition.max_cpus_per_node)} "
        f"MaxCPUsPerSocket={_most(partition.max_cpus_per_socket)}"),
    ]
    if partition.nodes_text.upper() == "ALL":
        lines.append("NodeSets=ALL")
    lines += [
        f"Nodes={hostlist.compress(partition.nodes) or NULL}",
        (f"PriorityJobFactor={partition.priority_job_factor} PriorityTier={partition.priority_tier} RootOnly={_yes(partition.root_only)} "
        f"ReqResv={_yes(partition.req_resv)} OverSubscribe={partition.oversubscribe}"),
        f"OverTimeLimit={over} PreemptMode={values.preempt_mode(partition, view.settings)}",
        f"State={partition.state} TotalCPUs={sum(node.cpus for node in nodes)} TotalNodes={len(nodes)} "
        f"SelectTypeParameters={partition.select_type or 'NONE'}",
        f"JobDefaults={partition.job_defaults or NULL}",
        (f"{_memory('Def', partition.def_mem_per_cpu, partition.def_mem_per_node)} "
        f"{_memory('Max', partition.max_mem_per_cpu, partition.max_mem_per_node)}"),
        f"TRES={tres.show(configured(nodes)) or NULL}",
    ]
    if partition.tres_billing_weights:
        lines.append(f"TRESBillingWeights={partition.tres_billing_weights}")
    return lines


def _yes(value: bool) -> str:
    return "YES" if value else "NO"


def _most(number: int) -> str:
    return "UNLIMITED" if number < 0 else str(number)


def _over(seconds: int) -> str:
    return "UNLIMITED" if seconds < 0 else str(seconds // 60)


def _memory(word: str, per_cpu: int | None, per_node: int | None) -> str:
    if per_cpu is not None:
        return f"{word}MemPerCPU={per_cpu}"
    return f"{word}MemPerNode={per_node if per_node is not None else 'UNLIMITED'}"
