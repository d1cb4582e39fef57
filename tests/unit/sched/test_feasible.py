"""What is refused at submission because no node could ever take it, and what is accepted with a warning."""

from __future__ import annotations

import pytest

from slurm.core import admission
from slurm.model.errors import InvalidRequest
from slurm.model.job import Job
from slurm.model.request import JobRequest, PayloadRef
from slurm.sched.feasible import check_request
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b


def asked(cluster: b.Cluster, **request: object) -> Job:
    """A job as admission leaves it, not submitted."""
    return admission.admit(cluster, JobRequest(work_dir="/tmp", **request), PayloadRef(), b.ALICE, b.T0).event.job  # type: ignore[arg-type]


@pytest.mark.parametrize("request_", [
    {"gres": "gpu:h100:1", "partition": "gpu"},
    {"gres": "gpu:8", "partition": "gpu"},
    {"gpus": "3"},
    {"features": "gpu", "partition": "batch"},
    {"features": "gpu", "nodes_min": 2, "nodes_max": 2},
    {"features": "[intel|amd]", "nodes_min": 4, "nodes_max": 4},
    {"cpus_per_task": 17},
    {"mincpus": 17},
    {"sockets_per_node": 4},
    {"threads_per_core": 2},
    {"tmp_disk": 1024},
    {"nodes_min": 2, "nodes_max": 2, "ntasks": 40},
    {"exclude": "cn[01-04]"},
])
def test_what_no_node_could_take_is_refused_as_by_real_slurm(request_: dict[str, object]) -> None:
    c = b.lab_cluster()
    with pytest.raises(InvalidRequest) as caught:
        check_request(Terrain(c), asked(c, **request_))
    assert caught.value.name == "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE"
    assert caught.value.hints


@pytest.mark.parametrize("request_", [{"mem_per_node": 9999 << 10}, {"mem_per_cpu": 65_000, "partition": "batch"}])
def test_too_much_memory_is_named_first(request_: dict[str, object]) -> None:
    c = b.lab_cluster()
    with pytest.raises(InvalidRequest) as caught:
        check_request(Terrain(c), asked(c, **request_))
    assert caught.value.preface == ("Memory specification can not be satisfied",)
    assert caught.value.message == "Requested node configuration is not available"


@pytest.mark.parametrize("request_", [
    {"nodes_min": 100, "nodes_max": 100}, {"ntasks": 1000, "partition": "batch"}, {"time_limit": 99 * 86400}, {"nodes_min": 3, "partition": "gpu"},
])
def test_what_slurm_accepts_although_it_can_not_start_is_warned_of(request_: dict[str, object]) -> None:
    c = b.lab_cluster()
    warnings = check_request(Terrain(c), asked(c, **request_))
    assert len(warnings) == 1 and warnings[0].startswith("this job can not start as things are: it asks for")


def test_a_job_that_fits_in_one_of_its_partitions_is_accepted_in_silence() -> None:
    c = b.lab_cluster()
    assert check_request(Terrain(c), asked(c, partition="batch,gpu", gres="gpu:1")) == []


def test_nodes_out_of_service_and_running_jobs_do_not_matter() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c), "cn04", gpus=2)
    c.nodes[b.NodeName("cn04")].drain = True
    assert check_request(Terrain(c), asked(c, gres="gpu:2")) == []


def test_the_cap_of_cpus_on_a_node_counts() -> None:
    c = b.lab_cluster()
    c.partitions["batch"].max_cpus_per_node = 4
    assert check_request(Terrain(c), asked(c, partition="batch", ntasks=12)) == []
    with pytest.raises(InvalidRequest) as caught:
        check_request(Terrain(c), asked(c, partition="batch", cpus_per_task=5))
    assert caught.value.hints == ("5 CPUs a task are asked for, a node of partition batch has at most 4",)


@pytest.mark.parametrize("request_", [{"mem_per_node": 999_999}, {"mem_per_cpu": 40_000, "cpus_per_task": 2}])
def test_memory_that_is_not_given_out_must_exist_all_the_same(request_: dict[str, object]) -> None:
    c = b.cluster(memory=64000, select_memory=False)
    with pytest.raises(InvalidRequest) as refused:
        check_request(Terrain(c), asked(c, **request_))
    assert (refused.value.message, refused.value.preface) == (
        "Requested node configuration is not available", ("Memory specification can not be satisfied",))
    assert check_request(Terrain(c), asked(c, mem_per_node=64000)) == []
