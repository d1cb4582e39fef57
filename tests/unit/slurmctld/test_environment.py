"""The variables inside jobs, against the recorded ones; and the paths and devices of an order to slurmd."""

import pytest

from slurm.core import events as e
from slurm.core.effects import Launch, Signal, Terminate
from slurm.model.cpu_set import CpuSet
from slurm.model.ids import BATCH_STEP, StepId
from slurm.model.job import NodeShare, Step
from slurm.model.node import GresPool
from slurm.model.request import StepRequest
from slurm.slurmctld import environment as env
from slurm.slurmctld import launch
from slurm.testing import builders as b


@pytest.mark.parametrize(("counts", "text"), [([4], "4"), ([4, 4, 2], "4(x2),2"), ([1, 2, 1], "1,2,1"), ([], "")])
def test_counts_are_folded_as_slurm_folds_them(counts: list[int], text: str) -> None:
    assert env.repeated(counts) == text


def test_an_allocation_of_two_nodes_is_described_to_what_runs_in_it() -> None:
    cluster = b.lab_cluster()
    job = b.started(cluster, "cn01", "cn02", ntasks=4, cpus_per_task=2, nodes_min=2, name="train", mem_per_cpu=500, time_limit=600)
    found = env.batch_variables(job, None, cluster.settings, "/etc/slurm/slurm.conf")
    expected = {
        "SLURM_JOB_ID": str(job.id), "SLURM_JOBID": str(job.id), "SLURM_JOB_NAME": "train", "SLURM_JOB_NODELIST": "cn[01-02]", "SLURM_NNODES": "2",
        "SLURM_NODELIST": "cn[01-02]", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "4", "SLURM_NPROCS": "4", "SLURM_CPUS_PER_TASK": "2",
        "SLURM_TRES_PER_TASK": "cpu=2", "SLURM_MEM_PER_CPU": "500", "SLURM_CLUSTER_NAME": "lab", "SLURM_CONF": "/etc/slurm/slurm.conf",
        "SLURM_JOB_USER": "alice", "SLURM_JOB_UID": "1001", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0",
        "SLURMD_NODENAME": "cn01", "SLURM_JOB_PARTITION": "debug", "SLURM_RESTART_COUNT": "0",
        "SLURM_JOB_END_TIME": str(int(job.start_time + 600)), "SLURM_JOB_START_TIME": str(int(job.start_time))}
    assert expected.items() <= found.items()
    assert "CUDA_VISIBLE_DEVICES" not in found and "SLURM_ARRAY_JOB_ID" not in found


def test_gpus_are_told_by_their_indexes_on_the_node() -> None:
    found = env.gpu_variables(NodeShare(node=b.node().name, cpus=CpuSet(1), gres={"gpu": CpuSet(0b1010)}))
    assert found["CUDA_VISIBLE_DEVICES"] == found["SLURM_JOB_GPUS"] == "1,3" and found["SLURM_GPUS_ON_NODE"] == "2"
    assert env.gpu_variables(NodeShare(node=b.node().name, cpus=CpuSet(1))) == {}


def test_a_task_of_an_array_knows_its_number_and_the_whole() -> None:
    cluster = b.cluster(2)
    master = b.submit(cluster, array="2-10:4%2")
    shape = cluster.arrays[master.id].shape
    allocation = b.started(b.cluster(2), "cn01").allocation
    assert allocation is not None
    event = cluster.starting(master.id, 6, allocation, b.T0)
    assert isinstance(event, e.Started)
    cluster.apply(event)
    job = cluster.task(master.id, 6)
    assert job is not None
    found = env.job_variables(job, shape, cluster.settings, "")
    assert {k: v for k, v in found.items() if k.startswith("SLURM_ARRAY")} == {
        "SLURM_ARRAY_JOB_ID": str(master.id), "SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MAX": "10",
        "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_STEP": "4"}


def test_a_step_knows_its_own_nodes_and_tasks() -> None:
    cluster = b.cluster(2)
    job = b.started(cluster, "cn01", "cn02", ntasks=4)
    assert job.allocation is not None
    share = job.allocation.shares[0]
    step = Step(id=StepId(3), name="s", start_time=b.T0, request=StepRequest(cpus_per_task=2, gres="gpu:1"), shares=[share], ntasks=1,
        ports=[12000, 12001, 12007])
    found = env.step_variables(job, None, step, cluster.settings, "")
    expected = {"SLURM_STEP_ID": "3", "SLURM_STEP_NODELIST": "cn01", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1", "SLURM_CPUS_PER_TASK": "2",
                "SLURM_STEP_GRES": "gpu:1", "SLURM_STEP_RESV_PORTS": "12000-12001,12007",
                "SLURM_JOB_NODELIST": "cn[01-02]"}
    assert expected.items() <= found.items()


def test_files_of_a_batch_job_are_absolute_with_patterns_expanded() -> None:
    cluster = b.cluster(1)
    job = b.started(cluster, "cn01", work_dir="/home/alice", stdout="logs/%x-%5j.%N", name="train")
    assert launch.output_paths(job, "cn01") == ("/dev/null", f"/home/alice/logs/train-{job.id:05d}.cn01", f"/home/alice/logs/train-{job.id:05d}.cn01")
    other = b.started(cluster, "cn01", work_dir="/tmp", stderr="/var/err", stdin="in")
    assert launch.output_paths(other, "cn01") == ("/tmp/in", f"/tmp/slurm-{other.id}.out", "/var/err")


