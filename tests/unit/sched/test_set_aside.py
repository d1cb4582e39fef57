"""Cores and memory that nodes set aside for the system, and how a partition gives out CPUs its own way; numbers as a real Slurm 22.05 has them."""

from __future__ import annotations

import pytest

from slurm.core.cluster import Cluster
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import InvalidRequest
from slurm.model.job import Allocation
from slurm.model.node import Node
from slurm.notation import gres
from slurm.render.scontrol_cluster import show_node
from slurm.render.view import View
from slurm.sched.feasible import check_request
from slurm.sched.plan import plan
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b

SHAPE: dict[str, object] = {"sockets": 2, "cores_per_socket": 4, "threads_per_core": 2}


def kept(name: str, cores: int = 0, cpus: tuple[int, ...] = (), **fields: object) -> Node:
    """A node of 2 × 4 cores with 2 threads each, of which so many cores or these CPUs are set aside."""
    node = b.node(name, 16, 16000, 4, **SHAPE, **fields)  # type: ignore[arg-type]
    node.spec_cpus = CpuSet.of(cpus) or node.aside(cores)
    node.spec_cores = len(node.spec_cpus) // 2
    return node


def lab(**settings: object) -> Cluster:
    """cn01 and cn02 keep three cores and 1,000 MB, cn03 the CPUs 0-1 and 4-5; cn04 has eight CPUs, each a core of two threads."""
    nodes = [kept("cn01", 3, position=1, spec_memory=1000), kept("cn02", 3, position=2, spec_memory=1000), kept("cn03", 0, (0, 1, 4, 5), position=3),
             b.node("cn04", 8, 16000, 4, position=4, **SHAPE)]  # type: ignore[arg-type]
    rules = b.Settings(**{"gres_types": ["gpu"], "def_mem_per_cpu": 100, "spec_usage": True} | settings)  # type: ignore[arg-type]
    return b.build(nodes, [b.partition("debug", nodes, default=True)], rules)


def view_of(c: Cluster) -> View:
    return View(settings=c.settings, nodes=c.nodes, partitions=c.partitions, jobs=c.jobs, now=b.T0)


def given(c: Cluster, **request: object) -> Allocation:
    job = b.submit(c, **request)
    check_request(Terrain(c), job)
    found = [one for one in plan(c, b.T0).proposals if one.job == job.id]
    assert found, request
    event = c.starting(job.id, None, found[0].allocation, b.T0)
    assert event is not None
    c.apply(event)
    return found[0].allocation


def shown(allocation: Allocation) -> list[tuple[str, str, int]]:
    return [(share.node, gres.show_indices(list(share.cpus)), share.memory) for share in allocation.shares]


@pytest.mark.parametrize(("request_", "expected"), [
    ({"nodelist": "cn01"}, [("cn01", "0-1", 200)]),
    ({"nodelist": "cn01", "exclusive": "node"}, [("cn01", "0-5,8-11", 1000)]),
    ({"nodelist": "cn01", "ntasks": 12}, [("cn01", "0-5,8-11", 1000), ("cn02", "0-1", 200)]),
    ({"nodes_min": 1, "nodes_max": 1, "ntasks": 12}, [("cn03", "2-3,6-15", 1200)]),
    ({"nodelist": "cn01", "core_spec": 1}, [("cn01", "0-5,8-15", 1400)]),
    ({"nodelist": "cn01", "core_spec": 0}, [("cn01", "0-15", 1600)]),
    ({"nodelist": "cn01", "core_spec": 0, "ntasks": 14}, [("cn01", "0-15", 1600)]),
    ({"nodelist": "cn01", "core_spec": 4}, [("cn01", "0-3,8-11", 800)]),
    ({"nodelist": "cn01", "thread_spec": 2}, [("cn01", "0-5,8-11", 1000)]),
    ({"nodelist": "cn01", "core_spec": 3}, [("cn01", "0-5,8-11", 1000)]),
    ({"nodelist": "cn03", "core_spec": 1}, [("cn03", "2-15", 1400)]),
    ({"nodelist": "cn04", "core_spec": 7}, [("cn04", "0", 100)]),
    ({"mem_per_node": 15500}, [("cn03", "2-3", 15500)]),
    ({"nodelist": "cn01", "mem_per_node": 0}, [("cn01", "0-1", 15000)]),
    ({"nodelist": "cn04", "cpus_per_task": 5}, [("cn04", "0-2,4-5", 500)]),
])
def test_jobs_get_what_is_not_set_aside(request_: dict[str, object], expected: list[tuple[str, str, int]]) -> None:
    assert shown(given(lab(), **request_)) == expected


