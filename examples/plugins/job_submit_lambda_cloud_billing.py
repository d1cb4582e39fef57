"""JobSubmitPlugins=lambda_cloud_billing: who asks for GPUs names the account that pays for them, and long jobs go to the partition for them.

Put this file into a folder of PluginDir, owned by root, and write in slurm.conf:

    PluginDir=/etc/slurm/plugins
    JobSubmitPlugins=lambda_cloud_billing
"""

from slurm.plugins import Refused

FREE_SECONDS = 3600
LONG = "batch"


def job_submit(job, settings):
    """Called for each submission: raise Refused, or return what is to be otherwise; `job.request` has what was given, `job.user` who asks."""
    request = job.request
    gpus = any(request.get(field) for field in ("gpus", "gpus_per_node", "gpus_per_task", "gpus_per_socket")) or "gpu" in str(request.get("gres", ""))
    if gpus and not request.get("account"):
        raise Refused(f"{job.user}: GPUs are billed, name an account with --account=PROJECT")
    if not request.get("partition") and LONG in settings.partitions and (request.get("time_limit") or 0) > FREE_SECONDS:
        return {"partition": LONG}
    return None


def job_modify(change, settings):
    """Called for each `scontrol update` of jobs: the account that pays stays."""
    if any(key.lower() == "account" and change.uid for key in change.changes):
        raise Refused("the account of a submitted job cannot be changed: cancel it and submit it again")
