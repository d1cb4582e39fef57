"""The text of a mail: subject and variables as Slurm writes them, a body that says what its reader would ask next. Pure."""

from __future__ import annotations

from slurm.model.accounting import JobRecord, JobRow
from slurm.model.notice import LIMITS, ArraySummary, Notice
from slurm.model.states import JobState
from slurm.notation import duration, exitstatus, moment, tres
from slurm.notation.printable import printable, printable_lines
from slurm.plugins.records import Mail, completed
from slurm.render import efficiency_text

_WELL = (JobState.COMPLETED, JobState.CANCELLED)
_EVENTS = {"BEGIN": "Began", "REQUEUE": "Requeued", "TIME_LIMIT": "Reached time limit", "INVALID_DEPEND": "Invalid dependency"}
_EFFICIENCY = ("CPU ", "Memory ", "GPU")


def mail_of(notice: Notice, cluster: str, domain: str, row: JobRow | None, last_lines: list[str], now: float) -> Mail:
    """The mail of a notice; `row` is what accounting knows of the job, `last_lines` what it wrote last where it failed."""
    record = notice.record
    event = event_of(notice)
    to = notice.receiver or (f"{record.user}@{domain}" if domain else record.user)
    return Mail(to=to, event=event, subject=subject_of(notice), body=_body(notice, cluster, row, last_lines, now),
                job=completed(cluster, record), environment=environment_of(notice, cluster, event))


def event_of(notice: Notice) -> str:
    """What happened, in Slurm's words."""
    if notice.what in LIMITS:
        return f"Reached {notice.what.rpartition('_')[2]}% of time limit"
    if notice.what != "END":
        return _EVENTS[notice.what]
    if notice.array is not None:
        return "Failed" if exitstatus.from_wait(notice.array.highest_status).code or notice.array.state not in ("Mixed",
            *(s.name for s in _WELL)) else "Ended"
    return "Ended" if notice.record.state in _WELL else "Failed"


def subject_of(notice: Notice) -> str:
    """Slurm's subject, on one line whatever the job's name is."""
    record = notice.record
    if notice.array is not None:
        about = f"Array Summary Job_id={record.array_job}_* ({record.array_job})"
    elif record.array_job and record.array_task is not None:
        about = f"Array Task Job_id={record.array_job}_{record.array_task} ({record.id})"
    else:
        about = f"Job_id={record.id}"
    return printable(f"Slurm {about} Name={record.name} {event_of(notice)}{_details(notice)}")


def _details(notice: Notice) -> str:
    record = notice.record
    if notice.what == "INVALID_DEPEND" or (notice.array is not None and notice.what == "BEGIN"):
        return ""
    if notice.what == "BEGIN":
        return f", Queued time {_clock(record.start_time - (record.eligible_time or record.submit_time))}"
    if notice.what != "END":
        return f", Run time {_clock(_ran(record))}"
    if notice.array is not None:
        return f", {notice.array.state}, {_span(notice.array)}"
    status = exitstatus.from_wait(record.exit_status)
    code = "" if status.signal else f", ExitCode {status.code}"
    return f", Run time {_clock(_ran(record))}, {record.state.name}{code}"


def _span(array: ArraySummary) -> str:
    least, highest = exitstatus.from_wait(array.least_status), exitstatus.from_wait(array.highest_status)
    if highest.signal and not highest.code:
        return f"MaxSignal [{highest.signal}]"
    return f"ExitCode [{least.code}-{highest.code}]"


