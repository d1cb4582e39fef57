"""What a partition adds to a request: another partition, defaults for each GPU, from where it is submitted. The real Slurm 22.05 does the same."""

from __future__ import annotations

import pytest

from slurm.core.cluster import Cluster
from slurm.core.partition_update import update_partition
from slurm.core.update import update_job
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted
from slurm.model.partition import Partition
from slurm.testing import builders as b


def lab(*more: tuple[str, dict[str, object]], **settings: object) -> Cluster:
    """Two nodes with four GPUs each in partition debug, and these partitions beside it."""
    nodes = [b.node(f"cn{i:02d}", 16, 16000, 4, position=i) for i in (1, 2)]
    partitions = [b.partition("debug", nodes, default=True), *(b.partition(name, nodes, **fields) for name, fields in more)]
    return b.build(nodes, partitions, b.Settings(**{"gres_types": ["gpu"], "def_mem_per_cpu": 100} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(("asked", "cpus_per_gpu", "memory"), [
    ({"gpus": "2"}, 3, (100, None)),
    ({"gres": "gpu:2"}, 3, (100, None)),
    ({"gpus": "2", "partition": "gpus"}, 2, (None, 700)),
    ({"gpus_per_node": "1", "nodes_min": 2, "partition": "gpus"}, 2, (None, 700)),
    ({"gpus": "2", "cpus_per_gpu": 1, "partition": "gpus"}, 1, (None, 700)),
    ({"gpus": "2", "cpus_per_task": 2, "partition": "gpus"}, 0, (None, 700)),
    ({"gpus": "2", "mem_per_gpu": 100, "partition": "gpus"}, 2, (None, 100)),
    ({"gpus": "2", "mem_per_node": 100, "partition": "gpus"}, 2, (None, None)),
    ({"partition": "gpus"}, 0, (100, None)),
])
def test_a_job_with_gpus_gets_the_defaults_of_its_partition_before_those_of_the_cluster(
        asked: dict[str, object], cpus_per_gpu: int, memory: tuple[int | None, int | None]) -> None:
    c = lab(("gpus", {"job_defaults": "DefCpuPerGPU=2,DefMemPerGPU=700"}), job_defaults="DefCpuPerGPU=3")
    request = b.submit(c, **asked).request  # type: ignore[arg-type]
    assert (request.cpus_per_gpu, request.mem_per_cpu, request.mem_per_gpu) == (cpus_per_gpu, *memory)


def test_a_partition_that_takes_no_jobs_gives_way_to_its_alternate() -> None:
    c = lab(("old", {"state": "DRAIN", "alternate": "debug"}), ("older", {"state": "INACTIVE", "alternate": "old"}), ("down", {"state": "DOWN", "alternate": "debug"}))
    assert [b.submit(c, partition=name).partition for name in ("old", "older", "down", "older,debug")] == ["debug", "debug", "down", "debug"]


def test_alternates_that_lead_nowhere_leave_the_refusal_as_it_was() -> None:
    c = lab(("one", {"state": "DRAIN", "alternate": "two"}), ("two", {"state": "INACTIVE", "alternate": "one"}), ("alone", {"state": "DRAIN", "alternate": "gone"}))
    for name in ("one", "alone"):
        with pytest.raises(NotNow, match="Required partition not available") as raised:
            b.submit(c, partition=name)
        assert name in raised.value.hints[0]


def test_a_waiting_job_moves_to_the_alternate_only_when_its_partition_is_changed() -> None:
    c = lab(("old", {"alternate": "debug"}))
    job = b.submit(c, partition="old", hold=True)
    c.partitions["old"].state = "DRAIN"
    for event in update_job(c, str(job.id), {"TimeLimit": "5"}, b.ROOT, b.T0):
        c.apply(event)
    assert job.partition == "old"
    other = b.submit(c, hold=True)
    for event in update_job(c, str(other.id), {"Partition": "old"}, b.ROOT, b.T0):
        c.apply(event)
    assert other.partition == "debug"


def test_jobs_are_submitted_from_the_machines_of_alloc_nodes_only() -> None:
    c = lab(("far", {"alloc_nodes": "head,login[1-2]"}), ("near", {"alloc_nodes": "head"}))
    assert b.submit(c, partition="far", submit_host="elsewhere").partition == "far", "it is the machine that the connection comes from that counts"
    with pytest.raises(NotPermitted, match="Access/permission denied") as raised:
        b.submit(c, partition="near", submit_host="head")
    assert raised.value.hints == ("partition near: jobs for it are submitted on head (AllocNodes), not on login1",)
    nowhere = b.Caller(uid=b.ALICE.uid, gid=b.ALICE.gid, user="alice")
    assert b.submit(c, by=nowhere, partition="near", submit_host="head.example.org").partition == "near", "what a token does not tell, the client does"


def changed(c: Cluster, **keys: str) -> Partition:
    for event in update_partition(c, "debug", keys, b.ROOT, b.T0):
        c.apply(event)
    return c.partitions["debug"]


def test_scontrol_changes_defaults_and_alternates_and_refuses_what_is_none() -> None:
    c = lab(("old", {}))
    assert changed(c, JobDefaults="DefCpuPerGPU=4").job_defaults == "DefCpuPerGPU=4"
    assert changed(c, JobDefaults="(null)").job_defaults == ""
    assert changed(c, Alternate="old", AllocNodes="login[1-3]").alternate == "old"
    assert (changed(c, Alternate="(null)").alternate, changed(c, AllocNodes="ALL").alloc_nodes) == ("", "ALL")
    for keys in ({"JobDefaults": "DefCpuPerGPU=many"}, {"Alternate": "nowhere"}, {"AllocNodes": "login[1-"}):
        with pytest.raises(InvalidRequest):
            update_partition(c, "debug", keys, b.ROOT, b.T0)
