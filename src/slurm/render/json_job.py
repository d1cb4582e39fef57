"""A job as `squeue --json` and `scontrol --json show job` describe it. Keys, order and shapes are Slurm's (v0.0.44)."""

from __future__ import annotations

from slurm.core import components
from slurm.core import tres as amounts
from slurm.model.job import Job, NodeShare
from slurm.model.notice import shown_wishes
from slurm.model.states import JobState, Reason
from slurm.notation import dependency, gres, sluid
from slurm.render import job_facts as facts
from slurm.render import job_values as values
from slurm.render.json_exit import exit_record
from slurm.render.json_text import Value, number
from slurm.render.view import View

Record = dict[str, Value]


def job_record(job: Job, view: View) -> Record:
    """Everything about one job."""
    return {
        **_identity(job, view), **_request_head(job, view), **_outcome(job, view), **_resources(job, view), **_limits(job),
        **_standing(job, view), **_times_and_files(job, view),
    }


def _identity(job: Job, view: View) -> Record:
    request = job.request
    return {
        "account": request.account,
        "accrue_time": number(job.accrue_time),
        "admin_comment": request.admin_comment,
        "allocating_node": request.submit_host,
        "array_job_id": number(job.array_job),
        "array_task_id": number(job.array_task),
        "array_max_tasks": number(facts.throttle(job, view) if job.array_job else 0),
        "array_task_string": facts.array_text(job),
        "association_id": 0,
        "batch_features": "",
        "batch_flag": request.kind == "batch",
        "batch_host": job.batch_host,
        "flags": _flags(job),
        "burst_buffer": "",
        "burst_buffer_state": "",
        "cluster": view.settings.cluster_name,
        "cluster_features": "",
        "command": request.command,
        "comment": request.comment,
        "container": "",
        "container_id": "",
        "contiguous": request.contiguous,
        "core_spec": request.core_spec or 0,
        "thread_spec": 32766 if request.thread_spec is None else request.thread_spec,
    }


def _flags(job: Job) -> list[Value]:
    pending = job.state is JobState.PENDING
    return [name for name, holds in (
        ("ACCRUE_COUNT_CLEARED", not pending),
        ("JOB_WAS_RUNNING", job.attempt > 0),
        ("EXACT_MEMORY_REQUESTED", job.request.mem_per_node is not None),
        ("USING_DEFAULT_PARTITION", not job.request.partition),
        ("USING_DEFAULT_QOS", not job.request.qos),
        ("USING_DEFAULT_WCKEY", not job.request.wckey or job.request.wckey.startswith("*")),
        ("DEPENDENT", any(clause.state == dependency.UNFULFILLED for clause in job.dependency)),
        ("KILL_INVALID_DEPENDENCY", job.request.kill_on_invalid_dep is True),
        ("PARTITION_ASSIGNED", not job.request.partition),
    ) if holds]


def _request_head(job: Job, view: View) -> Record:
    request = job.request
    unset = number(None)
    return {
        "cores_per_socket": number(request.cores_per_socket or None),
        "billable_tres": {
            "set": job.allocation is not None, "infinite": False, "number": float(amounts.held(view, job.allocation).get("billing", 0))},
        "cpus_per_task": number(request.cpus_per_task or 1),
        "cpu_frequency_minimum": unset,
        "cpu_frequency_maximum": unset,
        "cpu_frequency_governor": unset,
        "cpus_per_tres": f"gres/gpu:{request.cpus_per_gpu}" if request.cpus_per_gpu else "",
        "cron": job.cron.spec if job.cron is not None else "",
        "deadline": number(request.deadline),
        "delay_boot": number(0),
        "dependency": values.dependency_text(job),
    }


def _outcome(job: Job, view: View) -> Record:
    allocation = job.allocation
    return {
        "derived_exit_code": exit_record(job.derived_status),
        "eligible_time": number(facts.eligible_time(job)),
        "end_time": number(facts.end_time(job, view)),
        "excluded_nodes": job.request.exclude,
        "exit_code": exit_record(job.exit_status),
        "extra": job.request.extra,
        "failed_node": job.last_node_failed,
        "features": job.request.features,
        "federation_origin": "",
        "federation_siblings_active": "",
        "federation_siblings_viable": "",
        "gres_detail": [text for share in (allocation.shares if allocation else ()) if (text := facts.share_gres(share, view))],
        "group_id": job.owner.gid,
        "group_name": job.owner.group,
        "het_job_id": number(job.het_job),
        "het_job_id_set": components.set_text(job),
        "het_job_offset": number(job.het_offset),
        "job_id": job.id,
    }


def _resources(job: Job, view: View) -> Record:
    return {
        "job_resources": _job_resources(job, view) if job.allocation is not None else None,
        "job_size_str": [],
        "job_state": [job.state.name, *(flag.upper() for flag in job.flags)],
        "last_sched_evaluation": number(values.last_evaluation(job, view)),
        "licenses": job.request.licenses,
        "licenses_allocated": values.licenses_held(job),
        "mail_type": shown_wishes(job.request.mail_type),
        "mail_user": job.request.mail_user or job.owner.user,
    }


def _job_resources(job: Job, view: View) -> Record:
    allocation = job.allocation
    assert allocation is not None
    unit = view.settings.select_unit.upper()
    return {
        "select_type": [f"CR_{unit}_MEMORY" if view.settings.select_memory else f"CR_{unit}"],
        "nodes": {
            "count": len(allocation.shares),
            "select_type": ["ONE_ROW"],
            "list": facts.node_list(job),
            "whole": allocation.exclusive,
            "allocation": [_share(index, share, view) for index, share in enumerate(allocation.shares)],
        },
        "cpus": amounts.cpus_wanted(job),
        "threads_per_core": number(job.request.threads_per_core or None),
    }


