"""JobCompType=jobcomp/elasticsearch, or jobcomp/http: a JSON document for each job that ended is sent to the URL JobCompLoc.

The names of its fields are those of Slurm's Elasticsearch plug-in, so that dashboards made for it go on.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

from slurm.notation import moment
from slurm.plugins import posting
from slurm.plugins.records import CompletedJob

SECONDS = 10.0
DELIVERY = "X-Slurm-Delivery"


def job_completed(job: CompletedJob, settings: SimpleNamespace) -> None:
    """Send it; OSError when the service does not take it. JobCompUser and JobCompPass are its user and password, where both are set.

    JobCompParams=secret_file=PATH: signed with what that file holds. The header DELIVERY is the same however often it is sent.
    """
    posting.post(settings.JobCompLoc, document_of(job), SECONDS, settings.JobCompUser, settings.JobCompPass, _secret(settings),
        {DELIVERY: f"{job.cluster}-{job.job_id}-{job.restarts}-{job.end_time:.3f}"})


def _secret(settings: SimpleNamespace) -> bytes:
    """What deliveries are signed with, b"": they are not.

    OSError where it cannot be read, or others could: nothing is sent unsigned then.
    """
    parameters = dict(word.strip().partition("=")[::2] for word in str(getattr(settings, "JobCompParams", "")).split(","))
    path = parameters.get("secret_file", "")
    if not path:
        return b""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise PermissionError(f"{path} can be read by others: chmod 0600 {path}")
        secret = file.read().strip()
    if not secret:
        raise OSError(f"{path} is empty: it holds the secret that deliveries are signed with")
    return secret


def document_of(job: CompletedJob) -> dict[str, object]:
    """The document: moments as local time, durations in seconds, the time limit in minutes, memory in MB."""
    elapsed = round(job.elapsed)
    found: dict[str, object] = {
        "jobid": job.job_id, "username": job.user, "user_id": job.uid, "groupname": job.group, "group_id": job.gid, "job_name": job.name,
        "@submit": _moment(job.submit_time), "@eligible": _moment(job.eligible_time), "@start": _moment(job.start_time),
        "@end": _moment(job.end_time),
        "elapsed": elapsed, "@queue_wait": round(max(0.0, job.start_time - job.eligible_time)) if job.node_count and job.eligible_time
        else 0,
        "cpu_hours": elapsed * job.cpus / 3600, "partition": job.partition, "nodes": job.nodes, "total_nodes": job.node_count,
        "total_cpus": job.cpus,
        "derived_ec": f"{job.derived_exit_code}:{job.derived_signal}", "exit_code": f"{job.exit_code}:{job.signal}", "state": job.state,
        "state_reason": job.reason, "cluster": job.cluster, "account": job.account, "qos": job.qos, "wc_key": job.wckey,
        "reservation_name": job.reservation, "work_dir": job.work_dir, "std_in": job.stdin, "std_out": job.stdout, "std_err": job.stderr,
        "time_limit": "UNLIMITED" if job.time_limit < 0 else job.time_limit // 60, "submit_line": job.submit_line, "comment": job.comment,
        "admin_comment": job.admin_comment, "extra": job.extra, "constraints": job.constraints, "licenses": job.licenses,
        "restart_cnt": job.restarts, "tres_alloc": job.tres}
    if job.array_job_id:
        found |= {"array_job_id": job.array_job_id, "array_task_id": job.tasks if job.array_task_id is None else job.array_task_id}
    return found


def _moment(seconds: float) -> str | None:
    return moment.show(seconds) if seconds else None
