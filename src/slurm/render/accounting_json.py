"""Past jobs as `sacct --json` and the REST API describe them. Keys, order and shapes are Slurm's (v0.0.44)."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.model.accounting import JobRecord, JobRow, StepRecord, TresUsage
from slurm.model.ids import step_name
from slurm.notation import array, sluid
from slurm.render import accounting_entry as facts
from slurm.render import accounting_values as values
from slurm.render.accounting_entry import Entry, Style
from slurm.render.json_exit import exit_record
from slurm.render.json_text import Value, number

Record = dict[str, Value]
NEVER = 4294967294
"""What stands for the start of a job that ended without one."""
TRES_IDS = {"cpu": 1, "mem": 2, "energy": 3, "node": 4, "billing": 5, "fs/disk": 6, "vmem": 7, "pages": 8}
"""Ids of the resources that every Slurm has."""
_STARTED = {"SchedSubmit": "STARTED_ON_SUBMIT", "SchedMain": "STARTED_ON_SCHEDULE", "SchedBackfill": "STARTED_ON_BACKFILL",
    "StartReceived": "START_RECEIVED"}


def job_record(row: JobRow, style: Style, names: Mapping[int, str], *, steps: bool = True) -> Record:
    """Everything about one job; `names` are the users that uids of this machine belong to."""
    return {**_identity(row), "time": _job_times(row, style), **_request(row.job), **_outcome(row, names, steps, style)}


def _identity(row: JobRow) -> Record:
    job = row.job
    return {
        "account": job.account,
        "comment": {"administrator": job.admin_comment, "job": job.comment, "system": job.system_comment},
        "allocation_nodes": job.node_count,
        "array": _array(job),
        "association": {"account": "", "cluster": row.cluster, "partition": "", "user": "", "id": job.association},
        "block": "",
        "cluster": row.cluster,
        "constraints": job.constraints,
        "container": job.container,
        "sluid": sluid.show(job.submit_time, job.id),
        "derived_exit_code": exit_record(job.derived_status),
    }


def _array(job: JobRecord) -> Record:
    spec = array.parse(job.array_tasks) if job.array_tasks else None
    return {
        "job_id": job.array_job,
        "limits": {"max": {"running": {"tasks": spec.limit if spec else 0}}},
        "task_id": number(job.array_task),
        "task": f"0x{sum(1 << task for task in spec.tasks):X}" if spec else "",
    }


def _job_times(row: JobRow, style: Style) -> Record:
    job, entry = row.job, Entry(row)
    limit = job.time_limit
    return {
        "elapsed": entry.elapsed(style.now),
        "eligible": int(job.eligible_time),
        "end": int(job.end_time),
        "planned": number(entry.planned(style.now)),
        "start": int(job.start_time) or (NEVER if job.end_time else 0),
        "submission": int(job.submit_time),
        "suspended": int(job.suspended_seconds),
        **_cpu_times(entry, number(limit // 60 if limit >= 0 else None, infinite=limit < 0)),
    }


def _cpu_times(entry: Entry, limit: Value) -> Record:
    user, system = facts.cpu_seconds(entry)
    return {"system": _seconds(system), "limit": limit, "total": _seconds(user + system), "user": _seconds(user)}


def _seconds(seconds: float) -> Record:
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return {"seconds": whole, "microseconds": micros}


def _request(job: JobRecord) -> Record:
    flags: list[Value] = [_STARTED[flag] for flag in values.flags(job)]
    return {
        "exclusive": job.exclusive or "NO",
        "exit_code": exit_record(job.exit_status),
        "extra": job.extra,
        "failed_node": job.failed_node,
        "flags": flags,
        "group": job.group,
        "het": {"job_id": job.het_job, "job_offset": number(job.het_offset if job.het_job else None)},
        "job_id": job.id,
        "name": job.name,
        "licenses": job.licenses,
        "mcs": {"label": job.mcs_label},
        "nodes": job.nodes or "None assigned",
        "oversubscribe": job.oversubscribe or "NO",
        "partition": job.partition,
        "hold": job.priority == 0,
        "priority": number(job.priority),
        "qos": job.qos,
        "qosreq": job.qos_requested,
        "required": {
            "CPUs": job.cpus_requested,
            "memory_per_cpu": number(job.memory_requested if job.memory_per_cpu else None),
            "memory_per_node": number(None if job.memory_per_cpu else job.memory_requested),
        },
    }


def _outcome(row: JobRow, names: Mapping[int, str], steps: bool, style: Style) -> Record:
    job, entry = row.job, Entry(row)
    return {
        "kill_request_user": _killer(job.killed_by, names),
        "restart_cnt": job.restarts,
        "reservation": {"id": job.reservation_id, "name": job.reservation, "requested": job.reservation_requested},
        "script": "",
        "segment_size": 0,
        "original_sluid": sluid.show(job.submit_time, job.id),
        "stdin_expanded": values.expanded(job.stdin, entry),
        "stdout_expanded": values.expanded(job.stdout, entry),
        "stderr_expanded": values.expanded(job.stderr, entry),
        "stdout": job.stdout,
        "stderr": job.stderr,
        "stdin": job.stdin,
        "state": {"current": [facts.state_word(entry)], "reason": job.reason or "None"},
        "steps": [_step(row, step, style, names) for step in row.steps] if steps else [],
        "submit_line": job.submit_line,
        "tres": {"allocated": _amounts(job.allocated), "requested": _amounts(job.requested)},
        "used_gres": "",
        "user": job.user,
        "wckey": {"wckey": job.wckey.removeprefix("*"), "flags": ["ASSIGNED_DEFAULT"] if job.wckey.startswith("*") else []},
        "working_directory": job.work_dir,
    }


def _killer(uid: int | None, names: Mapping[int, str]) -> str:
    return "" if uid is None else names.get(uid, str(uid))


def _step(row: JobRow, step: StepRecord, style: Style, names: Mapping[int, str]) -> Record:
    entry = Entry(row, step)
    listed: list[Value] = [step.nodes] if step.nodes else []
    return {
        "time": {
            "elapsed": entry.elapsed(style.now),
            "end": number(step.end_time or None),
            "start": number(step.start_time or None),
            "suspended": int(step.suspended_seconds),
            **_cpu_times(entry, number(None)),
        },
        "exit_code": exit_record(step.exit_status),
        "nodes": {"count": step.node_count, "range": step.nodes, "list": listed},
        "tasks": {"count": step.ntasks},
        "pid": "",
        "CPU": {"requested_frequency": {"min": number(step.cpu_freq_min), "max": number(step.cpu_freq_max)},
        "governor": step.cpu_freq_governor or "0"},
        "kill_request_user": _killer(step.killed_by, names),
        "state": [step.state.name],
        "statistics": {"CPU": {"actual_frequency": step.average_frequency}, "energy": {"consumed": number(facts.energy(entry))}},
        "step": {
            "id": f"{step.job}.{step_name(step.step)}", "name": step.name, "stderr": step.stderr, "stdin": step.stdin,
            "stdout": step.stdout,
            "stderr_expanded": values.expanded(step.stderr, entry), "stdin_expanded": values.expanded(step.stdin, entry),
            "stdout_expanded": values.expanded(step.stdout, entry),
        },
        "task": {"distribution": step.layout or "Unknown"},
        "tres": {
            "requested": _used(step.usage.taken if step.usage else {}),
            "consumed": _used(step.usage.given if step.usage else {}),
            "allocated": _amounts(step.allocated),
        },
        "container": step.container,
        "submit_line": step.submit_line,
        "working_directory": step.work_dir,
    }


def _used(usage: Mapping[str, TresUsage]) -> Record:
    """What was used of each resource, as Slurm shows what it took in (requested) and gave out (consumed)."""
    names = sorted(usage, key=_order)
    most: list[Value] = [{**_resource(name, usage[name].most.value), "node": usage[name].most.node, "task": usage[name].most.task}
        for name in names]
    least: list[Value] = [{**_resource(name, usage[name].least.value), "node": usage[name].least.node, "task": usage[name].least.task}
        for name in names]
    average: list[Value] = [_resource(name, usage[name].total // max(1, usage[name].tasks)) for name in names]
    return {"max": most, "min": least, "average": average, "total": [_resource(name, usage[name].total) for name in names]}


def _amounts(amounts: Mapping[str, int]) -> list[Value]:
    return [_resource(name, amounts[name]) for name in sorted(amounts, key=_order) if amounts[name]]


def _order(name: str) -> tuple[int, str]:
    return TRES_IDS.get(name, len(TRES_IDS) + 1), name


def _resource(name: str, count: int) -> Record:
    kind, _, rest = name.partition("/")
    return {"type": kind, "name": rest, "id": TRES_IDS.get(name, 0), "count": count}
