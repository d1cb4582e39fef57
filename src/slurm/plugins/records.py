"""What plug-ins are given: a job that ended, a mail. Times are seconds since the epoch (0: never), durations seconds, memory MB.

These only gain fields: plug-ins of sites read them.
"""

from __future__ import annotations

import msgspec

from slurm.model.accounting import JobRecord
from slurm.notation import exitstatus


class CompletedJob(msgspec.Struct, kw_only=True):
    """A job, or a task of an array, in the life that just ended; `tasks` names the tasks of an array that ended together without a start
    ("4-9")."""

    cluster: str
    job_id: int
    array_job_id: int = 0  # 0: not of an array
    array_task_id: int | None = None
    tasks: str = ""
    restarts: int = 0
    name: str = ""
    user: str = ""
    uid: int = 0
    group: str = ""
    gid: int = 0
    account: str = ""
    qos: str = ""
    wckey: str = ""
    partition: str = ""
    reservation: str = ""
    constraints: str = ""
    licenses: str = ""
    state: str = ""  # COMPLETED, FAILED, TIMEOUT, CANCELLED, REQUEUED (it runs again) …
    reason: str = ""  # Slurm's word
    exit_code: int = 0
    signal: int = 0
    derived_exit_code: int = 0
    derived_signal: int = 0
    submit_time: float = 0.0
    eligible_time: float = 0.0
    start_time: float = 0.0
    end_time: float = 0.0
    suspended_seconds: float = 0.0
    time_limit: int = -1  # seconds, -1: unlimited
    nodes: str = ""  # a host list, "" when it never started
    node_count: int = 0
    cpus: int = 0
    tres: dict[str, int] = {}  # allocated, or requested where it never started: "cpu", "mem" in MB, "node", "billing", "gres/gpu" …
    work_dir: str = ""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    submit_line: str = ""
    batch: bool = True
    comment: str = ""
    admin_comment: str = ""
    extra: str = ""
    dependency: str = ""

    @property
    def elapsed(self) -> float:
        """Seconds that it ran."""
        return max(0.0, self.end_time - self.start_time - self.suspended_seconds) if self.start_time and self.node_count else 0.0


class Mail(msgspec.Struct, kw_only=True):
    """A mail that a job's owner asked for: `event` in Slurm's words ("Began", "Ended", "Failed", "Reached 50% of time limit" …)."""

    to: str
    event: str
    subject: str
    body: str
    job: CompletedJob
    environment: dict[str, str] = {}  # what Slurm's MailProg finds: SLURM_JOB_ID, SLURM_JOB_MAIL_TYPE …


class Submission(msgspec.Struct, kw_only=True):
    """A job that somebody wants to submit.

    `request` has the fields of docs/reference/limits.md that were given; `script` is "" for an allocation.
    """

    uid: int
    user: str
    request: dict[str, object] = {}
    script: str = ""


class Modification(msgspec.Struct, kw_only=True):
    """A change that somebody wants: `jobs` as `scontrol update` takes them ("12", "12_[1-3]"), `changes` by its keys."""

    uid: int
    user: str
    jobs: str
    changes: dict[str, str] = {}


class CommandLine(msgspec.Struct, kw_only=True):
    """What sbatch, srun or salloc (`command`) is about to ask for: `request` has the fields of docs/reference/limits.md that were given."""

    command: str
    request: dict[str, object] = {}
    script: str = ""
    job_id: int = 0  # after the submission


def completed(cluster: str, record: JobRecord) -> CompletedJob:
    """What a job's last record says."""
    status, derived = exitstatus.from_wait(record.exit_status), exitstatus.from_wait(record.derived_status)
    tres = record.allocated or record.requested
    return CompletedJob(
        cluster=cluster, job_id=record.id, array_job_id=record.array_job, array_task_id=record.array_task, tasks=record.array_tasks,
        restarts=record.restarts, name=record.name, user=record.user, uid=record.uid, group=record.group, gid=record.gid,
        account=record.account,
        qos=record.qos, wckey=record.wckey, partition=record.partition, reservation=record.reservation, constraints=record.constraints,
        licenses=record.licenses, state="REQUEUED" if "requeued" in record.flags else record.state.name, reason=record.reason,
        exit_code=status.code, signal=status.signal,
        derived_exit_code=derived.code, derived_signal=derived.signal, submit_time=record.submit_time, eligible_time=record.eligible_time,
        start_time=record.start_time, end_time=record.end_time, suspended_seconds=record.suspended_seconds, time_limit=record.time_limit,
        nodes=record.nodes, node_count=record.node_count, cpus=record.allocated.get("cpu", 0), tres=tres, work_dir=record.work_dir,
        stdin=record.stdin,
        stdout=record.stdout, stderr=record.stderr, submit_line=record.submit_line, batch=record.kind == "batch", comment=record.comment,
        admin_comment=record.admin_comment, extra=record.extra)
