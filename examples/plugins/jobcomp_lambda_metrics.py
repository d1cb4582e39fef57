"""JobCompType=jobcomp/lambda_metrics: each job that ended goes to the monitoring service at JobCompHost:JobCompPort, as one line of JSON over TCP.

Put this file into a folder of PluginDir, owned by root, and write in slurm.conf:

    PluginDir=/etc/slurm/plugins
    JobCompType=jobcomp/lambda_metrics
    JobCompHost=lambda-monitoring-01
    JobCompPort=6819

The service answers each line with one of its own that begins with "ok"; anything else, or nobody there, and slurmctld tries the job again later.
"""

import json
import socket

SECONDS = 5.0


def job_completed(job, settings):
    """Called for each job that ended; `job` is a slurm.plugins.records.CompletedJob, `settings` has the keys of slurm.conf that begin with JobComp."""
    line = json.dumps(metrics(job)) + "\n"
    with socket.create_connection((settings.JobCompHost, settings.JobCompPort), timeout=SECONDS) as connection:
        connection.sendall(line.encode())
        answer = connection.makefile().readline()
    if not answer.startswith("ok"):
        raise OSError(f"{settings.JobCompHost} answered {answer.strip()!r}")


def metrics(job):
    """What the service keeps of a job."""
    gpus = job.tres.get("gres/gpu", 0)
    return {
        "cluster": job.cluster, "job_id": job.job_id, "user": job.user, "account": job.account, "partition": job.partition, "state": job.state,
        "exit_code": job.exit_code, "seconds": job.elapsed, "gpus": gpus, "gpu_hours": gpus * job.elapsed / 3600,
        "waited_seconds": max(0.0, job.start_time - job.submit_time) if job.node_count else None}
