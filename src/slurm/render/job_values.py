"""The text of each field of a job, one function a row of `fields.JOB`. What a job's numbers are is in `job_facts`."""

from __future__ import annotations

from collections.abc import Callable

from slurm.core import components
from slurm.core import tres as amounts
from slurm.model.job import Job
from slurm.model.states import JOB_FLAGS, JobState, Reason
from slurm.notation import dependency, duration, exitstatus, filenames, licenses, size, sluid
from slurm.render import job_facts as facts
from slurm.render.view import View

NULL = "(null)"
NONE = "N/A"
Getter = Callable[[Job, View], str]


def state_name(job: Job) -> str:
    """RUNNING, COMPLETING …"""
    return facts.flag(job).upper() or job.state.name


def state_code(job: Job) -> str:
    """R, CG …"""
    over = facts.flag(job)
    return JOB_FLAGS[over] if over else job.state.compact


def nodes_or_reason(job: Job, view: View) -> str:
    """NODELIST(REASON)."""
    if job.state is JobState.PENDING or facts.shows_reason(job):
        return f"({facts.reason(job, view)})"
    return facts.node_list(job)


def time_used(job: Job, view: View) -> str:
    """TIME, "0:00" while pending."""
    if job.state is JobState.PENDING:
        return "0:00"
    return duration.show(int(facts.time_used(job, view)))


def time_left(job: Job, view: View) -> str:
    """TIME_LEFT: of a pending job all of its limit."""
    if job.time_limit < 0:
        return "UNLIMITED"
    return duration.show(int(job.time_limit - facts.time_used(job, view)))


def priority_fraction(job: Job) -> str:
    """The priority as Slurm's %p shows it: a share of the largest one."""
    return f"{job.priority / 0xFFFFFFFF:.14f}"


def dependency_text(job: Job) -> str:
    """Conditions that are not met yet, "" for none; "afterok:86(unfulfilled)"."""
    if not job.dependency:
        return ""
    clauses = [dependency.Clause(c.kind, c.job, c.task, c.whole_array, c.delay, c.state) for c in job.dependency]
    return dependency.show(clauses, job.dependency_any)


def exit_code(job: Job) -> str:
    """ "code:signal"."""
    return exitstatus.show(job.exit_status)


def derived_exit_code(job: Job) -> str:
    """Highest of the steps, "code:signal"."""
    return exitstatus.show(job.derived_status)


def output_path(job: Job, pattern: str) -> str:
    """A pattern of --output as the file it names, absolute."""
    names = filenames.Fields(
        job=job.id, job_name=job.request.name, user=job.owner.user, array_job=job.array_job or None, array_task=job.array_task,
        node_name=job.batch_host)
    path = filenames.expand(pattern, names)
    return path if path.startswith("/") else f"{job.request.work_dir.rstrip('/')}/{path}"


def output_pattern(job: Job) -> str:
    """The pattern of --output, or the one that stands where none was given."""
    return job.request.stdout or (filenames.DEFAULT_ARRAY if job.array_job else filenames.DEFAULT)


def stdout(job: Job, view: View) -> str:
    """The file of standard output; "" for an allocation, which has none."""
    return output_path(job, output_pattern(job)) if job.request.kind == "batch" else ""


def stderr(job: Job, view: View) -> str:
    """The file of standard error where it has one of its own, else ""."""
    return output_path(job, job.request.stderr) if job.request.stderr else ""


def stdin(job: Job, view: View) -> str:
    """The file of standard input."""
    if job.request.kind != "batch":
        return ""
    return output_path(job, job.request.stdin) if job.request.stdin else "/dev/null"


def min_memory(job: Job, view: View) -> str:
    """Memory on each node or for each CPU, "500M"."""
    amount, _ = amounts.memory_rule(view, job)
    return size.show_mb(amount, convert=view.convert) if amount else "0"


def oversubscribe(job: Job) -> str:
    """Whether its CPUs are shared."""
    return "YES" if job.request.oversubscribe else "NO"


def exclusive(job: Job) -> str:
    """Whether its nodes are shared."""
    return {"": "NO", "node": "YES"}.get(job.request.exclusive, job.request.exclusive.upper())


def _tres_alloc(job: Job, view: View) -> str:
    return facts.tres_text(amounts.held(view, job.allocation) if job.allocation is not None else amounts.requested(view, job), view)


def _pending_seconds(job: Job, view: View) -> str:
    until = view.now if job.state is JobState.PENDING else job.start_time
    return str(int(max(0.0, until - job.submit_time)))


def _shape(number: int) -> str:
    return str(number) if number else "*"


def _count(number: int) -> str:
    return str(number) if number else NONE


def licenses_held(job: Job) -> str:
    """The licences that a job holds or held, "" for none."""
    return licenses.show(job.allocation.licenses) if job.allocation is not None else ""


