"""`scontrol show job` and `show step`: records as blocks of KEY=value."""

from __future__ import annotations

from itertools import groupby

from slurm.core import components
from slurm.core import tres as amounts
from slurm.model.ids import BATCH_STEP, EXTERN_STEP
from slurm.model.job import Job, NodeShare
from slurm.model.notice import shown_wishes
from slurm.model.states import JobState
from slurm.notation import duration, gres, hostlist, number_ranges, size, sluid, tres
from slurm.render import job_facts as facts
from slurm.render import job_values as values
from slurm.render.step_values import JobStep, nodes
from slurm.render.view import View

NULL = "(null)"


def show_job(job: Job, view: View, detail: bool = False) -> list[str]:
    """A job's lines, without their indentation; `detail` as `scontrol show -d job`."""
    lines = [_identity(job, view)]
    if job.het:
        lines.append(f"HetJobIdSet={components.set_text(job)}")
    if detail:
        lines.append(f"SLUID={sluid.show(job.submit_time, job.id)}")
    lines += _standing(job, view, detail)
    lines += _times(job, view)
    lines += _place(job)
    lines += _size(job, view, detail)
    lines += _files(job, view)
    if job.request.switches:
        lines.append(f"Switches={job.request.switches}@{duration.show_clock(facts.switch_wait(job, view))}")
    return lines + _tres_lines(job)


def _identity(job: Job, view: View) -> str:
    if job.het:
        return f"JobId={job.id} HetJobId={job.het_job} HetJobOffset={job.het_offset} JobName={job.request.name}"
    if not job.array_job:
        return f"JobId={job.id} JobName={job.request.name}"
    task = str(job.array_task) if job.array_task is not None else facts.array_text(job, view.array_length)
    limit = facts.throttle(job, view)
    shown_limit = f"ArrayTaskThrottle={limit} " if limit else ""
    return f"JobId={job.id} ArrayJobId={job.array_job} ArrayTaskId={task} {shown_limit}JobName={job.request.name}"


def _standing(job: Job, view: View, detail: bool) -> list[str]:
    request, owner = job.request, job.owner
    reason = facts.reason_words(job, view).replace(" ", "_")
    lines = [
        f"UserId={owner.user}({owner.uid}) GroupId={owner.group}({owner.gid}) MCS_label=N/A",
        f"Priority={job.priority} Nice={request.nice} Account={request.account or NULL} QOS={request.qos or view.settings.default_qos}"
        + (f" WCKey={request.wckey}" if view.settings.track_wckey else ""),
        f"JobState={values.state_name(job)} Reason={reason} Dependency={values.dependency_text(job) or NULL}",
        (f"Requeue={int(values.requeues(job, view))} Restarts={job.restarts} BatchFlag={int(request.kind == 'batch')} "
        f"Reboot={int(request.reboot)} ExitCode={values.exit_code(job)}"),
    ]
    if job.cron is not None:
        lines.append(f'CronJob=Yes CrontabSpec="{job.cron.spec}"')
    if detail:
        lines.append(f"DerivedExitCode={values.derived_exit_code(job)}")
    return lines


def _times(job: Job, view: View) -> list[str]:
    time_min = duration.show_clock(job.request.time_min) if job.request.time_min else "N/A"
    lines = [
        f"RunTime={duration.show_clock(facts.time_used(job, view))} TimeLimit={duration.show_clock(job.time_limit)} TimeMin={time_min}",
        f"SubmitTime={view.moment(job.submit_time, 'Unknown')} EligibleTime={view.moment(facts.eligible_time(job), 'Unknown')}",
        f"AccrueTime={view.moment(job.accrue_time, 'Unknown')}",
        *([f"ResizeTime={view.moment(job.resize_time, 'None')}"] if job.resize_time else []),
        (f"StartTime={view.moment(facts.start_time(job, view), 'Unknown')} EndTime={view.moment(facts.end_time(job, view), 'Unknown')} "
        f"Deadline={view.moment(job.request.deadline, 'N/A')}"),
    ]
    if job.state is not JobState.PENDING and job.start_time:
        lines.append(f"PreemptEligibleTime={view.moment(job.start_time, 'None')} PreemptTime={view.moment(job.preempt_time, 'None')}")
    lines.append(
        f"SuspendTime={view.moment(job.suspend_time, 'None')} SecsPreSuspend={int(job.seconds_before_suspension)} "
        f"LastSchedEval={view.moment(values.last_evaluation(job, view), 'Unknown')} Scheduler=Main")
    return lines


def _place(job: Job) -> list[str]:
    request = job.request
    lines = [
        f"Partition={job.partition} AllocNode:Sid={request.submit_host or NULL}:{request.alloc_sid}",
        f"ReqNodeList={request.nodelist or NULL} ExcNodeList={request.exclude or NULL}",
        f"NodeList={facts.node_list(job)}",
    ]
    if job.batch_host:
        lines.append(f"BatchHost={job.batch_host}")
    return lines