def _share(index: int, share: NodeShare, view: View) -> Record:
    node = view.nodes.get(share.node)
    sockets: list[Value] = []
    if node is not None:
        taken = {cpu // max(1, node.threads_per_core) for cpu in share.cpus}
        for socket in range(node.sockets):
            cores: list[Value] = []
            for core in range(node.cores_per_socket):
                state = "ALLOCATED" if socket * node.cores_per_socket + core in taken else "UNALLOCATED"
                cores.append({"index": core, "status": [state]})
            sockets.append({"index": socket, "cores": cores})
    return {
        "index": index,
        "name": share.node,
        "cpus": {"count": share.cpu_count, "used": 0},
        "memory": {"used": 0, "allocated": share.memory},
        "sockets": sockets,
    }


def _limits(job: Job) -> Record:
    request = job.request
    return {
        "max_cpus": number(0),
        "max_nodes": number(request.nodes_max if job.state is JobState.PENDING else 0),
        "mcs_label": "",
        "memory_per_tres": f"gres/gpu:{request.mem_per_gpu}" if request.mem_per_gpu else "",
        "memory_update_delay": 0,
        "memory_update_margin": 0,
        "name": request.name,
        "network": "",
        "nodes": facts.node_list(job),
        "nice": request.nice,
        "tasks_per_core": number(request.ntasks_per_core, infinite=not request.ntasks_per_core),
        "tasks_per_tres": number(request.ntasks_per_gpu),
        "tasks_per_node": number(request.ntasks_per_node),
        "tasks_per_socket": number(request.ntasks_per_socket, infinite=not request.ntasks_per_socket),
        "tasks_per_board": number(0),
        "cpus": number(facts.cpu_count(job)),
        "node_count": number(facts.node_count(job)),
        "tasks": number(amounts.tasks(job)),
        "partition": job.partition,
        "prefer": request.prefer,
    }


def _standing(job: Job, view: View) -> Record:
    request = job.request
    memory, per_cpu = amounts.memory_rule(view, job)
    return {
        "memory_per_cpu": number(memory if per_cpu else None),
        "memory_per_node": number(None if per_cpu else memory),
        "minimum_cpus_per_node": number(amounts.min_cpus(job)),
        "minimum_tmp_disk_per_node": number(request.tmp_disk),
        "preempt_time": number(job.preempt_time),
        "preemptable_time": number(0 if job.state is JobState.PENDING else job.start_time),
        "pre_sus_time": number(job.seconds_before_suspension),
        "hold": bool(job.held),
        "priority": number(job.priority),
        "priority_by_partition": [],
        "profile": ["NOT_SET"],
        "qos": request.qos or view.settings.default_qos,
        "reboot": request.reboot,
        "required_nodes": request.nodelist,
        "required_switches": request.switches,
        "requeue": values.requeues(job, view),
        "resize_time": number(job.resize_time),
        "restart_cnt": job.restarts,
        "resv_name": values.reservation(job),
        "runtime": "",
        "scheduled_nodes": facts.forecast_nodes(job, view),
        "segment_size": 0,
        "selinux_context": "",
        "shared": _shared(job),
        "step_id": {
            "sluid": sluid.show(job.submit_time, job.id),
            "job_id": number(job.id),
            "step_het_component": number(None),
            "step_id": "entire",
        },
    }


def _shared(job: Job) -> list[Value]:
    if job.request.exclusive == "user":
        return ["user"]
    return ["oversubscribe"] if job.request.oversubscribe else []


def _times_and_files(job: Job, view: View) -> Record:
    request = job.request
    reason = facts.reason(job, view)
    code = facts.reason_code(reason)
    batch = request.kind == "batch"
    held = amounts.held(view, job.allocation)
    limit = job.time_limit
    return {
        "sockets_per_board": 0,
        "sockets_per_node": number(request.sockets_per_node or None),
        "start_time": number(facts.start_time(job, view)),
        "state_description": job.reason_text or ("" if code == reason else reason),
        "state_reason": code or Reason.NONE,
        "standard_input": (request.stdin or "/dev/null") if batch else "",
        "standard_output": values.output_pattern(job) if batch else "",
        "standard_error": request.stderr,
        "stdin_expanded": values.stdin(job, view),
        "stdout_expanded": values.stdout(job, view),
        "stderr_expanded": values.stderr(job, view),
        "submit_time": number(job.submit_time),
        "submit_line": request.submit_line,
        "suspend_time": number(job.suspend_time),
        "system_comment": "",
        "time_limit": number(-(-limit // 60) if limit >= 0 else 0, infinite=limit < 0),
        "time_minimum": number(-(-(request.time_min or 0) // 60)),
        "threads_per_core": number(request.threads_per_core or None),
        "tres_bind": "",
        "tres_freq": "",
        "tres_per_job": facts.gpus_text(request.gpus),
        "tres_per_node": facts.gres_per_node(job),
        "tres_per_socket": facts.gpus_text(request.gpus_per_socket),
        "tres_per_task": gres.show(gres.parse_gpus(request.gpus_per_task), "gres/"),
        "tres_req_str": facts.tres_text(amounts.requested(view, job), view),
        "tres_alloc_str": facts.tres_text(held, view) if held else "",
        "user_id": job.owner.uid,
        "user_name": job.owner.user,
        "maximum_switch_wait_time": facts.switch_wait(job, view) if request.switches else 0,
        "wckey": request.wckey,
        "current_working_directory": request.work_dir,
    }