def _always(text: str) -> Getter:
    return lambda job, view: text



def reservation(job: Job) -> str:
    """The reservation that it runs or ran in, else those that it asks for."""
    return (job.holding.reservation if job.holding is not None else "") or job.request.reservation


def _left_to_system(job: Job, view: View) -> str:
    """What of each node it leaves to the system, where it says so itself."""
    cores, threads = job.request.core_spec, job.request.thread_spec
    return f"{threads} Threads" if threads is not None else NONE if cores is None else str(cores)


GETTERS: dict[str, Getter] = {
    "Account": lambda job, view: job.request.account or NULL,
    "AccrueTime": lambda job, view: view.moment(job.accrue_time, NONE),
    "admin_comment": lambda job, view: job.request.admin_comment or NULL,
    "AllocNodes": lambda job, view: job.request.submit_host or NULL,
    "AllocSID": lambda job, view: str(job.request.alloc_sid),
    "ArrayJobId": lambda job, view: str(job.array_job or job.id),
    "ArrayTaskId": lambda job, view: (
        str(job.array_task) if job.array_task is not None else facts.array_text(job, view.array_length) or NONE),
    "AssocId": _always("0"),
    "BatchFlag": lambda job, view: "1" if job.request.kind == "batch" else "0",
    "BatchHost": lambda job, view: job.batch_host or "n/a",
    "BoardsPerNode": _always(NONE),
    "BurstBuffer": _always(NULL),
    "BurstBufferState": _always(NULL),
    "Cluster": lambda job, view: view.settings.cluster_name,
    "ClusterFeature": _always(NULL),
    "Command": lambda job, view: job.request.command or NULL,
    "Comment": lambda job, view: job.request.comment or NULL,
    "Container": _always(NULL),
    "ContainerId": _always(NULL),
    "Contiguous": lambda job, view: "1" if job.request.contiguous else "0",
    "Cores": lambda job, view: _shape(job.request.cores_per_socket),
    "CoreSpec": _left_to_system,
    "CPUsPerTask": lambda job, view: str(job.request.cpus_per_task or 1),
    "cpus-per-task": lambda job, view: str(job.request.cpus_per_task or 1),
    "cpus-per-tres": lambda job, view: f"gres/gpu:{job.request.cpus_per_gpu}" if job.request.cpus_per_gpu else NONE,
    "CronJob": lambda job, view: "Yes" if job.cron is not None else "No",
    "Deadline": lambda job, view: view.moment(job.request.deadline, NONE),
    "DelayBoot": _always("0:00"),
    "Dependency": lambda job, view: dependency_text(job) or NULL,
    "DerivedEC": lambda job, view: derived_exit_code(job),
    "EligibleTime": lambda job, view: view.moment(facts.eligible_time(job), NONE),
    "EndTime": lambda job, view: view.moment(facts.end_time(job, view), NONE),
    "ExcNodes": lambda job, view: job.request.exclude,
    "Exclusive": lambda job, view: exclusive(job),
    "exit_code": lambda job, view: exit_code(job),
    "Feature": lambda job, view: job.request.features or NULL,
    "GroupId": lambda job, view: str(job.owner.gid),
    "GroupName": lambda job, view: job.owner.group,
    "HetJobId": lambda job, view: str(job.het_job) if job.het else NONE,
    "HetJobIdSet": lambda job, view: components.set_text(job) or NONE,
    "HetJobOffset": lambda job, view: str(job.het_offset) if job.het else NONE,
    "JobArrayId": lambda job, view: (
        str(job.id) if not job.array_job and not job.het else facts.shown_id(job, view.array_length)),
    "JobArrayIdBare": lambda job, view: facts.shown_id(job, view.array_length).partition("%")[0] + ("]" if throttled(job) else ""),
    "JobId": lambda job, view: str(job.id),
    "LastSchedEval": lambda job, view: view.moment(last_evaluation(job, view), NONE),
    "Licenses": lambda job, view: job.request.licenses or NULL,
    "LicensesAlloc": lambda job, view: licenses_held(job) or NULL,
    "MaxCPUs": _always("0"),
    "MaxNodes": lambda job, view: str(job.request.nodes_max),
    "mem-per-tres": lambda job, view: f"gres/gpu:{job.request.mem_per_gpu}" if job.request.mem_per_gpu else NONE,
    "MCSLabel": _always(NONE),
    "MinCPUs": lambda job, view: str(amounts.min_cpus(job)),
    "MinMemory": min_memory,
    "MinTime": lambda job, view: duration.show(job.request.time_min) if job.request.time_min else NONE,
    "MinTmpDisk": lambda job, view: str(job.request.tmp_disk),
    "Name": lambda job, view: job.request.name,
    "Network": _always(NULL),
    "Nice": lambda job, view: str(job.request.nice),
    "NodeList": lambda job, view: facts.node_list(job),
    "NTPerCore": lambda job, view: _count(job.request.ntasks_per_core),
    "NTPerNode": lambda job, view: _count(job.request.ntasks_per_node),
    "NTPerSocket": lambda job, view: _count(job.request.ntasks_per_socket),
    "NTPerBoard": _always(NONE),
    "NumCPUs": lambda job, view: str(facts.cpu_count(job)),
    "NumNodes": lambda job, view: str(facts.node_count(job)),
    "NumTasks": lambda job, view: str(amounts.tasks(job)),
    "Origin": _always(NULL),
    "OriginRaw": _always("0"),
    "OverSubscribe": lambda job, view: oversubscribe(job),
    "Partition": lambda job, view: job.partition,
    "PendingTime": _pending_seconds,
    "PreemptTime": lambda job, view: view.moment(job.preempt_time, NONE),
    "Prefer": lambda job, view: job.request.prefer or NULL,
    "Priority": lambda job, view: priority_fraction(job),
    "PriorityLong": lambda job, view: str(job.priority),
    "Profile": _always("NOT_SET"),
    "QOS": lambda job, view: job.request.qos or view.settings.default_qos,
    "Reason": facts.reason,
    "ReasonList": nodes_or_reason,
    "Reboot": lambda job, view: "1" if job.request.reboot else "0",
    "ReqNodes": lambda job, view: job.request.nodelist,
    "ReqSwitch": lambda job, view: str(job.request.switches),
    "Requeue": lambda job, view: "1" if requeues(job, view) else "0",
    "Reservation": lambda job, view: reservation(job) or NULL,
    "ResizeTime": lambda job, view: view.moment(job.resize_time, NONE),
    "RestartCnt": lambda job, view: str(job.restarts),
    "Runtime": _always(NULL),
    "SchedNodes": lambda job, view: facts.forecast_nodes(job, view) or NULL,
    "SCT": lambda job, view: ":".join(
        map(_shape, (job.request.sockets_per_node, job.request.cores_per_socket, job.request.threads_per_core))),
    "SegmentSize": _always("0"),
    "SiblingsActive": _always(NULL),
    "SiblingsActiveRaw": _always("0"),
    "SiblingsViable": _always(NULL),
    "SiblingsViableRaw": _always("0"),
    "SLUID": lambda job, view: sluid.show(job.submit_time, job.id),
    "Sockets": lambda job, view: _shape(job.request.sockets_per_node),
    "SPerBoard": _always(NONE),
    "StartTime": lambda job, view: view.moment(facts.start_time(job, view), NONE),
    "State": lambda job, view: state_name(job),
    "StateCompact": lambda job, view: state_code(job),
    "StdErr": stderr,
    "StdIn": stdin,
    "StdOut": stdout,
    "SubmitTime": lambda job, view: view.moment(job.submit_time, NONE),
    "system_comment": _always(NULL),
    "Threads": lambda job, view: _shape(job.request.threads_per_core),
    "TimeLeft": time_left,
    "TimeLimit": lambda job, view: duration.show(job.time_limit),
    "TimeUsed": time_used,
    "tres-alloc": _tres_alloc,
    "tres-bind": _always(NONE),
    "tres-freq": _always(NONE),
    "tres-per-job": lambda job, view: facts.gpus_text(job.request.gpus) or NONE,
    "tres-per-node": lambda job, view: facts.gres_per_node(job) or NONE,
    "tres-per-socket": lambda job, view: facts.gpus_text(job.request.gpus_per_socket) or NONE,
    "tres-per-task": lambda job, view: facts.gpus_text(job.request.gpus_per_task) or NONE,
    "UserId": lambda job, view: str(job.owner.uid),
    "UserName": lambda job, view: job.owner.user,
    "Wait4Switch": lambda job, view: duration.show(facts.switch_wait(job, view)) if job.request.switches else "0:00",
    "WCKey": lambda job, view: job.request.wckey or NULL,
    "WorkDir": lambda job, view: job.request.work_dir or NULL,
}
"""Field name → its text; the names are those of `fields.JOB`."""


def throttled(job: Job) -> bool:
    """Whether the job's shown id carries a % limit."""
    return job.array_part is not None and job.array_part.limit > 0


def requeues(job: Job, view: View) -> bool:
    """Whether it may be requeued: as it asked, else as the cluster's JobRequeue says."""
    return view.settings.job_requeue if job.request.requeue is None else job.request.requeue


def last_evaluation(job: Job, view: View) -> float:
    """When the scheduler last looked at it: its start, or the last pass that had it in view."""
    if job.state is not JobState.PENDING and job.start_time:
        return job.start_time
    judged = job.id in view.verdicts and job.reason == Reason.NONE
    return max(view.last_planned, job.submit_time) if judged else job.submit_time
