"""From resolved options to what is asked of slurmctld: the job that srun or salloc holds, and the step. Options are read elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from slurm.net.circumstances import completed_request, read_host_files
from slurm.notation import hostlist
from slurm.notation.cpu_bind import inherited, parse
from slurm.notation.gpu_bind import implied
from slurm.options.resolve import Resolved

_STREAM_FIELDS = ("stdin", "stdout", "stderr", "open_mode")
"""What srun arranges itself; an allocation has no files."""
_OF_OWN_JOB = frozenset(
    {"name", "nodes_min", "nodes_max", "ntasks", "cpus_per_task", "ntasks_per_node", "distribution", "overcommit", "overlap", "exact",
     "relative", "kill_on_bad_exit", "resv_ports"})
"""What a step asks for anew in the allocation that was made for it; everything else it simply has."""
COMMAND_LINE = "command line"


def of_job(resolved: Resolved, argv: Sequence[str], environ: Mapping[str, str], default_name: str) -> dict[str, object]:
    """The JobRequest of an allocation."""
    request = completed_request(resolved, argv, environ, default_name)
    for field in _STREAM_FIELDS:
        request.pop(field, None)
    request["kind"] = "alloc"
    return request


def of_step(resolved: Resolved, argv: Sequence[str], *, nodes: int = 0) -> dict[str, object]:
    """The StepRequest of srun. `nodes`: of the allocation that srun made for it, 0 inside a job."""
    request = {name: value for name, value in resolved.step.items() if not nodes or name in _OF_OWN_JOB}
    if not nodes:
        read_host_files(resolved, request)
    if nodes:
        request["nodes_min"] = request["nodes_max"] = nodes
    elif _only_nodelist_was_meant(resolved):
        request["nodes_min"] = request["nodes_max"] = hostlist.count(str(request["nodelist"]))
    request.setdefault("name", os.path.basename(resolved.rest[0]) if resolved.rest else "")
    request["kill_on_bad_exit"] = bool(request.get("kill_on_bad_exit"))
    request["submit_line"] = " ".join((resolved.command, *argv))
    request["launcher"] = f"{os.uname().nodename}:{os.getpid()}"
    return request


def gpu_bind(asked: Mapping[str, object]) -> str:
    """How tasks are bound to GPUs: as asked, else as what each task or each GPU gets implies."""
    each = str(asked.get("gpus_per_task") or "0").rpartition(":")[2]
    return str(asked.get("gpu_bind") or "") or implied(int(each), int(str(asked.get("ntasks_per_gpu") or 0)))


def cpu_binding(resolved: Resolved, environ: Mapping[str, str]) -> dict[str, object]:
    """The fields of LaunchStep that say how tasks are bound to CPUs. What only tells of the step around us is nobody's wish."""
    from_outside = resolved.origins.get("cpu_bind", COMMAND_LINE) != COMMAND_LINE and inherited(environ)
    asked = resolved.request
    over_sockets = (str(asked.get("distribution") or "").split(":") + [""])[1]
    return {
        "cpu_bind": "" if from_outside else resolved.text("cpu_bind"), "cpus_per_task": asked.get("cpus_per_task") or 0,
        "threads_per_core": asked.get("threads_per_core") or 0, "distribution": over_sockets if over_sockets != "*" else ""}


def binds_in_vain(resolved: Resolved, task_plugin: str) -> bool:
    """Whether the command line asks for a binding to CPUs of a cluster that binds to none."""
    asked = resolved.text("cpu_bind")
    return bool(asked) and resolved.origins.get("cpu_bind") == COMMAND_LINE and "task/affinity" not in task_plugin and parse(
        asked).kind not in ("", "none")


def _only_nodelist_was_meant(resolved: Resolved) -> bool:
    """`srun -w cn01` in a job of several nodes: SLURM_NNODES tells of the job there, not of the step."""
    origins = resolved.origins
    return (
        origins.get("nodelist") == COMMAND_LINE and origins.get("nodes_min", COMMAND_LINE) != COMMAND_LINE
        and "/" not in str(resolved.step.get("nodelist", "")))


def fit_tasks_per_node(request: dict[str, object], warn: Callable[[str], None]) -> None:
    """srun's --ntasks-per-node, often of the job's variables, does not count where -n and -N say otherwise."""
    tasks, nodes, each = (_number(request.get(name)) for name in ("ntasks", "nodes_min", "ntasks_per_node"))
    if nodes and 0 < each < tasks and tasks // nodes != each:
        warn(f"Warning: can't honor --ntasks-per-node set to {each} which doesn't match the requested tasks {tasks} with the number of "
             f"requested nodes {nodes}. Ignoring --ntasks-per-node.")
        del request["ntasks_per_node"]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def fit_nodes(request: dict[str, object], warn: Callable[[str], None]) -> None:
    """No more nodes named than asked for, and no node without a task: leaves out what is too much, and says so as Slurm does."""
    text, most = str(request.get("nodelist", "")), request.get("nodes_max")
    named = hostlist.count(text) if text else 0
    if isinstance(most, int) and 0 < most < named:
        warn(f"error: Required nodelist includes more nodes than permitted by max-node count ({named} > {most}). Eliminating nodes from "
             "the nodelist.")
        request["nodelist"] = hostlist.compress(hostlist.expand(text)[:most])
        named = most
    tasks, least = request.get("ntasks"), request.get("nodes_min")
    nodes = max(named, least if isinstance(least, int) else 0)
    if isinstance(tasks, int) and 0 < tasks < nodes:
        warn(f"Warning: can't run {tasks} processes on {nodes} nodes, setting nnodes to {tasks}")
        request["nodes_min"] = request["nodes_max"] = tasks
        if tasks < named:
            request["nodelist"] = hostlist.compress(hostlist.expand(text)[:tasks])
