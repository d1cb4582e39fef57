"""How many nodes, CPUs and tasks a job gets on an idle cluster; the rows marked so were taken from a real Slurm 22.05 on the same cluster."""

from __future__ import annotations

import pytest

from slurm.core import steps
from slurm.core.cluster import Cluster
from slurm.model.cpu_set import CpuSet
from slurm.model.job import Allocation
from slurm.model.node import GresPool
from slurm.model.request import StepRequest
from slurm.sched.plan import plan
from slurm.testing import builders as b

Shape = list[tuple[str, int, int]]


def shape(allocation: Allocation) -> Shape:
    """(node, CPUs, tasks) in rank order."""
    return [(share.node, share.cpu_count, share.tasks) for share in allocation.shares]


def start_on(cluster: Cluster, **request: object) -> Allocation | None:
    """What a job alone in the queue is given now."""
    job = b.submit(cluster, **request)
    found = [proposal.allocation for proposal in plan(cluster, b.T0).proposals if proposal.job == job.id]
    return found[0] if found else None


def shaped(**request: object) -> Shape:
    """The shape of a job on the idle cluster of the reference."""
    found = start_on(b.lab_cluster(), **request)
    assert found is not None
    return shape(found)


REAL: list[tuple[str, dict[str, object], Shape]] = [
    ("-N2 -n5", {"nodes_min": 2, "nodes_max": 2, "ntasks": 5}, [("cn01", 4, 4), ("cn02", 1, 1)]),
    ("-n20", {"ntasks": 20}, [("cn01", 16, 16), ("cn02", 4, 4)]),
    ("-N2", {"nodes_min": 2, "nodes_max": 2}, [("cn01", 1, 1), ("cn02", 1, 1)]),
    ("-N3 -n7 -c4", {"nodes_min": 3, "nodes_max": 3, "ntasks": 7, "cpus_per_task": 4}, [("cn01", 16, 4), ("cn02", 8, 2), ("cn03", 4, 1)]),
    ("-n10 -c3", {"ntasks": 10, "cpus_per_task": 3}, [("cn01", 15, 5), ("cn02", 15, 5)]),
    ("-N2 -n20", {"nodes_min": 2, "nodes_max": 2, "ntasks": 20}, [("cn01", 16, 16), ("cn02", 4, 4)]),
    ("-N3 -n20", {"nodes_min": 3, "nodes_max": 3, "ntasks": 20}, [("cn01", 16, 16), ("cn02", 3, 3), ("cn03", 1, 1)]),
    ("-N1-3 -n6", {"nodes_min": 1, "nodes_max": 3, "ntasks": 6}, [("cn01", 4, 4), ("cn02", 1, 1), ("cn03", 1, 1)]),
    ("-N1-3 -n6 --use-min-nodes", {"nodes_min": 1, "nodes_max": 3, "ntasks": 6, "use_min_nodes": True}, [("cn01", 6, 6)]),
    ("-N2 --ntasks-per-node=3", {"nodes_min": 2, "nodes_max": 2, "ntasks_per_node": 3}, [("cn01", 3, 3), ("cn02", 3, 3)]),
    ("--ntasks-per-node=3", {"ntasks_per_node": 3}, [("cn01", 3, 3)]),
    ("-N4 -n50", {"nodes_min": 4, "nodes_max": 4, "ntasks": 50}, [("cn01", 16, 16), ("cn02", 16, 16), ("cn03", 16, 16), ("cn04", 2, 2)]),
    ("--mincpus=4", {"mincpus": 4}, [("cn01", 4, 4)]),
    ("--exclusive", {"exclusive": "node"}, [("cn01", 16, 16)]),
    ("-N2 -n3 --exclusive", {"nodes_min": 2, "nodes_max": 2, "ntasks": 3, "exclusive": "node"}, [("cn01", 16, 2), ("cn02", 16, 1)]),
    ("-n5 --spread-job", {"ntasks": 5, "spread_job": True}, [("cn01", 2, 2), ("cn02", 1, 1), ("cn03", 1, 1), ("cn04", 1, 1)]),
    ("-n8 --mem-per-cpu=16000", {"ntasks": 8, "mem_per_cpu": 16000}, [("cn01", 4, 4), ("cn02", 4, 4)]),
    ("--mem=40000 -n20", {"mem_per_node": 40000, "ntasks": 20}, [("cn01", 16, 16), ("cn02", 4, 4)]),
    ("-N2 -n5 -O", {"nodes_min": 2, "nodes_max": 2, "ntasks": 5, "overcommit": True}, [("cn01", 1, 3), ("cn02", 1, 2)]),
    ("-n40 -O", {"ntasks": 40, "overcommit": True}, [("cn01", 1, 40)]),
    ("-n8 --ntasks-per-socket=2", {"ntasks": 8, "ntasks_per_socket": 2}, [("cn01", 4, 4), ("cn02", 4, 4)]),
    ("-n4 --ntasks-per-socket=1", {"ntasks": 4, "ntasks_per_socket": 1}, [("cn01", 2, 2), ("cn02", 2, 2)]),
]


