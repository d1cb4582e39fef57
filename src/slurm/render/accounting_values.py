"""The text of each field of sacct, one function a row of `fields_accounting.JOB`; what steps used is in `accounting_usage`.

Of a step some fields are empty, as in Slurm: they belong to the job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slurm.model.accounting import JobRecord
from slurm.model.ids import BATCH_STEP
from slurm.model.states import JobState
from slurm.notation import duration, exitstatus, filenames, sluid
from slurm.render import accounting_entry as facts
from slurm.render import accounting_usage
from slurm.render.accounting_entry import Entry, Style
from slurm.render.accounting_text import clock, scaled, tres
from slurm.render.fields import Field

Getter = Callable[[Entry, Style], str]
STARTED_BY = frozenset(("SchedSubmit", "SchedMain", "SchedBackfill"))
"""Flags that tell how a job was started; what the database has heard of is "StartReceived"."""
_HANDLED = {"requeued": "", "revoked": ""}


def flags(job: JobRecord) -> list[str]:
    """The words of Flags: how it was started, and that its record has arrived."""
    return [*(flag for flag in job.flags if flag in STARTED_BY), "StartReceived"]


def _of_job(text: Callable[[JobRecord], str]) -> Getter:
    """A field that a job has and a step has not."""
    return lambda entry, style: text(entry.job) if entry.step is None else ""


def _of_both(text: Callable[[JobRecord], str]) -> Getter:
    """A field of the job that is repeated behind each step."""
    return lambda entry, style: text(entry.job)


def _node_list(entry: Entry, style: Style) -> str:
    nodes = entry.step.nodes if entry.step is not None else entry.job.nodes
    return nodes or "None assigned"


def _nodes_shown(entry: Entry, style: Style) -> str:
    return str(entry.node_count or entry.job.nodes_requested)


def _start(entry: Entry, style: Style) -> str:
    """A job that ended before it began has "None", one that waits "Unknown"."""
    return style.moment(entry.start_time, "None" if entry.end_time else "Unknown")


def _submit(entry: Entry, style: Style) -> str:
    return style.moment(entry.job.submit_time if entry.step is None else entry.step.start_time, "Unknown")


def _eligible(entry: Entry, style: Style) -> str:
    return style.moment(entry.job.eligible_time if entry.step is None else entry.step.start_time, "Unknown")


def _planned(times_cpus: bool, raw: bool) -> Getter:
    def text(entry: Entry, style: Style) -> str:
        if entry.step is not None:
            return ""
        seconds = (entry.planned(style.now) or 0) * (max(1, entry.job.cpus_requested) if times_cpus else 1)
        return str(seconds) if raw else duration.show_clock(seconds)

    return text


def _limit(entry: Entry, style: Style) -> str:
    if entry.step is not None:
        return ""
    return "UNLIMITED" if entry.job.time_limit < 0 else duration.show_clock(entry.job.time_limit)


def _limit_minutes(entry: Entry, style: Style) -> str:
    if entry.step is not None:
        return ""
    return "UNLIMITED" if entry.job.time_limit < 0 else str(-(-entry.job.time_limit // 60))


def _requested_memory(entry: Entry, style: Style) -> str:
    if entry.step is not None:
        return ""
    return scaled(requested_memory(entry.job), "M", style.unit, convert=style.convert)


def requested_memory(job: JobRecord) -> int:
    """MB that the job asked for in all."""
    if "mem" in job.requested:
        return job.requested["mem"]
    return job.memory_requested * (max(1, job.cpus_requested) if job.memory_per_cpu else max(1, job.nodes_requested))


def _uid(entry: Entry, style: Style) -> str:
    return str(style.local_uids.get(entry.job.user, entry.job.uid)) if entry.step is None else ""


def _name(entry: Entry, style: Style) -> str:
    return entry.job.name if entry.step is None else entry.step.name


def _layout(entry: Entry, style: Style) -> str:
    return (entry.step.layout or "Unknown") if entry.step is not None else ""


def _requested_cpus(entry: Entry, style: Style) -> str:
    return str(entry.job.cpus_requested if entry.step is None else entry.cpus)


def _requested_nodes(entry: Entry, style: Style) -> str:
    return str(entry.job.nodes_requested if entry.step is None else entry.node_count)


def _file(which: str) -> Getter:
    def text(entry: Entry, style: Style) -> str:
        pattern: str = getattr(entry.step if entry.step is not None else entry.job, which)
        return expanded(pattern, entry) if style.expand_patterns else pattern

    return text


def expanded(pattern: str, entry: Entry) -> str:
    """A file's name with its % symbols filled in, in the job's folder; "" stays empty."""
    if not pattern:
        return ""
    job = entry.job
    batch = entry.step is None or entry.step.step == BATCH_STEP
    name = filenames.expand(pattern, filenames.Fields(
        job=job.id, job_name=job.name, user=job.user, array_job=job.array_job or None, array_task=job.array_task,
        step="batch" if batch or entry.step is None else str(entry.step.step),
        node_name=job.nodes.partition(",")[0] if job.node_count == 1 else ""))
    return name if name.startswith("/") else f"{job.work_dir.rstrip('/')}/{name}"


def _cpu_time(part: int) -> Getter:
    def text(entry: Entry, style: Style) -> str:
        times = facts.cpu_seconds(entry)
        return clock(sum(times) if part == 2 else times[part])

    return text


def _derived(entry: Entry, style: Style) -> str:
    return exitstatus.show(entry.job.derived_status) if entry.step is None else ""


def _own(job_field: str, step_field: str = "") -> Getter:
    """A text that jobs and steps both have of their own."""
    def text(entry: Entry, style: Style) -> str:
        found: str = getattr(entry.step, step_field or job_field) if entry.step is not None else getattr(entry.job, job_field)
        return found

    return text


GETTERS: dict[str, Getter] = {
    **accounting_usage.GETTERS,
    "Account": _of_both(lambda job: job.account),
    "AdminComment": _of_job(lambda job: job.admin_comment),
    "AllocCPUS": lambda entry, style: str(entry.cpus),
    "AllocNodes": lambda entry, style: str(entry.node_count),
    "AllocTRES": lambda entry, style: tres(entry.allocated, style.unit, convert=style.convert),
    "AssocID": _of_both(lambda job: str(job.association) if job.association else ""),
    "BlockID": _of_job(lambda job: ""),
    "Cluster": lambda entry, style: entry.row.cluster,
    "Comment": _of_job(lambda job: job.comment),
    "Constraints": _of_job(lambda job: job.constraints),
    "Container": _own("container"),
    "CPUTime": lambda entry, style: duration.show_clock(entry.elapsed(style.now) * entry.cpus),
    "CPUTimeRAW": lambda entry, style: str(entry.elapsed(style.now) * entry.cpus),
    "DBIndex": lambda entry, style: str(entry.row.index),
    "DerivedExitCode": _derived,
    "Elapsed": lambda entry, style: duration.show_clock(entry.elapsed(style.now)),
    "ElapsedRaw": lambda entry, style: str(entry.elapsed(style.now)),
    "Eligible": _eligible,
    "End": lambda entry, style: style.moment(entry.end_time, "Unknown"),
    "Exclusive": _of_job(lambda job: job.exclusive or "NO"),
    "ExitCode": lambda entry, style: exitstatus.show(entry.exit_status),
    "Extra": _of_job(lambda job: job.extra),
    "FailedNode": _of_job(lambda job: job.failed_node),
    "Flags": _of_job(lambda job: ",".join(flags(job))),
    "GID": _of_job(lambda job: str(job.gid)),
    "Group": _of_job(lambda job: job.group),
    "JobID": lambda entry, style: facts.shown_id(entry, style.array_length),
    "JobIDRaw": lambda entry, style: facts.raw_id(entry),
    "JobName": _name,
    "Layout": _layout,
    "Licenses": _of_job(lambda job: job.licenses),
    "McsLabel": _of_job(lambda job: job.mcs_label),
    "NCPUS": lambda entry, style: str(entry.cpus),
    "NNodes": _nodes_shown,
    "NodeList": _node_list,
    "NTasks": lambda entry, style: str(entry.step.ntasks) if entry.step is not None else "",
    "OriginalSLUID": _of_both(lambda job: sluid.show(job.submit_time, job.id)),
    "OverSubscribe": _of_job(lambda job: job.oversubscribe or "NO"),
    "Partition": _of_job(lambda job: job.partition),
    "Planned": _planned(False, False),
    "PlannedCPU": _planned(True, False),
    "PlannedCPURAW": _planned(True, True),
    "Priority": _of_job(lambda job: str(job.priority)),
    "QOS": _of_job(lambda job: job.qos),
    "QOSRAW": _of_job(lambda job: ""),
    "QOSREQ": _of_job(lambda job: job.qos_requested),
    "Reason": _of_job(lambda job: job.reason or "None"),
    "ReqCPUS": _requested_cpus,
    "ReqMem": _requested_memory,
    "ReqNodes": _requested_nodes,
    "ReqTRES": lambda entry, style: tres(entry.job.requested, style.unit, convert=style.convert) if entry.step is None else "",
    "Reservation": _of_job(lambda job: job.reservation),
    "ReservationId": _of_job(lambda job: str(job.reservation_id) if job.reservation_id else ""),
    "ReqReservation": _of_job(lambda job: job.reservation_requested),
    "Restarts": _of_job(lambda job: str(job.restarts)),
    "SegmentSize": _of_job(lambda job: ""),
    "SLUID": _of_both(lambda job: sluid.show(job.submit_time, job.id)),
    "Start": _start,
    "State": lambda entry, style: facts.state_text(entry),
    "StdErr": _file("stderr"),
    "StdIn": _file("stdin"),
    "StdOut": _file("stdout"),
    "Submit": _submit,
    "SubmitLine": _own("submit_line"),
    "Suspended": lambda entry, style: duration.show_clock(entry.suspended_seconds),
    "SystemComment": _of_job(lambda job: job.system_comment),
    "SystemCPU": _cpu_time(1),
    "Timelimit": _limit,
    "TimelimitRaw": _limit_minutes,
    "TotalCPU": _cpu_time(2),
    "UID": _uid,
    "User": _of_job(lambda job: job.user),
    "UserCPU": _cpu_time(0),
    "WCKey": _of_job(lambda job: job.wckey),
    "WCKeyID": _of_job(lambda job: str(job.wckey_id)),
    "WorkDir": _own("work_dir"),
}
"""Field name → its text; the names are those of `fields_accounting.JOB`."""

RUNNING = (JobState.RUNNING, JobState.SUSPENDED)


def cells(entry: Entry, fields: Sequence[Field], style: Style) -> list[str]:
    """The texts of one line."""
    return [GETTERS[field.name](entry, style) for field in fields]