def environment_of(notice: Notice, cluster: str, event: str) -> dict[str, str]:
    """The variables that Slurm's MailProg finds."""
    record = notice.record
    found = {
        "SLURM_CLUSTER_NAME": cluster, "SLURM_JOBID": str(record.id), "SLURM_JOB_ID": str(record.id), "SLURM_JOB_ACCOUNT": record.account,
        "SLURM_JOB_GID": str(record.gid), "SLURM_JOB_GROUP": record.group, "SLURM_JOB_MAIL_TYPE": event, "SLURM_JOB_NAME": record.name,
        "SLURM_JOB_NODELIST": record.nodes, "SLURM_JOB_PARTITION": record.partition, "SLURM_JOB_RESTART_COUNT": str(record.restarts),
        "SLURM_JOB_STATE": record.state.name, "SLURM_JOB_UID": str(record.uid), "SLURM_JOB_USER": record.user,
        "SLURM_JOB_WORK_DIR": record.work_dir}
    if record.node_count:
        found["SLURM_JOB_NUM_NODES"] = str(record.node_count)
    if record.array_job:
        found |= {"SLURM_ARRAY_JOB_ID": str(record.array_job)}
        if record.array_task is not None:
            found["SLURM_ARRAY_TASK_ID"] = str(record.array_task)
    if notice.what == "BEGIN":
        found["SLURM_JOB_QUEUED_TIME"] = _clock(record.start_time - (record.eligible_time or record.submit_time))
    elif notice.what != "INVALID_DEPEND":
        found["SLURM_JOB_RUN_TIME"] = _clock(_ran(record))
    if notice.what == "END":
        status, derived = exitstatus.from_wait(record.exit_status), exitstatus.from_wait(record.derived_status)
        found |= {"SLURM_JOB_EXIT_CODE": str(record.exit_status), "SLURM_JOB_EXIT_CODE2": status.show(),
            "SLURM_JOB_DERIVED_EC": str(derived.code)}
        highest = exitstatus.from_wait(notice.array.highest_status) if notice.array is not None else status
        found["SLURM_JOB_TERM_SIGNAL_MAX" if highest.signal else "SLURM_JOB_EXIT_CODE_MAX"] = str(highest.signal or highest.code)
        if notice.array is not None:
            found["SLURM_JOB_EXIT_CODE_MIN"] = str(exitstatus.from_wait(notice.array.least_status).code)
            found["SLURM_ARRAY_TASK_COUNT"] = str(notice.array.tasks)
    return found


def _body(notice: Notice, cluster: str, row: JobRow | None, last_lines: list[str], now: float) -> str:
    record = notice.record
    shown = f"{record.array_job}_{record.array_task}" if record.array_job and record.array_task is not None else str(record.array_job
        or record.id)
    lines = [f"Job {shown} ({printable(record.name)}) of {record.user} on cluster {cluster}", ""]
    lines += [f"{label + ':':<12}{text}" for label, text in _facts(notice) if text]
    if row is not None and notice.what == "END":
        lines += [f"{line.partition(':')[0] + ':':<20}{line.partition(': ')[2]}" for line in efficiency_text.lines(row, now)
            if line.startswith(_EFFICIENCY)]
    if last_lines:
        lines += ["", "The last lines that it wrote:", *(f"  {printable_lines(line)}" for line in last_lines)]
    if notice.what == "END":
        lines += ["", f"More: sacct -j {shown}" + ("" if event_of(notice) == "Ended" else f", slurm explain {shown}")]
    elif notice.what == "INVALID_DEPEND":
        lines += ["", f"It will never start as it is. See: slurm explain {shown}; end it: scancel {shown}"]
    return "\n".join(lines) + "\n"


def _facts(notice: Notice) -> list[tuple[str, str]]:
    record, array = notice.record, notice.array
    status = exitstatus.from_wait(record.exit_status)
    state = record.state.name if array is None else f"{array.state} ({array.tasks} tasks)" if notice.what == "END" else "RUNNING"
    if notice.what == "REQUEUE":
        state = "it is going to run again"
    ended = notice.what == "END" and array is None and record.node_count and record.state is not JobState.CANCELLED
    limit = "no limit" if record.time_limit < 0 else f"limit {duration.show(record.time_limit)}"
    ran = record.node_count and notice.what != "BEGIN" and array is None
    return [
        ("State", state + (f": {status.words()[0].lower()}{status.words()[1:]}" if ended and record.exit_status else "")),
        ("Exit code", f"{status.show()}" if ended else ""),
        ("Partition", record.partition), ("Nodes", record.nodes), ("Holds" if notice.what != "END" else "Held",
        tres.show(record.allocated)),
        ("Submitted", _moment(record.submit_time)), ("Started", _moment(record.start_time) if record.node_count else ""),
        ("Ended", _moment(record.end_time) if notice.what == "END" else ""),
        ("Run time", f"{duration.show(_ran(record))} ({limit})" if ran else ""),
        ("Folder", printable(record.work_dir)), ("Submitted as", printable(record.submit_line)),
    ]


def _ran(record: JobRecord) -> float:
    """Seconds, whole ones as Slurm counts them."""
    if not record.start_time or not record.node_count:
        return 0.0
    return max(0.0, int(record.end_time) - int(record.start_time) - record.suspended_seconds)


def _clock(seconds: float) -> str:
    return duration.show_clock(max(0, int(seconds)))


def _moment(seconds: float) -> str:
    return moment.show(seconds) if seconds else ""