def _size(job: Job, view: View, detail: bool) -> list[str]:
    request = job.request
    nodes_text = str(facts.node_count(job))
    if job.allocation is None and request.nodes_max:
        nodes_text = f"{nodes_text}-{request.nodes_max}"
    memory, per_cpu = amounts.memory_rule(view, job)
    memory_text = size.show_mb(memory) if memory else "0"
    held = amounts.held(view, job.allocation)
    per_node = f"{request.ntasks_per_node}:0:{request.ntasks_per_socket or '*'}:{request.ntasks_per_core or '*'}"
    lines = [
        (f"NumNodes={nodes_text} NumCPUs={facts.cpu_count(job)} NumTasks={amounts.tasks(job)} CPUs/Task={request.cpus_per_task or 1} "
        f"ReqB:S:C:T=0:{request.sockets_per_node}:{request.cores_per_socket or '*'}:{request.threads_per_core or '*'}"),
        f"ReqTRES={facts.tres_text(amounts.requested(view, job), view)}",
        f"AllocTRES={facts.tres_text(held, view) if held else NULL}",
        f"Socks/Node={request.sockets_per_node or '*'} NtasksPerN:B:S:C={per_node} {_left_to_system(job)}",
    ]
    if detail:
        lines += _detail(job, view)
    lines += [
        f"MinCPUsNode={amounts.min_cpus(job)} MinMemory{'CPU' if per_cpu else 'Node'}={memory_text} MinTmpDiskNode={request.tmp_disk}",
        f"Features={request.features or NULL} DelayBoot=00:00:00",
        *([f"Reservation={values.reservation(job)}"] if values.reservation(job) else []),
        (f"OverSubscribe={values.oversubscribe(job)} Exclusive={values.exclusive(job)} Contiguous={int(request.contiguous)} "
        f"Licenses={request.licenses or NULL} LicensesAlloc={values.licenses_held(job) or NULL} Network=(null)"),
    ]
    return lines


def _left_to_system(job: Job) -> str:
    """What of each node it leaves to the system; * for as much as the node says."""
    request = job.request
    return (f"ThreadSpec={request.thread_spec}" if request.thread_spec is not None
        else f"CoreSpec={'*' if request.core_spec is None else request.core_spec}")


def _detail(job: Job, view: View) -> list[str]:
    """What it holds on each node; neighbours that hold the same share a line."""
    if job.allocation is None:
        return []
    lines = [f"JOB_GRES={gres.show(facts.gres_held(job, view)) or NULL}"]

    def alike(share: NodeShare) -> tuple[str, int, str]:
        return gres.show_indices(list(share.cpus)), share.memory, facts.share_gres(share, view)

    for (cpus, memory, devices), shares in groupby(job.allocation.shares, key=alike):
        names = hostlist.compress(share.node for share in shares)
        lines.append(f"  Nodes={names} CPU_IDs={cpus} Mem={memory} GRES={devices}")
    return lines


def _files(job: Job, view: View) -> list[str]:
    request = job.request
    lines = [f"Command={request.command or NULL}"]
    if request.submit_line:
        lines.append(f"SubmitLine={request.submit_line}")
    lines.append(f"WorkDir={request.work_dir}")
    for key, text in (("AdminComment", request.admin_comment), ("Comment", request.comment), ("Extra", request.extra)):
        if text:
            lines.append(f"{key}={text}")
    if request.kind == "batch":
        lines += [f"StdErr={values.stderr(job, view)}", f"StdIn={values.stdin(job, view)}", f"StdOut={values.stdout(job, view)}"]
    return lines


def _tres_lines(job: Job) -> list[str]:
    request = job.request
    mail = ",".join(shown_wishes(request.mail_type))
    rows = (
        ("CpusPerTres", f"gres/gpu:{request.cpus_per_gpu}" if request.cpus_per_gpu else ""),
        ("MemPerTres", f"gres/gpu:{request.mem_per_gpu}" if request.mem_per_gpu else ""),
        ("TresPerJob", facts.gpus_text(request.gpus)),
        ("TresPerNode", facts.gres_per_node(job)),
        ("TresPerSocket", facts.gpus_text(request.gpus_per_socket)),
        ("TresPerTask", facts.gpus_text(request.gpus_per_task)),
        ("MailUser", f"{request.mail_user or job.owner.user} MailType={mail}" if mail else ""),
    )
    return [f"{key}={text}" for key, text in rows if text]


def show_step(entry: JobStep, view: View) -> list[str]:
    """A step's lines, without their indentation."""
    job, step = entry
    limit = step.request.time_limit
    bare = step.id in (BATCH_STEP, EXTERN_STEP)
    cpus = 0 if bare else sum(share.cpu_count for share in step.shares)
    amounts = {"cpu": cpus, "mem": sum(share.memory for share in step.shares), "node": len(step.shares)}
    for share in step.shares:
        for name, devices in share.gres.items():
            amounts[f"gres/{name}"] = amounts.get(f"gres/{name}", 0) + len(devices)
    shown_tres = NULL if bare else tres.show(amounts)
    return [
        (f"StepId={entry.shown} UserId={job.owner.uid} StartTime={view.moment(step.start_time, 'Unknown')} "
        f"TimeLimit={'UNLIMITED' if limit is None else duration.show_clock(limit)}"),
        f"State={step.state.name} Partition={job.partition} NodeList={nodes(step)}",
        f"Nodes={len(step.shares)} CPUs={cpus} Tasks={step.ntasks} Name={step.name} Network=(null)",
        f"TRES={shown_tres}",
        f"ResvPorts={number_ranges.show(step.ports) or NULL}",
        "CPUFreqReq=Default",
        f"SrunHost:Pid={step.launcher or '(null):0'}",
    ]
