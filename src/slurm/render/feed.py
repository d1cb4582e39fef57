"""Jobs and nodes as whoever follows the cluster keeps them: some fields of Slurm's records, under their names and with their shapes.

What a list of jobs or a map of nodes shows, and no more: the whole record of a job is thirty times as much (json_job).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from slurm.core import arrays
from slurm.model.errors import InvalidRequest
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import Reason
from slurm.render import job_facts as facts
from slurm.render import node_values
from slurm.render.json_exit import exit_record
from slurm.render.json_text import Value, number
from slurm.render.node_state import status
from slurm.render.view import View

Record = dict[str, Value]


def _reason_text(job: Job, view: View) -> str:
    reason = facts.reason(job, view)
    return job.reason_text or ("" if facts.reason_code(reason) == reason else reason)


def _per_node(job: Job, view: View) -> str:
    return facts.gres_per_node(job) if job.request.gres or job.request.gpus_per_node else ""


JOB: dict[str, Callable[[Job, View], Value]] = {
    "job_id": lambda job, view: job.id,
    "array_job_id": lambda job, view: number(job.array_job),
    "array_task_id": lambda job, view: number(job.array_task),
    "array_task_string": lambda job, view: facts.array_text(job),
    "het_job_id": lambda job, view: number(job.het_job),
    "name": lambda job, view: job.request.name,
    "user_name": lambda job, view: job.owner.user,
    "account": lambda job, view: job.request.account,
    "partition": lambda job, view: job.partition,
    "qos": lambda job, view: job.request.qos or view.settings.default_qos,
    "job_state": lambda job, view: [job.state.name, *(flag.upper() for flag in job.flags)],
    "state_reason": lambda job, view: facts.reason_code(facts.reason(job, view)) or Reason.NONE,
    "state_description": _reason_text,
    "hold": lambda job, view: bool(job.held),
    "priority": lambda job, view: number(job.priority),
    "cpus": lambda job, view: number(facts.cpu_count(job)),
    "node_count": lambda job, view: number(facts.node_count(job)),
    "nodes": lambda job, view: facts.node_list(job),
    "tres_per_node": _per_node,
    "submit_time": lambda job, view: number(job.submit_time),
    "start_time": lambda job, view: number(facts.start_time(job, view)),
    "end_time": lambda job, view: number(facts.end_time(job, view)),
    "time_limit": lambda job, view: number(-(-job.time_limit // 60) if job.time_limit >= 0 else 0, infinite=job.time_limit < 0),
    "exit_code": lambda job, view: exit_record(job.exit_status),
    "restart_cnt": lambda job, view: job.restarts,
}
"""The fields that are told of a job, and what they hold."""


def job_record(job: Job, view: View) -> Record:
    """Some fields of `json_job.job_record`."""
    return {name: value(job, view) for name, value in JOB.items()}


def job_records(jobs: Iterable[Job], view: View, fields: Sequence[str]) -> list[Record]:
    """These fields of jobs. InvalidRequest for one that is not among JOB."""
    unknown = next((name for name in fields if name not in JOB), None)
    if unknown is not None:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"fields: there is no {unknown[:64]} to choose", hints=[f"valid: {', '.join(JOB)}"])
    wanted = [(name, JOB[name]) for name in dict.fromkeys(fields)]
    return [{name: value(job, view) for name, value in wanted} for job in jobs]


def waiting_tasks(job: Job) -> int:
    """How many jobs a record stands for."""
    return arrays.count(job.array_part.ranges) if job.array_part is not None else 1


def node_record(node: Node, view: View) -> Record:
    """Some fields of `json_cluster.node_record`; what only measures, as the load, is not among them: it changes all the time."""
    return {
        "name": node.name,
        "state": [*status(node, view).parts],
        "partitions": [*view.partitions_of.get(node.name, [])],
        "cpus": node.cpus,
        "alloc_cpus": len(node.cpus_used),
        "real_memory": node.memory,
        "alloc_memory": node.memory_used,
        "gres": node_values.gres_text(node),
        "gres_used": node_values.gres_used_text(node),
        "features": list(node.features),
        "reason": node.reason,
        "comment": node.comment,
    }
