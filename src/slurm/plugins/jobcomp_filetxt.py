"""JobCompType=jobcomp/filetxt: a line for each job that ended, in Slurm's format, appended to the file JobCompLoc."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace

from slurm.notation import moment, tres
from slurm.notation.printable import printable
from slurm.plugins.records import CompletedJob

DEFAULT = "/var/log/slurm_jobcomp.log"
_FIELD = re.compile(r" (?=\w+=)")
_BLANK = r"\\x20"


def job_completed(job: CompletedJob, settings: SimpleNamespace) -> None:
    """Append its line. The file is opened for each: a log that was rotated away gets no more. OSError."""
    path = settings.JobCompLoc or DEFAULT
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        text = line_of(job).encode(errors="surrogateescape") + b"\n"
        if os.write(descriptor, text) != len(text):
            raise OSError(f"{path}: a line could not be written whole: is the disk full?")
    finally:
        os.close(descriptor)


def line_of(job: CompletedJob) -> str:
    """The line, a blank at its end as Slurm has it. What users chose cannot begin a line or a field of its own."""
    array = [("ArrayJobId", str(job.array_job_id)), ("ArrayTaskId", _task(job))] if job.array_job_id else []
    fields = [
        ("JobId", str(job.job_id)), ("UserId", f"{job.user}({job.uid})"), ("GroupId", f"{job.group}({job.gid})"), ("Name", job.name),
        ("JobState", job.state), ("Partition", job.partition), ("TimeLimit", _limit(job.time_limit)),
        ("StartTime", _moment(job.start_time)),
        ("EndTime", _moment(job.end_time)), ("NodeList", job.nodes or "(null)"), ("NodeCnt", str(job.node_count)),
        ("ProcCnt", str(job.cpus)),
        ("WorkDir", job.work_dir), ("ReservationName", job.reservation), ("Tres", tres.show(job.tres)), ("Account", job.account),
        ("QOS", job.qos),
        ("WcKey", job.wckey), ("Cluster", job.cluster), ("SubmitTime", _moment(job.submit_time)),
        ("EligibleTime", _moment(job.eligible_time)), *array,
        ("DerivedExitCode", f"{job.derived_exit_code}:{job.derived_signal}"), ("ExitCode", f"{job.exit_code}:{job.signal}")]
    return "".join(f"{name}={_FIELD.sub(_BLANK, printable(value))} " for name, value in fields)


def _task(job: CompletedJob) -> str:
    return job.tasks if job.array_task_id is None else str(job.array_task_id)


def _limit(seconds: int) -> str:
    return "UNLIMITED" if seconds < 0 else str(seconds // 60)


def _moment(seconds: float) -> str:
    return moment.show(seconds) if seconds else "unknown"