@pytest.mark.parametrize(("line", "request_", "expected"), REAL, ids=[row[0] for row in REAL])
def test_tasks_go_on_nodes_as_in_real_slurm(line: str, request_: dict[str, object], expected: Shape) -> None:
    assert shaped(**request_) == expected, line


def test_more_tasks_than_the_tasks_per_node_allow_take_more_nodes() -> None:
    assert [tasks for _, _, tasks in shaped(ntasks=5, ntasks_per_node=2)] == [2, 2, 1]


def test_one_node_that_suffices_is_preferred_to_several_that_come_first() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, ntasks=10), "cn01", cpus=10)
    b.start(c, b.submit(c, ntasks=4), "cn02", cpus=4)
    found = start_on(c, ntasks=16, partition="batch")
    assert found is not None and shape(found) == [("cn03", 16, 16)]


def test_where_no_node_suffices_alone_nodes_are_filled_in_order() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, ntasks=10), "cn01", cpus=10)
    b.start(c, b.submit(c, ntasks=4), "cn02", cpus=4)
    found = start_on(c, ntasks=20, partition="batch")
    assert found is not None and shape(found) == [("cn01", 6, 6), ("cn02", 12, 12), ("cn03", 2, 2)]


def test_nodes_of_a_low_weight_come_first() -> None:
    nodes = [b.node("cn01", weight=9, position=1), b.node("cn02", weight=1, position=2)]
    c = b.build(nodes, [b.partition("debug", nodes, default=True)])
    found = start_on(c)
    assert found is not None and found.nodes == ["cn02"]


def test_heavier_nodes_are_left_alone_while_lighter_ones_suffice_together() -> None:
    assert [name for name, _, _ in shaped(ntasks=20, partition="debug")] == ["cn01", "cn02"]
    c = b.lab_cluster()
    for name in ("cn01", "cn02", "cn03"):
        b.start(c, b.submit(c, ntasks=12), name, cpus=12)
    found = start_on(c, ntasks=12)
    assert found is not None and found.nodes == ["cn01", "cn02", "cn03"]
    alone = start_on(c, ntasks=14)
    assert alone is not None and alone.nodes == ["cn04"]


def test_named_nodes_are_taken_and_others_only_as_far_as_needed() -> None:
    assert [name for name, _, _ in shaped(nodelist="cn03")] == ["cn03"]
    assert [name for name, _, _ in shaped(nodelist="cn03", nodes_min=2, nodes_max=2)] == ["cn01", "cn03"]
    assert [name for name, _, _ in shaped(nodelist="cn[02,04]")] == ["cn02", "cn04"]


def test_excluded_nodes_are_not_taken() -> None:
    assert [name for name, _, _ in shaped(exclude="cn[01-02]", nodes_min=2, nodes_max=2)] == ["cn03", "cn04"]


def test_contiguous_nodes_are_neighbours() -> None:
    c = b.lab_cluster()
    b.start(c, b.submit(c, exclusive="node"), "cn02", cpus=16)
    assert start_on(c, nodes_min=3, nodes_max=3, contiguous=True) is None
    c = b.lab_cluster()
    b.start(c, b.submit(c, exclusive="node"), "cn01", cpus=16)
    found = start_on(c, nodes_min=3, nodes_max=3, contiguous=True)
    assert found is not None and found.nodes == ["cn02", "cn03", "cn04"]


