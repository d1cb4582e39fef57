"""A step as `scontrol --json show step` describes it. Keys, order and shapes are Slurm's (v0.0.44)."""

from __future__ import annotations

from slurm.model.ids import step_name
from slurm.notation import hostlist
from slurm.render.json_text import Value, number
from slurm.render.step_values import JobStep
from slurm.render.view import View

Record = dict[str, Value]


def step_record(entry: JobStep, view: View) -> Record:
    """Everything about one step that runs."""
    job, step = entry.job, entry.step
    limit = step.request.time_limit
    host, _, pid = step.launcher.rpartition(":")
    return {
        "array": {"job_id": number(job.array_job), "task_id": number(job.array_task)},
        "id": {"job_id": number(job.id), "step_het_component": number(None), "step_id": step_name(step.id)},
        "cluster": view.settings.cluster_name,
        "container": "",
        "container_id": "",
        "cpu": {"frequency": {"min": number(None), "max": number(None), "governor": []}},
        "job_name": job.request.name,
        "name": step.name,
        "network": "",
        "nodes": {"list": hostlist.compress(step.nodes)},
        "number_cpus": number(sum(share.cpu_count for share in step.shares)),
        "number_tasks": number(step.ntasks),
        "partition": job.partition,
        "reserved_ports": "",
        "run_time": number(max(0.0, view.now - step.start_time)),
        "srun": {"host": host, "pid": number(float(pid) if pid.isdigit() else None)},
        "start_time": number(step.start_time),
        "state": [step.state.name],
        "time_limit": number(limit // 60 if limit and limit > 0 else None, infinite=limit is None or limit < 0),
        "user": job.owner.user,
    }
