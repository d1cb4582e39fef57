"""What Prolog, Epilog, PrologSlurmctld and EpilogSlurmctld are told of a job. Pure functions from records to mappings.

Source: prolog_epilog.html of Slurm 22.05 and 25.11, and what a 22.05 sets.
"""

from __future__ import annotations

import os

from slurm.model.job import ArrayPart, Job, NodeShare
from slurm.model.settings import Settings
from slurm.notation import exitstatus, gpu_bind, hostlist
from slurm.slurmctld import launch
from slurm.slurmctld.environment import array_variables, repeated


def _of_both(job: Job, settings: Settings) -> dict[str, str]:
    allocation = job.holding
    assert allocation is not None
    request = job.request
    nodes = hostlist.compress(allocation.nodes)
    known = {
        "SLURM_CLUSTER_NAME": settings.cluster_name,
        "SLURM_JOBID": str(job.id), "SLURM_JOB_ID": str(job.id), "SLURM_JOB_NAME": request.name,
        "SLURM_JOB_CPUS_PER_NODE": repeated([share.cpu_count for share in allocation.shares]),
        "SLURM_JOB_GID": str(job.owner.gid), "SLURM_JOB_GROUP": job.owner.group, "SLURM_JOB_UID": str(job.owner.uid),
        "SLURM_JOB_USER": job.owner.user,
        "SLURM_JOB_NODELIST": nodes, "SLURM_JOB_NUM_NODES": str(len(allocation.shares)), "SLURM_JOB_PARTITION": allocation.partition,
        "SLURM_JOB_RESTART_COUNT": str(job.restarts), "SLURM_JOB_WORK_DIR": request.work_dir,
        "SLURM_JOB_START_TIME": str(int(job.start_time)),
    }
    if job.time_limit >= 0:
        known["SLURM_JOB_END_TIME"] = str(int(job.end_time or job.start_time + job.time_limit))
    asked = {
        "SLURM_JOB_ACCOUNT": request.account, "SLURM_JOB_COMMENT": request.comment, "SLURM_JOB_CONSTRAINTS": request.features,
        "SLURM_JOB_EXTRA": request.extra, "SLURM_JOB_LICENSES": request.licenses, "SLURM_JOB_QOS": request.qos or settings.default_qos,
        "SLURM_JOB_RESERVATION": request.reservation, "SLURM_WCKEY": request.wckey.removeprefix("*")}
    known.update({name: value for name, value in asked.items() if value})
    if request.kind == "batch":
        stdin, stdout, stderr = launch.output_paths(job, job.batch_host)
        known.update({"SLURM_JOB_STDIN": stdin, "SLURM_JOB_STDOUT": stdout, "SLURM_JOB_STDERR": stderr})
    return known


def _of_end(job: Job) -> dict[str, str]:
    if not job.end_time:
        return {}
    ended = exitstatus.from_wait(job.exit_status)
    return {
        "SLURM_JOB_EXIT_CODE": str(job.exit_status), "SLURM_JOB_EXIT_CODE2": f"{ended.code}:{ended.signal}",
        "SLURM_JOB_DERIVED_EC": str(job.derived_status)}


def of_nodes(job: Job, settings: Settings, conf_path: str) -> dict[str, str]:
    """What is the same on every node, for Prolog, or for Epilog once the job has ended."""
    tasks = job.request.ntasks or sum(share.tasks for share in job.holding.shares) if job.holding is not None else 0
    return {
        **_of_both(job, settings), **_of_end(job), "SLURM_CONF": conf_path, "SLURM_UID": str(job.owner.uid), "SLURM_NTASKS": str(tasks),
        "SLURM_NODELIST": hostlist.compress(job.holding.nodes) if job.holding is not None else ""}


def of_node(share: NodeShare) -> dict[str, str]:
    """What differs from node to node."""
    known: dict[str, str] = {"SLURMD_NODENAME": share.node}
    gpus = share.gres.get("gpu")
    if gpus:
        shown = ",".join(map(str, gpus))
        known.update({"SLURM_JOB_GPUS": shown, **dict.fromkeys(gpu_bind.SEEN_BY, shown)})
    return known


def on_node(job: Job, node: str, settings: Settings, conf_path: str) -> dict[str, str]:
    """All of it for one node; {} where nothing is known any more of what the attempt held."""
    share = next((share for share in job.holding.shares if share.node == node), None) if job.holding is not None else None
    return {**of_nodes(job, settings, conf_path), **of_node(share)} if share is not None else {}


def of_controller(job: Job, shape: ArrayPart | None, settings: Settings, kind: str, conf_path: str) -> dict[str, str]:
    """For PrologSlurmctld (`kind` prolog) and EpilogSlurmctld (epilog)."""
    return {
        **_of_both(job, settings), **array_variables(job, shape), **(_of_end(job) if kind == "epilog" else {}),
        "SLURM_CONF": os.path.abspath(conf_path), "SLURM_SCRIPT_CONTEXT": f"{kind}_slurmctld"}