def test_a_partition_with_lln_gives_the_least_loaded_node() -> None:
    c = b.lab_cluster()
    c.partitions["debug"].lln = True
    b.start(c, b.submit(c, ntasks=2), "cn01", cpus=2)
    b.start(c, b.submit(c, ntasks=1), "cn02", cpus=1)
    found = start_on(c, ntasks=3)
    assert found is not None and found.nodes == ["cn03"]


@pytest.mark.parametrize(("features", "nodes", "expected"), [
    ("intel", 2, ["cn01", "cn02"]),
    ("gpu", 1, ["cn04"]),
    ("amd|intel", 1, ["cn01"]),
    ("[intel|amd]", 3, ["cn01", "cn02", "cn03"]),
    ("[amd|intel]", 1, ["cn04"]),
    ("[intel*2&amd*1]", 3, ["cn01", "cn02", "cn04"]),
    ("gpu*1", 2, ["cn01", "cn04"]),
])
def test_constraints_choose_nodes(features: str, nodes: int, expected: list[str]) -> None:
    assert [name for name, _, _ in shaped(features=features, nodes_min=nodes, nodes_max=nodes)] == expected


def test_gpus_come_from_the_node_that_has_them() -> None:
    found = start_on(b.lab_cluster(), gres="gpu:a100:1", partition="debug")
    assert found is not None and found.nodes == ["cn04"]
    assert found.shares[0].gres == {"gpu": CpuSet(0b1)}


def test_gpus_of_a_job_are_spread_over_its_nodes_one_each_at_least() -> None:
    c = b.cluster(3, gpus=4)
    found = start_on(c, gpus="4", nodes_min=2, nodes_max=2)
    assert found is not None and [len(share.gres["gpu"]) for share in found.shares] == [3, 1]
    more = start_on(b.cluster(3, gpus=4), gpus="a100:6")
    assert more is not None and [len(share.gres["gpu"]) for share in more.shares] == [4, 2]


def test_gpus_per_task_bound_the_tasks_on_a_node() -> None:
    found = start_on(b.cluster(3, gpus=2), ntasks=3, gpus_per_task="1")
    assert found is not None and [(share.tasks, len(share.gres["gpu"])) for share in found.shares] == [(2, 2), (1, 1)]


def test_gpus_per_node_and_per_task_or_job_hold_together_and_do_not_add_up() -> None:
    per_task = start_on(b.cluster(3, gpus=2), gpus_per_node="2", gpus_per_task="1", ntasks=4)
    assert per_task is not None and [(share.tasks, share.gres["gpu"]) for share in per_task.shares] == [(2, CpuSet(0b11)), (2, CpuSet(0b11))]
    per_job = start_on(b.cluster(3, gpus=2), gpus_per_node="1", gpus="3")
    assert per_job is not None and [share.gres["gpu"] for share in per_job.shares] == [CpuSet(1)] * 3


def test_cpus_and_memory_per_gpu_count_with_the_gpus() -> None:
    found = start_on(b.cluster(1, gpus=2), gpus="2", cpus_per_gpu=3, mem_per_gpu=4000)
    assert found is not None and (found.cpu_count, found.memory) == (6, 8000)
    assert start_on(b.cluster(1, cpus=4, gpus=2), gpus="2", cpus_per_gpu=3) is None
    assert start_on(b.cluster(1, memory=7000, gpus=2), gpus="2", mem_per_gpu=4000) is None


def test_tasks_per_gpu_say_how_many_tasks_or_how_many_gpus() -> None:
    tasks = start_on(b.cluster(1, gpus=2), gpus="2", ntasks_per_gpu=2)
    assert tasks is not None and (tasks.shares[0].tasks, tasks.cpu_count) == (4, 4)
    gpus = start_on(b.cluster(1, gpus=2), ntasks=4, ntasks_per_gpu=2)
    assert gpus is not None and gpus.shares[0].gres == {"gpu": CpuSet(0b11)}


