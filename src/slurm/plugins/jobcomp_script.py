"""JobCompType=jobcomp/script: the program JobCompLoc is run for each job that ended, with Slurm's environment variables."""

from __future__ import annotations

from types import SimpleNamespace

from slurm.plugins import programs
from slurm.plugins.records import CompletedJob

SECONDS = 25.0
NO_TASK = 4294967294


def job_completed(job: CompletedJob, settings: SimpleNamespace) -> None:
    """Run the program; RuntimeError when it fails."""
    programs.run([settings.JobCompLoc], environment_of(job), "", SECONDS)


def environment_of(job: CompletedJob) -> dict[str, str]:
    """The variables, by the names that Slurm's plug-in gives them; ARRAYTASKIDS, STDOUT, STDERR, TRES and COMMENT are ours."""
    found = {
        "ACCOUNT": job.account, "ARRAYJOBID": str(job.array_job_id), "ARRAYTASKID": str(NO_TASK if job.array_task_id is None
        else job.array_task_id),
        "ARRAYTASKIDS": job.tasks, "BATCH": "yes" if job.batch else "no", "CLUSTER": job.cluster, "COMMENT": job.comment,
        "CONSTRAINTS": job.constraints, "DEPENDENCY": job.dependency, "DERIVED_EC": f"{job.derived_exit_code}:{job.derived_signal}",
        "END": str(int(job.end_time)), "EXITCODE": f"{job.exit_code}:{job.signal}", "GID": str(job.gid), "GROUPNAME": job.group,
        "JOBID": str(job.job_id), "JOBNAME": job.name, "JOBSTATE": job.state,
        "LIMIT": "UNLIMITED" if job.time_limit < 0 else str(job.time_limit // 60),
        "NODECNT": str(job.node_count), "NODES": job.nodes, "PARTITION": job.partition, "PROCS": str(job.cpus), "QOS": job.qos,
        "RESERVATION": job.reservation, "START": str(int(job.start_time)), "STATEREASONPREV": job.reason,
        "SUBMIT": str(int(job.submit_time)),
        "TRES": ",".join(f"{name}={amount}" for name, amount in job.tres.items()), "UID": str(job.uid), "USERNAME": job.user,
        "WCKEY": job.wckey,
        "WORK_DIR": job.work_dir}
    if job.batch:
        found |= {"STDIN": job.stdin, "STDOUT": job.stdout, "STDERR": job.stderr}
    return found