@pytest.mark.parametrize("request_", [{"nodelist": "cn01", "core_spec": 9}, {"nodelist": "cn04", "core_spec": 8}, {"nodelist": "cn01", "mem_per_node": 15500},
                                      {"nodelist": "cn01", "nodes_max": 1, "ntasks": 11}])
def test_what_no_node_leaves_to_jobs_is_refused_at_submission(request_: dict[str, object]) -> None:
    c = lab()
    with pytest.raises(InvalidRequest, match="Requested node configuration is not available"):
        check_request(Terrain(c), b.submit(c, **request_))


def test_without_allow_spec_resources_usage_a_jobs_own_count_changes_nothing_and_is_told_of() -> None:
    c = lab(spec_usage=False)
    admitted = b.admission.admit(c, b.JobRequest(name="job", core_spec=0), b.PayloadRef(), b.ALICE, b.T0)
    assert (admitted.event.job.request.core_spec, admitted.event.job.request.exclusive) == (None, "")
    assert any("AllowSpecResourcesUsage=NO" in line for line in admitted.warnings)


def test_cores_are_set_aside_socket_by_socket_from_the_last_or_from_the_first() -> None:
    node = b.node("cn01", 16, 16000, **SHAPE)  # type: ignore[arg-type]
    assert [gres.show_indices(list(node.aside(count))) for count in (1, 2, 3)] == ["14-15", "6-7,14-15", "6-7,12-15"]
    assert gres.show_indices(list(node.aside(3, lowest_first=True))) == "0-3,8-9"


def test_scontrol_shows_what_is_set_aside() -> None:
    c = lab()
    lines = "\n".join(show_node(c.nodes[b.NodeName("cn01")], view_of(c)))
    for text in ("CPUEfctv=10 CPUTot=16", "CoreSpecCount=3 CPUSpecList=6-7,12-15 MemSpecLimit=1000", "CfgTRES=cpu=10,mem=16000M,billing=10"):
        assert text in lines
    assert "CoreSpecCount=2 CPUSpecList=0-1,4-5 \n" in "\n".join(show_node(c.nodes[b.NodeName("cn03")], view_of(c)))
    assert "Spec" not in "\n".join(show_node(c.nodes[b.NodeName("cn04")], view_of(c)))


def partitioned(**fields: object) -> Cluster:
    nodes = [b.node(f"cn{i:02d}", 16, 16000, position=i, **SHAPE) for i in (1, 2)]  # type: ignore[arg-type]
    return b.build(nodes, [b.partition("debug", nodes, default=True), b.partition("own", nodes, **fields)], b.Settings(def_mem_per_cpu=100))


def test_a_partition_gives_out_sockets_where_the_cluster_gives_out_cores() -> None:
    c = partitioned(select_type="CR_SOCKET_MEMORY", def_mem_per_node=50)
    assert shown(given(c, partition="own")) == [("cn01", "0-7", 50)]
    assert shown(given(c)) == [("cn01", "8-9", 200)]
    assert shown(given(c, partition="own", ntasks=9)) == [("cn02", "0-15", 50)]


def test_a_partition_may_leave_memory_out() -> None:
    assert shown(given(partitioned(select_type="CR_SOCKET"), partition="own")) == [("cn01", "0-7", 0)]


def test_jobs_of_a_partition_together_hold_no_more_of_a_socket_than_it_allows() -> None:
    c = partitioned(max_cpus_per_socket=4)
    assert [shown(given(c, partition="own", ntasks=count))[0][:2] for count in (3, 4)] == [("cn01", "0-1,8-9"), ("cn01", "2-3,10-11")]
    assert shown(given(c, partition="own", ntasks=2)) == [("cn02", "0-1", 200)]
    assert shown(given(c, ntasks=8)) == [("cn01", "4-7,12-15", 800)], "other partitions have the rest"
    with pytest.raises(InvalidRequest):
        check_request(Terrain(c), b.submit(c, partition="own", nodes_min=1, nodes_max=1, ntasks=9))
