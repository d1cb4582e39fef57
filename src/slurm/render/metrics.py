"""What a slurmctld tells Prometheus of jobs, nodes and partitions, under the names of Slurm 25.11 (metrics/openmetrics).

What Slurm has and is never so here is told as 0, so that its dashboards work. An array's tasks count singly. Memory is in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from slurm.core import arrays
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import JobState, NodeState
from slurm.render import job_facts
from slurm.render.node_state import NodeStatus, status
from slurm.render.openmetrics import Family, Number
from slurm.render.view import View

MEGABYTE = 1024 * 1024
Counts = dict[str, dict[str, Number]]
"""Metric → whose it is (a partition, a user … or "") → number."""

_OF_STATE = {
    JobState.PENDING: "pending", JobState.RUNNING: "running", JobState.SUSPENDED: "suspended", JobState.COMPLETED: "completed",
    JobState.CANCELLED: "cancelled", JobState.FAILED: "failed", JobState.TIMEOUT: "timeout", JobState.NODE_FAIL: "node_failed",
    JobState.PREEMPTED: "preempted", JobState.BOOT_FAIL: "bootfail", JobState.DEADLINE: "deadline", JobState.OUT_OF_MEMORY: "outofmemory"}
_OF_FLAG = {
    "completing": "completing", "configuring": "configuring", "expediting": "expediting", "resizing": "resizing", "requeued": "requeued",
    "requeue_fed": "fed_requeued", "revoked": "revoked", "signaling": "signaling", "stage_out": "stageout"}
JOB_HELP = {
    **{name: f"Jobs in state {state.name}" for state, name in _OF_STATE.items()},
    **{name: f"Jobs that are {flag}" for flag, name in _OF_FLAG.items()},
    "hold": "Jobs that are held", "started": "Jobs that have started", "finished": "Jobs that have ended",
    "powerup_node": "Jobs that wait for nodes to power up", "cpus_alloc": "CPUs that jobs hold", "gpus_alloc": "GPUs that jobs hold",
    "nodes_alloc": "Nodes that jobs hold, each as often as it is held", "memory_alloc": "Memory that jobs hold, bytes"}
_NODE_FLAGS = {
    "drain": "drain", "completing": "completing", "not_responding": "noresp", "planned": "planned", "maintenance": "maint",
    "reserved": "resv"}
_NODE_BASES = {"unknown": "unknown", "down": "down", "idle": "idle", "allocated": "alloc", "mixed": "mixed", "future": "future"}
_NEVER = (
    "blocked", "cloud", "dyn_future", "dyn_normal", "external", "fail", "invalid_reg", "power_down", "power_up", "powered_down",
    "powering_down", "powering_up", "reboot_issued", "reboot_req")
NODE_HELP = {
    **{name: f"Nodes in state {base.upper()}" for base, name in _NODE_BASES.items()},
    **{name: f"Nodes with {flag.upper()}" for flag, name in _NODE_FLAGS.items()},
    "drained": "Drained nodes without jobs", "draining": "Drained nodes with jobs", **dict.fromkeys(_NEVER, "Not known to slurm-py")}
_OTHER_NAMES = {"completing": "cg", "noresp": "no_resp", "reboot_req": "reboot_requested"}
"""Node states that have another name in the metrics of partitions."""


def jobs(view: View) -> list[Family]:
    """GET /metrics/jobs."""
    counts = _job_counts(view.jobs.values(), lambda job: ("",))
    total = sum(_tasks(job) for job in view.jobs.values())
    return [Family("slurm_jobs", "All jobs that slurmctld knows", [({}, total)]), *_families("slurm_jobs_", "", counts, JOB_HELP, [""])]


def of_users_and_accounts(view: View) -> list[Family]:
    """GET /metrics/jobs-users-accts."""
    return [
        *_families("slurm_user_jobs_", "username", _job_counts(view.jobs.values(), lambda job: (job.owner.user,)), JOB_HELP),
        *_families("slurm_account_jobs_", "account", _job_counts(view.jobs.values(), lambda job: (job.request.account,)), JOB_HELP)]


def nodes(view: View) -> list[Family]:
    """GET /metrics/nodes."""
    there = view.nodes_in_order
    of_each: list[tuple[str, str, Callable[[Node], Number]]] = [
        ("cpus", "CPUs", lambda node: node.cpus), ("cpus_alloc", "CPUs that jobs hold", lambda node: len(node.cpus_used)),
        ("cpus_effective", "CPUs that are there for jobs", lambda node: node.job_cpu_count),
        ("cpus_idle", "CPUs for jobs that none holds", _idle_cpus), ("gpus", "GPUs", _gpus),
        ("gpus_alloc", "GPUs that jobs hold", _gpus_used),
        ("memory_bytes", "Memory", lambda node: node.memory * MEGABYTE),
        ("memory_alloc_bytes", "Memory that jobs hold", lambda node: node.memory_used * MEGABYTE),
        ("memory_effective_bytes", "Memory that is there for jobs", lambda node: node.job_memory * MEGABYTE),
        ("memory_free_bytes", "Memory that the operating system calls free", lambda node: node.free_memory * MEGABYTE),
        ("load", "Load average of a minute, as its slurmd told it", lambda node: node.cpu_load),
        ("responding", "Whether its slurmd is heard", lambda node: int(node.responding)),
        ("jobs", "Jobs on it", lambda node: len(node.jobs))]
    families = [Family(f"slurm_node_{name}", help, [({"node": node.name}, value(node)) for node in there]) for name, help, value in of_each]
    counts = _node_counts(there, view, lambda node: ("",))
    return [*families, Family("slurm_nodes", "All nodes", [({}, len(there))]), *_families("slurm_nodes_", "", counts, NODE_HELP, [""])]


def partitions(view: View) -> list[Family]:
    """GET /metrics/partitions."""
    names = [partition.name for partition in view.partitions_in_order]
    there = view.nodes_in_order
    counts = _job_counts(view.jobs.values(), lambda job: job.partition.split(","))
    states = _node_counts(there, view, lambda node: view.partitions_of.get(node.name, ()))
    states = {_OTHER_NAMES.get(name, name): of for name, of in states.items()}
    helps = {_OTHER_NAMES.get(name, name): told for name, told in NODE_HELP.items()}
    return [
        Family("slurm_partitions", "All partitions", [({}, len(names))]),
        _labelled("slurm_partition_jobs", "Jobs of the partition", names, _sums(
            (name, _tasks(job)) for job in view.jobs.values() for name in job.partition.split(","))),
        *_families("slurm_partition_jobs_", "partition", counts, JOB_HELP, names), *_wanted_nodes(view, names),
        *_families("slurm_partition_nodes_", "partition", states, helps, names), *_sizes(view, names, there)]


def _sizes(view: View, names: list[str], there: list[Node]) -> Iterator[Family]:
    """What partitions have, and what of it is in use."""
    of: list[tuple[str, str, Callable[[Node], Number]]] = [
        ("nodes", "Nodes of the partition", lambda node: 1), ("cpus", "CPUs of the partition", lambda node: node.cpus),
        ("gpus", "GPUs of the partition", _gpus), ("nodes_cpus_efctv", "CPUs that are there for jobs", lambda node: node.job_cpu_count),
        ("nodes_cpus_idle", "CPUs for jobs that none holds", _idle_cpus),
        ("nodes_cpus_alloc", "CPUs that jobs hold", lambda node: len(node.cpus_used)),
        ("nodes_mem_alloc", "Memory that jobs hold, bytes", lambda node: node.memory_used * MEGABYTE),
        ("nodes_mem_avail", "Memory that is there for jobs, bytes", lambda node: node.job_memory * MEGABYTE),
        ("nodes_mem_free", "Memory that is free, bytes", lambda node: node.free_memory * MEGABYTE),
        ("nodes_mem_tot", "Memory, bytes", lambda node: node.memory * MEGABYTE)]
    for name, help, value in of:
        yield _labelled(f"slurm_partition_{name}", help, names, _sums(
            (partition, value(node)) for node in there for partition in view.partitions_of.get(node.name, ())))


def _wanted_nodes(view: View, names: list[str]) -> Iterator[Family]:
    """The largest requests for nodes among those that wait."""
    largest: Counts = {}
    limited: dict[str, Number] = {}
    for job in view.jobs.values():
        if job.state is not JobState.PENDING:
            continue
        least = job_facts.node_count(job)
        most = max(job.request.nodes_max or 0, least)
        for partition in job.partition.split(","):
            for metric, wanted, counts in (
                    ("max_job_nodes", most, True), ("min_job_nodes", least, True), ("max_job_nodes_nohold", most, not job.held),
                    ("min_job_nodes_nohold", least, not job.held)):
                if counts:
                    of = largest.setdefault(metric, {})
                    of[partition] = max(of.get(partition, 0), wanted)
            if job_facts.reason_code(job_facts.reason(job, view)) == "PartitionNodeLimit":
                limited[partition] = limited.get(partition, 0) + _tasks(job)
    for metric in ("max_job_nodes", "max_job_nodes_nohold", "min_job_nodes", "min_job_nodes_nohold"):
        what = "most" if metric.startswith("max") else "fewest"
        yield _labelled(f"slurm_partition_jobs_{metric}", f"Largest of the {what} nodes that jobs ask for which wait", names,
            largest.get(metric, {}))
    yield _labelled("slurm_partition_jobs_wait_part_node_limit", "Jobs that ask for more nodes than the partition gives", names, limited)


def _tasks(job: Job) -> int:
    return arrays.count(job.array_part.ranges) if job.array_part is not None else 1


def _job_counts(of: Iterable[Job], whose: Callable[[Job], Iterable[str]]) -> Counts:
    counts: Counts = {name: {} for name in JOB_HELP}
    for job in of:
        count = _tasks(job)
        found: list[tuple[str, Number]] = [(_OF_STATE[job.state], count)]
        found += [(_OF_FLAG[flag], count) for flag in job.flags if flag in _OF_FLAG]
        if job.held and job.state is JobState.PENDING:
            found.append(("hold", count))
        if job.start_time and job.state is not JobState.PENDING:
            found.append(("started", count))
        if job.state.finished:
            found.append(("finished", count))
        elif job.allocation is not None:
            shares = job.allocation.shares
            found += [
                ("cpus_alloc", job.allocation.cpu_count), ("nodes_alloc", len(shares)),
                ("memory_alloc", sum(share.memory for share in shares) * MEGABYTE),
                ("gpus_alloc", sum(len(share.gres["gpu"]) for share in shares if "gpu" in share.gres))]
        for name, number in found:
            for who in whose(job):
                counts[name][who] = counts[name].get(who, 0) + number
    return counts


def _node_counts(of: Iterable[Node], view: View, whose: Callable[[Node], Iterable[str]]) -> Counts:
    counts: Counts = {name: {} for name in NODE_HELP}
    for node in of:
        for name in _words(status(node, view)):
            for who in whose(node):
                counts[name][who] = counts[name].get(who, 0) + 1
    return counts


def _words(state: NodeStatus) -> Iterator[str]:
    if state.base in _NODE_BASES:
        yield _NODE_BASES[state.base]
    yield from (_NODE_FLAGS[flag] for flag in state.flags if flag in _NODE_FLAGS)
    if "drain" in state.flags:
        yield "draining" if state.busy else "drained"


def _families(prefix: str, label: str, counts: Counts, helps: dict[str, str], names: Iterable[str] | None = None) -> Iterator[Family]:
    """A family for each metric; `names`: whose numbers are told, those that are 0 too; None: of all for whom there is one that is not."""
    every = list(names) if names is not None else sorted({who for of in counts.values() for who in of})
    for metric, help in helps.items():
        of = counts.get(metric, {})
        yield Family(prefix + metric, help, [({label: who} if label else {}, of.get(who, 0)) for who in every])


def _labelled(name: str, help: str, names: list[str], of: dict[str, Number]) -> Family:
    return Family(name, help, [({"partition": who}, of.get(who, 0)) for who in names])


def _sums(of: Iterable[tuple[str, Number]]) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for name, number in of:
        found[name] = found.get(name, 0) + number
    return found


def _idle_cpus(node: Node) -> int:
    free = node.state is NodeState.IDLE and not node.drain
    return max(0, node.job_cpu_count - len(node.cpus_used)) if free else 0


def _gpus(node: Node) -> int:
    return sum(pool.count for pool in node.gres if pool.name == "gpu")


def _gpus_used(node: Node) -> int:
    return len(node.gres_used["gpu"]) if "gpu" in node.gres_used else 0