def test_devices_are_those_of_the_share_in_index_order_across_pools() -> None:
    node = b.node()
    node.gres = [
        GresPool(name="gpu", type="a100", count=2, files=["/dev/n0", "/dev/n1"]), GresPool(name="tape", type="", count=4),
        GresPool(name="gpu", type="h100", count=2, first=2, files=["/dev/n2", ""])]
    assert launch.device_files(node, NodeShare(node=node.name, cpus=CpuSet(1), gres={"gpu": CpuSet(0b1110), "tape": CpuSet(0b11)})) == ["/dev/n1", "/dev/n2"]
    assert launch.device_files(node, NodeShare(node=node.name, cpus=CpuSet(1))) == []


@pytest.mark.parametrize(("mode", "cluster_appends", "restarts", "append"), [
    ("", False, 0, False), ("", False, 1, True), ("", True, 0, True), ("append", False, 0, True), ("truncate", True, 1, False)])
def test_output_is_appended_to_when_asked_or_when_it_runs_again(mode: str, cluster_appends: bool, restarts: int, append: bool) -> None:
    cluster = b.cluster(1, job_file_append=cluster_appends)
    job = b.started(cluster, "cn01", open_mode=mode)
    job.restarts = restarts
    node = next(iter(cluster.nodes.values()))
    order = launch.batch_order(job, None, Launch(job=job.id, attempt=1, node=node.name), node, cluster.settings, "", "#!/bin/sh\n", {"MINE": "1"})
    assert order.append is append
    assert order.environment["MINE"] == "1" and order.environment["SLURM_JOB_ID"] == str(job.id)


def test_a_submitters_variable_never_hides_what_the_job_is_told() -> None:
    cluster = b.cluster(1)
    job = b.started(cluster, "cn01")
    node = next(iter(cluster.nodes.values()))
    order = launch.batch_order(
        job, None, Launch(job=job.id, attempt=1, node=node.name), node, cluster.settings, "", "", {"SLURM_JOB_ID": "999", "SLURM_NTASKS": "77"})
    assert order.environment["SLURM_JOB_ID"] == str(job.id)


def test_signals_go_to_a_step_to_the_script_or_to_everything() -> None:
    node = b.node().name
    base = Signal(job=b.started(b.cluster(1), "cn01").id, attempt=2, nodes=(node,), signal=10)
    assert (launch.signal_order(base).step, launch.signal_order(base).batch) == (None, False)
    to_script = launch.signal_order(Signal(job=base.job, attempt=2, nodes=(node,), signal=10, step=BATCH_STEP))
    assert (to_script.step, to_script.batch) == (None, True)
    to_step = launch.signal_order(Signal(job=base.job, attempt=2, nodes=(node,), signal=10, step=StepId(4), full=True))
    assert (to_step.step, to_step.full, to_step.attempt) == (4, True, 2)
    ending = launch.terminate_order(Terminate(job=base.job, attempt=2, nodes=(node,), why="timeout", at=5.0), b.cluster(1, kill_wait=7).settings, {"SLURM_JOB_ID": "1"})
    assert (ending.why, ending.kill_wait, ending.at, ending.epilog) == ("timeout", 7, 5.0, {"SLURM_JOB_ID": "1"})


def test_inside_a_step_the_counts_of_nodes_and_tasks_are_the_steps() -> None:
    cluster = b.cluster(3)
    job = b.started(cluster, "cn01", "cn02", "cn03")
    assert job.allocation is not None
    step = Step(id=StepId(0), name="s", start_time=b.T0, shares=job.allocation.shares[:2], ntasks=2)
    found = env.step_variables(job, None, step, cluster.settings, "")
    assert (found["SLURM_NNODES"], found["SLURM_TASKS_PER_NODE"]) == ("2", "1(x2)")
    assert (found["SLURM_JOB_NUM_NODES"], found["SLURM_NODELIST"]) == ("3", "cn[01-03]")


def test_tasks_per_gpu_make_a_number_of_tasks_that_the_job_is_told() -> None:
    cluster = b.cluster(1, gpus=2)
    job = b.started(cluster, "cn01", gpus="2", ntasks_per_gpu=2)
    assert job.allocation is not None
    job.allocation.shares[0].tasks = 4
    assert env.job_variables(job, None, cluster.settings, "")["SLURM_NTASKS"] == "4"


@pytest.mark.parametrize(("gpus", "handed_on"), [(2, False), (0, True)])
def test_the_submitters_gpus_are_not_the_jobs_where_the_cluster_gives_gpus_out(gpus: int, handed_on: bool) -> None:
    cluster = b.cluster(1, gpus=gpus)
    job = b.started(cluster, "cn01")
    node = next(iter(cluster.nodes.values()))
    own = {"CUDA_VISIBLE_DEVICES": "5", "ROCR_VISIBLE_DEVICES": "5", "ZE_AFFINITY_MASK": "5", "GPU_DEVICE_ORDINAL": "5", "SLURM_JOB_GPUS": "5"}
    order = launch.batch_order(job, None, Launch(job=job.id, attempt=1, node=node.name), node, cluster.settings, "", "", own)
    assert (own.items() <= order.environment.items(), bool(own.keys() & order.environment.keys())) == (handed_on, handed_on)