def test_cpus_near_the_devices_are_preferred() -> None:
    c = b.cluster(1, cpus=8, gpus=1)
    c.nodes[b.NodeName("cn01")].gres[0].cores = CpuSet(0b1111_0000)
    found = start_on(c, gres="gpu:1", cpus_per_task=2)
    assert found is not None and found.shares[0].cpus == CpuSet(0b0011_0000)


def test_whole_cores_are_given_with_hyperthreads() -> None:
    node = b.node("cn01", cpus=8, cores_per_socket=2, threads_per_core=2)
    c = b.build([node], [b.partition("debug", [node], default=True)])
    three = start_on(c, ntasks=3)
    assert three is not None and (three.shares[0].cpus, three.shares[0].tasks) == (CpuSet.of([0, 1, 4, 5]), 3)


def test_one_task_a_core_and_one_thread_a_core_take_twice_the_cpus() -> None:
    for request in ({"ntasks": 3, "ntasks_per_core": 1}, {"ntasks": 3, "threads_per_core": 1}):
        node = b.node("cn01", cpus=8, cores_per_socket=2, threads_per_core=2)
        c = b.build([node], [b.partition("debug", [node], default=True)])
        found = start_on(c, **request)
        assert found is not None and found.cpu_count == 6, request
    assert start_on(c, ntasks=5, ntasks_per_core=1) is None


def test_all_memory_of_a_node_is_asked_for_with_zero() -> None:
    c = b.cluster(2)
    b.start(c, b.submit(c), "cn01", memory=100)
    found = start_on(c, mem_per_node=0)
    assert found is not None and found.nodes == ["cn02"] and found.memory == 64000


def test_an_exclusive_job_takes_memory_for_all_the_cpus_it_gets_but_not_more_than_there_is() -> None:
    half = start_on(b.cluster(1), exclusive="node", mem_per_cpu=500)
    assert half is not None and half.memory == 8000
    all_of_it = start_on(b.cluster(1), exclusive="node", mem_per_cpu=9000)
    assert all_of_it is not None and all_of_it.memory == 64000


def test_an_exclusive_job_waits_for_an_empty_node() -> None:
    c = b.cluster(2)
    b.start(c, b.submit(c), "cn01")
    found = start_on(c, exclusive="node")
    assert found is not None and found.nodes == ["cn02"] and found.exclusive


def test_a_job_that_wants_its_user_only_shares_with_that_user() -> None:
    c = b.cluster(2)
    b.start(c, b.submit(c, by=b.BOB), "cn01")
    found = start_on(c, exclusive="user")
    assert found is not None and found.nodes == ["cn02"]
    mine = b.cluster(2)
    b.start(mine, b.submit(mine, exclusive="user"), "cn01")
    job = b.submit(mine, by=b.BOB)
    assert [p.allocation.nodes for p in plan(mine, b.T0).proposals if p.job == job.id] == [["cn02"]]


def test_a_partition_caps_its_cpus_on_a_node() -> None:
    c = b.lab_cluster()
    c.partitions["batch"].max_cpus_per_node = 4
    first = start_on(c, ntasks=6, partition="batch")
    assert first is not None and shape(first) == [("cn01", 4, 4), ("cn02", 2, 2)]
    c = b.lab_cluster()
    c.partitions["batch"].max_cpus_per_node = 4
    b.start(c, b.submit(c, partition="batch", ntasks=3), "cn01", cpus=3)
    second = start_on(c, ntasks=2, partition="batch")
    assert second is not None and second.nodes == ["cn02"]


def test_cpus_are_shared_as_often_as_a_forced_partition_says_idle_ones_first() -> None:
    c = b.cluster(1, cpus=2, memory=64000)
    c.partitions["debug"].oversubscribe = "FORCE:2"
    for _ in range(5):
        b.submit(c, ntasks=1, mem_per_cpu=10)
    masks = [proposal.allocation.shares[0].cpus for proposal in plan(c, b.T0).proposals]
    assert masks == [CpuSet(0b01), CpuSet(0b10)] * 2


def test_cpus_are_shared_only_with_jobs_that_agree() -> None:
    c = b.cluster(1, cpus=1)
    c.partitions["debug"].oversubscribe = "YES:3"
    for asks in (True, True, False, True):
        b.submit(c, oversubscribe=asks, mem_per_cpu=10)
    assert [proposal.job for proposal in plan(c, b.T0).proposals] == [1, 2]


