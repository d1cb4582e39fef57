"""The SLURM_* variables that a job, its allocation and its steps see, as far as the controller knows them.

slurmd and stepd add what only the node knows (SLURM_TASK_PID, TMPDIR, CUDA_VISIBLE_DEVICES …). Pure functions from records to mappings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from slurm.core import network
from slurm.model.job import Allocation, ArrayPart, Job, NodeShare, Step
from slurm.model.settings import Settings
from slurm.notation import gpu_bind, hostlist, number_ranges, sluid
from slurm.notation import gres as gres_notation


def repeated(counts: list[int]) -> str:
    """Counts per node the way Slurm folds them: [4, 4, 2] → "4(x2),2"."""
    parts = []
    for value, run in groupby(counts):
        times = len(list(run))
        parts.append(f"{value}(x{times})" if times > 1 else str(value))
    return ",".join(parts)


def _memory(job: Job, allocation: Allocation) -> dict[str, str]:
    request = job.request
    if request.mem_per_gpu is not None:
        return {"SLURM_MEM_PER_GPU": str(request.mem_per_gpu)}
    if request.mem_per_cpu is not None:
        return {"SLURM_MEM_PER_CPU": str(request.mem_per_cpu)}
    if request.mem_per_node is not None:
        shares = allocation.shares
        return {"SLURM_MEM_PER_NODE": str(request.mem_per_node or (shares[0].memory if shares else 0))}
    return {}


def _sizes(job: Job, allocation: Allocation) -> dict[str, str]:
    request = job.request
    env = {
        "SLURM_JOB_CPUS_PER_NODE": repeated([share.cpu_count for share in allocation.shares]),
        "SLURM_TASKS_PER_NODE": repeated([share.tasks for share in allocation.shares]),
    }
    tasks = sum(share.tasks for share in allocation.shares)
    if request.ntasks or request.ntasks_per_node or request.cpus_per_task or request.ntasks_per_gpu:
        env["SLURM_NTASKS"] = env["SLURM_NPROCS"] = str(request.ntasks or tasks)
    for field, names in (
        ("cpus_per_task", ("SLURM_CPUS_PER_TASK",)), ("ntasks_per_node", ("SLURM_NTASKS_PER_NODE",)),
        ("ntasks_per_core", ("SLURM_NTASKS_PER_CORE",)), ("ntasks_per_socket", ("SLURM_NTASKS_PER_SOCKET",)),
        ("ntasks_per_gpu", ("SLURM_NTASKS_PER_GPU",)), ("threads_per_core", ("SLURM_THREADS_PER_CORE",)),
        ("gpus", ("SLURM_GPUS",)), ("gpus_per_node", ("SLURM_GPUS_PER_NODE",)), ("gpus_per_socket", ("SLURM_GPUS_PER_SOCKET",)),
        ("gpus_per_task", ("SLURM_GPUS_PER_TASK",)), ("cpus_per_gpu", ("SLURM_CPUS_PER_GPU",)), ("gpu_bind", ("SLURM_GPU_BIND",)),
        ("distribution", ("SLURM_DISTRIBUTION",)), ("dependency", ("SLURM_JOB_DEPENDENCY",)), ("licenses", ("SLURM_JOB_LICENSES",)),
    ):
        value = getattr(request, field)
        if value:
            for name in names:
                env[name] = str(value)
    if request.cpus_per_task:
        env["SLURM_TRES_PER_TASK"] = f"cpu={request.cpus_per_task}"
    if request.overcommit:
        env["SLURM_OVERCOMMIT"] = "1"
    return env


def allocation_variables(job: Job, settings: Settings, conf_path: str) -> dict[str, str]:
    """What salloc, srun and everything inside the job sees of its allocation; the job must hold one."""
    allocation = job.allocation
    assert allocation is not None
    nodes = hostlist.compress(allocation.nodes)
    env = {
        "SLURM_CLUSTER_NAME": settings.cluster_name,
        "SLURM_CONF": conf_path,
        "SLURM_JOBID": str(job.id),
        "SLURM_JOB_ID": str(job.id),
        "SLURM_JOB_NAME": job.request.name,
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_JOB_NUM_NODES": str(len(allocation.shares)),
        "SLURM_JOB_PARTITION": allocation.partition,
        "SLURM_NNODES": str(len(allocation.shares)),
        "SLURM_NODELIST": nodes,
        "SLURM_SUBMIT_DIR": job.request.work_dir,
        "SLURM_SUBMIT_HOST": job.request.submit_host,
        **_sizes(job, allocation),
        **_memory(job, allocation),
    }
    if job.request.account:
        env["SLURM_JOB_ACCOUNT"] = job.request.account
    qos = job.request.qos or settings.default_qos
    if qos:
        env["SLURM_JOB_QOS"] = qos
    if allocation.reservation:
        env["SLURM_JOB_RESERVATION"] = allocation.reservation
    return env


_OF_ALL = frozenset({
    "SLURM_CLUSTER_NAME", "SLURM_CONF", "SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST", "SLURM_JOB_DEPENDENCY"})
"""Variables of an allocation that are not told of each component."""


def component_variables(members: Sequence[Job], settings: Settings, conf_path: str) -> dict[str, str]:
    """What tells of each component of a heterogeneous job: the usual names with _HET_GROUP_ and its number behind.

    Those that have ended are left out.
    """
    env = {"SLURM_HET_SIZE": str(len(members[0].het))}
    for job in members:
        if job.allocation is None:
            continue
        for name, value in allocation_variables(job, settings, conf_path).items():
            if name not in _OF_ALL:
                env[f"{name}_HET_GROUP_{job.het_offset}"] = value
    return env


def allocations_variables(members: Sequence[Job], settings: Settings, conf_path: str) -> dict[str, str]:
    """What salloc's program sees of a heterogeneous allocation: all of it by component, what it has in common, and how many tasks it
    has."""
    leader = members[0]
    env = {name: value for name, value in allocation_variables(leader, settings, conf_path).items() if name in _OF_ALL}
    tasks = str(sum(share.tasks for job in members if job.allocation is not None for share in job.allocation.shares))
    return {
        **env, "SLURM_JOB_ID": str(leader.id), "SLURM_JOBID": str(leader.id), "SLURM_NTASKS": tasks, "SLURM_NPROCS": tasks,
        **component_variables(members, settings, conf_path)}


def spanning_variables(parts: Sequence[tuple[Job, Step]]) -> dict[str, str]:
    """What every task of a step sees that runs on components of a heterogeneous job, as if these were one job: the leader's id, all nodes
    and tasks."""
    shares = [share for job, _ in parts if job.allocation is not None for share in job.allocation.shares]
    given = [share for _, step in parts for share in step.shares]
    nodes, hosts = list(dict.fromkeys(share.node for share in shares)), list(dict.fromkeys(share.node for share in given))
    tasks, per_node = str(sum(step.ntasks for _, step in parts)), repeated([share.tasks for share in given])
    leader = str(parts[0][0].het_job)
    return {
        "SLURM_JOBID": leader, "SLURM_JOB_ID": leader,
        "SLURM_JOB_NODELIST": hostlist.compress(nodes), "SLURM_NODELIST": hostlist.compress(nodes), "SLURM_JOB_NUM_NODES": str(len(nodes)),
        "SLURM_JOB_CPUS_PER_NODE": repeated([share.cpu_count for share in shares]), "SLURM_NNODES": str(len(hosts)),
        "SLURM_TASKS_PER_NODE": per_node, "SLURM_STEP_TASKS_PER_NODE": per_node, "SLURM_STEP_NODELIST": hostlist.compress(hosts),
        "SLURM_STEP_NUM_NODES": str(len(hosts)), "SLURM_STEP_NUM_TASKS": tasks, "SLURM_NTASKS": tasks, "SLURM_NPROCS": tasks}


def gpu_variables(share: NodeShare) -> dict[str, str]:
    """What tells programs which GPUs of this node are theirs; empty without any."""
    gpus = share.gres.get("gpu")
    if not gpus:
        return {}
    indexes = ",".join(map(str, gpus))
    return {
        "SLURM_GPUS_ON_NODE": str(len(gpus)),
        "SLURM_JOB_GPUS": indexes,
        **dict.fromkeys(gpu_bind.SEEN_BY, indexes),
    }


def array_variables(job: Job, shape: ArrayPart | None) -> dict[str, str]:
    """What a task of an array sees of it; empty for any other job."""
    if job.array_task is None or shape is None:
        return {}
    return {
        "SLURM_ARRAY_JOB_ID": str(job.array_job),
        "SLURM_ARRAY_TASK_ID": str(job.array_task),
        "SLURM_ARRAY_TASK_COUNT": str(shape.count),
        "SLURM_ARRAY_TASK_MAX": str(shape.highest),
        "SLURM_ARRAY_TASK_MIN": str(shape.lowest),
        "SLURM_ARRAY_TASK_STEP": str(shape.step),
    }


def job_variables(job: Job, shape: ArrayPart | None, settings: Settings, conf_path: str) -> dict[str, str]:
    """What every process inside a started job sees, whatever its node; `shape` is the array that it is a task of."""
    limit_end = int(job.start_time + job.time_limit) if job.time_limit >= 0 else 0
    request = job.request
    env = {
        **allocation_variables(job, settings, conf_path),
        **array_variables(job, shape),
        "SLURM_JOB_EXCLUSIVE": "YES" if job.allocation is not None and job.allocation.exclusive else "NO",
        "SLURM_JOB_GID": str(job.owner.gid),
        "SLURM_JOB_OVERSUBSCRIBE": "YES" if request.oversubscribe else "NO",
        "SLURM_JOB_SLUID": sluid.show(job.submit_time, job.id),
        "SLURM_JOB_START_TIME": str(int(job.start_time)),
        "SLURM_JOB_UID": str(job.owner.uid),
        "SLURM_JOB_USER": job.owner.user,
        "SLURM_OOM_KILL_STEP": "0",
        "SLURM_RESTART_COUNT": str(job.restarts),
        "OMPI_MCA_plm_slurm_args": "--external-launcher",
    }
    if limit_end:
        env["SLURM_JOB_END_TIME"] = str(limit_end)
    if request.export_env:
        env["SLURM_EXPORT_ENV"] = request.export_env
    return env


def batch_variables(
    job: Job, shape: ArrayPart | None, settings: Settings, conf_path: str, topology: str = "", members: Sequence[Job] = (),
) -> dict[str, str]:
    """What the batch script sees; it is task 0 of step -5 on the job's first node.

    `topology` is the one of its partition, `members` are the components of a heterogeneous job.
    """
    assert job.allocation is not None
    share = job.allocation.shares[0]
    address, pattern = network.address(settings.topologies, topology, share.node)
    return {
        **job_variables(job, shape, settings, conf_path),
        **(component_variables(members, settings, conf_path) if members else {}),
        **gpu_variables(share),
        "SLURMD_NODENAME": share.node,
        "HOSTNAME": share.node,
        "SLURM_CPUS_ON_NODE": str(share.cpu_count),
        "SLURM_GTIDS": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_PROCID": "0",
        "SLURM_STEPID": "-5",
        "SLURM_STEP_ID": "-5",
        "SLURM_TOPOLOGY_ADDR": address,
        "SLURM_TOPOLOGY_ADDR_PATTERN": pattern,
    }


def step_variables(job: Job, shape: ArrayPart | None, step: Step, settings: Settings, conf_path: str) -> dict[str, str]:
    """What every task of a step sees, whatever its node and rank."""
    assert job.allocation is not None
    nodes = hostlist.compress(step.nodes)
    per_node = repeated([share.tasks for share in step.shares])
    request = step.request
    env = {
        **job_variables(job, shape, settings, conf_path),
        "SLURM_DISTRIBUTION": request.distribution or job.request.distribution or "block",
        "SLURM_JOB_GROUP": job.owner.group,
        "SLURM_NNODES": str(len(step.shares)),
        "SLURM_TASKS_PER_NODE": per_node,
        "SLURM_STEPID": str(step.id),
        "SLURM_STEP_ID": str(step.id),
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_NUM_NODES": str(len(step.shares)),
        "SLURM_STEP_NUM_TASKS": str(step.ntasks),
        "SLURM_STEP_TASKS_PER_NODE": per_node,
        "SLURM_NTASKS": str(step.ntasks),
        "SLURM_NPROCS": str(step.ntasks),
    }
    if request.cpus_per_task:
        env["SLURM_CPUS_PER_TASK"] = str(request.cpus_per_task)
        env["SLURM_TRES_PER_TASK"] = f"cpu={request.cpus_per_task}"
    if step.ports:
        env["SLURM_STEP_RESV_PORTS"] = number_ranges.show(step.ports)
    gres = gres_notation.parse(request.gres) if request.gres else []
    if gres:
        env["SLURM_STEP_GRES"] = request.gres
    return env
