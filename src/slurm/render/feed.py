"""Jobs and nodes as whoever follows the cluster keeps them: some fields of Slurm's records, under their names and with their shapes.

What a list of jobs or a map of nodes shows, and no more: the whole record of a job is thirty times as much (json_job).
"""

from __future__ import annotations

from slurm.core import arrays
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


def job_record(job: Job, view: View) -> Record:
    """Some fields of `json_job.job_record`."""
    request, limit = job.request, job.time_limit
    reason = facts.reason(job, view)
    code = facts.reason_code(reason)
    return {
        "job_id": job.id,
        "array_job_id": number(job.array_job),
        "array_task_id": number(job.array_task),
        "array_task_string": facts.array_text(job),
        "het_job_id": number(job.het_job),
        "name": request.name,
        "user_name": job.owner.user,
        "account": request.account,
        "partition": job.partition,
        "qos": request.qos or view.settings.default_qos,
        "job_state": [job.state.name, *(flag.upper() for flag in job.flags)],
        "state_reason": code or Reason.NONE,
        "state_description": job.reason_text or ("" if code == reason else reason),
        "hold": bool(job.held),
        "priority": number(job.priority),
        "cpus": number(facts.cpu_count(job)),
        "node_count": number(facts.node_count(job)),
        "nodes": facts.node_list(job),
        "tres_per_node": facts.gres_per_node(job) if request.gres or request.gpus_per_node else "",
        "submit_time": number(job.submit_time),
        "start_time": number(facts.start_time(job, view)),
        "end_time": number(facts.end_time(job, view)),
        "time_limit": number(-(-limit // 60) if limit >= 0 else 0, infinite=limit < 0),
        "exit_code": exit_record(job.exit_status),
        "restart_cnt": job.restarts,
    }


JOB_FIELDS: tuple[str, ...] = (
    "job_id", "array_job_id", "array_task_id", "array_task_string", "het_job_id", "name", "user_name", "account", "partition", "qos",
    "job_state", "state_reason", "state_description", "hold", "priority", "cpus", "node_count", "nodes", "tres_per_node", "submit_time",
    "start_time", "end_time", "time_limit", "exit_code", "restart_cnt")
"""The fields of `job_record`, in its order."""


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