def test_cr_cpu_gives_threads_and_cr_socket_whole_sockets() -> None:
    for unit, cpus in (("cpu", 3), ("core", 4), ("socket", 4)):
        node = b.node("cn01", cpus=8, cores_per_socket=2, threads_per_core=2)
        c = b.build([node], [b.partition("debug", [node], default=True)], b.Settings(select_unit=unit, def_mem_per_cpu=1))
        found = start_on(c, ntasks=3)
        assert found is not None and found.cpu_count == cpus, unit


def test_select_linear_gives_whole_nodes() -> None:
    c = b.cluster(2, select="linear")
    b.start(c, b.submit(c), "cn01")
    found = start_on(c)
    assert found is not None and found.nodes == ["cn02"] and found.cpu_count == 16


@pytest.mark.parametrize("words", [{"gpus_per_node": "2"}, {"gres": "gpu:2"}])
def test_tasks_per_gpu_say_how_many_tasks_each_nodes_gpus_get(words: dict[str, str]) -> None:
    found = start_on(b.cluster(gpus=2), nodes_min=2, nodes_max=2, ntasks_per_gpu=2, **words)
    assert found is not None and shape(found) == [("cn01", 4, 4), ("cn02", 4, 4)]


@pytest.mark.parametrize("words", [{"gpus": "0"}, {"gpus_per_node": "0"}, {"gpus_per_task": "0"}, {"gres": "gpu:0"}, {"gpus": "none"}])
def test_zero_of_something_is_none_of_it(words: dict[str, str]) -> None:
    found = start_on(b.cluster(), nodes_min=2, nodes_max=2, ntasks=2, **words)
    assert found is not None and [share.gres for share in found.shares] == [{}, {}]


def test_an_exclusive_job_has_all_cpus_and_all_generic_resources_of_its_nodes() -> None:
    for words in ({}, {"gres": "gpu:1"}, {"gpus": "1"}):
        found = start_on(b.cluster(gpus=2), exclusive="node", **words)
        assert found is not None and [(share.cpu_count, share.gres) for share in found.shares] == [(16, {"gpu": CpuSet(0b11)})]


def test_jobs_of_other_partitions_do_not_count_against_a_forced_partitions_share() -> None:
    c = b.cluster(1, cpus=1)
    node = next(iter(c.nodes.values()))
    c.partitions["debug"].oversubscribe = "FORCE:2"
    c.partitions["alone"] = b.partition("alone", [node])
    for partition in ("debug", "debug"):
        b.submit(c, partition=partition, mem_per_cpu=10)
    for proposal in plan(c, b.T0).proposals:
        event = c.starting(proposal.job, None, proposal.allocation, b.T0)
        assert event is not None
        c.apply(event)
    c.partitions["second"] = b.partition("second", [node], oversubscribe="FORCE:2")
    b.submit(c, partition="second", mem_per_cpu=10)
    b.submit(c, partition="second", mem_per_cpu=10)
    b.submit(c, partition="second", mem_per_cpu=10)
    b.submit(c, partition="alone", mem_per_cpu=10)
    assert [c.jobs[proposal.job].partition for proposal in plan(c, b.T0).proposals] == ["second", "second"]


def test_what_nobody_consumes_is_there_for_every_job_that_asks() -> None:
    c = b.cluster(1, cpus=4)
    c.nodes[b.NodeName("cn01")].gres = [GresPool(name="r1", type="", count=1, consumed=False)]
    c.settings.gres_types.append("r1")
    for _ in range(2):
        b.submit(c, gres="r1:1", mem_per_cpu=10)
    shares = [proposal.allocation.shares[0] for proposal in plan(c, b.T0).proposals]
    assert [(share.node, share.gres) for share in shares] == [("cn01", {}), ("cn01", {})]
    assert start_on(c, gres="r1:2", mem_per_cpu=10) is None
    step = steps.plan_step(c, b.started(c, gres="r1:1"), StepRequest(gres="r1:1"), b.T0)
    assert step.shares[0].gres == {}
